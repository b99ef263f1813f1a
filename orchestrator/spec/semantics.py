"""What is well formed and cannot be meant: numbers that contradict one another, keys without effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.core.words import SERVE
from orchestrator.diagnostics.patterns import pattern
from orchestrator.spec import option_checks, secrets
from orchestrator.spec.fallback_checks import action_lists, action_path
from orchestrator.spec.model import Model
from orchestrator.spec.templated import known
from orchestrator.spec.wording import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestrator.diagnostics import Findings
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec

    Path = tuple[str | int, ...]

DEFAULT_TIMEOUT = 2.0
_LOWER_BOUND = pattern(r">=?\s*(.+)")


def check(spec: Spec, places: Locations, findings: Findings, broken: frozenset[str] = frozenset()) -> None:
    del broken
    for each in (option_checks.check, _users, _workers, _items, _health, _live_and_ready, _no_effect):
        each(spec, places, findings)
    secrets.check(spec, places, findings)
    if spec.user is not None and spec.wait_for:
        from orchestrator.spec import root_items

        root_items.check(spec, places, findings)
    if spec.variables:
        from orchestrator.spec import contracts

        contracts.check(spec, places, findings)


def spelled(seconds: float) -> str:
    """A duration as a spec writes it."""
    return f"{seconds * 1000:g}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def _users(spec: Spec, places: Locations, findings: Findings) -> None:
    """What follows the start is one user's: rights that were given up do not come back."""
    user = getattr(spec.user, "name", spec.user)
    launch = spec.launch
    if launch is None:
        return
    if known(launch.user) and known(user) and launch.user != user:
        message = (
            f"`launch.user` is {launch.user}, and `user` is {user}: everything after the start is one user's"
        )
        hint = "keep `user`, or `launch.user` alone: then what comes before the launch runs as it was started"
        places.add(findings, "ORC113", message, ("launch", "user"), key=True, item="launch", hint=hint)
    service = user or launch.user
    at, own = _switches_to(launch.command or ())
    if own and known(service) and own != service.partition(":")[0]:
        message = f"the server is to become {own}, and it is started as {service}, who can become nobody else"
        hint = f"take it out: the server is {service} from its start"
        places.add(findings, "ORC113", message, ("launch", "command", at), item="launch", hint=hint)


_USER_OPTIONS = {"gunicorn": ("-u", "--user"), "hypercorn": ("-u", "--user"), "uwsgi": ("--uid",)}
"""Servers that can become somebody else by themselves, and the options that say who."""


def _switches_to(command: Sequence[Any]) -> tuple[int, str]:
    """Who a server's own option names, and where; an empty name where none does."""
    words = [each if isinstance(each, str) else "" for each in command]
    server = next((name for each in words[:3] if (name := each.rpartition("/")[2]) in _USER_OPTIONS), "")
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in _USER_OPTIONS.get(server, ()):
            return (at, value) if equals else (at + 1, words[at + 1] if at + 1 < len(words) else "")
    return 0, ""


def _workers(spec: Spec, places: Locations, findings: Findings) -> None:
    """The most workers there may be, each with its memory, against the least memory the host must have."""
    workers: Any = spec.launch.workers if spec.launch is not None else None
    if not all(known(getattr(workers, name, None)) for name in ("max", "memory_each")):
        return
    memory = _least_memory(spec)
    needed = workers.max * workers.memory_each
    if memory is not None and needed > memory:
        from orchestrator.diagnostics import Related

        place = places.place(("host", "memory"))
        places.add(findings, "ORC127", f"{workers.max} workers of {size(workers.memory_each)} need {size(needed)}, the host need only have {size(memory)}",
                   ("launch", "workers"), item="launch", hint=f'ask for `memory: ">={size(needed)}"`, or allow fewer workers',
                   also=[Related("memory is asked for at", place)])  # fmt: skip


