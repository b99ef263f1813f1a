"""What a start does as root, and the moment after which nothing of it is root any more.

Root's work are directories, files that name an owner, items of another user than the service's, a low port, and a place
for the state. It comes first, with all that it waits for; then the engine becomes the service's user, for good.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orchestrator
from orchestrator.core.outcome import Outcome, Status, failed
from orchestrator.core.phases import QUICK
from orchestrator.engine import events, launch_plan
from orchestrator.engine.exceptions import InternalError
from orchestrator.engine.item import Work
from orchestrator.spec import root_items
from orchestrator.system import prctl, rights, signals, stdio, users
from orchestrator.system.accounts import replaceable
from orchestrator.system.reaper import descendants, uid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from orchestrator.core.context import Context, User
    from orchestrator.engine.run import Start
    from orchestrator.system.users import Identity

PATIENCE = 5.0
"""Seconds that threads have to end: each would keep the rights of root."""
NO_TIME = 0.3
"""The same where the start is over anyway, and somebody waits for its end."""
REFUSED = "permission"
"""The reason of an outcome where the system said no to who asked."""
KILL = 9
COMMANDS = ("step", "check", "wait")
"""The kinds of root's items that run a command; of waits, root has no other."""


def _threads_after(patience: float) -> list[str]:
    """The names of those that still run after so many seconds.

    Lanes whose item is settled are about to end; one that was given up may hang in a system call.
    """
    end = time.monotonic() + patience
    others = [each for each in threading.enumerate() if each is not threading.current_thread()]
    for thread in others:
        thread.join(max(0.0, end - time.monotonic()))
    return [each.name for each in others if each.is_alive()]


class _Changeable(NamedTuple):
    """Something that root relies on, and that the service's user can change."""

    said: str
    hint: str


def _changeable(files: Iterable[str], user: User) -> _Changeable | None:
    """The first of these files that the user can change or replace."""
    for file in files:
        path = replaceable(file, user)
        if path:
            where = file if os.path.realpath(file) == path else f"{file}, through {path}"
            return _Changeable(
                f"uid {user.uid} can change {where}", f"chown root {path}, and chmod go-w {path}"
            )
    return None


def _imported_from() -> list[str]:
    """What Python takes code from before a line of ours runs: even `encodings` comes from PYTHONPATH first."""
    path = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    there = [each for each in path if os.path.isdir(each)]
    return [sys.executable, os.path.dirname(os.path.dirname(orchestrator.__file__)), *there]


def _files_of(item: Any, context: Context) -> Iterator[str]:
    """The program of a command, and the files among its words: `sh setup.sh` runs setup.sh."""
    words = getattr(item, "run", None) or getattr(item, "command", None) or ()
    folder = context.path(item.cwd) if isinstance(item.cwd, str) else context.cwd
    if words:
        program = shutil.which(words[0], path=context.environ.get("PATH", os.defpath))
        yield os.path.join(folder, program or words[0])
    for word in words[1:]:
        path = os.path.join(folder, word) if isinstance(word, str) else ""
        if os.path.isfile(path):
            yield path


