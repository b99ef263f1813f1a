"""Stands in for the engine: builds a plan from JSON, imports, says go, and becomes the supervisor or hands over.

`python driver.py PLAN.json`: the fields of a `LaunchPlan`, and beside them `maintenance` (fields of its Config),
`threads` (how many to start first), `fork` and `update` (what `go` changes in the environment).
"""

import json
import os
import select
import sys
import threading
import time

from orchestrator.launch import app_handle, exec_mode, servers
from orchestrator.launch.plan import LaunchPlan
from orchestrator.status.maintenance import Config
from orchestrator.supervisor import supervisor
from orchestrator.system import signals, sockets


def say(**event):
    os.write(1, json.dumps(event).encode() + b"\n")


def main(path):
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    maintenance = given.pop("maintenance", None)
    update = given.pop("update", {})
    fork = given.pop("fork", True)
    for _ in range(given.pop("threads", 0)):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    plan = LaunchPlan(**given)
    plan.environ = {**os.environ, **plan.environ}
    plan.health = with_bytes(plan.health)
    notes = signals.Notes()
    notes.install()
    listener = None if plan.command else sockets.bind(plan.host, plan.port, plan.unix or None)
    if isinstance(listener, sockets.BindError):
        say(event="bind", reason=listener.reason, message=listener.message, hint=listener.hint)
        return 3
    if listener is not None and not plan.unix:
        plan.port = listener.getsockname()[1]
    server = None if plan.command else servers.load(plan.server)
    if listener is not None and isinstance(server, servers.ExecServer) and not server.INHERITS:
        listener = sockets.release(listener)
    say(event="bound", port=plan.port, pid=os.getpid())
    if plan.health.get("live"):
        plan.health["live"]["port"] = plan.port
    if plan.health.get("ready"):
        plan.health["ready"]["port"] = plan.port
    if plan.mode == "exec":
        notes.restore()
        exec_mode.exec_server(plan, listener)
    child = app_handle.start(plan, listener, fork=fork)
    say(event="started", pid=child.pid, form=child.form, why=child.why)
    went = False
    while not (child.serving or child.code is not None):
        due = child.deadline()
        wait = None if due is None else max(0, due - time.monotonic())
        select.select([child, notes], [], [], wait)
        for number in notes.take():
            if number in signals.STOPS:
                child.end()
                say(event="interrupted", number=number)
                return 128 + number
        for event in child.read_events():
            say(**event)
        if child.ready and not went:
            went = True
            child.go(update)
    if child.code is not None:
        return 5
    plan.environ.update(update)
    child.close()
    say(event="becoming")
    config = Config(**maintenance) if maintenance else None
    supervisor.become(plan, listener=listener, server_pid=child.pid, notes=notes, maintenance=config)
    return None


def with_bytes(health):
    for each in ("live", "ready"):
        if each in health:
            health[each]["request"] = health[each].get("request", "").encode()
            health[each]["asked"] = health[each].get("asked", "").encode("latin-1")
    return health


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stdout.flush()
    os._exit(code)
