"""One event that is handled: the state that it changes, and the commands that it leads to."""

from __future__ import annotations

from orchestrator.core.features import names
from orchestrator.core.watch import has_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestrator.core.state import Server, State

    Command = tuple[Any, ...]


class Turn:
    """What every handler is given."""

    __slots__ = ("commands", "now", "server", "state")

    def __init__(self, state: State, now: float) -> None:
        self.state, self.now = state, now
        self.server: Server = state.server
        self.commands: list[Command] = []

    def do(self, *command: Any) -> None:
        self.commands.append(command)

    def say(self, level: str, text: str, facts: dict[str, Any] | None = None) -> None:
        self.do("say", level, text, facts)

    def show(self, status: str, reason: str) -> None:
        """Shows another status of the service."""
        if status != self.state.status:
            self.state.status = status
            self.do("status", status, reason)

    def show_healthy(self) -> None:
        """Shows that the server serves: all of it, or without some features."""
        off = names(self.state.features)
        self.show("degraded" if off else "ready", ", ".join(off))

    def show_features(self) -> None:
        """The list has changed, and with it perhaps the status: not one that has other reasons."""
        state, off = self.state, names(self.state.features)
        if state.status in ("ready", "degraded") and not has_failed(
            state.watch, state.plan["health"], "ready"
        ):
            state.status = "degraded" if off else "ready"
        self.do("status", state.status, ", ".join(off))

    def show_outage(self, why: str) -> None:
        """Nobody serves for now: the traffic has to go. An end for good is shown when it has come."""
        purpose = self.server.purpose
        if purpose is not None and purpose[0] != "exit":
            self.show("starting", why)
