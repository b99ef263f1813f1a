"""The standard streams, closed by somebody or owned by another user; knows nothing of what is written to them."""

from __future__ import annotations

import os
import stat
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


def give(uid: int) -> None:
    """Gives this process's pipes and terminals to a user, who could not open them again as /dev/stdout otherwise."""
    for descriptor in (0, 1, 2):
        try:
            found = os.fstat(descriptor)
            ours = found.st_uid == os.geteuid()  # not the terminal of somebody who used sudo
            if ours and (stat.S_ISFIFO(found.st_mode) or os.isatty(descriptor)):
                os.fchown(descriptor, uid, -1)
        except OSError:
            continue  # closed, or on a read-only device: it still works as it is
