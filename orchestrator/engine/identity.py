"""What of a start depends on who the service runs as: the user of its items, of a step, of the launch."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from orchestrator.core.context import User
from orchestrator.core.outcome import Outcome, Status, failed
from orchestrator.core.phases import QUICK
from orchestrator.engine import events
from orchestrator.engine.item import Work
from orchestrator.spec.templated import any_pending
from orchestrator.system import rights, users
from orchestrator.system.accounts import closed_to, said

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.document.node import Node
    from orchestrator.engine.run import Start
    from orchestrator.launch.plan import LaunchPlan
    from orchestrator.system.users import Identity


def needs_variables(start: Start) -> bool:
    """Whether `user` is written with variables, so that their values come first.

    As it is written: before the contracts are applied, a variable's default stands where its value will.
    """
    written = start.loaded.tree.get("user") if start.loaded.tree is not None else None
    return written is not None and _interpolated(written)


def _interpolated(node: Node) -> bool:
    if isinstance(node.value, dict):
        return any(_interpolated(each) for each in node.value.values())
    return isinstance(node.value, str) and "${" in node.value


def identify(start: Start) -> bool:
    """Settles who the service runs as; false when nobody can be that user.

    As early as can be: conditions run commands, those of variables, too.
    """
    if any_pending(start.spec.user):
        said = "who it is cannot be told: a variable that it is written with is not well"
        _refuse(
            start,
            failed("ORC453", "variable", said, "the variable's own failure is above", final=True),
            "user",
        )
        return False
    found = _remembered(start) or users.resolve(start.spec.user, start.variables.given)
    if isinstance(found, Outcome):
        _refuse(start, found, "user")
        return False
    start.identity, start.user = found, found.user
    if start.memory:
        os.environ.update(found.environ)
    declared = start.loaded.spec.variables if start.loaded.spec is not None else {}
    start.variables.given.update({name: text for name, text in found.environ.items() if name not in declared})
    for level, message, hint in found.notes:
        start.stream.emit(events.NOTE, message, level=level, hint=hint)
    if found.switch:
        start.stream.emit(events.NOTE, f"the service runs as {_shown(found)}", level="info")
    return True


def _remembered(start: Start) -> Identity | None:
    """What an earlier engine of this process settled; None where there was none, or nothing was given up."""
    known = start.memory.get("identity")
    if known is None or os.geteuid() == 0:
        return None
    start.as_root = known["root"]
    user = User(**{**known["user"], "groups": tuple(known["user"]["groups"])})
    return users.Identity(user, environ=known["environ"], escalation=known["escalation"])


def identify_launch(start: Start) -> bool:
    """The same for a launch that names a user of its own, so that a wrong one is told before anything is done."""
    launch = start.spec.launch
    own = launch is not None and launch.user is not None
    found: Identity | Outcome | None = start.identity
    if launch is not None and launch.user is not None:
        found = _remembered(start) or users.resolve(launch.user, start.variables.given)
    outcome = found if isinstance(found, Outcome) else _cannot_go_on(start, found)
    if outcome is not None:
        start.identity = None  # nobody is to be become: what is left of this start is its report
        _refuse(start, outcome, *(("launch", "user") if own else ("user",)))
        return False
    assert not isinstance(found, Outcome)
    start.launched_as = found
    for level, message, hint in found.notes if own and found is not None else ():
        start.stream.emit(events.NOTE, message, level=level, hint=hint, item="launch")
    return True


def _cannot_go_on(start: Start, found: Identity | None) -> Outcome | None:
    """Why the engine cannot be this user; where it stays who it is, no program gives it more rights."""
    if os.geteuid() != 0 and not (found is not None and found.escalation):
        try:
            rights.no_new_privs()
        except OSError as error:
            said = f"set-uid programs may give the service more rights: {error.strerror}"
            start.stream.emit(events.NOTE, said, level="warning")
    return _trial(found) if found is not None and found.switch else None


def _trial(identity: Identity) -> Outcome | None:
    """Why the engine could not go on as this user: found out by a child that becomes it."""
    path = rights.closed(identity.rights, rights.needed())
    if not path:
        return None
    user = identity.user
    shut = closed_to(os.path.realpath(path), user)
    hint = f"install it where everybody may go, or chmod a+x {shut}" if shut else f"chmod a+rx {path}"
    summary = f"{said(user.uid)} cannot use {path}, which the engine goes on with"
    return failed("ORC453", "closed", summary, hint, final=True)


def of_step(start: Start, user: str | None) -> Context | Outcome:
    """What a step may know, who may have a user of its own."""
    return users.acting(user, start.context())


def into_plan(start: Start, plan: LaunchPlan) -> None:
    """The launch's user. One who is the engine's own already needs no switch, and can still be forked."""
    found = start.launched_as
    if found is None:
        return
    plan.no_new_privs = os.geteuid() != 0 and not found.escalation
    if found is not start.identity:
        plan.environ.update(found.environ)
    if start.as_root and not found.switch and _has_site(found.user):
        plan.importer = "exec"  # a fork would not have what the user has installed below its home
    if not found.switch:
        return
    plan.uid, plan.gid, plan.groups = found.user.uid, found.user.gid, list(found.user.groups)
    plan.capabilities, plan.escalation = found.capabilities, found.escalation


def _has_site(user: User) -> bool:
    """Whether Python would look below the user's home, too."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return user.uid != 0 and os.path.isdir(f"{user.home}/.local/lib/python{version}/site-packages")


def of_server(start: Start) -> User | None:
    """Who the server has to become; none where it stays who the engine is."""
    found = start.launched_as
    return found.user if found is not None and found.switch else None


def _shown(found: Identity) -> str:
    user = found.user
    others = [str(each) for each in user.groups if each != user.gid]
    more = f", groups {', '.join(others)}" if others else ""
    return f"{user.name} (uid {user.uid}, gid {user.gid}{more}; HOME {user.home})"


def _refuse(start: Start, outcome: Outcome, *path: str) -> None:
    """Nothing can be tried: whatever it is, it would be done as the wrong user. No fallback talks that away."""
    work = Work("user", None, path, start.loaded.place(path), QUICK)
    work.started = start.stream.now()
    start.works, start.by_id = [], {}
    start.add(work)
    work.result, work.attempts = outcome, 1
    start.settle_as(work, Status.FAILED)
