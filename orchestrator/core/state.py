"""What is known of a service that runs: plain data, which `dump` takes apart and `load` puts together again."""

from __future__ import annotations

from orchestrator.core.item import Item
from orchestrator.core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Plan = dict[str, Any]
    Purpose = tuple[Any, ...]
    """What follows when nothing of the last server is left: `spawn`, `maintain`, `engine` or `exit`, and its details."""

SERVING, BOOTING, BACKOFF, MAINTENANCE = "serving", "booting", "backoff", "maintenance"
DRAINING, STOPPING, DUMPING = "draining", "stopping", "dumping"
RETURNING = "returning"
SWEEPING, KILLING, ENDED = "sweeping", "killing", "ended"
ABSENT, PROVING = "absent", "proving"
HAS_SERVER = (SERVING, BOOTING, PROVING, DRAINING, STOPPING, DUMPING)


ENGINE, SUPERVISOR = "engine", "supervisor"
"""Who drives: until ready, and while something is served instead, the engine; afterwards the supervisor."""


class Server(Record):
    """The server process of one generation after another, or what is there in its place."""

    __slots__ = ("alive", "due", "outdated", "phase", "purpose", "served_since")

    def __init__(self, now: float | None) -> None:
        self.phase = ABSENT if now is None else SERVING
        self.alive = now is not None
        self.due: float | None = None
        """When its phase is over at the latest."""
        self.served_since: float | None = now
        self.purpose: Purpose | None = None
        """What it is being ended for."""
        self.outdated = False
        """Whether it was started before a feature came back that it has to start for."""


class Restarts(Record):
    """How far the restart policy and the list of actions have been gone through."""

    __slots__ = ("action", "recent", "rounds", "since", "streak", "tried", "used")

    def __init__(self, before: dict[str, Any]) -> None:
        self.recent: list[float] = list(before.get("recent", ()))
        """When the policy restarted it."""
        self.streak: int = before.get("streak", 0)
        """Restarts since it was last stable."""
        self.action: int = before.get("action", 0)
        """The place of the next action in its list."""
        self.used: int = before.get("used", 0)
        """How often that one was applied."""
        self.rounds: int = before.get("rounds", 0)
        """How often everything was checked again since it was last stable."""
        self.since: float | None = before.get("since")
        """When something was first served instead since then."""
        self.tried: list[str] = []
        """What was done about the failure so far, for the report."""


class Watch(Record):
    """How often in a row each endpoint has failed or been healthy, and when the next round begins."""

    __slots__ = ("due", "failures", "round", "successes", "tolerated")

    def __init__(self) -> None:
        self.due: float | None = None
        self.round: list[str] = []
        """The endpoints that are still to be asked in this round."""
        self.failures: dict[str, int] = {}
        self.successes: dict[str, int] = {}
        self.tolerated: list[str] = []
        """Endpoints whose failure was settled by going on, until they are healthy again."""


class Features(Record):
    """Items that were degraded, and which of them is tried again now.

    An entry has `item`, `features` (what is off for it), `since`, `due` (when it is tried again) and `over` (when its
    time is over), times or None, `recheck` (seconds, or None), `restart` (whether the server has to start again for
    it), `tried` (how many of its actions were), `summary` (its last failure) and `limit` (seconds for one try, or None).
    """

    __slots__ = ("entries", "last", "running")

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.entries = list(entries)
        self.running = ""
        """The item that is tried now."""
        self.last = False
        """Whether its next action follows if it fails again."""


class Stop(Record):
    """A request to stop, and how long its parts take."""

    __slots__ = ("asked", "at", "ended", "forced", "number", "told")

    def __init__(self, now: float) -> None:
        self.number = 0
        """The signal that asked; 0 until one has."""
        self.at = now
        """When the last request came."""
        self.asked = self.told = self.ended = now
        """When it was asked for, when the server was told, and when that had ended."""
        self.forced = False


class Imports(Record):
    """The rounds of the importing process."""

    __slots__ = ("ended", "features", "held", "last", "outdated", "ready", "round", "running")

    def __init__(self) -> None:
        self.round = 0
        self.running = self.ready = False
        self.ended = False
        """Whether the last round came to nothing."""
        self.last = False
        """Whether nothing was left, when the round began, that might fix an import."""
        self.held: dict[str, Any] = {}
        """Failures that something may still fix, by item: the outcome, and what of it was tolerated."""
        self.outdated = False
        """Whether what was imported is not what is to be served."""
        self.features: list[str] = []
        """What was off when the round began: the app reads it while it is imported."""


class Hold(Record):
    """What is served instead of the service."""

    __slots__ = ("action", "due", "over", "served", "since")

    def __init__(self) -> None:
        self.action: dict[str, Any] | None = None
        self.served = False
        self.since: float | None = None
        self.due: float | None = None
        """When everything is checked again."""
        self.over: float | None = None
        """When its time is over."""


class State:
    """One service. `transition` alone changes it."""

    __slots__ = (
        "about",
        "code",
        "driver",
        "facts",
        "failed",
        "features",
        "hold",
        "imports",
        "items",
        "over",
        "plan",
        "restarts",
        "seed",
        "server",
        "settled",
        "status",
        "stop",
        "was_ready",
        "watch",
    )

    def __init__(self, plan: Plan, now: float, status: str, driver: str) -> None:
        self.plan = plan
        """What does not change: see `core.plan`. The supervisor of an engine that keeps the items has none of those."""
        self.driver = driver
        self.status = status
        self.code = 0
        self.failed: dict[str, Any] = {}
        """What the engine has to know of the item that it comes back for."""
        self.about = ""
        """The code of the page that explains the end, where that is the server's."""
        self.was_ready = driver == SUPERVISOR
        self.facts: dict[str, Any] = {}
        """What conditions may ask: `environ`, `role`, `environment`, `root`, `late` and `complete`, as of `Facts`."""
        self.items: dict[str, Item] = {name: Item() for name in plan.get("nodes", ())}
        self.settled = 0
        """The items that have come to a status, as the bits of their nodes."""
        self.over: float | None = None
        """When waits that can no longer change the verdict are given up."""
        self.seed = 1
        self.imports = Imports()
        self.hold = Hold()
        self.server = Server(now if driver == SUPERVISOR else None)
        self.restarts = Restarts(plan.get("restarts") or {})
        self.watch = Watch()
        self.features = Features(plan.get("features") or [])
        self.stop = Stop(now)

    def draw(self) -> float:
        """A random number from 0 to 1, the same in every replay."""
        self.seed = (self.seed * 1103515245 + 12345) % (1 << 31)
        return self.seed / (1 << 31)


_RECORDS: dict[str, type[Record]] = {
    "server": Server, "restarts": Restarts, "watch": Watch, "features": Features, "stop": Stop, "imports": Imports,
    "hold": Hold,
}  # fmt: skip


def dump(state: State) -> dict[str, Any]:
    """The state as builtins, which `marshal` takes."""
    values = {name: getattr(state, name) for name in State.__slots__}
    values |= {name: getattr(state, name).dump() for name in _RECORDS}
    return values | {"items": {name: item.dump() for name, item in state.items.items()}}


def load(data: dict[str, Any]) -> State:
    """The state that was dumped."""
    made = State.__new__(State)
    for name in State.__slots__:
        setattr(made, name, _RECORDS[name].load(data[name]) if name in _RECORDS else data[name])
    made.items = {name: Item.load(item) for name, item in data["items"].items()}
    return made
