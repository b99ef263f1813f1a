"""The few process attributes that Python has no call for; where there is no prctl, nothing happens."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SET_PDEATHSIG = 1
SET_CHILD_SUBREAPER = 36


def load() -> bool:
    """Whether the calls can be made. Before a switch of the user, who may be kept from Python's files."""
    try:
        # Here, because it costs a megabyte and the supervisor has no use for it.
        import ctypes
    except ImportError:
        return False
    return hasattr(ctypes, "CDLL")


def _prctl(option: int, value: int) -> bool:
    if not load():
        return False
    import ctypes

    try:
        return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0)) == 0
    except (OSError, AttributeError):
        return False


def adopt_orphans() -> bool:
    """From now on orphaned descendants become this process's children. Survives exec, is not inherited."""
    return _prctl(SET_CHILD_SUBREAPER, 1)


def end_with_parent(signal_number: int) -> bool:
    """Has this process sent the signal when the thread that started it ends. Lost at a switch of the user."""
    return _prctl(SET_PDEATHSIG, signal_number)


def end_with(signal_number: int) -> Callable[[], object] | None:
    """The same as a call that can be made between fork and exec: all it needs is there before."""
    if not load():
        return None
    import ctypes
    from functools import partial

    try:
        return partial(ctypes.CDLL(None).prctl, SET_PDEATHSIG, signal_number, 0, 0, 0)
    except (OSError, AttributeError):
        return None
