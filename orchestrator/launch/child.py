"""The process that imports the service and then is it; knows nothing of engine or supervisor.

It tells each import through a pipe as a line of JSON, waits for the word to go, and serves.
It is forked from the engine, or started as a script by `spawn.execute`.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    # Found without the installation, too; behind everything else, so that nothing of the user's is shadowed.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from orchestrator.launch import prctl, signals
from orchestrator.launch.plan import LaunchPlan
from orchestrator.launch.servers import load
from orchestrator.launch.spawn import unpack

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Report = Callable[..., None]

KILL, INTERRUPT = 9, 2
NOT_IMPORTED, NOT_BOOTED = 3, 5
NOT_FOUND, NOT_EXECUTABLE = 127, 126
MOST_FRAMES = 12
MACHINERY = ("<frozen importlib", importlib.__file__, os.path.dirname(os.path.abspath(__file__)) + os.sep)


class Child:
    """One run: imports, the word to go, the server."""

    def __init__(self, plan: LaunchPlan, listener: int, control: int, reports: int, *, at_once: bool) -> None:
        self.plan = plan
        self.listener = listener
        self.control = control
        self.reports = reports
        self.at_once = at_once
        self.exit_code = 0

    def run(self) -> int:
        self._arrange_path()
        started = time.perf_counter()
        app = self._import_all()
        if self.exit_code:
            return self.exit_code
        self._report("ready", ms=_since(started))
        if not self.at_once and not self._may_go():
            return 0
        return self._command() if self.plan.command else self._serve(app)

    def _arrange_path(self) -> None:
        here = self.plan.cwd or os.getcwd()
        sys.path[:] = [here, *(each for each in sys.path if each not in {here, ""})]
        sys.argv[:] = self.plan.command or [self.plan.server, self.plan.app]

    def _import_all(self) -> Any:
        for item in self.plan.modules:
            self._import(
                item["id"],
                item["module"],
                item.get("attribute") or "",
                item.get("deadline") or 0,
                NOT_IMPORTED,
            )
        if self.plan.command:
            return None
        module, _, attribute = self.plan.app.partition(":")
        app = self._import("launch", module, attribute, self.plan.app_deadline, NOT_BOOTED)
        if not self.exit_code:
            self._prepare_server()
        return app

    def _import(self, item: str, module: str, attribute: str, deadline: float, code: int) -> Any:
        self._report("importing", id=item, module=module, deadline=deadline)
        started = time.perf_counter()
        try:
            found: Any = importlib.import_module(module)
            for name in attribute.split(".") if attribute else ():
                found = getattr(found, name)
        except BaseException as error:  # whatever the user's module does is a finding
            self._failed(item, code, module=module, ms=_since(started), **explained(error, module, attribute))
            return None
        self._report("imported", id=item, module=module, ms=_since(started))
        return found

    def _prepare_server(self) -> None:
        """Imports the server beside the engine's waits rather than after them."""
        try:
            load(self.plan.server).prepare(self.plan)
        except BaseException as error:
            self._failed(
                "launch", NOT_BOOTED, module=self.plan.server, **explained(error, self.plan.server, "")
            )

    def _may_go(self) -> bool:
        """Waits for the word, which brings the last changes of the environment. None: the engine is gone."""
        order = b""
        while not order.endswith(b"\n"):
            received = os.read(self.control, 65536)
            if not received:
                return False
            order += received
        for name, value in json.loads(order)["go"].items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        os.close(self.control)
        return True

    def _serve(self, app: Any) -> int:
        with _Listener(fileno=self.listener) as listener:
            listener.set_inheritable(False)
            try:
                code = load(self.plan.server).serve(app, self.plan, listener, self._serving)
            except SystemExit as error:
                code = exit_code_of(error)
            except KeyboardInterrupt:
                signals.die_by(INTERRUPT)
                return 130
            except BaseException as error:
                self._failed("launch", NOT_BOOTED, reason="startup", **_said(error))
                return 1
        if code and self.reports >= 0:
            self._failed(
                "launch", code, reason="startup", message=f"the server ended with {code} before it served"
            )
        return code

    def _serving(self) -> None:
        """Told by the server when it accepts connections: from now on it has no pipe of ours."""
        self._report("serving")
        if self.reports >= 0:
            os.close(self.reports)
            self.reports = -1

    def _command(self) -> int:
        """Becomes the command. The pipe ends with the exec; unless a failure was told, it has worked."""
        argv = self.plan.command
        self._report("executing", argv=argv[0])
        code = 0
        try:
            become_command(argv)
        except OSError as error:
            code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
            message = f"cannot run {argv[0]}: {error.strerror}"
            self._failed("launch", code, reason="command", message=message)
        return code

    def _failed(self, item: str, code: int, **facts: Any) -> None:
        # What the list asks for weighs more than the app, which probably failed of it.
        if self.exit_code != NOT_IMPORTED:
            self.exit_code = code
        self._report("failed", id=item, **facts)
        if self.at_once:
            _complain(item, facts)

    def _report(self, event: str, **facts: Any) -> None:
        if self.reports >= 0:
            try:
                os.write(self.reports, json.dumps({"event": event, **facts}).encode() + b"\n")
            except BrokenPipeError:
                self.reports = -1  # nobody listens any more; the exit code still tells


