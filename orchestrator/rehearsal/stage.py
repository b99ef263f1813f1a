"""One start of a rehearsal, in a process of its own: into the box, break one thing, run the engine, see what comes of it.

`python -m orchestrator.rehearsal.stage` reads a job and prints what was seen.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from orchestrator.engine.exceptions import Invalid
from orchestrator.rehearsal import breaking, sandbox
from orchestrator.rehearsal.assumptions import shorten, suppose
from orchestrator.rehearsal.observe import Observer, Seen
from orchestrator.rehearsal.sandbox_filesystem import Job, Place
from orchestrator.rehearsal.simulate import items
from orchestrator.spec.breaking import CannotBreak

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestrator.engine.item import Work


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # whoever rehearses may ignore them, a service does not
    job = Job.of(sys.stdin.read())
    sandbox.enter(job.box, job.cwd)
    with contextlib.ExitStack() as held:
        try:
            seen = _seen(job, held)
        except CannotBreak as error:
            seen = Seen(cannot=str(error))
        except Invalid as error:
            seen = Seen(cannot="; ".join(each.message for each in error.diagnostics))
    print(seen.text(), flush=True)
    # The first process of its namespace: with it ends whatever is left.
    os._exit(0)


def _seen(job: Job, held: contextlib.ExitStack) -> Seen:
    place = Place.of(job, held)
    work = _broken(place) if job.break_ else None
    suppose(place, work.id if work is not None else "")
    shorten(place)
    if work is not None:
        breaking.make(place, work, job.reason)
    place.write()
    return Observer(place, place.run(), work.id if work is not None else "").see()


def _broken(place: Place) -> Work:
    """The item of this start; what a start knows only later, or not because it is well, is made up of the spec."""
    name = place.job.break_
    work = place.work(name)
    if work is None:
        work = next((each for each in items(place.start.resolved) if each.id == name), None)
    if work is None:
        raise CannotBreak("it is not tried in this start")
    return work


if __name__ == "__main__":
    main()
