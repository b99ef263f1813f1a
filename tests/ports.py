"""Ports that a test may have: nobody else who runs beside it is given the same one."""

import itertools
import os
import random
import socket

_LOWEST, _EACH = 10_000, 2_500
"""Below the range from which the kernel gives ports to whoever connects, which could take one in between."""
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_own = range(_LOWEST + _worker * _EACH, _LOWEST + (_worker + 1) * _EACH)
_from = random.Random(os.getpid()).randrange(_EACH)
_next = itertools.cycle((*_own[_from:], *_own[:_from]))


def free_port():
    """A port on which nobody listens; each call gives another."""
    for port in itertools.islice(_next, _EACH):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise AssertionError("every port is taken")
