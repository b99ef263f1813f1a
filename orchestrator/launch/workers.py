"""Several workers under the process that imported the app: forked from it, or each an interpreter of its own.

Stays their parent for good. Knows the plan and how a worker is started, nothing of apps and servers.
"""

from __future__ import annotations

import json
import os
import select
import time
from typing import TYPE_CHECKING, Any

from orchestrator.core.exit_status import Asked, ending, exit_code
from orchestrator.system import log_output, oom, signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.launch.plan import LaunchPlan

    Started = tuple[int, int, int]
    """The worker's process, what keeps it (the pipe that ends with us), and its reports."""

KILL, TERM, QUIT = 9, 15, 3
NOT_BOOTED, FORCED = 5, 137
FIRST_DELAY, LONGEST_DELAY = 0.1, 30.0
STABLE = 60.0
"""Who served so long died of something new: the back-off begins again."""
TRIES = 3
"""A replacement that does not boot is tried so many times in a row, then the service has ended."""
MOMENT, MOMENTS, LONGEST_PAUSE = 0.2, 5, 1.0
"""Who ends with 0 sooner has hardly done its work; after so many in a row, others come after a pause."""
BOOT_DEADLINE = 60.0
TO_DUMP = 0.3
"""For a worker that hangs to write its stacks before it is killed."""
BETWEEN_DUMPS = 0.03
"""Time for one to write its stacks before the next one does."""
HASTE = 2.0
"""How long the others may take to end when one cannot boot."""


class Worker:
    """One process that serves, or is about to."""

    __slots__ = ("due", "hangs", "heard", "keep", "leaving", "number", "pid", "reports", "serving", "since")

    def __init__(self, number: int, started: Started, now: float, patience: float) -> None:
        self.number = number
        self.pid, self.keep, self.reports = started
        self.heard = b""
        self.since = now
        self.serving = self.leaving = self.hangs = False
        self.due: float | None = now + patience
        """When it has to serve, or to have ended."""

    def take(self) -> list[dict[str, Any]]:
        """What it has said since the last time."""
        if self.reports < 0:
            return []
        try:
            while chunk := os.read(self.reports, 65536):
                self.heard += chunk
        except BlockingIOError:
            pass
        *lines, self.heard = self.heard.split(b"\n")
        return [json.loads(line) for line in lines]

    def hush(self) -> None:
        """It has said its last word."""
        if self.reports >= 0:
            os.close(self.reports)
            self.reports = -1

    def close(self) -> None:
        self.hush()
        os.close(self.keep)


