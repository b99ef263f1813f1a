"""Watches the machine."""