class RootWork:
    """Which items root does, and the change of the engine's user behind them."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.done = True
        """Whether nothing is root's to do any more; also where the engine never was root, or has no other user to be."""
        self.adopts = False
        """Whether orphans become children of this process, for it to collect."""
        self._late = False
        """Whether the launch alone has a user: up to it, everything runs as it was started."""
        self._held: frozenset[str] = frozenset()
        self._then: list[Callable[[], None]] = []

    def expect(self) -> None:
        """The engine is root, and perhaps not for long: what is to be done `when_done` waits until that is settled."""
        self.done = False
        # What root's items leave running is ended before root is: so it has to be found.
        self.adopts = prctl.adopt_orphans()

    def when_done(self, call: Callable[[], None]) -> None:
        """Has this done as the service's user: at once, where the engine is that already."""
        if self.done:
            call()
        else:
            self._then.append(call)

    def begin(self) -> None:
        """Finds root's items, once all are listed."""
        if self.done:
            return
        identity = self._identity()
        if identity is None:
            self._go_on()
        elif self.start.identity is identity:
            own = [work.id for work in self.start.works if self._is_roots(work)]
            order = self.start.order
            assert order is not None
            self._held = root_items.held_until(order, own)
            self._distrust(identity.user, own)
        else:
            self._late = True

    def _distrust(self, user: User, own: list[str]) -> None:
        """Refuses to run, as root, what the service's user can write: a spec's command, or the program itself."""
        start = self.start
        commands = [start.by_id[name] for name in own if start.by_id[name].kind in COMMANDS]
        spec = _changeable(start.loaded.files, user)
        for work in commands:
            found = spec or _changeable(_files_of(work.item, start.context()), user)
            if found is not None:
                what = "a command of it" if found is spec else "it"
                outcome = failed(
                    "ORC453", "spec", f"{found.said}, and root would run {what}", found.hint, final=True
                )
                start.conclude(work, outcome)
        if not commands and own and spec is not None:
            start.stream.emit(
                events.NOTE, f"{spec.said}, which root acts on", level="warning", hint=spec.hint
            )
        engine = _changeable(_imported_from(), user)
        if engine is not None:
            said = f"{engine.said}, which root runs at every start"
            start.stream.emit(events.NOTE, said, level="warning", hint=engine.hint)

    def _identity(self) -> Identity | None:
        """Who the engine is to become."""
        start = self.start
        found = start.identity if start.identity is not None and start.identity.switch else start.launched_as
        return found if found is not None and found.switch else None

    def _is_roots(self, work: Work) -> bool:
        if work.id == "port":
            return launch_plan.is_low(self.start.spec.launch)
        return root_items.is_roots(work.item, self._is_another)

    def _is_another(self, named: str) -> bool:
        found = users.resolve(named, self.start.variables.given)
        return isinstance(found, Outcome) or found.user.uid != self.start.user.uid

    def holds_back(self, work: Work) -> bool:
        """Whether an item has to wait: it is for the service's user to do."""
        return not self.done and not self._late and work.id not in self._held

    def leaves_to_user(self, work: Work, outcome: Outcome) -> bool:
        """Whether root is refused what the service's user perhaps may, as on NFS: it is tried again as that user."""
        order = self.start.order
        if outcome.reason != REFUSED or self.holds_back(work) or self.done or self._late or order is None:
            return False
        others = self._held - {work.id}
        bit = order.mask([work.id])
        if any(order.all_mask(name) & bit for name in others):
            return False  # root's own work builds on it
        self._held = others
        work.status, work.attempts = Status.UNKNOWN, 0
        return True

    def finish_if_due(self) -> bool:
        """Gives up root's rights when the last of root's items is settled; whether it did."""
        works = self.start.by_id
        if self.done or self._late or not all(works[name].settled for name in self._held if name in works):
            return False
        self.finish()
        return True

    def finish(self, patience: float = PATIENCE) -> None:
        """Gives them up now: there is nothing more for root to do. Raises InternalError where that does not hold.

        Where a thread does not end within `patience` seconds they cannot be given up: then the start fails.
        """
        identity = None if self.done else self._identity()
        if identity is not None:
            hanging = _threads_after(patience)
            if hanging:
                self._fail(hanging)
                return
            self._end_left_over(identity.user.uid)
            self._become(identity)
        if not self.done:
            self._go_on()

    def _fail(self, hanging: list[str]) -> None:
        """No fallback talks that away: whatever came next would be done as root. Nor is anything kept of this start."""
        self.done, self._then = True, []
        start = self.start
        known = [name for name in hanging if name in start.by_id]
        what = f"an attempt of {', '.join(known)}" if known else f"a thread ({', '.join(hanging)})"
        summary = f"{what} does not end, and root's rights cannot be given up before it does"
        hint = "what it asks hangs: a mount, a name server; asked by a `command` it can be ended"
        outcome = failed("ORC453", "thread", summary, hint, final=True)
        work = Work("user", None, ("user",), start.loaded.place(("user",)), QUICK)
        work.started = start.stream.now()
        start.add(work)
        work.result, work.attempts = outcome, 1
        start.settle_as(work, Status.FAILED)
        for each in start.works:
            if not each.settled:
                start.block(each, work.id)

    def _end_left_over(self, uid: int) -> None:
        """What root's items have left running: later, nobody here could end it."""
        for pid in descendants():
            owner = uid_of(pid)
            if owner not in (uid, None) and signals.send(pid, KILL):
                said = f"a process that was left running as uid {owner} is ended (pid {pid})"
                self.start.stream.emit(events.NOTE, said, level="warning")

    def _become(self, identity: Identity) -> None:
        start = self.start
        self._hand_over(identity.user)
        try:
            rights.drop(identity.rights)
        except (OSError, RuntimeError, rights.NotHeld) as error:
            raise InternalError(f"the rights of root could not be given up: {error}") from None
        rights.be_seen()
        os.environ.update(identity.environ)
        tempfile.tempdir = None  # what was chosen may be root's
        os.chdir(start.cwd)
        own = replace(identity, switch=False)
        start.identity = own if start.identity is identity else start.identity
        start.launched_as = own
        start.user = identity.user
        start.stream.emit(
            events.NOTE,
            f"from here on as uid {identity.user.uid}: the rights of root are given up",
            level="debug",
        )

    def _hand_over(self, user: User) -> None:
        """What root has made so far for the service, and what belongs to it."""
        from orchestrator.engine.generated_secrets import give_store
        from orchestrator.status import state

        start = self.start
        stdio.give(user.uid)
        for contract in start.spec.variables.values():
            if contract.generate is not None:
                give_store(start.context().path(contract.generate.store), user)
        state.provide(os.environ, user.uid, user.gid)

    def _go_on(self) -> None:
        self.done = True
        waiting, self._then = self._then, []
        for call in waiting:
            call()