class Workers:
    """Starts them, replaces who died, renews them one after another, and ends with them."""

    def __init__(
        self, plan: LaunchPlan, start: Callable[[Workers], Started], report: Callable[..., None]
    ) -> None:
        self.plan = plan
        self.notes = signals.Notes()
        self._start = start
        self._report = report
        self._patience = plan.health.get("deadline") or BOOT_DEADLINE
        self._workers: list[Worker] = []
        self._missing: dict[int, float] = {}
        """The numbers of those that will be started, and when."""
        self._old: list[Worker] = []
        """Who is still to be renewed."""
        self._new: Worker | None = None
        """Who will take an old one's place."""
        self._to_dump: list[tuple[Worker, int]] = []
        """Who is to write its stacks: one after another, for all of them write to the same place."""
        self._dump_at = 0.0
        self._kills = oom.Kills()
        self._asked = Asked()
        self._again = self._booted = self._stopping = False
        self._code = self._streak = self._tries = self._moments = 0

    def run(self) -> int:
        """Returns when the last worker has ended: 0 if that was asked for, else the code of who could not boot."""
        self.notes.install()
        for number in range(1, self.plan.workers + 1):
            self._add(number)
        while self._workers or self._missing:
            self._wait()
            for noted in self.notes.take():
                self._on_signal(noted)
            self._hear()
            self._collect()
            self._on_time(time.monotonic())
        return self._code

    def descriptors(self) -> list[int]:
        """What a forked worker has to close: that of others."""
        return [each for worker in self._workers for each in (worker.keep, worker.reports) if each >= 0]

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self.notes.fileno(), select.POLLIN)
        for worker in self._workers:
            if worker.reports >= 0:
                poll.register(worker.reports, select.POLLIN)
        dues = [*(each.due for each in self._workers if each.due is not None), *self._missing.values()]
        dues += [self._dump_at] if self._to_dump else []
        poll.poll(max(0, int((min(dues) - time.monotonic()) * 1000) + 1) if dues else None)

    def _add(self, number: int) -> Worker:
        started = self._start(self)
        os.set_blocking(started[2], False)
        worker = Worker(number, started, time.monotonic(), self._patience)
        self._workers.append(worker)
        return worker

    # What is heard

    def _on_signal(self, number: int) -> None:
        if number == signals.CHILD:
            return
        if number in signals.STOPS or number == self.plan.stop_signal:
            self._stop(number)
        elif number == signals.RENEW:
            self._renew()
        elif number in (signals.DUMP, QUIT):
            self._to_dump += [(each, number) for each in self._workers]
        else:
            self._send(number)

    def _stop(self, number: int) -> None:
        echo = self._asked.again(number, time.monotonic())
        if self._stopping:
            if not echo:
                self._code = FORCED
                self._send(KILL)
            return
        # With a supervisor the grace is its business, which also asks for the stacks of who hangs.
        self._end_all(number, self.plan.grace if self.plan.mode == "exec" else None)

    def _end_all(self, number: int, grace: float | None) -> None:
        self._stopping = True
        self._missing.clear()
        self._old.clear()
        self._again, self._new = False, None
        self._send(number)
        for worker in self._workers:
            worker.leaving = True
            worker.due = None if grace is None else time.monotonic() + grace

    def _send(self, number: int) -> None:
        for worker in self._workers:
            os.kill(worker.pid, number)  # not collected, so the number is still its own

    def _hear(self) -> None:
        for worker in list(self._workers):
            self._listen(worker)

    def _listen(self, worker: Worker) -> None:
        for event in worker.take():
            if event["event"] == "serving":
                worker.hush()
                self._on_serving(worker)
                return
            if event["event"] == "failed" and not self._booted:
                self._report(**event)

    def _on_serving(self, worker: Worker) -> None:
        worker.serving, worker.since = True, time.monotonic()
        if not worker.leaving:
            worker.due = None
        self._tries = 0
        if not self._booted and all(each.serving for each in self._workers):
            self._booted = True
            self._report("serving")
        if worker is self._new:
            self._new = None
            self._send_off(worker.number)

    def _collect(self) -> None:
        """Every child that ended; orphans come here as well when this is PID 1."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for worker in [each for each in self._workers if each.pid == pid]:
                self._listen(worker)
                self._on_end(worker, os.waitstatus_to_exitcode(status))

    def _on_end(self, worker: Worker, code: int) -> None:
        worker.close()
        self._workers.remove(worker)
        if worker in self._old:
            self._old.remove(worker)
        if self._stopping:
            return
        if worker.leaving:
            self._renew_next()
        elif not worker.serving:
            self._did_not_boot(worker, code)
        elif self._new is None or self._new.number != worker.number:
            self._replace(worker, code)

    def _replace(self, worker: Worker, code: int) -> None:
        if code == 0:
            self._missing[worker.number] = time.monotonic() + self._pause_after_0(worker)
            return
        if time.monotonic() - worker.since >= STABLE:
            self._streak = 0
        self._later(worker, ending(code) + self._kills.why(code))

    def _pause_after_0(self, worker: Worker) -> float:
        """It has served as many requests as it was told to, unless none of them serves longer than a moment."""
        self._moments = self._moments + 1 if time.monotonic() - worker.since < MOMENT else 0
        if self._moments <= MOMENTS:
            return 0.0
        if self._moments == MOMENTS + 1:
            said = "workers end with 0 as soon as they serve, again and again: others come after a pause"
            self._say("error", said)
        return min(FIRST_DELAY * 2.0 ** min(self._moments - MOMENTS, 10), LONGEST_PAUSE)

    def _later(self, worker: Worker, how: str) -> None:
        delay = min(FIRST_DELAY * 2 ** min(self._streak, 10), LONGEST_DELAY)
        self._streak += 1
        self._missing[worker.number] = time.monotonic() + delay
        self._say("error", f"worker {worker.number} (pid {worker.pid}) {how}: another one in {delay:g} s")

    def _did_not_boot(self, worker: Worker, code: int) -> None:
        how = f"{ending(code)} before it served{self._kills.why(code)}"
        if worker is self._new:
            self._new = None
            self._old.clear()
            self._again = False
            if any(each.number == worker.number for each in self._workers):
                self._say("error", f"the new worker {worker.number} {how}: the old workers stay")
                return
        self._tries += 1
        if self._booted and self._tries < TRIES:
            self._later(worker, how)
        else:
            # Later on, what a server itself says of a boot would be taken for the service's own word.
            own = code < 0 or not self._booted
            self._code = exit_code(code) or NOT_BOOTED if own else NOT_BOOTED
            self._say("error", f"worker {worker.number} {how}: the service ends")
            self._end_all(TERM, min(self.plan.grace, HASTE))

    # What is done

    def _renew(self) -> None:
        """SIGHUP: every worker that is there now is replaced, and one at a time."""
        if self._stopping or not self._booted:
            return
        if self._old or self._new or any(each.leaving for each in self._workers):
            self._again = True
            return
        self._say("info", f"renewing {len(self._workers)} workers, one after another")
        self._old = [each for each in self._workers if each.serving]
        self._renew_next()

    def _renew_next(self) -> None:
        """A new one first: there are never fewer that serve than were asked for."""
        if self._old:
            self._new = self._add(self._old[0].number)
            return
        self._say("info", "every worker is renewed")
        if self._again:
            self._again = False
            self._renew()

    def _send_off(self, number: int) -> None:
        """The old one of a number goes when the new one serves; it may have gone by itself."""
        old = next((each for each in self._old if each.number == number), None)
        if old is None:
            self._renew_next()
            return
        self._old.remove(old)
        old.leaving, old.due = True, time.monotonic() + self.plan.grace
        os.kill(old.pid, self.plan.stop_signal)

    def _on_time(self, now: float) -> None:
        if self._to_dump and now >= self._dump_at:
            self._dump(*self._to_dump.pop(0), now)
        for worker in self._workers:
            if worker.due is not None and now >= worker.due:
                worker.due = None
                self._overdue(worker)
        for number in [each for each, due in self._missing.items() if now >= due]:
            del self._missing[number]
            self._add(number)

    def _overdue(self, worker: Worker) -> None:
        if worker.hangs:
            os.kill(worker.pid, KILL)
            return
        within = self.plan.grace if worker.leaving else self._patience
        what = "end" if worker.leaving else "serve"
        self._say(
            "error", f"worker {worker.number} (pid {worker.pid}) did not {what} within {within:g} s: killed"
        )
        if self._stopping and not self._code:
            self._code = FORCED
        worker.hangs = True
        self._to_dump.append((worker, signals.DUMP))

    def _dump(self, worker: Worker, number: int, now: float) -> None:
        self._dump_at = now + BETWEEN_DUMPS
        if worker in self._workers:
            os.kill(worker.pid, number)  # not collected, so the number is still its own
        if worker.hangs:
            worker.due = now + TO_DUMP

    def _say(self, level: str, text: str) -> None:
        as_json = self.plan.log == "json"
        log_output.write(2, log_output.record("workers", level, text) if as_json else f"orchestrator: {text}")
