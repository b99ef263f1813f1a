"""What stands in for `python -m gunicorn`: the same program, which tells when it serves.

A worker shows where it hangs before it is killed.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Any

if __name__ == "__main__":
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd()  # not our own folder: a server has the name of its file there
    # Found without the installation, too; behind everything else, so that nothing of the user's is shadowed.
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))

from orchestrator.launch import stack_dump
from orchestrator.launch.servers._apps import is_asgi
from orchestrator.launch.servers._reporting import Teller, Telling
from orchestrator.launch.stack_requests import ask


def ask_before_a_kill(arbiter: type[Any]) -> None:
    """It aborts, then kills who does not answer in time or does not end: both are too late for a word."""
    kill_worker = arbiter.kill_worker

    def asked(self: Any, pid: int, number: int) -> Any:
        if number in (signal.SIGABRT, signal.SIGKILL):
            ask(pid)
        return kill_worker(self, pid, number)

    arbiter.kill_worker = asked


def tell_when_it_serves(application: type[Any], teller: Teller) -> None:
    """As soon as a worker has the app, or has started it where it will be asked for its lifespan."""
    wsgi = application.wsgi
    master = os.getpid()

    def told(self: Any) -> Any:
        app = wsgi(self)
        if os.getpid() == master:  # it preloads, and serves nothing
            return app
        if _has_lifespan(self.cfg) and is_asgi(app):
            return Telling(app, teller)
        teller.serving()
        return app

    application.wsgi = told


def _has_lifespan(config: Any) -> bool:
    """Whether its workers certainly ask an app for one: its own for ASGI, and uvicorn's."""
    if config.worker_class_str == "asgi":
        return bool(config.asgi_lifespan != "off")
    settings = getattr(config.worker_class, "CONFIG_KWARGS", None)
    return isinstance(settings, dict) and settings.get("lifespan") != "off"


if __name__ == "__main__":
    stack_dump.offer_when_asked()
    tell_when_it_serves(import_module("gunicorn.app.base").BaseApplication, Teller(int(sys.argv.pop(1))))
    ask_before_a_kill(import_module("gunicorn.arbiter").Arbiter)
    stack_dump.main(["-m", "gunicorn", *sys.argv[1:]])
