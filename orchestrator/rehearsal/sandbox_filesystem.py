"""The private place of one start: its directory, its environment, its spec as data that may be changed before it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.document.dump import to_data
from orchestrator.engine import events
from orchestrator.engine.run import Start
from orchestrator.spec.loading import load_files, overlay_name
from orchestrator.spec.role_selection import choose
from orchestrator.spec.sections import ITEM_LISTS, shorthand
from orchestrator.system.signals import Notes

if TYPE_CHECKING:
    import contextlib

    from orchestrator.engine.item import Work
    from orchestrator.spec.loading import Loaded

TOOLS = ".orchestrator-rehearsal"
"""A folder in the working directory for what takes the place of commands and modules."""
_OWN = ("rehearsal", "lint", "roles", "default_role", "unknown_role")


@dataclass(slots=True)
class Job:
    """What a start of a rehearsal is told: data, so that it can be handed to another process."""

    files: tuple[str, ...]
    environment: str
    role: str
    cwd: str
    box: str
    break_: str = ""
    """The id of the item that is to fail; empty for the start in which nothing does."""
    reason: str = ""
    supposed: tuple[str, ...] = ()
    """Steps, checks and health endpoints that do not work here even when all is well: supposed well."""
    ready: float = 10.0
    """Seconds in which the service was ready when nothing was broken."""
    limit: float = 60.0
    """Seconds until the start is given up."""

    def text(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def of(cls, text: str) -> Job:
        data = json.loads(text)
        fields: dict[str, Any] = {
            name: tuple(each) if isinstance(each, list) else each for name, each in data.items()
        }
        return cls(**fields)


@dataclass(slots=True)
class Place:
    """Everything that may be changed so that something fails."""

    job: Job
    loaded: Loaded
    start: Start
    """The start as the engine would have it: its items are resolved, nothing was tried."""
    data: dict[str, Any]
    environ: dict[str, str]
    held: contextlib.ExitStack
    """What must live as long as the start: servers, sockets."""
    after: list[Any] = field(default_factory=list)
    """What is done to the service once it is ready."""

    @classmethod
    def of(cls, job: Job, held: contextlib.ExitStack) -> Place:
        whole = load_files(job.files, environment=job.environment)
        loaded = choose(whole, job.role).loaded
        environ = {
            name: text for name, text in os.environ.items() if not name.startswith("ORCHESTRATOR_STATE")
        }
        start = Start(loaded, events.Stream(time.monotonic), Notes(), environ=environ, role=job.role)
        start.prepare()
        return cls(job, loaded, start, _flat(loaded, whole), environ, held)

    def work(self, name: str) -> Work | None:
        """The item of a start; for one that stands for many, such as a file of packages, the first of these."""
        known = self.start.by_id.get(name)
        if known is not None:
            return known
        path = next(
            (path for path, item in self.start.spec.located_items() if getattr(item, "identity", "") == name),
            None,
        )
        return next((each for each in self.start.works if path is not None and each.path == path), None)

    def path(self, path: str) -> str:
        return self.start.context().path(path)

    # The spec as data

    def item(self, work: Work) -> dict[str, Any]:
        """The item as it stands in the spec, as a mapping that may be changed."""
        assert self.loaded.places is not None
        *above, last = self.loaded.places.real(work.path)
        parent: Any = self.data
        for step in above:
            parent = parent[step]
        if not isinstance(parent[last], dict):
            key = (
                "is" if above and above[0] not in ITEM_LISTS else shorthand(str(above[0] if above else last))
            )
            parent[last] = {key: parent[last]}
        found: dict[str, Any] = parent[last]
        return found

    def section(self, name: str, key: str) -> dict[str, Any]:
        """A section that is one mapping, its short form as a mapping with `key`."""
        if not isinstance(self.data.get(name), dict):
            self.data[name] = {key: self.data[name]}
        found: dict[str, Any] = self.data[name]
        return found

    def tool(self, name: str, text: str) -> str:
        """A file of ours beside the service's; returns its path."""
        path = self.path(os.path.join(TOOLS, name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.chmod(os.path.dirname(path), 0o777)  # noqa: S103 - for whoever the service runs as; the place is private
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def module(self, name: str, text: str) -> str:
        """A module of ours that the service can import; returns its name."""
        with open(self.path(f"{name}.py"), "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def write(self) -> None:
        """Puts the changed spec where the engine reads it. JSON is YAML."""
        with open(self.job.files[0], "w", encoding="utf-8") as file:
            json.dump(self.data, file, indent=1)
        if self.job.environment:
            with open(
                overlay_name(self.job.files[0], self.job.environment), "w", encoding="utf-8"
            ) as overlay:
                overlay.write("x-rehearsal: laid into the spec itself\n")

    @property
    def state(self) -> str:
        return self.path(os.path.join(TOOLS, "state"))

    def run(self) -> subprocess.Popen[bytes]:
        """The engine, as any user runs it; its log is the file `log` beside our tools."""
        self.tool("log", "")
        os.makedirs(self.state, mode=0o700)
        words = [sys.executable, "-m", "orchestrator", "-f", self.job.files[0]]
        words += ["--env", self.job.environment] if self.job.environment else []
        words += ["run", *([self.job.role] if self.job.role else [])]
        with open(self.path(os.path.join(TOOLS, "log")), "wb") as log:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**self.environ, "ORCHESTRATOR_STATE_DIR": self.state},
            )  # fmt: skip

    def log(self) -> str:
        with open(self.path(os.path.join(TOOLS, "log")), encoding="utf-8", errors="backslashreplace") as file:
            return file.read()


def _flat(loaded: Loaded, whole: Loaded) -> dict[str, Any]:
    """The effective spec of the role as one document; the names of the roles stay, for conditions."""
    assert loaded.tree is not None
    assert whole.spec is not None
    data: dict[str, Any] = to_data(loaded.tree)
    roles = whole.spec.roles or {}
    data = {name: value for name, value in data.items() if name not in _OWN}
    return {**data, "roles": {role: {"x-rehearsal": role} for role in sorted(roles)}} if roles else data


def actions_of(value: Any) -> Any:
    """Every fallback action in a part of the spec, wherever it stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("on_failure", "fallbacks"):
                lists = inner.values() if key == "fallbacks" and isinstance(inner, dict) else [inner]
                for each in lists:
                    yield from (one for one in (each if isinstance(each, list) else [each]) if isinstance(one, dict))  # fmt: skip
            else:
                yield from actions_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from actions_of(inner)


def milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
