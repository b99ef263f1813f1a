"""A few figures about the machine, from the standard library alone."""

import os
import shutil
from time import time

CACHE_SECONDS = 1.0
_last = (0.0, {})


def measure():
    """Load for each processor and the share of the disk in use, at most once a second."""
    global _last
    taken, figures = _last
    if time() - taken >= CACHE_SECONDS:
        disk = shutil.disk_usage(".")
        figures = {
            "load": round(os.getloadavg()[0] / (os.cpu_count() or 1), 2),
            "disk": round(disk.used / disk.total, 2),
        }
        _last = (time(), figures)
    return figures
