"""The engine started once more by the supervisor: beside the server for one item, or in the supervisor's own place.

Builtins alone. Knows how the engine was started and hands it its orders; nothing of what they mean.
"""

from __future__ import annotations

import os
import sys

from orchestrator.launch import spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Orders = dict[str, Any]

VARIABLE = "ORCHESTRATOR_ORDERS"
"""The descriptor behind which the orders are. It is taken out before anything else sees the environment."""
PREFIX = "/memfd:orchestrator-plan"


def execute(memory: int, orders: Orders) -> NoReturn:
    """Turns this process into the engine as it was started first. Raises OSError where that cannot be.

    `memory` holds, beside what the engine itself noted, `argv` and `environ` of that first start.
    """
    remembered = spawn.look(memory)
    os.set_inheritable(memory, True)
    descriptor = spawn.package({**orders, "memory": memory})
    environ = {**remembered["environ"], VARIABLE: str(descriptor)}
    os.execve(sys.executable, [sys.executable, *remembered["argv"]], environ)


def taken() -> Orders | None:
    """The orders with which the supervisor has started this process; None where somebody else did."""
    said = os.environ.pop(VARIABLE, "")
    if not (said.isascii() and said.isdigit()) or not _is_ours(int(said)):
        return None
    orders = spawn.unpack(int(said))
    remembered = spawn.look(orders["memory"])
    os.close(orders["memory"])
    return orders | {"memory": remembered}


def _is_ours(descriptor: int) -> bool:
    """A variable alone can be anybody's."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").startswith(PREFIX)
    except OSError:
        return False
