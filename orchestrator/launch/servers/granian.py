"""`server: granian`, by exec, on an address that it binds itself: it imports the app again, and has its own workers.

No option of its takes a socket that is bound already, so the address is tried first and released for it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestrator.launch.python_command import DUMPS
from orchestrator.launch.servers._apps import is_asgi

if TYPE_CHECKING:
    from orchestrator.launch.plan import LaunchPlan

OWNED = {
    "app": "set `launch.app`",
    "factory": "set `launch.factory`",
    "host": "set `launch.host`",
    "port": "set `launch.port`",
    "uds": "set `launch.unix`",
    "workers": "set `launch.workers`",
    "working_dir": "set `launch.cwd`",
    "env_files": "the environment is final before the server starts: declare it under `variables`",
    "reload": "a supervised service does not reload itself",
    "reload_paths": "a supervised service does not reload itself",
    "reload_ignore_dirs": "a supervised service does not reload itself",
    "reload_ignore_patterns": "a supervised service does not reload itself",
    "reload_ignore_paths": "a supervised service does not reload itself",
    "reload_tick": "a supervised service does not reload itself",
    "reload_ignore_worker_failure": "a supervised service does not reload itself",
    "version": "it would not serve",
}
INHERITS = False


def options() -> dict[str, Any]:
    """The installed granian's own settings and their defaults; None where it has none."""
    return {
        name: _plain(each.default) if each.default_is_known else None
        for name, each in _known().items()
        if name not in OWNED
    }


class _Option:
    """One option of its command line."""

    def __init__(self, parameter: Any) -> None:
        self.on: str = parameter.opts[0]
        self.off: str = parameter.secondary_opts[0] if parameter.secondary_opts else ""
        self.default = parameter.default
        self.default_is_known = isinstance(getattr(self.default, "value", self.default), str | int | float)


def _known() -> dict[str, _Option]:
    return {each.name: _Option(each) for each in import_module("granian.cli").cli.params}


def _plain(value: Any) -> Any:
    return getattr(value, "value", value)


def prepare(_: LaunchPlan) -> None:
    """Fails here, before anything was served, where granian is not installed."""
    import_module("granian.cli")


def argv(plan: LaunchPlan, _: int, app: Any) -> list[str]:
    known = _known()
    interface = "wsgi" if is_asgi(app, factory=plan.factory) is False else "asgi"
    given = {"interface": interface, "workers_kill_timeout": max(int(plan.grace) - 1, 1), **plan.options}
    words = [word for name, value in given.items() for word in _words(known[name], value)]
    where = ["--uds", plan.unix] if plan.unix else ["--host", plan.host, "--port", str(plan.port)]
    factory = ["--factory"] if plan.factory else []
    count = ["--workers", str(plan.workers)]
    return [sys.executable, DUMPS, "-m", "granian", *where, *count, *factory, *words, plan.app]


def _words(option: _Option, value: Any) -> list[str]:
    if isinstance(value, bool) and option.off:
        return [option.on if value else option.off]
    values = value if isinstance(value, list | tuple) else [value]
    return [word for each in values if each is not None for word in (option.on, str(each))]
