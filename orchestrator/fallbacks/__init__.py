"""What is done when something fails: one file per action, `degrade.py` is `degrade:`."""
