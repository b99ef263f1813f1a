"""How much there is time for: `LONG_SECONDS=180` runs as many of the long tests as fit, each with small numbers."""

import os
import time

SECONDS = float(os.environ.get("LONG_SECONDS") or 0)
# The processes of one run agree on its end: the first one decides, the others inherit it.
UNTIL = os.environ.setdefault("LONG_UNTIL", str(time.time() + SECONDS)) if SECONDS else ""


def number(whole, small):
    """How often something is repeated, without a bound and with one."""
    return small if SECONDS else whole


def is_over():
    return bool(UNTIL) and time.time() > float(UNTIL)
