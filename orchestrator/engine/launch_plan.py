"""From the spec to the launch: the port, the plan of the launch, and what is done when it fails later."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.core.outcome import Outcome, failed, ok
from orchestrator.core.phases import HEALTH, LAUNCH, QUICK
from orchestrator.engine import health_checks, identity, workers
from orchestrator.engine.item import Synthetic, Work
from orchestrator.spec.templated import pending

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from orchestrator.core.context import Context
    from orchestrator.engine.run import Start
    from orchestrator.launch.app_handle import Importer
    from orchestrator.launch.plan import LaunchPlan
    from orchestrator.spec.item import Action
    from orchestrator.spec.launch import Launch
    from orchestrator.spec.spec import Spec

GRACE = 8.0
LOW = 1024
"""The first port that is not root's alone to bind."""
LOOPBACK = ("127.", "localhost", "::1")


# The port


@dataclass(slots=True)
class Port(Synthetic):
    """The service's own address, bound at once and not listening, so that nobody else takes it."""

    launch: Any = None
    start: Any = None
    port: int | None = None
    """Another port than the spec's, where a fallback says so."""

    def attempt(self, context: Context) -> Outcome:
        from orchestrator.system import sockets

        launch: Launch = self.launch
        if self.start.listener is not None:
            return ok("bound")
        port = self.port or launch.listening_port
        bound = sockets.bind(launch.host, port or 0, context.path(launch.unix) if launch.unix else None)
        if isinstance(bound, sockets.BindError):
            return failed(
                "ORC461" if bound.reason == "in_use" else "ORC462",
                bound.reason,
                bound.message,
                bound.hint,
                final=True,
            )
        where = launch.unix or health_checks.shown(launch.host, bound.getsockname()[1])
        if binds_itself(launch):
            sockets.release(bound)
            return ok(f"{where} is free, and left to the server to bind")
        self.start.listener = bound
        return ok(f"{where} is bound")


def binds_itself(launch: Launch) -> bool:
    """Whether the server cannot inherit a socket: a command, and a server that has no option for one."""
    if launch.command is not None:
        return True
    from orchestrator.launch.servers import ExecServer, load

    server = load(launch.server)
    return isinstance(server, ExecServer) and not server.INHERITS


def is_low(launch: Launch | None) -> bool:
    """Whether the engine binds a port that only root may."""
    if launch is None or launch.unix is not None or binds_itself(launch):
        return False
    port = launch.listening_port
    return isinstance(port, int) and 0 < port < LOW


def port_work(start: Start) -> Work | None:
    launch = start.spec.launch
    if launch is None or (launch.listening_port is None and launch.unix is None):
        return None
    item = Port("port", launch=launch, start=start, on_failure=given_for_port(start.spec))
    return Work("port", item, ("launch",), start.loaded.place(("launch",)), QUICK)


def given_for_port(spec: Spec) -> Sequence[Action] | None:
    """A port has no list of its own: another one that `on_failure` of the launch names, then the spec's list."""
    from orchestrator.spec.ordering import flat

    assert spec.launch is not None
    of_launch = list(flat(spec.launch.on_failure or (), spec.fallbacks or {}))
    others = [each for each in of_launch if each.replaces == "port"]
    return (*others, *(spec.on_failure or ())) if others else None


def launch_work(start: Start) -> Work | None:
    launch = start.spec.launch
    if launch is None:
        return None
    item = _LaunchItem("launch", on_failure=launch.on_failure, app=launch.app or "")
    return Work(
        "launch",
        item,
        ("launch",),
        start.loaded.place(("launch", "app" if launch.app else "command")),
        LAUNCH,
    )


@dataclass(slots=True)
class _LaunchItem(Synthetic):
    app: str = ""


def bound_for_now(start: Start) -> socket.socket | None:
    """A socket on the service's address for as long as its server, which binds by itself, does not run."""
    from orchestrator.system import sockets

    launch = start.spec.launch
    if launch is None or (launch.listening_port is None and launch.unix is None):
        return None
    path = start.context().path(launch.unix) if launch.unix else None
    bound = sockets.bind(launch.host, launch.listening_port or 0, path)
    return None if isinstance(bound, sockets.BindError) else bound


def refuse(listener: socket.socket) -> None:
    """Nobody is behind the socket for now: who connects is refused rather than queued. Its address stays ours."""
    import socket

    from orchestrator.system.listener import refuse as refuse_callers

    if listener.family == socket.AF_UNIX:
        listener.setblocking(True)  # one that was shut down stays so
    else:
        refuse_callers(listener)


def end_gently(process: Importer, number: int, until: float, heard: Callable[[], None] | None = None) -> bool:
    """Asks a process to end; when its time is over it shows where it hangs and is killed. Whether it ended by itself."""
    import select
    import time

    from orchestrator.system import signals

    if process.code is None:
        signals.send(process.pid, number)
    while process.code is None and (left := until - time.monotonic()) > 0:
        poll = select.poll()
        if process.fileno() >= 0:
            poll.register(process.fileno(), select.POLLIN)
        poll.poll(min(50, int(left * 1000) + 1))
        process.read_events()
        if heard is not None:
            heard()
    gently = process.code is not None
    process.show_where()
    process.end()
    return gently


