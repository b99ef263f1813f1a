"""`install`: binary wheels from a folder that only root and we can write: an index or a build would run foreign code.

pip first says what it would take, beside what is installed; exactly that is then installed: into the environment, or,
where that cannot be written or we are not root, into a directory of its own that stands first on the server's path.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from orchestrator.core.context import current_user
from orchestrator.requirements import _installed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.engine.item import Work
    from orchestrator.engine.run import Start
    from orchestrator.system import processes

DEADLINE = 300.0
NO_ROOM = "there is no directory that can be written: mount a tmpfs on /tmp, or set ORCHESTRATOR_STATE_DIR"
NO_PIP = "this Python has no pip: put it into the image (python -m ensurepip), or the package itself"
PIP = ("--isolated", "--disable-pip-version-check", "--no-cache-dir", "install", "--quiet", "--no-index",
       "--only-binary", ":all:", "--root-user-action", "ignore")  # fmt: skip
"""Neither Python nor pip heeds the environment of the service: both run as the engine does."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One that is installed."""

    shown: str
    """Its distribution and version."""
    path: str


@dataclass(frozen=True, slots=True)
class Installed:
    """What became of it: a problem, or the wheels and where they are."""

    problem: str = ""
    wheels: tuple[str, ...] = ()
    place: str = ""
    variables: dict[str, str] | None = None
    """What the server needs to find them."""


def install(start: Start, work: Work, wanted: Any) -> Installed:
    """Installs what an item lacks, from the folder that the action names."""
    folder = start.context().path(wanted.from_)
    problem = _not_trusted(folder) or _wheel_not_trusted(folder)
    if problem:
        return Installed(f"cannot install from {wanted.from_}: {problem}")
    if not _pip_words():
        return Installed(NO_PIP)
    if not _room(start):
        return Installed(NO_ROOM)
    try:
        return _install(start, work, folder, wanted)
    except OSError as error:
        return Installed(
            f"cannot install: {error.filename or folder}: {(error.strerror or str(error)).lower()}"
        )


def _install(start: Start, work: Work, folder: str, wanted: Any) -> Installed:
    listed = (
        ["--require-hashes", "--requirement", start.context().path(wanted.hashes)] if wanted.hashes else []
    )
    found = _resolved(start, work, folder, listed or [work.item.requirement])
    if isinstance(found, str):
        return Installed(found)
    target = "" if _environment_is_ours() else _own_directory(start)
    compiled = [wheel.shown for wheel in found if not wheel.path.endswith("-none-any.whl")]
    if target and compiled and not _may_be_loaded_from(target):
        return Installed(f"{', '.join(compiled)} has compiled code, and {target} is mounted noexec")
    more = ["--target", target, "--upgrade"] if target else []
    done = _pip(start, work, ["--no-deps", *more, *(wheel.path for wheel in found)])
    if done.problem or done.code != 0:
        return Installed(f"pip {done.ended}")
    _installed.invalidate()
    shown = tuple(wheel.shown for wheel in found)
    return Installed(
        wheels=shown, place=target or _environment(), variables=_path(start, target) if target else None
    )


def _resolved(start: Start, work: Work, folder: str, wanted: Sequence[str]) -> list[Wheel] | str:
    """What pip would install, or why it cannot."""
    descriptor, path = tempfile.mkstemp(prefix="orchestrator-wheels-", dir=_room(start))
    os.close(descriptor)
    try:
        done = _pip(start, work, ["--dry-run", "--report", path, "--find-links", folder, *wanted])
        if done.problem or done.code != 0:
            return f"pip {done.ended}"
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    finally:
        os.unlink(path)
    wheels = sorted((_wheel(each) for each in report["install"]), key=lambda each: each.shown)
    return wheels or "pip finds nothing that is to be installed"


def _wheel(told: Any) -> Wheel:
    said = told["metadata"]
    return Wheel(f"{said['name']} {said['version']}", unquote(urlsplit(told["download_info"]["url"]).path))


def _pip(start: Start, work: Work, words: Sequence[str]) -> processes.Result:
    from orchestrator.engine.remedies import execute

    context = start.context()
    context = replace(context, user=current_user(), environ={**context.environ, "TMPDIR": _room(start)})
    return execute(start, work, [sys.executable, "-I", *_pip_words(), *PIP, *words], DEADLINE, context)


def _pip_words() -> list[str]:
    """How pip is run: as it is installed, else from the wheel that Python itself brings; empty where there is none."""
    known = find_spec("pip")
    if known is not None and known.origin:
        return ["-m", "pip"]
    ours = os.path.join(os.path.dirname(os.__file__), "ensurepip", "_bundled")
    for folder in (ours, sysconfig.get_config_var("WHEEL_PKG_DIR") or ours):
        for wheel in sorted(glob.glob(os.path.join(glob.escape(folder), "pip-*.whl"))):
            return [os.path.join(wheel, "pip")]
    return []


# Where it goes


def _room(start: Start) -> str:
    """A directory for what lasts as long as an installation; empty where there is none."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return start.state_directory


def _may_be_loaded_from(directory: str) -> bool:
    return not os.statvfs(directory).f_flag & os.ST_NOEXEC


def _environment() -> str:
    return sysconfig.get_path("purelib")


def _environment_is_ours() -> bool:
    return os.geteuid() == 0 and os.access(_environment(), os.W_OK)


def _own_directory(start: Start) -> str:
    """One for all that this start installs: below the state directory, where programs may be loaded from there."""
    known: str = start.installed_in
    if known:
        return known
    kept = start.state_directory
    if kept and (_may_be_loaded_from(kept) or _room(start) == kept):
        start.installed_in = os.path.join(kept, "packages")
        shutil.rmtree(start.installed_in, ignore_errors=True)  # an earlier start's
        os.mkdir(start.installed_in, 0o755)
    else:
        start.installed_in = tempfile.mkdtemp(prefix="orchestrator-packages-", dir=_room(start))
        _let_in(start)
    return start.installed_in


def _let_in(start: Start) -> None:
    """The service may be another user, and nobody else is to read there."""
    found = start.launched_as
    if found is not None and found.switch:
        os.chown(start.installed_in, -1, found.user.gid)
        os.chmod(start.installed_in, 0o750)  # noqa: S103 -- the group is that of the service


def _path(start: Start, target: str) -> dict[str, str]:
    before = [
        each
        for each in start.variables.environ.get("PYTHONPATH", "").split(os.pathsep)
        if each and each != target
    ]
    return {"PYTHONPATH": os.pathsep.join([target, *before])}


# Who can write there


def _not_trusted(folder: str) -> str:
    try:
        found = os.stat(folder)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    if found.st_uid not in (0, os.geteuid()):
        return f"it belongs to uid {found.st_uid}"
    if found.st_mode & 0o022:
        return f"others may write it (mode {found.st_mode & 0o7777:04o})"
    return ""


def _wheel_not_trusted(folder: str) -> str:
    for name in sorted(os.listdir(folder)):
        problem = _not_trusted(os.path.join(folder, name)) if name.endswith(".whl") else ""
        if problem:
            return f"{name}: {problem}"
    return ""
