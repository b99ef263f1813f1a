"""Decides what to do about it. Optional."""
