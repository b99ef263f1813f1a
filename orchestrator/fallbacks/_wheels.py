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
from orchestrator.fallbacks._base import Performed
from orchestrator.requirements import _installed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.fallbacks._base import Hands

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


class CannotInstall(Exception):
    """Why nothing was installed."""


def install(requirement: str, source: str, hashes: str | None, limit: float, hands: Hands) -> Performed:
    """Installs a requirement from a folder of wheels; `limit` is the seconds for one run of pip."""
    folder = hands.context().path(source)
    try:
        problem = _not_trusted(folder) or _wheel_not_trusted(folder)
        if problem:
            raise CannotInstall(f"cannot install from {source}: {problem}")
        if not _pip_words():
            raise CannotInstall(NO_PIP)
        if not _room(hands):
            raise CannotInstall(NO_ROOM)
        return _install(_wanted(requirement, hashes, hands), folder, limit, hands)
    except CannotInstall as error:
        return Performed(ok=False, summary=str(error))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return Performed(ok=False, summary=f"cannot install: {error.filename or folder}: {why}")


def _wanted(requirement: str, hashes: str | None, hands: Hands) -> list[str]:
    return ["--require-hashes", "--requirement", hands.context().path(hashes)] if hashes else [requirement]


def _install(wanted: Sequence[str], folder: str, limit: float, hands: Hands) -> Performed:
    found = _resolved(wanted, folder, limit, hands)
    target = "" if _environment_is_ours() else _own_directory(hands)
    compiled = [wheel.shown for wheel in found if not wheel.path.endswith("-none-any.whl")]
    if target and compiled and not _may_be_loaded_from(target):
        raise CannotInstall(f"{', '.join(compiled)} has compiled code, and {target} is mounted noexec")
    more = ["--target", target, "--upgrade"] if target else []
    _pip(["--no-deps", *more, *(wheel.path for wheel in found)], limit, hands)
    _installed.invalidate()
    place, sets = target or _environment(), _path(target, hands) if target else {}
    names = [wheel.shown for wheel in found]
    return Performed(
        ok=True,
        summary=f"installed {', '.join(names)} in {place}",
        sets=sets,
        setting="set PYTHONPATH",
        changed={"wheels": names, "path": place, "variables": list(sets)},
    )


def _resolved(wanted: Sequence[str], folder: str, limit: float, hands: Hands) -> list[Wheel]:
    """What pip would install."""
    descriptor, path = tempfile.mkstemp(prefix="orchestrator-wheels-", dir=_room(hands))
    os.close(descriptor)
    try:
        _pip(["--dry-run", "--report", path, "--find-links", folder, *wanted], limit, hands)
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    finally:
        os.unlink(path)
    wheels = sorted((_wheel(each) for each in report["install"]), key=lambda each: each.shown)
    if not wheels:
        raise CannotInstall("pip finds nothing that is to be installed")
    return wheels


def _wheel(told: Any) -> Wheel:
    said = told["metadata"]
    return Wheel(f"{said['name']} {said['version']}", unquote(urlsplit(told["download_info"]["url"]).path))


def _pip(words: Sequence[str], limit: float, hands: Hands) -> None:
    """Runs pip; raises CannotInstall unless it succeeds."""
    context = hands.context()
    context = replace(context, user=current_user(), environ={**context.environ, "TMPDIR": _room(hands)})
    done = hands.execute([sys.executable, "-I", *_pip_words(), *PIP, *words], limit, context)
    if done.problem or done.code != 0:
        raise CannotInstall(f"pip {done.ended}")


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


def _room(hands: Hands) -> str:
    """A directory for what lasts as long as an installation; empty where there is none."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return hands.state_directory


def _may_be_loaded_from(directory: str) -> bool:
    return not os.statvfs(directory).f_flag & os.ST_NOEXEC


def _environment() -> str:
    return sysconfig.get_path("purelib")


def _environment_is_ours() -> bool:
    return os.geteuid() == 0 and os.access(_environment(), os.W_OK)


def _own_directory(hands: Hands) -> str:
    """One for all that this start installs: below the state directory, where programs may be loaded from there."""
    if hands.packages:
        return hands.packages
    kept = hands.state_directory
    if kept and (_may_be_loaded_from(kept) or _room(hands) == kept):
        hands.packages = os.path.join(kept, "packages")
        shutil.rmtree(hands.packages, ignore_errors=True)  # an earlier start's
        os.mkdir(hands.packages, 0o755)
    else:
        hands.packages = tempfile.mkdtemp(prefix="orchestrator-packages-", dir=_room(hands))
        _share(hands.packages, hands.service_group())
    return hands.packages


def _share(directory: str, group: int | None) -> None:
    """The service may be another user, and nobody else is to read there."""
    if group is not None:
        os.chown(directory, -1, group)
        os.chmod(directory, 0o750)  # noqa: S103 -- the group is that of the service


def _path(target: str, hands: Hands) -> dict[str, str]:
    """The variable that the server finds the packages by."""
    known = hands.context().environ.get("PYTHONPATH", "").split(os.pathsep)
    return {"PYTHONPATH": os.pathsep.join([target, *(each for each in known if each and each != target)])}


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
