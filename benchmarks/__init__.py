"""Measures what the project promises against its rivals, side by side and in turns. Not part of the tests."""
