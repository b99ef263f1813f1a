"""A driver of the core without a process: everything is answered well but for one item. It decides nothing."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from orchestrator.core.settle import off
from orchestrator.core.state import SERVING, SUPERVISOR
from orchestrator.core.transition import starting, transition
from orchestrator.core.words import RESTART

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.core.state import State
    from orchestrator.core.words import Lowered
    from orchestrator.spec.item import Action

    Event = tuple[Any, ...]

BY_POLICY: Lowered = {"do": RESTART, "name": RESTART}
OK = {"ok": True, "summary": "supposed to be ok"}
KILLED = -9
"""How a server ends that is killed after it was ready."""
MOST_ENDS = 100
"""So often a server is killed; one that is started again for ever goes on."""
FACTS: dict[str, Any] = {
    "environ": {}, "role": "", "environment": "", "root": None, "late": (), "complete": False,
}  # fmt: skip


class Rehearsed:
    """One start in which one item fails for one reason, until a remedy helps, if one ever does."""

    def __init__(self, plan: dict[str, Any], actions: Mapping[str, Sequence[Action]], broken: str, reason: str, *,
                 outcome: dict[str, Any], item: Any, helps: bool) -> None:  # fmt: skip
        self.actions, self.broken, self.reason, self.outcome, self.item = (
            actions,
            broken,
            reason,
            outcome,
            item,
        )
        self.helps = helps
        """Whether the first remedy that can be applied helps."""
        self.helped = False
        self.applied: list[tuple[str, Lowered, str]] = []
        """What was done: the item, the action, and what came of it."""
        self.code: int | None = None
        """The exit code, once the service has ended."""
        self.state: State = starting(plan, FACTS, 0.0)
        self._now, self._ends = 0.0, 0
        self._events: deque[Event] = deque([("started",)])

    def run(self) -> Rehearsed:
        while self.code is None and (event := self._next()) is not None:
            for command, *details in transition(self.state, event, self._now):
                answer = getattr(self, f"_on_{command}", None)
                if answer is not None:
                    answer(*details)
        return self

    @property
    def served_instead(self) -> bool:
        """Whether something else is served for as long as it fails."""
        return self.code is None and self.state.hold.action is not None

    @property
    def features(self) -> list[str]:
        return off(self.state)

    def _next(self) -> Event | None:
        """The next event; None where nothing follows but by itself, such as the rounds of maintenance."""
        if self._events:
            return self._events.popleft()
        if self._serves() and self._is_broken("launch", "ended") and self._ends < MOST_ENDS:
            self._ends += 1
            return ("exited", KILLED)
        due = self.state.server.due
        if due is None or self._serves() or self.state.hold.action is not None:
            return None
        self._now = max(self._now, due)
        return ("tick",)

    def _serves(self) -> bool:
        return self.state.driver == SUPERVISOR and self.state.server.phase == SERVING

    def _is_broken(self, name: str, reason: str = "") -> bool:
        return name == self.broken and not self.helped and reason in ("", self.reason)

    # Answers to commands

    def _on_attempt(self, name: str, lane: int) -> None:
        self._events.append(("attempted", name, lane, self.outcome if self._is_broken(name) else OK))

    def _on_ask(self, name: str, lane: int, leaf: Any) -> None:
        self._events.append(("answered", name, lane, leaf, True, ""))

    def _on_remedy(self, name: str, lane: int, actions: str, at: int) -> None:
        action = self.actions[actions][at]
        fits = action.fits(self.item)
        self.helped = self.helped or (self.helps and fits and action.remedy)
        said = "tried" if fits else "cannot stand in for anything here"
        self._events.append(("remedied", name, lane, fits, said))

    def _on_fallback(self, name: str, action: Lowered, said: str) -> None:
        self.applied.append((name, action, said))
        self.helped = self.helped or (self.helps and action["do"] == RESTART)

    def _on_import(self, number: int, names: list[str]) -> None:
        broken = [
            name
            for name in (*names, "launch")
            if self._is_broken(name) and self.reason not in ("boot", "ended")
        ]
        self._events += [("imported", number, name, OK) for name in names if name not in broken]
        self._events += [("not_imported", number, name, self.outcome, []) for name in broken]
        self._events.append(("import_ended" if broken else "import_ready", number))

    def _on_spawn(self) -> None:
        if self.state.driver == SUPERVISOR:  # by the restart policy or an action, once the service was ready
            self.applied.append(("launch", self._restarted_by(), "tried"))
            self.helped = self.helped or self.helps
        self._events.append(("exited", 1) if self._is_broken("launch", "boot") else ("serving",))

    def _restarted_by(self) -> Lowered:
        listed: list[Lowered] = self.state.plan["on_failure"]
        at = self.state.restarts.action
        return listed[at] if at < len(listed) and listed[at]["do"] == RESTART else BY_POLICY

    def _on_probe(self, name: str) -> None:
        self._events.append(("probed", name, True, ""))

    def _on_send(self, _: int) -> None:
        self._events.append(("exited", 0))

    def _on_sweep(self, _: int) -> None:
        self._events.append(("empty",))

    def _on_scout(self) -> None:
        self._events.append(("scouted", True, ""))

    def _on_come_back(self, _: Any) -> None:
        self._events.append(("resumed",))

    def _on_exit(self, code: int) -> None:
        self.code = code
