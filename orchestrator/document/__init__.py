"""Text to a located tree: reading YAML with marks and limits, overlays with provenance, interpolation."""
