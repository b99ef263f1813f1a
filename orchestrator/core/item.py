"""One item on its way to a status: what it has come to, and what is done about it now."""

from __future__ import annotations

from orchestrator.core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestrator.core.conditions import Answer, Condition
    from orchestrator.core.words import Lowered

    Outcome = dict[str, Any]
    """`ok`, `summary`, and of a failure `reason`, `code` (of its page) and `final` (trying again is pointless)."""

UNKNOWN, WAITING = "unknown", "waiting"
OK, HEALED, DEGRADED, WARNED, SKIPPED = "ok", "healed", "degraded", "warned", "skipped"
FAILED, BLOCKED = "failed", "blocked"
GOOD = (OK, HEALED, DEGRADED, WARNED, SKIPPED)
"""What needs an item of such a status goes on."""

ASK, ATTEMPT, PAUSE, REMEDY, IMPORT, PROBE = "ask", "attempt", "pause", "remedy", "import", "probe"


class Item(Record):
    """The state of an item; what never changes about it is its node in the plan."""

    __slots__ = (
        "answers",
        "attempts",
        "blocked_by",
        "cursor",
        "doing",
        "due",
        "essential",
        "exit_code",
        "feature",
        "features",
        "first",
        "lane",
        "off_since",
        "outcome",
        "over",
        "recheck",
        "remedied",
        "restart_app",
        "serve",
        "status",
        "used",
    )

    def __init__(self) -> None:
        self.status = UNKNOWN
        self.outcome: Outcome = {"ok": False, "summary": ""}
        self.doing = ""
        """What is done about it now: a condition is asked, it is attempted, it pauses, a remedy is applied ..."""
        self.lane = 0
        """Answers to what was begun earlier are nobody's."""
        self.attempts = 0
        self.first: float | None = None
        """When it was attempted first."""
        self.due: float | None = None
        """When it is attempted again."""
        self.cursor = 0
        """The place of the next action in its list."""
        self.used = 0
        """How often that one was applied."""
        self.remedied = ""
        """The remedy after which it is attempted again."""
        self.answers: dict[Condition, Answer] = {}
        """To the leaves of its condition."""
        self.serve: Lowered | None = None
        """The action that serves something else for as long as it fails."""
        self.exit_code: int | None = None
        self.blocked_by = ""
        self.feature = ""
        """What is off because of it, by its last `degrade`."""
        self.features: list[str] = []
        """All that is off because of it."""
        self.recheck: float | None = None
        self.restart_app = False
        self.off_since: float | None = None
        self.over: float | None = None
        """When it has been off for too long."""
        self.essential = False
        """Whether the app cannot be imported without it: then it cannot be tolerated."""

    @property
    def settled(self) -> bool:
        return self.status not in (UNKNOWN, WAITING)

    @property
    def good(self) -> bool:
        return self.status in GOOD
