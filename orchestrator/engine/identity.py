"""What of a start depends on who the service runs as: the user of its items, of a step, of the launch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from orchestrator.core.outcome import Outcome, Status, failed
from orchestrator.engine import events
from orchestrator.engine.item import QUICK, Work
from orchestrator.spec.templated import pending
from orchestrator.system import users

if TYPE_CHECKING:
    from orchestrator.core.context import Context, User
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
    if not _known(start.spec.user):
        said = "who it is cannot be told: a variable that it is written with is not well"
        _refuse(
            start,
            failed("ORC453", "variable", said, "the variable's own failure is above", final=True),
            "user",
        )
        return False
    found = users.resolve(start.spec.user, start.variables.given)
    if isinstance(found, Outcome):
        _refuse(start, found, "user")
        return False
    start.identity, start.user = found, found.user
    declared = start.loaded.spec.variables if start.loaded.spec is not None else {}
    start.variables.given.update({name: text for name, text in found.environ.items() if name not in declared})
    for level, message, hint in found.notes:
        start.stream.emit(events.NOTE, message, level=level, hint=hint)
    if found.switch:
        start.stream.emit(events.NOTE, f"the service runs as {_shown(found)}", level="info")
    return True


def identify_launch(start: Start) -> bool:
    """The same for a launch that names a user of its own, so that a wrong one is told before anything is done."""
    launch = start.spec.launch
    own = launch is not None and launch.user is not None
    found = users.resolve(launch.user, start.variables.given) if own else start.identity
    outcome = found if isinstance(found, Outcome) else _cannot_start(start, found)
    if outcome is not None:
        _refuse(start, outcome, *(("launch", "user") if own else ("user",)))
        return False
    assert not isinstance(found, Outcome)
    start.launched_as = found
    for level, message, hint in found.notes if own and found is not None else ():
        start.stream.emit(events.NOTE, message, level=level, hint=hint, item="launch")
    _share_state(start)
    return True


def _cannot_start(start: Start, found: Identity | None) -> Outcome | None:
    """Why the user cannot be the importing process."""
    if found is None or not found.switch or (start.spec.launch is None and not start.spec.modules):
        return None
    from orchestrator.launch.spawn import CHILD

    return users.shut_out(found.user, (sys.executable, CHILD))


def of_step(start: Start, user: str | None) -> Context | Outcome:
    """What a step may know, who may have a user of its own."""
    return users.acting(user, start.context())


def into_plan(start: Start, plan: LaunchPlan) -> None:
    """The launch's user. One who is the engine's own already needs no switch, and can still be forked."""
    found = start.launched_as
    if found is None or not found.switch:
        return
    plan.uid, plan.gid, plan.groups = found.user.uid, found.user.gid, list(found.user.groups)
    if found is not start.identity:
        plan.environ.update(found.environ)


def of_server(start: Start) -> User | None:
    """Who the server has to become; none where it stays who the engine is."""
    found = start.launched_as
    return found.user if found is not None and found.switch else None


def _known(wanted: Any) -> bool:
    """Whether it needs no value of a variable any more."""
    parts = (wanted.name, wanted.uid, wanted.gid) if hasattr(wanted, "uid") else (wanted,)
    return not any(map(pending, parts))


def _shown(found: Identity) -> str:
    user = found.user
    others = [str(each) for each in user.groups if each != user.gid]
    more = f", groups {', '.join(others)}" if others else ""
    return f"{user.name} (uid {user.uid}, gid {user.gid}{more}; HOME {user.home})"


def _share_state(start: Start) -> None:
    """The app may look into the engine's state: it is another user, and nobody else is to."""
    found = start.launched_as
    if not start.state_directory or found is None or not found.switch:
        return
    from orchestrator.status import state

    why = state.share(start.state_directory, found.user.gid)
    if why:
        start.stream.emit(
            events.NOTE, f"the app sees what was degraded at its launch only: {why}", level="warning"
        )


def _refuse(start: Start, outcome: Outcome, *path: str) -> None:
    """Nothing can be tried: whatever it is, it would be done as the wrong user. No fallback talks that away."""
    work = Work("user", None, path, start.loaded.place(path), QUICK, outcome=outcome, attempts=1)
    work.started = start.stream.now()
    start.works, start.by_id = [work], {work.id: work}
    start.settle_as(work, Status.FAILED)