class _Listener(socket.socket):
    """Closed by the server as it stops; the number may be another file's by the time we let go of it."""

    def __exit__(self, *_: object) -> None:
        if self.fileno() >= 0:
            self.close()


def become_command(argv: list[str]) -> None:
    """Execs a command in the environment as it stands now. Raises OSError, or does not return."""
    signals.reset_for_commands()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(argv[0], argv, dict(os.environ))
    finally:
        signals.ignore_pipes()


def explained(error: BaseException, module: str, attribute: str) -> dict[str, Any]:
    """What is wrong with an import, in words and facts."""
    facts: dict[str, Any] = {"reason": "exception", "at": place(error.__traceback__), **_said(error)}
    if isinstance(error, SystemExit):
        facts |= {"reason": "exit", "message": f"it called sys.exit({error.code!r})"}
    elif isinstance(error, ModuleNotFoundError):
        facts |= {
            "reason": "missing",
            "missing": error.name or "",
            "itself": _is_itself(error.name or "", module),
        }
    elif isinstance(error, AttributeError) and attribute and not facts["at"]:
        facts |= {"reason": "attribute", "message": f"`{module}` has no `{attribute}`"}
    return facts


def _is_itself(missing: str, module: str) -> bool:
    """Whether the wanted module (or a package it is in) is missing, rather than something it imports."""
    return module == missing or module.startswith(missing + ".")


def _said(error: BaseException) -> dict[str, Any]:
    return {"type": type(error).__name__, "message": str(error)[:2000], "traceback": short_traceback(error)}


def theirs(where: TracebackType | None) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(where)
    return [frame for frame in frames if not frame.filename.startswith(MACHINERY)]


def place(where: TracebackType | None) -> str:
    """`file:line` of the last frame that is not the import machinery's."""
    frames = theirs(where)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def short_traceback(error: BaseException) -> str:
    """The user's frames; those of installed packages only as far as the last, where it happened."""
    frames = theirs(error.__traceback__)
    own = [frame for frame in frames[:-1] if "site-packages" not in frame.filename] + frames[-1:]
    lines = traceback.format_list(own[-MOST_FRAMES:]) + traceback.format_exception_only(error)
    return "".join(lines)[:8000]


def exit_code_of(error: SystemExit) -> int:
    """As the interpreter would end with it."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _complain(item: str, facts: dict[str, Any]) -> None:
    at = f" ({facts['at']})" if facts.get("at") else ""
    kind = f"{facts['type']}: " if facts.get("type") else ""
    print(f"orchestrator: {item}: {kind}{facts.get('message', '')}{at}", file=sys.stderr, flush=True)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def bind_to_parent(parent: int) -> None:
    """Ends with the parent, also when that is killed. The parent may have gone before this was asked for."""
    if parent:
        prctl.end_with_parent(KILL)
        if os.getppid() != parent:
            os._exit(0)


def main(memory: int) -> int:
    """The script: everything it needs is in the memory behind the descriptor."""
    orders = unpack(memory)
    bind_to_parent(orders["parent"])
    plan = LaunchPlan.of(orders["plan"])
    if plan.uid is not None:
        prctl.no_new_privileges()
    for each in ("control", "reports"):
        if orders[each] >= 0:
            os.set_inheritable(orders[each], False)
    child = Child(plan, orders["listener"], orders["control"], orders["reports"], at_once=orders["at_once"])
    return child.run()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
