"""Rows proved: first a start in which nothing is broken, then one for each row, two at a time. Nothing of it outlives this.

Knows how starts are run and judged; what happens in one is `stage`'s business.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from orchestrator.engine.launch_plan import is_low
from orchestrator.rehearsal.observe import Seen
from orchestrator.rehearsal.rows import DEGRADED, HEALED, MAINTENANCE, READY, STOPPED, Ending, Row
from orchestrator.rehearsal.sandbox_filesystem import Job
from orchestrator.spec import root_items
from orchestrator.system import prctl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.spec.loading import Loaded
    from orchestrator.spec.spec import Spec

AT_ONCE = 2
FIRST_LIMIT = 90.0
"""Seconds for the start in which nothing is broken."""
ROUNDS = 4
"""So often it is tried again with what does not work here supposed done."""
LIMIT, SLOWER = 30.0, 8.0
"""Seconds for a row: so many, and so many times as long as the service needs to become ready."""


def prove(
    loaded: Loaded, rows: Sequence[Row], said: Callable[[str], None], *, files: tuple[str, ...]
) -> list[Row]:
    """The same rows with what a real start came to. `said` hears what holds for all of them."""
    with Stages() as stages:
        why = stages.possible()
        if why:
            said(f"nothing can be proved here: there is no private place for a start: {why}")
            return [row.unproved("there is no private place for a start") for row in rows]
        job = Job(
            files,
            loaded.environment if len(files) == 1 else "",
            loaded.role,
            os.getcwd(),
            "",
            limit=FIRST_LIMIT,
        )
        base, job = _baseline(stages, job)
        if base.outcome not in (READY, DEGRADED):
            cause = _why(base)
            said(f"the service does not become ready in a private copy even when nothing is broken: {cause}")
            return [row.unproved("the service is not ready even when nothing is broken") for row in rows]
        assert loaded.spec is not None
        _tell(loaded, job, base, said)
        roots = of_root(loaded.spec) if os.geteuid() == 0 else frozenset()
        return stages.all(_Told(lambda row: _row(stages, job, base, row, roots), len(rows), said), rows)


def of_root(spec: Spec) -> frozenset[str]:
    """The items that root does before it becomes the service's user; none where it stays who it is."""
    user = root_items.service_user(spec)
    if not user:
        return frozenset()
    is_another = root_items.another_than(user)
    items = [item for path, item in spec.located_items() if path[0] != "variables"]
    found = [item.identity for item in items if root_items.is_roots(item, is_another)]
    return frozenset([*found, "port"] if is_low(spec.launch) else found)


class _Told:
    """Tells each row as it is done: a rehearsal takes minutes."""

    def __init__(self, work: Callable[[Row], Row], rows: int, said: Callable[[str], None]) -> None:
        self.work, self.rows, self.said, self.done = work, rows, said, 0

    def __call__(self, row: Row) -> Row:
        result = self.work(row)
        self.done += 1
        if not row.skipped:
            mark = {True: "", False: " (not what the spec says)", None: " (not proved)"}[result.proved]
            self.said(f"{self.done} of {self.rows}: {row.name}: {result.ending}{mark}")
        return result


def _baseline(stages: Stages, job: Job) -> tuple[Seen, Job]:
    """The start in which nothing is broken; what needs something that cannot be here is supposed well."""
    seen = stages.run(job)
    for _ in range(ROUNDS):
        broken = [name for name, _ in seen.failed if name.startswith(("step:", "check:", "health:"))]
        if seen.outcome in (READY, DEGRADED) or not broken or set(broken) <= set(job.supposed):
            break
        job = replace(job, supposed=(*job.supposed, *broken))
        seen = stages.run(job)
    return seen, replace(job, ready=seen.seconds, limit=LIMIT + SLOWER * seen.seconds)


def _tell(loaded: Loaded, job: Job, base: Seen, said: Callable[[str], None]) -> None:
    assert loaded.spec is not None
    said(
        f"in a private copy, with a network of its own; ready after {base.seconds:.1f} s when nothing is broken"
    )
    waits = [each.identity for each in loaded.spec.wait_for]
    supposed = [*waits, *job.supposed]
    if supposed:
        said(f"supposed well where not under test, because it cannot be real here: {', '.join(supposed)}")
    said(
        "times are shorter than in the spec: waits, checks and steps that hang fail after 2 s, one restart at most"
    )


def _why(seen: Seen) -> str:
    if seen.cannot:
        return seen.cannot
    failed = "; ".join(f"{name}: {summary}" for name, summary in seen.failed)
    lines = seen.log.splitlines() or ["no log"]
    first = next((line for line in lines if "error" in line), lines[-1])
    return failed or f"it ended with {seen.exit_code}: {first}"


# One row


