"""What kinds may use to make an item fail, done for real in the private place of one start."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal import breaking_stages, fake_servers, sandbox
from orchestrator.rehearsal.names import here
from orchestrator.rehearsal.sandbox_filesystem import TOOLS, actions_of, milliseconds
from orchestrator.requirements._installed import search_path
from orchestrator.spec.breaking import CannotBreak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place

SOON, ATTEMPT = 2.0, 0.5
"""Seconds: all attempts together, and one attempt of a wait."""
_ROOM = "64k"
_FAILS = """import os, sys, time
if os.path.exists({fixed!r}) and len(sys.argv) > 1:
    os.execvp(sys.argv[1], sys.argv[1:])
print("made to fail by the rehearsal", flush=True)
{how}
"""
_FIXES = """import subprocess, sys
code = subprocess.call(sys.argv[1:])
if code == 0:
    open({fixed!r}, "w").close()
sys.exit(code)
"""
_FUNCTION = """import time
def fails():
    {how}
"""
_HANGS = "time.sleep(3600)"


def make(place: Place, work: Work, failure: str) -> None:
    """Makes an item fail; raises CannotBreak with the reason where that is not possible."""
    broken = Breaking(place, work)
    try:
        stage = breaking_stages.STAGES.get(work.kind)
        if stage is not None:
            stage(broken, place, failure)
            return
        broken.shorten()
        work.item.make_fail(failure, broken)
        broken.heal_replacements()
    except OSError as error:  # what belongs to somebody else cannot be changed in a copy of ours either
        what = error.filename or "it"
        raise CannotBreak(f"cannot change {what}: {(error.strerror or str(error)).lower()}") from error


class Breaking:
    """The sandbox (`spec.breaking.Sandbox`) of one item."""

    def __init__(self, place: Place, work: Work) -> None:
        self._place = place
        self.work = work

    @property
    def name(self) -> str:
        return self.work.id.partition(":")[2]

    @property
    def item(self) -> dict[str, Any]:
        return self._place.item(self.work)

    @property
    def environ(self) -> dict[str, str]:
        return self._place.environ

    def shorten(self) -> None:
        """What hangs fails soon."""
        is_wait = self.work.kind == "wait"
        for key, most in (("deadline", SOON), ("timeout", ATTEMPT if is_wait else SOON)):
            given = getattr(self.work.item, key, None)
            if given is not None or is_wait:
                self.item[key] = milliseconds(min(given or most, most))

    def heal_replacements(self) -> None:
        """The addresses that a `use` of a wait takes are supposed to be healthy, where a server of ours can be."""
        for action in self._place.start.actions(self.work) if self.work.kind == "wait" else ():
            other = action.instead_of(self.work.item) if action.replaces == "url" else None
            if other is not None:
                other.make_healthy(self)
                self.item.pop("expect", None)  # only the real one answers as expected

    # Files

    def path(self, path: str) -> str:
        return self._place.path(path)

    def search_path(self) -> list[str]:
        launch = self._place.start.spec.launch
        first = [self.path(launch.cwd)] if launch is not None and launch.cwd else []
        return [*first, *search_path(self._place.start.context())]

    def remove(self, path: str) -> None:
        if os.path.isdir(path) and not os.path.islink(path):
            raise CannotBreak("it is a directory")
        if os.path.lexists(path):
            os.unlink(path)

    def remove_directory(self, path: str) -> None:
        self._refuse_working_directory(path)
        if os.path.ismount(path):
            raise CannotBreak("it is a mount")
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        self.remove(path)
        self.write(path, b"a file where a directory belongs\n")

    def write(self, path: str, content: bytes) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def make_read_only(self, path: str) -> None:
        self._refuse_working_directory(path)
        os.makedirs(path, exist_ok=True)
        sandbox.read_only(path)

    def fill(self, path: str) -> None:
        self._refuse_working_directory(path)
        os.makedirs(path, exist_ok=True)
        sandbox.mount("tmpfs", path, "tmpfs", options=f"size={_ROOM},mode=1777")
        try:
            with open(os.path.join(path, ".rehearsal"), "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def _refuse_working_directory(self, path: str) -> None:
        if os.path.commonpath([path, self._place.start.cwd]) == path:
            raise CannotBreak("the service itself stands in it")

    # Code

    def command(self, failure: str, argv: Sequence[str] = ()) -> list[str]:
        fixed = self.path(os.path.join(TOOLS, "fixed"))
        if argv:
            self._mark_when_fixed(fixed)
        how = _HANGS if failure == "timeout" else "sys.exit(1)"
        script = self._place.tool("fails.py", _FAILS.format(fixed=fixed, how=how))
        return [sys.executable, script, *argv]

    def _mark_when_fixed(self, fixed: str) -> None:
        """Whatever is run as a remedy leaves a mark when it has succeeded."""
        script = self._place.tool("fixes.py", _FIXES.format(fixed=fixed))
        data = self._place.data
        given = {"on_failure": self.item.get("on_failure", data.get("on_failure"))}
        for action in actions_of({**given, "fallbacks": data.get("fallbacks")}):
            if isinstance(action.get("run"), list):
                action["run"] = [sys.executable, script, *action["run"]]

    def function(self, failure: str) -> str:
        how = _HANGS if failure == "timeout" else "return False"
        return self._place.module("orchestrator_rehearsal_function", _FUNCTION.format(how=how)) + ":fails"

    # The network

    def serve(self, address: tuple[str, int] | str, behaviour: str) -> None:
        held = self._place.held
        if isinstance(address, str):
            self.remove(address)
            os.makedirs(os.path.dirname(address), exist_ok=True)
            if behaviour == "gone":
                with socket.socket(socket.AF_UNIX) as left:
                    left.bind(address)
            else:
                held.enter_context(fake_servers.serving_socket(address, fake_servers.BEHAVIOURS[behaviour]))
            return
        host, port = here(address[0]), address[1]
        if behaviour == "full":
            held.enter_context(fake_servers.full(host, port))
        else:
            held.enter_context(fake_servers.serving(host, port, fake_servers.BEHAVIOURS[behaviour]))

    def resolve(self, host: str) -> None:
        here(host)
