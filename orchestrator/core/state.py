"""What is known of a service that runs: plain data, which `dump` takes apart and `load` puts together again."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

    Plan = dict[str, Any]
    Purpose = tuple[Any, ...]
    """What follows when nothing of the last server is left: `spawn`, `maintain`, `engine` or `exit`, and its details."""

SERVING, BOOTING, BACKOFF, MAINTENANCE = "serving", "booting", "backoff", "maintenance"
DRAINING, STOPPING, DUMPING = "draining", "stopping", "dumping"
RETURNING = "returning"
SWEEPING, KILLING, ENDED = "sweeping", "killing", "ended"
HAS_SERVER = (SERVING, BOOTING, DRAINING, STOPPING, DUMPING)


class Record:
    """Named values, each of them a builtin."""

    __slots__: tuple[str, ...] = ()

    def dump(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def load(cls, data: dict[str, Any]) -> Self:
        made = cls.__new__(cls)
        for name in cls.__slots__:
            setattr(made, name, data[name])
        return made


class Server(Record):
    """The server process of one generation after another, or what is there in its place."""

    __slots__ = ("alive", "due", "outdated", "phase", "purpose", "served_since")

    def __init__(self, now: float) -> None:
        self.phase = SERVING
        self.alive = True
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


class State:
    """One supervised service. `transition` alone changes it."""

    __slots__ = (
        "about",
        "code",
        "failed",
        "features",
        "plan",
        "restarts",
        "server",
        "status",
        "stop",
        "watch",
    )

    def __init__(self, plan: Plan, now: float, status: str = "ready") -> None:
        self.plan = plan
        """What does not change: `restart`, `on_failure` (lowered actions), `health`, `drain`, `grace`, `stop_signal`,
        `server`, `command`, `workers`, `blamed` (the item that has failed when the server ends) and `engine` (whether
        the engine can be started again)."""
        self.status = status
        self.code = 0
        self.failed: dict[str, Any] = {}
        """What the engine has to know of the item that it comes back for."""
        self.about = ""
        """The code of the page that explains the end, where that is the server's."""
        self.server = Server(now)
        self.restarts = Restarts(plan.get("restarts") or {})
        self.watch = Watch()
        self.features = Features(plan.get("features") or [])
        self.stop = Stop(now)


_RECORDS: dict[str, type[Record]] = {
    "server": Server, "restarts": Restarts, "watch": Watch, "features": Features, "stop": Stop,
}  # fmt: skip


def dump(state: State) -> dict[str, Any]:
    """The state as builtins, which `marshal` takes."""
    values = {name: getattr(state, name) for name in State.__slots__}
    return values | {name: getattr(state, name).dump() for name in _RECORDS}


def load(data: dict[str, Any]) -> State:
    """The state that was dumped."""
    made = State.__new__(State)
    for name in State.__slots__:
        setattr(made, name, _RECORDS[name].load(data[name]) if name in _RECORDS else data[name])
    return made
