"""Answers questions in plain words. Optional."""
