"""A start without a process, and plans for it: the state is taken apart and put together again before every event."""

import marshal

from orchestrator.core import plan as core_plan
from orchestrator.core.order import Node, Order
from orchestrator.core.phases import PHASES
from orchestrator.core.state import dump, load
from orchestrator.core.transition import deadline, starting, transition

OK = {"ok": True, "summary": "ok"}
WARN = {"do": "warn", "name": "warn", "text": ""}
STOP = {"do": "stop", "name": "stop", "code": None}
RUN = {"do": "remedy", "name": "run", "limit": 60.0, "again": True, "beside": True}
SERVE = {
    "do": "serve",
    "name": "serve",
    "app": "maintenance",
    "for": None,
    "message": None,
    "retry_after": None,
}
RETRY = [0.05, 2.0, 5.0, "none", None]


def degrade(feature, **more):
    known = {"recheck": None, "max_degraded": None, "restart_app": False}
    return {"do": "degrade", "name": "degrade", "feature": feature} | known | more


def failed(reason="missing", **more):
    return {"ok": False, "summary": reason, "reason": reason, "final": False} | more


def plan(items, *, after_ready=(), **more):
    """`items`: id → what is known of it, besides its `actions`, `needs`, `after` and `outputs`."""
    nodes = [
        Node(
            name,
            PHASES[kind_of(name)],
            given.get("needs", ()),
            given.get("after", ()),
            outputs="outputs" in given,
        )
        for name, given in items.items()
    ]
    health = [name for name in items if name.startswith("health:")]
    return core_plan.plan(
        Order(nodes),
        {name: known_of(name, given) for name, given in items.items()},
        {name: given.get("actions", ()) for name, given in items.items()},
        after_ready,
        **{"blamed": next(iter(health), "launch"), **more},
    )


def kind_of(name):
    return "file" if name.startswith("variable:") else name.partition(":")[0]


def known_of(name, given):
    kind = kind_of(name)
    waits = {"retry": RETRY, "deadline": 60.0} if kind in ("wait", "health") else {}
    known = {
        "imported": kind == "module",
        "looks": kind in ("file", "wait", "check"),
        "repeatable": kind != "step",
    }
    return known | waits | {key: given[key] for key in ("variables", "when") if key in given}


class Started:
    """A start, its clock and what it has commanded."""

    def __init__(self, made, **facts):
        known = {"environ": {}, "role": "", "environment": "", "root": False, "late": [], "complete": True}
        self.state = starting(made, known | facts, 0.0)
        self.now = 0.0
        self.commands = []

    def on(self, *event):
        """Takes an event; gives the commands that are for the driver's hands."""
        self.state = load(marshal.loads(marshal.dumps(dump(self.state))))
        found = transition(self.state, event, self.now)
        self.commands += found
        return [
            each
            for each in found
            if each[0] not in ("say", "item", "status", "feature", "fallback", "no_help", "waiting")
        ]

    def begin(self):
        return self.on("started")

    def attempted(self, name, outcome=OK, values=None):
        return self.on("attempted", name, self.state.items[name].lane, outcome, values)

    def remedied(self, name, *, ok=True):
        return self.on("remedied", name, self.state.items[name].lane, ok, "done")

    def imported(self, *names, needed=None, lost=None, outcome=None):
        """A round of the importing process: these are imported, and one is lost."""
        number = self.state.imports.round
        found = [each for name in names for each in self.on("imported", number, name, OK)]
        if lost is None:
            return found + self.on("import_ready", number)
        found += self.on("not_imported", number, lost, outcome or failed("import"), list(needed or ()))
        return found + self.on("import_ended", number)

    def tick(self):
        """Lets the time pass until something is due."""
        due = deadline(self.state)
        assert due is not None, "nothing is due"
        self.now = max(self.now, due)
        return self.on("tick")

    def status(self, name):
        return self.state.items[name].status


def words(commands):
    """The commands without their lanes."""
    return [" ".join([each[0], *(str(part) for part in each[1:2])]) for each in commands]