def _least_memory(spec: Spec) -> int | None:
    from orchestrator.spec.errors import Problem
    from orchestrator.spec.types import parse_size

    value: Any = (
        spec.host.get("memory") if isinstance(spec.host, dict) else getattr(spec.host, "memory", None)
    )
    value = getattr(value, "is_", value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = str(getattr(value, "text", value) or "")
    found = _LOWER_BOUND.match(text)
    try:
        return parse_size(found.group(1)) if found else None
    except Problem:
        return None


def size(count: int) -> str:
    """Bytes as a spec writes them."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor and count % (factor // 1000) == 0:
            return f"{count / factor:g}{unit}"
    return f"{count}B"


def _items(spec: Spec, places: Locations, findings: Findings) -> None:
    for path, item in spec.located_items():
        if not item.model_fields_set & _TIMES:
            continue
        _no_time((*path, "timeout"), item.timeout, places, findings)
        if known(item.deadline) and known(item.timeout) and item.deadline < item.timeout:
            places.add(findings, "ORC128", f"the deadline {spelled(item.deadline)} is shorter than one attempt, which may take {spelled(item.timeout)}",
                       (*path, "deadline"), hint="a deadline holds several attempts and the pauses between them")  # fmt: skip
        _retry(item.retry, (*path, "retry"), places, findings)
    if spec.defaults is not None:
        _retry(spec.defaults.retry, ("defaults", "retry"), places, findings)
    for path, action in _actions(spec, places):
        recheck, longest = getattr(action, "recheck", None), getattr(action, "max_degraded", None)
        if known(recheck) and known(longest) and longest < recheck:  # type: ignore[operator]
            places.add(findings, "ORC128", "`max_degraded` passes before the first `recheck`", (*path, "max_degraded"),
                       hint="make it several rechecks long")  # fmt: skip


_TIMES = frozenset({"deadline", "timeout", "retry"})


def _actions(spec: Spec, places: Locations) -> Iterator[tuple[Path, Any]]:
    for path, _, actions in action_lists(spec):
        for at, action in enumerate(actions):
            yield action_path(path, at, places), action


def _retry(retry: Any, path: Path, places: Locations, findings: Findings) -> None:
    if (
        retry is not None
        and known(retry)
        and known(retry.initial)
        and known(retry.max)
        and retry.initial > retry.max
    ):
        places.add(findings, "ORC124", f"`initial` {spelled(retry.initial)} is longer than `max` {spelled(retry.max)}",
                   (*path, "initial"), hint="swap them")  # fmt: skip


def _health(spec: Spec, places: Locations, findings: Findings) -> None:
    health = spec.health
    if health is None:
        return
    attempt: Any = _attempt(health.ready) if health.ready is not None else DEFAULT_TIMEOUT
    if known(health.deadline) and attempt is not None and health.deadline < attempt:
        places.add(findings, "ORC128", f"the deadline {spelled(health.deadline)} is shorter than one attempt of `ready`, which may take {spelled(attempt)}",
                   ("health", "deadline"), item="health:ready", hint="it runs from the launch, so it holds the app's whole start as well")  # fmt: skip
    watch = health.watch
    if watch is not None and known(watch) and watch.interval == 0:
        places.add(findings, "ORC128", "an interval of 0s is no watch: nothing is asked again", ("health", "watch", "interval"),
                   item="health", hint="for example `10s`; or take `watch` out")  # fmt: skip
    for name, endpoint in health.named():
        interval: Any = getattr(watch, "interval", None)
        _no_time((*_of_endpoint(name), "timeout"), endpoint.timeout, places, findings)
        if interval and known(interval) and known(endpoint.timeout) and interval < endpoint.timeout:
            path = _of_endpoint(name)
            places.add(findings, "ORC128", f"`{name}` may take {spelled(endpoint.timeout)}, and is asked again every {spelled(interval)}",
                       (*path, "timeout"), item=f"health:{name}", hint="make `watch.interval` longer than it")  # fmt: skip


def _of_endpoint(name: str) -> Path:
    return ("health", name) if name in ("live", "ready") else ("health", "endpoints", name)


def _no_time(path: Path, timeout: Any, places: Locations, findings: Findings) -> None:
    if timeout == 0:
        places.add(findings, "ORC128", "no attempt can end within 0s", path, hint="write how long an answer may take, for example `2s`")  # fmt: skip


def _attempt(endpoint: Any) -> float | None:
    """How long one attempt may take; None when a start decides."""
    if endpoint.timeout is None:
        return DEFAULT_TIMEOUT
    return endpoint.timeout if known(endpoint.timeout) else None


def _live_and_ready(spec: Spec, places: Locations, findings: Findings) -> None:
    """Liveness that asks what readiness asks restarts a service for what a dependency did."""
    health = spec.health
    if health is None or health.live is None or health.ready is None or not known(health.live.path):
        return
    if health.live.path == health.ready.path and health.live.port == health.ready.port:
        places.add(findings, "ORC129", f"`live` and `ready` both ask `{health.live.path}`", ("health", "live"), item="health:live",
                   hint="a liveness endpoint asks nothing but the process itself")  # fmt: skip


def _no_effect(spec: Spec, places: Locations, findings: Findings) -> None:
    for path, message, hint in _without_effect(spec):
        places.add(findings, "ORC125", message, path, key=True, hint=hint)


def empty(spec: Spec, paths: Iterable[Path], places: Locations, findings: Findings) -> None:
    """Warns of keys with nothing behind them, for what was to stand there may have slipped.

    One that resets a lower layer's value has its effect.
    """
    for path in paths:
        model = _model_at(spec, places.made(path[:-1])) if path and isinstance(path[-1], str) else None
        node, taken = places.tree.at(path)
        if model is None or node.overrides or taken < len(path) or path[-1] == getattr(model, "word", ""):
            continue
        if path[-1] in model.given():
            places.add(findings, "ORC125", f"`{path[-1]}` has no effect: nothing stands behind it", path, key=True, hint=NOTHING, written=True)  # fmt: skip


def _model_at(spec: Spec, path: Path | None) -> Model | None:
    """The model that was made of the mapping at a path; None where it is no model's."""
    found: Any = spec if path is not None else None
    for step in path or ():
        if isinstance(found, Model) and isinstance(step, str):
            found = found.given().get(step)
        elif isinstance(found, dict):
            found = found.get(step)
        else:
            found = (
                found[step]
                if isinstance(found, tuple) and isinstance(step, int) and step < len(found)
                else None
            )
    return found if isinstance(found, Model) else None


def _without_effect(spec: Spec) -> Iterator[tuple[Path, str, str]]:
    for name, contract in spec.variables.items():
        if contract.required is True and contract.default is not None:
            yield (
                ("variables", name, "required"),
                "`required` has no effect: a variable with a default is never missing",
                "keep one of the two",
            )
        elif contract.required is True and contract.generate is not None:
            yield (
                ("variables", name, "required"),
                "`required` has no effect: a generated variable is never missing",
                "keep one of the two",
            )
        elif contract.required is True and contract.required_when is not None:
            yield (
                ("variables", name, "required_when"),
                "`required_when` has no effect beside `required: true`",
                "keep one of the two",
            )
    restart = spec.launch.restart if spec.launch is not None else None
    if restart is not None and known(restart) and restart.policy == "never":
        for key in ("attempts", "within"):
            if key in restart.model_fields_set:
                yield (
                    ("launch", "restart", key),
                    f"`{key}` has no effect: the policy is `never`",
                    "add `policy: on-failure`",
                )
    if (
        spec.health is not None
        and spec.health.watch is not None
        and not any(True for _ in spec.health.named())
    ):
        yield (
            ("health", "watch"),
            "`watch` has no effect: `health` declares no endpoint",
            "add `live` or `ready`",
        )
    yield from _nobody_stays(spec)
    yield from _retried_never(spec)
    yield from _tried_once(spec)
    telemetry = spec.telemetry
    if telemetry is not None and telemetry.metrics is True and telemetry.listen is None:
        yield (
            ("telemetry", "metrics"),
            "`metrics` has no effect: there is no operations listener",
            "add `listen: 127.0.0.1:9000`",
        )


def _nobody_stays(spec: Spec) -> Iterator[tuple[Path, str, str]]:
    """With `mode: exec` the server takes the engine's place: nothing is left that could ask or restart it."""
    launch, health = spec.launch, spec.health
    if launch is None or launch.mode != "exec":
        return
    hint = "take it out, or leave `mode: exec` out"
    for section, model, keys in (
        ("launch", launch, ("restart",)),
        ("health", health, ("deadline", "watch", "on_failure")),
    ):
        for key in keys if model is not None else ():
            if getattr(model, key) is not None:
                yield (
                    (section, key),
                    f"`{key}` has no effect with `mode: exec`: only the server is left",
                    hint,
                )


_TRIED_AGAIN = frozenset({"wait", "step", "module"})
"""Kinds that know attempts of their own; all others are tried once unless they have a deadline."""


def _retried_never(spec: Spec) -> Iterator[tuple[Path, str, str]]:
    for path, item in spec.located_items():
        if item.retry is not None and item.deadline is None and item.kind not in _TRIED_AGAIN:
            message = (
                f"`retry` has no effect: without a `deadline` this {item.noun or item.kind} is tried once"
            )
            yield (*path, "retry"), message, "add a `deadline`, which is for all attempts together"


def _tried_once(spec: Spec) -> Iterator[tuple[Path, str, str]]:
    """A step that was tried and cannot say whether it is done is never tried again: nothing comes back by itself."""
    for at, step in enumerate(spec.steps):
        if step.unless is not None or step.creates is not None or not isinstance(step.on_failure, tuple):
            continue
        for index, action in enumerate(step.on_failure):
            lowered = action.lowered()
            place: Path = ("steps", at, "on_failure", index)
            hint = "add `unless` or `creates`, which says whether it is done"
            if lowered.get("recheck") is not None:
                yield (
                    (*place, "recheck"),
                    "`recheck` has no effect: the step was tried, and cannot say whether it is done",
                    hint,
                )
            elif lowered["do"] == SERVE and lowered["for"] is None:
                yield (
                    place,
                    f"`serve: {lowered['app']}` would last for ever: the step was tried, and cannot say whether it is done",
                    f"{hint}; or give `serve` an end with `for`",
                )
