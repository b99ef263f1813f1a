"""What a kind may use to make one of its items fail. The rehearsal provides it, in a private copy of the service."""

from typing import Any, Protocol

RAISES = 'raise ImportError("made to fail by the rehearsal")\n'
"""The source of a module that cannot be imported."""
TALKING = ("refused", "timeout", "dropped", "protocol")
"""The ways in which a server that speaks a protocol can fail."""


class CannotBreak(Exception):
    """Raised where a failure cannot be brought about. The text is the reason."""


class Sandbox(Protocol):
    """A private copy of the service. Nothing that is done to it outlives the rehearsal."""

    @property
    def name(self) -> str:
        """The second half of the item's id."""

    @property
    def item(self) -> dict[str, Any]:
        """The item as it stands in the spec, as a mapping that may be changed."""

    @property
    def environ(self) -> dict[str, str]:
        """The environment that the engine will be started with."""

    def path(self, path: str) -> str:
        """The absolute path of one that is relative to the service's working directory."""

    def search_path(self) -> list[str]:
        """Where the service looks for modules."""

    def remove(self, path: str) -> None:
        """Removes a file or symlink, if it is there; raises CannotBreak for a directory."""

    def remove_directory(self, path: str) -> None:
        """Puts a file in the place of a directory, so that it cannot be made either."""

    def write(self, path: str, content: bytes) -> None:
        """Writes a file, and makes the directories above it."""

    def make_read_only(self, path: str) -> None:
        """Makes a directory, and forbids every user to write to it."""

    def fill(self, path: str) -> None:
        """Makes a directory, and leaves no room in it."""

    def command(self, failure: str, argv: tuple[str, ...] = ()) -> list[str]:
        """A command that ends with 1, or hangs (`timeout`); it is `argv` once a remedy of the item has succeeded."""

    def function(self, failure: str) -> str:
        """A Python function that returns False, or hangs (`timeout`), as `module:function`."""

    def serve(self, address: tuple[str, int] | str, behaviour: str) -> None:
        """A server at a host and port, or the path of a socket.

        It is `healthy` (in HTTP) or `silent`, or it fails: `timeout`, `dropped`, `protocol`, and in HTTP alone
        `unexpected` and `auth`. At `full` no connection can be made, and at `gone` a socket has no listener.
        """

    def resolve(self, host: str) -> None:
        """Gives a name an address in the private network."""
