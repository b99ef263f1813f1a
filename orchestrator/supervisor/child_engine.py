"""An engine beside the server, for one item or to see whether one can be started; knows nothing of what follows.

Its answer comes behind a descriptor in memory; what it prints is kept for the case that there is no answer.
"""

from __future__ import annotations

import os
import time

from orchestrator.core.exit_status import ending
from orchestrator.launch import reexec, spawn
from orchestrator.supervisor import probe
from orchestrator.system.inherited import begin_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Orders = dict[str, Any]

ALONE, SCOUT, BACK = "alone", "scout", "back"
"""What an engine is started for: one item, to see whether it can be, in the supervisor's place."""
MARGIN = 60.0
"""Seconds beyond the time of the item itself: for the interpreter, its imports and the spec, on a busy machine."""
CANNOT_START = 127


class Beside(probe.Heard):
    """An engine that runs beside the server."""

    __slots__ = ("answers", "dropped", "item")

    def __init__(self, memory: int, orders: Orders, limit: float | None = 0.0) -> None:
        self.item: str = orders.get("item", "")
        self.answers = os.memfd_create("orchestrator-answer", os.MFD_CLOEXEC)
        self.dropped = False
        """Whether nobody waits for its answer any more."""
        pid, reader = probe.start(lambda writer: _become(memory, orders | {"answer": self.answers}, writer))
        super().__init__(pid, reader, None if limit is None else time.monotonic() + limit + MARGIN)

    def answer(self, code: int) -> dict[str, Any]:
        """What it has found; `unknown` and the reason where that is nothing."""
        said = self.last_line()
        found: dict[str, Any] = {}
        try:
            if code == 0:
                found = spawn.look(self.answers)
        finally:
            os.close(self.answers)
        return found or {"word": "unknown", "summary": self._why_not(code, said)}

    def _why_not(self, code: int, said: str) -> str:
        if self.late:
            return "the engine did not answer in time"
        return f"the engine {ending(code)}" + (f": {said}" if said else "")


def _become(memory: int, orders: Orders, writer: int) -> NoReturn:
    try:
        begin_child()
        for descriptor in (1, 2):
            os.dup2(writer, descriptor)
        os.set_inheritable(orders["answer"], True)
        reexec.execute(memory, orders)
    except BaseException as error:
        os.write(writer, f"cannot start the engine: {error}\n".encode())
    finally:
        os._exit(CANNOT_START)