def loopback(launch: Launch | None) -> bool:
    return (
        launch is not None
        and launch.unix is None
        and launch.command is None
        and launch.host.startswith(LOOPBACK)
    )


# The plan of the launch


def plan_of(start: Start, modules: list[Work]) -> LaunchPlan:
    """What the importing process is to import and to serve, in the environment as it is now."""
    from orchestrator.engine.imports import IMPORT_DEADLINE
    from orchestrator.launch.plan import LaunchPlan

    launch: Launch | None = start.spec.launch
    plan = LaunchPlan(
        service=start.spec.service, environ=start.service_environ(), cwd=start.cwd, log=start.log_format
    )
    plan.secrets = start.stream.secrets.values
    plan.state_dir = start.state_directory
    if plan.state_dir:
        plan.environ["ORCHESTRATOR_STATE_DIR"] = plan.state_dir
    plan.modules = [_module(work) for work in modules]
    plan.app_deadline = IMPORT_DEADLINE
    identity.into_plan(start, plan)
    if launch is None:
        plan.command = [sys.executable, "-c", ""]  # never told to go: it only imports
        return plan
    if start.variables.unknown_in(("launch",)) or start.variables.unknown_in(("health",)):
        # It will not be served with values that nobody knows; what imports without them is imported and told.
        plan.app = launch.app if launch.app and not pending(launch.app) else ""
        plan.command = [] if plan.app else [sys.executable, "-c", ""]
        plan.port = 0
        return plan
    _describe(plan, launch, start)
    return plan


def _module(work: Work) -> dict[str, Any]:
    from orchestrator.engine.imports import IMPORT_DEADLINE

    item = work.item
    return {
        "id": work.id,
        "module": item.module,
        "attribute": item.attribute or "",
        "deadline": item.limit or IMPORT_DEADLINE,
    }


def _describe(plan: LaunchPlan, launch: Launch, start: Start) -> None:
    import signal

    work = start.by_id.get("launch")
    plan.server, plan.factory, plan.importer, plan.mode = (
        launch.server,
        launch.factory,
        "exec" if plan.importer == "exec" else launch.importer,
        launch.mode,
    )
    plan.app = work.item.app if work is not None and launch.app is not None else (launch.app or "")
    plan.command = command_with(launch.command, launch.arguments, start.words) if launch.command else []
    plan.host, plan.unix = launch.host, start.context().path(launch.unix) if launch.unix else ""
    plan.port = (
        start.listener.getsockname()[1]
        if start.listener is not None and not plan.unix
        else (launch.listening_port or 0)
    )
    plan.options = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in (launch.options or {}).items()
    }
    plan.umask = launch.umask if launch.umask is not None else -1
    if launch.command is None:
        plan.workers = workers.of_launch(start)[0]
        plan.preload = launch.preload
    if launch.cwd:
        plan.cwd = start.context().path(launch.cwd)
    shutdown = launch.shutdown
    plan.drain, plan.grace = (shutdown.drain, shutdown.grace) if shutdown else (0.0, GRACE)
    plan.stop_signal = int(signal.Signals[launch.stop_signal])
    if launch.restart is not None:
        plan.restart = {
            "policy": launch.restart.policy,
            "attempts": launch.restart.attempts,
            "within": launch.restart.within,
        }
    plan.health = health_checks.watch(plan, start)
    plan.on_failure = _after_launch(start)


def command_with(command: Sequence[str], rule: str | None, words: Sequence[str]) -> list[str]:
    """The command to launch: the words behind its own arguments, or in their place."""
    if not words:
        return list(command)
    return [command[0], *words] if rule == "replace" else [*command, *words]


def instead(spec: Spec, command: Sequence[str]) -> Spec:
    """The spec with a command in the launch's place, which is no service and has no health of its own."""
    if not command:
        return spec
    from orchestrator.spec.launch import KIND as LAUNCHED

    launch = LAUNCHED.model_validate({"command": tuple(command), "mode": "exec"})
    return spec.model_copy(update={"launch": launch, "health": None})


def without(spec: Spec) -> Spec:
    """The spec of an item alone: what is launched runs already."""
    return spec.model_copy(update={"launch": None, "health": None})


def _after_launch(start: Start) -> list[dict[str, Any]]:
    """The actions of what is blamed for a server that fails, each as the supervisor knows it, in their places."""
    health = start.spec.health
    measured = health is not None and any(health.named())
    item = Synthetic("health" if measured else "launch", on_failure=given_after_launch(start))
    work = Work(item.kind, item, (item.kind,), None, HEALTH)
    return [
        {**lowered, "limit": health_checks.HEALTH_DEADLINE + lowered.get("limit", 0.0)}
        for lowered in (action.lowered() for action in start.actions(work))
    ]


def given_after_launch(start: Start) -> Any:
    """What is said for a server that fails after it was ready: health's, else the launch's, else the spec's."""
    sections = (start.spec.health, start.spec.launch)
    said = (each.on_failure for each in sections if each is not None and each.on_failure is not None)
    return next(said, None)
