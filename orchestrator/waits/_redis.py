"""Redis's protocol (RESP2), as far as a readiness check needs it: commands and their replies. Knows nothing of specs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.waits._failure import Failure

if TYPE_CHECKING:
    from orchestrator.waits._stream import Stream

_BULK_LIMIT = 256 * 1024


class Talk:
    """Commands and replies, in RESP2, which every version speaks."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def ask(self, *words: str) -> bytes:
        """The reply to a command; an error is a failure with a reason, and nothing is an empty text."""
        self._send(*words)
        return self._reply(words[0])

    def _send(self, *words: str) -> None:
        parts = [word.encode() for word in words]
        command = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        self.stream.send(command)

    def _reply(self, command: str) -> bytes:
        while len(self.stream.buffer) < 1:
            if not self.stream.more():
                raise self.stream.ended()
        kind = self.stream.buffer[:1]
        if kind not in (b"+", b"-", b":", b"$"):
            start = self.stream.buffer[:40].decode("latin-1")
            raise Failure("protocol", f"{self.stream.where} does not answer as Redis does: {start!a}")
        line = self.stream.line()[1:]
        if kind == b"-":
            raise _error(self.stream.where, command, line.decode("utf-8", "replace"))
        return self._bulk(line) if kind == b"$" else line

    def _bulk(self, length: bytes) -> bytes:
        if length == b"-1":
            return b""
        if not length.isdigit() or int(length) > _BULK_LIMIT:
            raise Failure("protocol", f"{self.stream.where} sent a text of {length[:20]!a} bytes")
        return self.stream.exactly(int(length) + 2)[:-2]

    def info(self) -> dict[str, str]:
        """What it says of itself."""
        lines = self.ask("INFO").decode("utf-8", "replace").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def _error(where: str, command: str, said: str) -> Failure:
    """Redis begins an error with a word for programs."""
    word = said.partition(" ")[0]
    told = f"{where}: {said[:200]}"
    if word in ("LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"):
        return Failure("refused", told)
    if said.startswith("ERR max number of clients"):
        return Failure("refused", told, "raise its maxclients, or find who holds the connections")
    if word == "NOAUTH":
        return Failure(
            "auth", f"{where} asks for a password, and none is given", "write it: redis://:PASSWORD@host"
        )
    if word == "DENIED":
        return Failure("auth", f"{where} is in protected mode: it takes connections from its own machine alone",
                       "give it a password, or set protected-mode no")  # fmt: skip
    if word == "READONLY":
        return Failure("unexpected", f"{where} is a replica, which takes no writes", "ask for the master")
    if word in ("WRONGPASS", "NOPERM") or command == "AUTH":
        return Failure("auth", told)
    return Failure("unexpected", told, final=command == "SELECT")
