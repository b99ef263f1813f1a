"""Health: its endpoints as the engine asks them, as the supervisor watches them, and as the probe file names them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.core.outcome import Outcome, failed, ok
from orchestrator.core.phases import HEALTH
from orchestrator.engine.item import Synthetic, Work

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.engine.run import Start
    from orchestrator.launch.plan import LaunchPlan
    from orchestrator.spec.health import Endpoint

HEALTH_DEADLINE = 60.0
TIMEOUT = 2.0
CLOCK_GRAIN = 0.05
"""Files are stamped by a clock that ticks: a little behind the one that is read."""


@dataclass(slots=True)
class HealthItem(Synthetic):
    """One endpoint, asked as a wait is."""

    asked: Any = None

    def attempt(self, context: Context) -> Outcome:
        from orchestrator.health import verify

        return verify.ask(self.asked, context.timeout, context)

    def remedy(self, last: Outcome) -> str:
        """What to do when it never was as expected while the server ran."""
        reason, status = last.reason, last.data.get("status")
        if status in (401, 403):
            return "a health endpoint answers without a login; else write its `headers`"
        if status in (404, 405):
            return f"the app answers and knows no {self.asked.method} {self.asked.path}: is that what it calls its endpoint?"
        if last.hint:
            return last.hint
        if reason == "unexpected":
            return "the app answers, and not as it should: its own log says what it waits for; `health.deadline` gives it more time"
        if reason == "refused":
            return "the server runs, and nothing listens there: is `launch.port` the port that the app takes?"
        if reason == "timeout":
            return f"see what the answer waits for; `timeout`, here {self.timeout:g} s, gives it more time"
        return f"ask it yourself from inside the container: orchestrator health --url {self.asked.where}"


@dataclass(slots=True)
class CommandHealth(Synthetic):
    """A command that says whether the service is well."""

    argv: tuple[str, ...] = ()

    def attempt(self, context: Context) -> Outcome:
        from orchestrator.system.processes import capture

        result = capture(self.argv, context, context.timeout)
        if result.code == 0 and not result.problem:
            return ok(f"`{self.argv[0]}` succeeds")
        said = result.output.strip().splitlines()
        return failed(
            "ORC706", "unexpected", f"`{self.argv[0]}` {result.ended}" + (f": {said[-1]}" if said else "")
        )

    def remedy(self, _last: Outcome) -> str:
        return "run the command yourself inside the container, as the service's user; `health.deadline` gives it more time"


@dataclass(slots=True)
class HeartbeatHealth(Synthetic):
    """A file that must be young."""

    file: str = ""
    max_age: float = 0.0
    since: float = 0.0
    """When the server was launched (`time.time`): what an earlier one has written says nothing."""

    def attempt(self, context: Context) -> Outcome:
        import time

        try:
            written = os.stat(context.path(self.file)).st_mtime
        except OSError as error:
            return failed("ORC706", "missing", f"{self.file}: {(error.strerror or str(error)).lower()}")
        age = time.time() - written
        if written < self.since - CLOCK_GRAIN:
            return failed("ORC706", "stale", f"{self.file} is {age:.1f} s old, from before the launch")
        if age > self.max_age:
            return failed(
                "ORC706", "stale", f"{self.file} is {age:.1f} s old, at most {self.max_age:g} s are well"
            )
        return ok(f"{self.file} is {age:.1f} s old")

    def remedy(self, _last: Outcome) -> str:
        return f"the service must write {self.file} at least every {self.max_age:g} s: is that the path it writes, and may its user?"


def never_ready(item: HealthItem | CommandHealth | HeartbeatHealth, last: Outcome) -> Outcome:
    """The last outcome when the time for the first good one is over."""
    said = f"not well {'and never will be' if last.final else f'within {item.deadline:g} s'}: {last.summary}"
    return failed("ORC703", last.reason, said, item.remedy(last) or last.hint, details=last.details)


def health_deadline(start: Start) -> float:
    """Seconds from the launch to the first ready."""
    health = start.spec.health
    return health.deadline if health is not None and health.deadline is not None else HEALTH_DEADLINE


def health_works(start: Start, plan: LaunchPlan) -> list[Work]:
    """The declared endpoints, `ready` first: it tells when the others can be asked. Those of an earlier launch go on."""
    health = start.spec.health
    if health is None:
        return []
    made = []
    for name, one in sorted(health.named(), key=lambda each: each[0] != "ready"):
        item = _health_item(one, plan, health_deadline(start), start.launched_at)
        item.on_failure = health.on_failure
        work = start.by_id.get(f"health:{name}")
        if work is None:
            path = ("health", name) if name in ("live", "ready") else ("health", "endpoints", name)
            work = Work(f"health:{name}", item, path, start.loaded.place(path), HEALTH)
            start.add(work)
        work.item = item
        made.append(work)
    return made


def _health_item(one: Endpoint, plan: LaunchPlan, deadline: float, since: float) -> Synthetic:
    timeout = one.timeout or TIMEOUT
    if one.command is not None:
        return CommandHealth("health", timeout=timeout, deadline=deadline, argv=one.command)
    if one.heartbeat is not None:
        return HeartbeatHealth(
            "health",
            timeout=timeout,
            deadline=deadline,
            file=one.heartbeat.file,
            max_age=one.heartbeat.max_age,
            since=since,
        )
    return HealthItem("health", timeout=timeout, deadline=deadline, asked=_asked(one, plan))


def _asked(one: Endpoint, plan: LaunchPlan) -> Any:
    from orchestrator.health import verify

    return verify.Endpoint(
        path=one.path or "/", port=one.port or plan.port, host=plan.host, scheme=one.scheme, method=one.method,
        headers=one.headers or {}, host_header=one.host_header or "", expect=one.expect,
        unix=plan.unix if plan.unix and one.port is None else "",
    )  # fmt: skip


def watch(plan: LaunchPlan, start: Start) -> dict[str, Any]:
    health = start.spec.health
    if health is None:
        return {}
    watch = health.watch
    result: dict[str, Any] = {
        "interval": watch.interval if watch else 0,
        "failures": watch.failures if watch else 3,
        "successes": watch.successes if watch else 1,
        "deadline": health_deadline(start),
    }
    for name, one in health.named():
        place = result if name in ("live", "ready") else result.setdefault("more", {})
        place[name] = _watched(plan, start, one)
    return result


def _watched(plan: LaunchPlan, start: Start, one: Endpoint) -> dict[str, Any]:
    """An endpoint as the supervisor asks it; more than a status is judged by what the engine judges by."""
    import pickle

    from orchestrator.launch import plan as plans

    timeout = one.timeout or TIMEOUT
    if one.command is not None:
        return plans.command_endpoint(list(one.command), timeout=timeout)
    if one.heartbeat is not None:
        file = start.context().path(one.heartbeat.file)
        return plans.heartbeat_endpoint(file, one.heartbeat.max_age, timeout=timeout)
    host, port = plan.host or "0.0.0.0", one.port or plan.port
    more = one.expect is not None and one.expect.model_fields_set - {"status"}
    return plans.endpoint(
        host=host, port=port, unix=plan.unix if one.port is None else "", request=_request(one, host, port),
        timeout=timeout, statuses=_statuses(one), tls="unverified" if one.scheme == "https" else "",
        asked=pickle.dumps(_asked(one, plan)) if more else b"",
    )  # fmt: skip


def _request(one: Endpoint, host: str, port: int) -> bytes:
    from orchestrator.health.http_probe import loopback, request

    headers = tuple(f"{name}: {value}" for name, value in (one.headers or {}).items())
    return request(one.method, one.path or "/", one.host_header or shown(loopback(host), port), headers)


def _statuses(one: Endpoint) -> tuple[tuple[int, int], ...]:
    return tuple(one.expect.status) if one.expect is not None and one.expect.status else ((200, 299),)


def probe_endpoints(start: Start, plan: LaunchPlan) -> tuple[Any, ...]:
    """How `orchestrator health` asks, for the probe file."""
    from orchestrator.status.state import Endpoint as Probed

    health = start.spec.health
    if health is None:
        return ()
    made = []
    for name, one in health.named():
        if one.command is not None:
            made.append(Probed(name, "command"))
        elif one.heartbeat is not None:
            made.append(
                Probed(
                    name,
                    "heartbeat",
                    file=start.context().path(one.heartbeat.file),
                    max_age=one.heartbeat.max_age,
                )
            )
        else:
            made.append(_probed(name, one, plan))
    return tuple(made)


def _probed(name: str, one: Endpoint, plan: LaunchPlan) -> Any:
    from orchestrator.status.state import Endpoint as Probed

    statuses = ",".join(f"{low}-{high}" if low != high else str(low) for low, high in _statuses(one))
    kind = "unix" if plan.unix and one.port is None else one.scheme
    return Probed(
        name, kind, host=plan.host or "0.0.0.0", port=one.port or plan.port, path=one.path or "/", method=one.method, statuses=statuses,
        timeout=one.timeout or TIMEOUT, host_header=one.host_header or "", headers=tuple((one.headers or {}).items()), file=plan.unix,
    )  # fmt: skip


def shown(host: str, port: int) -> str:
    """An address as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
