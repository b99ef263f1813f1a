"""`telemetry.listen`: begins the operations listener, and keeps the pipe that it lives by."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.engine import events, identity
from orchestrator.spec.ordering import flat
from orchestrator.system import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.engine.run import Start

BACKLOG = 64


class Operating:
    """The operations listener of one start: a process that ends when nobody holds its pipe any more."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.pid = 0
        self.lifeline = -1

    def begin(self) -> None:
        """Listens where the spec says so. That it cannot does not keep the service from starting, and is said."""
        telemetry = self.start.spec.telemetry
        if telemetry is None or telemetry.listen is None or self.pid:
            return
        if not self.start.state_directory:
            self._warn("it has nothing to tell without a state directory")
            return
        self._begin(telemetry.listen, counted=telemetry.metrics is not False)

    def _begin(self, address: str, *, counted: bool) -> None:
        from orchestrator.status import operations
        from orchestrator.system import sockets

        host, _, port = address.rpartition(":")
        listener = sockets.bind(host.strip("[]"), int(port))
        if isinstance(listener, sockets.BindError):
            self._warn(listener.message, listener.hint)
            return
        user = identity.of_server(self.start)  # it answers whoever asks: not as root
        told, directory = features(self.start), self.start.state_directory
        with listener:
            sockets.ready_to_listen(listener)
            listener.listen(BACKLOG)
            process, self.lifeline = processes.on_socket(
                listener,
                user,
                lambda reader: operations.command(
                    listener.fileno(), reader, directory, told, counted=counted
                ),
            )
        self.pid, process.returncode = process.pid, 0  # the supervisor collects it, not this object
        self.start.stream.emit(events.NOTE, f"operations listener on {address}", level="info")

    def _warn(self, why: str, hint: str = "") -> None:
        self.start.stream.emit(
            events.NOTE, f"no operations listener: {why}", level="warning", code="ORC708", hint=hint
        )

    def adopt(self, pid: int, lifeline: int) -> None:
        """The one that the supervisor had kept."""
        self.pid, self.lifeline = pid, lifeline
        if lifeline >= 0:
            os.set_inheritable(lifeline, False)

    @property
    def kept(self) -> tuple[int, int]:
        """What the supervisor goes on with."""
        return self.pid, self.lifeline

    def end(self) -> None:
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1


def features(start: Start) -> list[str]:
    """The features that a fallback of the spec may switch off."""
    return sorted(set(_features(start)))


def _features(start: Start) -> Iterator[str]:
    spec = start.spec
    items = [spec, spec.health, *(item for _, item in spec.located_items())]
    lists = [getattr(item, "on_failure", None) for item in items]
    for actions in lists:
        for action in flat(actions or (), spec.fallbacks or {}):
            if (feature := action.lowered().get("feature")) is not None:
                yield str(feature)
