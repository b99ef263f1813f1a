"""How many workers serve: a written number, WEB_CONCURRENCY, or what CPUs and memory of the container allow."""

from __future__ import annotations

import os
from math import floor
from typing import TYPE_CHECKING, Any

from orchestrator.engine.exceptions import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.engine.run import Start
    from orchestrator.spec.launch import Computed

VARIABLE = "WEB_CONCURRENCY"
MOST = 1024
PAGE = os.sysconf("SC_PAGE_SIZE")


class NoCount(ValueError):
    """WEB_CONCURRENCY is no number of workers."""


def count(
    wanted: int | str | Computed | None, environ: Mapping[str, str], root: str = "/"
) -> tuple[int, str]:
    """The number, and what decided it; raises NoCount. `root` is another place for `/`, for recorded limits."""
    given = environ.get(VARIABLE, "")
    if isinstance(wanted, int):
        beside = (
            f"; {VARIABLE}={given} does not win over a written number"
            if given not in ("", str(wanted))
            else ""
        )
        return wanted, f"written in the spec{beside}"
    if given:
        return _given(given), f"{VARIABLE} says so"
    if wanted is None:
        return 1, "nothing else is said"
    return _auto(root) if isinstance(wanted, str) else _computed(wanted, root)


def tell(start: Start) -> None:
    """Says the number with its reason, where it is not what anybody would expect; raises Invalid."""
    from orchestrator.engine import events

    launch = start.spec.launch
    if launch is None or launch.command is not None:
        return
    number, why = of_launch(start)
    plain = launch.workers is None and number == 1
    if not plain and not (isinstance(launch.workers, int) and ";" not in why):
        start.stream.emit(
            events.NOTE, f"{number} worker{'s' if number > 1 else ''}: {why}", item="launch", workers=number
        )


def of_launch(start: Start) -> tuple[int, str]:
    """The number for this start; raises Invalid when WEB_CONCURRENCY is none."""
    from orchestrator.diagnostics import Diagnostic, Place

    launch: Any = start.spec.launch
    try:
        return count(launch.workers, start.service_environ())
    except NoCount as error:
        place = start.loaded.place(("launch", "workers")) or start.loaded.place(("launch",)) or Place("")
        hint = f"set {VARIABLE} to a number, unset it, or write `workers: 2` under `launch`"
        raise Invalid(
            [Diagnostic("ORC402", "error", str(error), place, "/launch/workers", "launch", hint)]
        ) from None


def _given(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) else 0
    if not 1 <= number <= MOST:
        raise NoCount(f"`{VARIABLE}` is a number of workers from 1 to {MOST}, got `{text[:40]}`")
    return number


def _auto(root: str) -> tuple[int, str]:
    cpus, quota = _cpus(root)
    if quota is None:
        return 1, "`auto` without a CPU quota is 1; docker run --cpus N, or write a number"
    limit = "the quota is" if cpus == quota else "this process may use"
    return max(1, floor(cpus)), f"`auto`, {limit} {cpus:g} CPUs"


def _computed(wanted: Computed, root: str) -> tuple[int, str]:
    """The bounds in their order, each over the one before; memory is last: a worker that does not fit is killed."""
    limit = _limit(root) if wanted.memory_each is not None else None
    if wanted.per_cpu is None and limit is not None:
        number, why = _by_memory(limit, wanted.memory_each)
    else:
        number, why = _by_cpu(wanted, root)
    if number < wanted.min:
        number, why = wanted.min, f"`min` is {wanted.min} ({why})"
    if wanted.max is not None and number > wanted.max:
        number, why = wanted.max, f"`max` is {wanted.max} ({why})"
    if limit is not None:
        fit, because = _by_memory(limit, wanted.memory_each)
        return (fit, f"{because} ({why})") if fit < number else (number, why)
    return number, why + (
        "; there is no memory limit for `memory_each` to share" if wanted.memory_each is not None else ""
    )


def _by_cpu(wanted: Computed, root: str) -> tuple[int, str]:
    if wanted.per_cpu is None:
        return 1, "no `per_cpu`"
    cpus, quota = _cpus(root)
    if quota is None:
        return 1, "`per_cpu` without a CPU quota is 1"
    # The tenth that a float loses must not cost a worker: 0.1 of 30 is 3.
    number = min(MOST, max(1, floor(wanted.per_cpu * cpus + 1e-9)))
    return number, f"`per_cpu` {wanted.per_cpu:g} for each of {cpus:g} CPUs"


def _by_memory(limit: int, each: int | None) -> tuple[int, str]:
    assert each is not None
    # The kernel rounds limits down to whole pages: in 600 MB still fit three times 200 MB.
    fit = min(MOST, (limit + PAGE - 1) // each)
    if fit == 0:
        return 1, f"`memory_each`: not even one worker of {_mega(each)} fits in {_mega(limit)}"
    return fit, f"`memory_each`: {fit} of {_mega(each)} fit in {_mega(limit)}"


def _cpus(root: str) -> tuple[float, float | None]:
    from orchestrator.requirements import _cgroup  # most starts ask for neither

    return _cgroup.cpus(root)


def _limit(root: str) -> int | None:
    from orchestrator.requirements import _cgroup

    return _cgroup.memory_limit(root)


def _mega(size: int) -> str:
    return f"{size / 10**6:.4g} MB"
