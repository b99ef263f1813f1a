"""The few process attributes that Python has no call for; where there is no prctl, nothing happens."""

from __future__ import annotations

SET_PDEATHSIG = 1
SET_CHILD_SUBREAPER = 36
SET_NO_NEW_PRIVS = 38


def _prctl(option: int, value: int) -> bool:
    try:
        # Here, because it costs a megabyte and the supervisor has no use for it.
        import ctypes

        return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0)) == 0
    except (ImportError, OSError, AttributeError):
        return False


def adopt_orphans() -> bool:
    """From now on orphaned descendants become this process's children. Survives exec, is not inherited."""
    return _prctl(SET_CHILD_SUBREAPER, 1)


def end_with_parent(signal_number: int) -> bool:
    """Has this process sent the signal when the thread that started it ends. Lost at a switch of the user."""
    return _prctl(SET_PDEATHSIG, signal_number)


def no_new_privileges() -> bool:
    return _prctl(SET_NO_NEW_PRIVS, 1)
