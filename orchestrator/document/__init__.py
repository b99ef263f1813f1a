"""Text to a located tree: reading YAML with marks and limits, overlays with provenance, interpolation.

This stage knows nothing about what the keys mean.
"""
