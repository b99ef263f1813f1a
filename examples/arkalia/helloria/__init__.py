"""The HTTP face of arkalia."""
