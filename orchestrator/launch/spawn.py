"""Starts the child that imports and serves, from the engine and from the supervisor alike; builtins alone."""

from __future__ import annotations

import marshal
import os
import sys

from orchestrator.system import signals
from orchestrator.system.files import quoted
from orchestrator.system.inherited import begin_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Plan = dict[str, Any]

CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "app_process.py")
CANNOT_START = 127


def start(plan: Plan, listener: int, *, at_once: bool) -> tuple[int, int, int]:
    """Starts the child in an interpreter of its own: its pid, the pipe that commands it, its reports.

    A child that serves at once takes no commands, and says on stderr what hinders it.
    """
    orders, control = os.pipe()
    reports, told = os.pipe()
    mask = signals.block()
    pid = os.fork()
    if pid == 0:
        try:
            begin_child()
            execute(plan, listener, control=orders, reports=told, at_once=at_once)
        except BaseException as error:
            os.write(told, failure(error))
            os.write(2, f"orchestrator: cannot start the server: {error}\n".encode())
        finally:
            os._exit(CANNOT_START)
    signals.release(mask)
    os.close(orders)
    os.close(told)
    return pid, control, reports


def failure(error: BaseException) -> bytes:
    """The report of a child that could not even begin: no such directory, no such user."""
    message = quoted(f"cannot start the server: {error}")
    return f'{{"event": "failed", "id": "launch", "reason": "start", "message": {message}}}\n'.encode()


def execute(
    plan: Plan, listener: int, *, control: int, reports: int, at_once: bool, parent_only: bool = False
) -> NoReturn:
    """Turns this process into the child. The parent's number tells it whether the parent still lives."""
    for descriptor in (listener, control, reports):
        if descriptor >= 0:
            os.set_inheritable(descriptor, True)
    parent = os.getppid() if control >= 0 else 0
    orders = {
        "plan": plan,
        "listener": listener,
        "control": control,
        "reports": reports,
        "at_once": at_once,
        "parent_only": parent_only,
        "parent": parent,
    }
    memory = package(orders)
    assume(plan)
    # -P: neither this package's folder nor the working directory stands before the user's modules.
    os.execve(sys.executable, [sys.executable, "-P", CHILD, str(memory)], plan["environ"])


def package(data: Plan) -> int:
    """The data in memory, behind a descriptor that outlives an exec: it never touches a disk."""
    memory = os.memfd_create("orchestrator-plan", 0)
    put(memory, data)
    os.lseek(memory, 0, os.SEEK_SET)
    return memory


def put(memory: int, data: Plan) -> None:
    """Writes the data where `look` and `unpack` read it."""
    content = marshal.dumps(data)
    while content:
        content = content[os.write(memory, content) :]


def unpack(memory: int) -> Plan:
    with open(memory, "rb") as file:
        data: Plan = marshal.loads(file.read())  # noqa: S302 -- written by ourselves, a moment ago
    return data


def look(memory: int) -> Plan:
    """The same, and it stays where it is for the next one who looks."""
    content = b""
    while chunk := os.pread(memory, 1 << 20, len(content)):
        content += chunk
    data: Plan = marshal.loads(content)  # noqa: S302 -- written by ourselves
    return data


def assume(plan: Plan) -> None:
    """The user, the umask and the working directory of the server."""
    if plan["umask"] >= 0:
        os.umask(plan["umask"])
    become(plan)
    if plan["cwd"]:
        os.chdir(plan["cwd"])


def become(plan: Plan) -> None:
    """The server's user, where that is another than this process."""
    if plan["uid"] is None:
        return
    # Here, because a supervisor is the server's user already, and has no use for it.
    from orchestrator.system import rights, stdio

    stdio.give(plan["uid"])
    wanted = (plan["uid"], plan["gid"], tuple(plan["groups"]), plan["capabilities"], plan["escalation"])
    rights.drop(rights.Rights(*wanted), before_exec=True)
    rights.be_seen()


def run(argv: list[str], keep: tuple[int, ...], plan: Plan | None = None) -> int:
    """Starts a process of our own that inherits the named descriptors; as the server's user where a plan is given."""
    mask = signals.block()
    pid = os.fork()
    if pid == 0:
        try:
            begin_child()
            for descriptor in keep:
                os.set_inheritable(descriptor, True)
            if plan is not None:
                become(plan)
            os.execv(argv[0], argv)
        except BaseException as error:
            os.write(2, f"orchestrator: cannot start {argv[0]}: {error}\n".encode())
        finally:
            os._exit(CANNOT_START)
    signals.release(mask)
    return pid
