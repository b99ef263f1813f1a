"""Standard streams that somebody has closed; knows nothing of what is written to them."""

from __future__ import annotations

import os
import sys


def complete() -> None:
    """What is missing leads to nowhere: else the next socket would be the standard error of every child."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: SIM115 -- for good
