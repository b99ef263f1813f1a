"""Kinds of this team's own for `startup.yaml`, one module for each, named as users write it."""
