"""What must be true before the service may serve: one file per kind, `packages.py` is `packages:`.

A kind is one class, `KIND`: its fields are what a user writes, `attempt` is how it is checked.
"""
