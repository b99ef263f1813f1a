"""The six words that fallback actions lower themselves to. Nothing else about an action is known where it is decided on.

A lowered action is a dict of plain values. Its `do` is one of the six, its `name` is the word in the spec. Beside them
have `degrade` its `feature`, `recheck`, `max_degraded` and `restart_app`; `serve` its `app`, `for`, `message` and
`retry_after`; `stop` its `code`; `restart` its `times`; `warn` its `text`; and `remedy` its `limit`, whether it is
applied `beside` a running server, and whether the item is checked `again`. Times are seconds.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Lowered = dict[str, Any]

WARN, DEGRADE, SERVE, STOP, RESTART, REMEDY = "warn", "degrade", "serve", "stop", "restart", "remedy"


def needs_the_server(lowered: Lowered) -> bool:
    """Whether an action changes the server or ends it: beside a running one, that is for the supervisor to decide."""
    return lowered["do"] in (SERVE, STOP, RESTART) or not lowered.get("beside", True)
