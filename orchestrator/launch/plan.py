"""What is launched and how it is watched, as plain data; knows nothing of specs, sockets and processes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

RESHAPING = ("PYTHON", "LD_", "MALLOC", "TZ")
"""Variables that a running interpreter has read already: when one changes, a new interpreter is needed."""


@dataclass(slots=True)
class LaunchPlan:
    """One launch. Every value is a builtin, so that the supervisor reads it with `marshal` alone."""

    service: str
    server: str = "uvicorn"
    app: str = ""
    """`module:attribute`; empty when `command` is launched."""
    command: list[str] = field(default_factory=list)
    factory: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    """The server's own keyword arguments."""
    host: str = "0.0.0.0"
    port: int = 8000
    unix: str = ""
    workers: int = 1
    preload: bool | None = None
    """Whether several workers are forked after the import; None asks whether that is safe."""
    mode: str = "supervise"
    importer: str = "fork"
    modules: list[dict[str, Any]] = field(default_factory=list)
    """What is imported before the app: `{id, module, attribute, deadline}`; a deadline of 0 is none."""
    app_deadline: float = 0.0
    """How long the import of the app may take, in seconds; 0 is for ever."""
    environ: dict[str, str] = field(default_factory=dict, repr=False)
    """The complete environment of the server. Never printed: it holds secrets."""
    secrets: list[str] = field(default_factory=list, repr=False)
    """What must not be read in anything that is said, the longest first."""
    cwd: str = ""
    umask: int = -1
    uid: int | None = None
    gid: int | None = None
    groups: list[int] = field(default_factory=list)
    capabilities: int = 0
    """The mask of those that the server's user keeps."""
    escalation: bool = False
    """Whether set-uid programs may give the server more rights."""
    no_new_privs: bool = False
    """Whether a process that began before this plan was known has to give up more rights by set-uid programs."""
    drain: float = 0.0
    grace: float = 8.0
    stop_signal: int = 15
    restart: dict[str, Any] = field(default_factory=lambda: {"policy": "never"})
    """`policy` (never, on-failure, always), `attempts` (none is any number) and `within` (seconds)."""
    health: dict[str, Any] = field(default_factory=dict)
    """`interval` (0 is off), `failures`, `successes`, `deadline`; `live`, `ready` and `more` (by name): see `endpoint`,
    `command_endpoint` and `heartbeat_endpoint`."""
    on_failure: list[dict[str, Any]] = field(default_factory=list)
    """The lowered actions for a server that fails, in order: see `core.words`."""
    state_dir: str = ""
    log: str = "text"

    def data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        return cls(**data)

    def why_exec(self, current: dict[str, str]) -> str:
        """Why a process with the environment `current` cannot become the server by a fork, or nothing."""
        if self.importer == "exec":
            return "`importer: exec` asks for it"
        if self.uid is not None or self.gid is not None:
            return "the user is switched"
        changed = changed_names(current, self.environ)
        return f"{', '.join(changed)} changed" if changed else ""


def changed_names(before: dict[str, str], after: dict[str, str]) -> list[str]:
    names = {name for name in before.keys() | after.keys() if name.startswith(RESHAPING)}
    return sorted(name for name in names if before.get(name) != after.get(name))


def endpoint(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    unix: str = "",
    request: bytes = b"",
    timeout: float = 2.0,
    statuses: tuple[tuple[int, int], ...] = ((200, 299),),
    tls: str = "",
    asked: bytes = b"",
) -> dict[str, Any]:
    """What the watch asks: a request's bytes, where they go, and the statuses that are well.

    `asked` is a pickled `health.verify.Endpoint` where more than the status counts; it is asked in the request's place.
    """
    return {
        "kind": "http",
        "asked": asked,
        "host": host,
        "port": port,
        "unix": unix,
        "request": request,
        "timeout": timeout,
        "statuses": [list(each) for each in statuses],
        "tls": tls,
    }


def command_endpoint(argv: list[str], *, timeout: float = 2.0) -> dict[str, Any]:
    """A command that ends with 0 while the service is well."""
    return {"kind": "command", "argv": argv, "timeout": timeout}


def heartbeat_endpoint(file: str, max_age: float, *, timeout: float = 2.0) -> dict[str, Any]:
    """A file that is young while the service is well."""
    return {"kind": "heartbeat", "file": file, "max_age": max_age, "timeout": timeout}
