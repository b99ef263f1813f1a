"""Things that must answer: one file per kind, `tcp.py` is `tcp:` under `wait_for`."""
