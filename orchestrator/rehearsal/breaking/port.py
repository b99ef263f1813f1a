"""A port, or the path of a socket, that another process listens on."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from orchestrator.rehearsal.fake_servers import serving, silent

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place


def make(place: Place, work: Work, reason: str) -> None:
    del work, reason
    launch = place.start.spec.launch
    assert launch is not None
    if launch.unix is not None:
        listener = place.held.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(place.path(launch.unix))
        listener.listen()
    else:
        place.held.enter_context(serving(launch.host, launch.listening_port or 0, silent))