def _row(stages: Stages, job: Job, base: Seen, row: Row, roots: frozenset[str]) -> Row:
    if row.skipped:
        return row
    if row.id in roots:
        return row.unproved("root does it, and nothing is broken on purpose as root")
    seen = stages.run(replace(job, break_=row.id, reason=row.reason))
    if seen.cannot:
        return row.unproved(seen.cannot)
    if seen.status in ("", "ok", "skipped") and row.reason != "ended" and seen.outcome != STOPPED:
        return row.unproved(f"it could not be made to fail: {seen.summary or 'nothing needs it here'}")
    if row.reason == "auth" and seen.reason not in ("", "auth"):
        return row.unproved(f"it was made to fail otherwise, for `{seen.reason}`: {seen.summary}")
    return judge(row, seen, base)


def judge(row: Row, seen: Seen, base: Seen) -> Row:
    """The row with what was seen; proved when that is one of the endings that the spec may lead to."""
    ending = _ending(seen, base)
    proved = ending in row.foreseen
    fallbacks = tuple((each["action"], each["result"]) for each in seen.fallbacks)
    expected = " or ".join(f"`{each}`" for each in dict.fromkeys(row.foreseen))
    return replace(
        row, ending=ending, proved=proved, fallbacks=fallbacks or _as_foreseen(row, ending), otherwise=(),
        note=_note(seen, ending, proved=proved), expected="" if proved else expected, seconds=seen.seconds,
    )  # fmt: skip


def _as_foreseen(row: Row, ending: Ending) -> tuple[tuple[str, str], ...]:
    """What was done after the launch, where no report tells of it: the supervisor's business."""
    if ending != row.ending:
        return ()
    return (
        tuple((action, "helped") for action, _ in row.fallbacks)
        if ending.outcome == HEALED
        else row.fallbacks
    )


def _ending(seen: Seen, base: Seen) -> Ending:
    """What is off even when nothing is broken does not count."""
    off = tuple(each for each in seen.degraded if each not in base.degraded)
    if seen.outcome == STOPPED:
        return Ending(STOPPED, seen.exit_code)
    if seen.outcome == MAINTENANCE:
        return Ending(MAINTENANCE)
    if HEALED in (seen.outcome, seen.status) and not off:
        return Ending(HEALED, seen.exit_code)
    return Ending(DEGRADED, seen.exit_code, off) if off else Ending(READY, seen.exit_code)


def _note(seen: Seen, ending: Ending, *, proved: bool) -> str:
    """What the port answered where it tells something, and the cause of a difference."""
    said = []
    if ending.outcome != STOPPED and seen.answers:
        said.append(f"the port answers {seen.answers}")
    if not proved and ending.outcome == STOPPED:
        said.append(_why(seen))
    return "; ".join(said)


# Processes


def _end(number: int, _frame: object) -> None:
    """A request to stop cleans up as the end does."""
    sys.exit(128 + number)


class Stages:
    """The processes of a rehearsal, and the folders that their boxes are mounted on."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="orchestrator-rehearsal-")
        self.running: set[subprocess.Popen[str]] = set()
        self.over = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGTERM, _end)
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self.folder.cleanup()
        signal.signal(signal.SIGTERM, self._before)

    def _kill(self) -> None:
        with self._lock:
            self.over = True
            for process in self.running:
                process.kill()

    def possible(self) -> str:
        """Why nothing can be proved here; empty where it can."""
        words = [sys.executable, "-m", "orchestrator.rehearsal.sandbox", self.folder.name]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2]

    def all(self, work: Callable[[Row], Row], rows: Sequence[Row]) -> list[Row]:
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            return list(pool.map(work, rows))
        finally:
            self._kill()
            pool.shutdown(wait=True, cancel_futures=True)

    def run(self, job: Job) -> Seen:
        """One start to its end. Raises RuntimeError for a bug of ours."""
        with tempfile.TemporaryDirectory(dir=self.folder.name) as box:
            process = self._started()
            try:
                out, err = process.communicate(replace(job, box=box).text(), timeout=job.limit * 2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                return Seen(cannot=f"the start was not over within {job.limit * 2:.0f} s")
            finally:
                with self._lock:
                    self.running.discard(process)
        if process.returncode != 0 and not self.over:
            raise RuntimeError(f"a start of the rehearsal ended with {process.returncode}:\n{err}")
        return Seen.of(out) if out else Seen(cannot="it was ended")

    def _started(self) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "orchestrator.rehearsal.stage"]
        with self._lock:
            if self.over:
                raise RuntimeError("the rehearsal is over")
            process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                start_new_session=True, preexec_fn=prctl.end_with(9),  # noqa: PLW1509 - a call of libc alone
            )  # fmt: skip
            self.running.add(process)
        return process
