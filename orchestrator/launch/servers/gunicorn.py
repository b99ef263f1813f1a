"""`server: gunicorn`, by exec, on the socket that was bound long before: it imports the app again, and has its own workers."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from orchestrator.launch.python_command import DUMPS
from orchestrator.launch.servers._apps import is_asgi

if TYPE_CHECKING:
    from orchestrator.launch.plan import LaunchPlan

OWNED = {
    "wsgi_app": "set `launch.app`",
    "bind": "the orchestrator binds the socket: set `launch.host` and `launch.port`",
    "workers": "set `launch.workers`",
    "reuse_port": "the orchestrator binds the socket",
    "chdir": "set `launch.cwd`",
    "raw_env": "the environment is final before the server starts: declare it under `variables`",
    "user": "set `launch.user`",
    "group": "set `launch.user`",
    "initgroups": "set `launch.user`",
    "umask": "set `launch.umask`",
    "daemon": "a supervised service stays in the foreground",
    "reload": "a supervised service does not reload itself",
    "reload_engine": "a supervised service does not reload itself",
    "reload_extra_files": "a supervised service does not reload itself",
    "check_config": "it would not serve",
    "print_config": "it would not serve",
}
INHERITS = True
"""`--bind fd://N`."""
UVICORN_WORKERS = ("uvicorn_worker.UvicornWorker", "uvicorn.workers.UvicornWorker")


def options() -> dict[str, Any]:
    """The installed gunicorn's own settings and their defaults: those that its command line takes."""
    return {name: each.default for name, each in _settings().items() if name not in OWNED}


def _settings() -> dict[str, Any]:
    known = import_module("gunicorn.config").KNOWN_SETTINGS
    return {each.name: each for each in known if each.cli}


def prepare(_: LaunchPlan) -> None:
    """Fails here, before anything was served, where gunicorn is not installed."""
    import_module("gunicorn.config")


def argv(plan: LaunchPlan, listener: int, app: Any) -> list[str]:
    known = _settings()
    given = {**_defaults(plan, app, known), **plan.options}
    words = [word for name, value in given.items() for word in _words(known[name], value)]
    target = f"{plan.app}()" if plan.factory else plan.app
    return [sys.executable, DUMPS, "-m", "gunicorn", "--bind", _address(plan, listener), *words, target]


def _defaults(plan: LaunchPlan, app: Any, known: dict[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = {"workers": plan.workers, "graceful_timeout": max(int(plan.grace) - 1, 1)}
    if "control_socket_disable" in known and "control_socket" not in plan.options:
        chosen["control_socket_disable"] = (
            True  # a file in the user's home that commands it, which nobody has asked for
        )
    if is_asgi(app, factory=plan.factory):
        chosen["worker_class"] = _asgi_worker()
    return chosen


def _asgi_worker() -> str:
    """Its own, where it is new enough; else uvicorn's."""
    if "asgi" in import_module("gunicorn.workers").SUPPORTED_WORKERS:
        return "asgi"
    return UVICORN_WORKERS[0] if find_spec("uvicorn_worker") else UVICORN_WORKERS[1]


def _address(plan: LaunchPlan, listener: int) -> str:
    if listener >= 0:
        return f"fd://{listener}"
    if plan.unix:
        return f"unix:{plan.unix}"
    return f"[{plan.host}]:{plan.port}" if ":" in plan.host else f"{plan.host}:{plan.port}"


def _words(setting: Any, value: Any) -> list[str]:
    """The setting as its command line has it."""
    option = setting.cli[-1]
    if setting.action == "store_true":
        return [option] if value else []
    if setting.action == "store_const":
        return [option] if value == setting.const else []
    values = value if isinstance(value, list | tuple) else [value]
    return [f"{option}={each}" for each in values if each is not None]
