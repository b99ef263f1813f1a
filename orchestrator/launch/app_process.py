"""The process that imports the service and then is it; knows nothing of engine or supervisor.

It tells each import through a pipe as a line of JSON, waits for the word to go, and serves.
It is forked from the engine, or started as a script by `spawn.execute`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn, cast

if __name__ == "__main__":
    # Found without the installation, too; behind everything else, so that nothing of the user's is shadowed.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from orchestrator.launch import fork_safety, spawn, stack_dump
from orchestrator.launch.child_exit import leave
from orchestrator.launch.import_errors import described, explained
from orchestrator.launch.plan import LaunchPlan
from orchestrator.launch.python_command import with_dumps
from orchestrator.launch.servers import ExecServer, NotStarted, load
from orchestrator.launch.workers import Workers
from orchestrator.system import prctl, signals
from orchestrator.system.log_output import masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.launch.servers import InProcessServer
    from orchestrator.launch.workers import Started

    Report = Callable[..., None]

KILL, INTERRUPT = 9, 2
NOT_IMPORTED, NOT_BOOTED = 3, 5
NOT_STARTED = 3
"""As uvicorn ends of it."""
NOT_FOUND, NOT_EXECUTABLE = 127, 126
UNCHANGED: dict[str, Any] = {"uid": None, "gid": None, "groups": [], "umask": -1, "cwd": ""}
"""What a process that has assumed it all has no need, and perhaps no right, to assume again."""


class Child:
    """One run: imports, the word to go, the server."""

    def __init__(
        self,
        plan: LaunchPlan,
        listener: int,
        control: int,
        reports: int,
        *,
        at_once: bool,
        parent_only: bool = False,
    ) -> None:
        self.plan = plan
        self.listener = listener
        self.control = control
        self.reports = reports
        self.at_once = at_once
        self.parent_only = parent_only
        """Whether it has proven the imports already, and is now the parent of workers that import for themselves."""
        self.exit_code = 0
        self._before = fork_safety.descriptors() if plan.workers > 1 else {}

    def run(self) -> int:
        if self.parent_only:
            return Workers(self.plan, self._spawned, self._report).run()
        stack_dump.offer(self.plan.stop_signal)
        self._arrange_path()
        started = time.perf_counter()
        app = self._import_all()
        if self.exit_code:
            return self.exit_code
        self._report("ready", ms=_since(started))
        if not self.at_once and not self._may_go():
            return 0
        if self.plan.command:
            return self._command(with_dumps(self.plan.command, os.environ))
        server = load(self.plan.server)
        if isinstance(server, ExecServer):
            return self._become_server(server, app)
        return self.serve(app) if self.plan.workers <= 1 else self._serve_with_workers(app)

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
            self._judge(app)
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

    def _judge(self, app: Any) -> None:
        """Fails where it cannot be called: no server could serve it."""
        if callable(app):
            return
        name = self.plan.app
        message = f"`{name}` is of type {type(app).__name__}, which no server can call"
        hint = "name the app itself, or with `factory: true` a function that makes it"
        module = name.partition(":")[0]
        self._failed("launch", NOT_BOOTED, reason="app", module=module, message=message, hint=hint)

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

    def _serve_with_workers(self, app: Any) -> int:
        """Forks them from here where that is safe; else this becomes a parent that has imported nothing."""
        why = "`preload` is off" if self.plan.preload is False else ""
        why = why or ("" if self.plan.preload else fork_safety.why_not(self._before))
        self._report("workers", count=self.plan.workers, form="exec" if why else "fork", why=why)
        if why:
            self._become_parent()
        gc.collect()
        gc.freeze()  # the pages that workers share stay shared: a collection would write to all of them
        return Workers(self.plan, lambda crew: self._forked(crew, app), self._report).run()

    def _become_parent(self) -> NoReturn:
        """The threads, connections and memory of the import end here: the parent has no use for them."""
        sys.stdout.flush()
        sys.stderr.flush()
        plan = self.plan.data() | {"environ": dict(os.environ), **UNCHANGED}
        spawn.execute(
            plan, self.listener, control=-1, reports=self.reports, at_once=self.at_once, parent_only=True
        )

    def _spawned(self, _: Workers) -> Started:
        return spawn.start(self.plan.data() | {"workers": 1}, self.listener, at_once=True)

    def _forked(self, crew: Workers, app: Any) -> Started:
        reports, told = os.pipe()
        # A thread of the worker's would need its end; nobody else may hold the other.
        lifeline, keep = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        mask = signals.block()
        pid = os.fork()
        if pid == 0:
            for descriptor in (reports, keep, self.reports, *crew.descriptors()):
                if descriptor >= 0:
                    os.close(descriptor)
            crew.notes.forget()
            self._be_worker(app, told, lifeline, parent)
        signals.release(mask)
        os.close(told)
        os.close(lifeline)
        return pid, keep, reports

    def _be_worker(self, app: Any, told: int, lifeline: int, parent: int) -> NoReturn:
        code = 1
        try:
            signals.reset()
            signals.release()
            bind_to_parent(parent, lifeline)
            stack_dump.offer(self.plan.stop_signal)
            code = Child(self.plan, self.listener, -1, told, at_once=False).serve(app)
        except BaseException:
            sys.excepthook(*sys.exc_info())  # a bug of ours: said, and the parent sees the code
        finally:
            leave(code)

    def serve(self, app: Any) -> int:
        """Serves in this process."""
        with _Listener(fileno=self.listener) as listener:
            listener.set_inheritable(False)
            try:
                server = cast("InProcessServer", load(self.plan.server))
                code = server.serve(app, self.plan, listener, lambda: self._report("serving"))
            except SystemExit as error:
                code = exit_code_of(error)
            except KeyboardInterrupt:
                signals.die_by(INTERRUPT)
                return 130
            except NotStarted as error:
                self._failed("launch", NOT_STARTED, reason="startup", message=str(error))
                return NOT_STARTED
            except BaseException as error:
                self._failed("launch", NOT_BOOTED, reason="startup", **described(error))
                return 1
        if code and self.reports >= 0:
            self._failed(
                "launch", code, reason="startup", message=f"the server ended with {code} before it served"
            )
        return code

    def _become_server(self, server: ExecServer, app: Any) -> int:
        if self.listener >= 0:
            os.set_inheritable(self.listener, True)
        return self._command(server.argv(self.plan, self.listener, app))

    def _command(self, argv: list[str]) -> int:
        """Becomes the command. The pipe ends with the exec: if no failure was reported, it has worked."""
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
        # What it says stands in logs of ours, and the app may have said what nobody is to read.
        facts = {
            name: masked(each, self.plan.secrets) if isinstance(each, str) else each
            for name, each in facts.items()
        }
        self._report("failed", id=item, **facts)
        if self.at_once:
            _complain(item, facts)

    def _report(self, event: str, **facts: Any) -> None:
        if self.reports >= 0:
            try:
                os.write(self.reports, json.dumps({"event": event, **facts}).encode() + b"\n")
            except BrokenPipeError:
                self.reports = -1  # nobody listens any more; the exit code still tells
        if event == "serving" and self.reports >= 0:
            os.close(self.reports)  # the last word: from now on it has no pipe of ours
            self.reports = -1


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


def bind_to_parent(parent: int, lifeline: int = -1) -> None:
    """Ends with the parent, also when that is killed. The parent may have gone before this was asked for.

    `lifeline` is a pipe that ends with the parent, for where the kernel is not to be asked.
    """
    if not parent:
        return
    asked = prctl.end_with_parent(KILL)
    if os.getppid() != parent:
        os._exit(0)
    if not asked and lifeline >= 0:
        threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.kill(os.getpid(), KILL)


def main(memory: int) -> int:
    """The script: everything it needs is in the memory behind the descriptor."""
    orders = spawn.unpack(memory)
    bind_to_parent(orders["parent"])
    plan = LaunchPlan.of(orders["plan"])
    for each in ("control", "reports"):
        if orders[each] >= 0:
            os.set_inheritable(orders[each], False)
    pipes = (orders["listener"], orders["control"], orders["reports"])
    return Child(plan, *pipes, at_once=orders["at_once"], parent_only=orders["parent_only"]).run()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
