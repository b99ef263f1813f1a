"""What this process may do, and how it gives that up for good: users, groups, capabilities, no_new_privs.

Linux and the standard library alone; knows nothing of specs and starts. The order of the calls is what matters here:
each of them needs a right that a later one takes away.
"""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE",
    "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip
"""By their numbers."""
VERSION_3 = 0x20080522
SET_DUMPABLE, SET_KEEPCAPS, SET_NO_NEW_PRIVS, CAP_AMBIENT = 4, 8, 38, 47
AMBIENT_RAISE, AMBIENT_CLEAR_ALL = 2, 4
_NOT_HELD = 99
"""What the child of a trial ends with where the drop itself did not hold."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Who a process becomes, and what it keeps."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    capabilities: int = 0
    """The mask of capabilities that are kept, also across exec; see `mask`."""
    escalation: bool = False
    """Whether set-uid programs may still give more: no_new_privs stays off."""


class NotHeld(Exception):
    """The calls went through, and the process still has more than it should."""


def mask(names: Iterable[str]) -> int:
    """The capabilities of these names, as `NET_BIND_SERVICE` or `CAP_NET_BIND_SERVICE`; raises KeyError."""
    numbers = {name: number for number, name in enumerate(CAPABILITIES)}
    found = 0
    for name in names:
        found |= 1 << numbers[name.upper().removeprefix("CAP_")]
    return found


def load() -> None:
    """Imports what a drop needs: afterwards Python's own files may be out of reach. Raises OSError where there is none."""
    try:
        import ctypes  # noqa: F401 -- a megabyte, which only a process that drops has a use for
    except ImportError:
        raise OSError(errno.ENOSYS, "this Python has no ctypes, which rights are given up by") from None


def drop(rights: Rights, *, before_exec: bool = False) -> None:
    """Turns this process into the user's, for good. Raises OSError where the kernel refuses, NotHeld, or RuntimeError.

    A thread that lives meanwhile would keep no_new_privs off for itself and all that it starts; `before_exec` ends them.
    """
    load()
    tasks = os.listdir("/proc/self/task")
    if len(tasks) != 1 and not before_exec:
        raise RuntimeError(f"{len(tasks)} threads run, and rights are given up by one alone")
    if rights.capabilities:
        _prctl(SET_KEEPCAPS, 1)
    os.setgroups(list(rights.groups))
    os.setresgid(rights.gid, rights.gid, rights.gid)
    os.setresuid(rights.uid, rights.uid, rights.uid)
    restrict(rights)
    verify(rights)


def restrict(rights: Rights) -> None:
    """The part without a change of the user: capabilities and no_new_privs. The bounding set stays.

    Without that set, a program with file capabilities fails with EPERM instead of running without them.
    """
    # Explicitly: with SECBIT_NO_SETUID_FIXUP, setuid alone keeps all of them.
    _capset(rights.capabilities)
    _prctl(CAP_AMBIENT, AMBIENT_CLEAR_ALL)
    for number in range(len(CAPABILITIES)):
        if rights.capabilities >> number & 1:
            _prctl(CAP_AMBIENT, AMBIENT_RAISE, number)
    _prctl(SET_KEEPCAPS, 0)
    if not rights.escalation:
        no_new_privs()


def no_new_privs() -> None:
    """No program that is run from now on, set-uid or with file capabilities, has more rights than this process."""
    load()
    _prctl(SET_NO_NEW_PRIVS, 1)


def be_seen() -> None:
    """Lets processes of the same user look at this one, which a change of the user ends: at its sockets, its environment."""
    _prctl(SET_DUMPABLE, 1)


def verify(rights: Rights) -> None:
    """Raises NotHeld, naming what this process still has or lacks."""
    wrong = [*_ids(rights), *_way_back(rights), *_status(rights)]
    if wrong:
        raise NotHeld("; ".join(wrong))


def _ids(rights: Rights) -> list[str]:
    wrong = []
    if os.getresuid() != (rights.uid,) * 3:
        wrong.append(f"uids {os.getresuid()}, expected {rights.uid}")
    if os.getresgid() != (rights.gid,) * 3:
        wrong.append(f"gids {os.getresgid()}, expected {rights.gid}")
    if set(os.getgroups()) - {rights.gid} != set(rights.groups) - {rights.gid}:
        wrong.append(f"groups {sorted(os.getgroups())}, expected {sorted(rights.groups)}")
    return wrong


def _way_back(rights: Rights) -> list[str]:
    if rights.uid == 0 or rights.capabilities & mask(["SETUID"]):
        return []
    try:
        os.seteuid(0)
    except PermissionError:
        return []
    return ["it can become root again"]


def _status(rights: Rights) -> list[str]:
    found = status()
    expected = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), rights.capabilities)
    wrong = [
        f"{name} {found[name]:x}, expected {mask:x}" for name, mask in expected.items() if found[name] != mask
    ]
    if not rights.escalation and not found["NoNewPrivs"]:
        wrong.append("no_new_privs is off")
    return wrong


def status(pid: int | str = "self") -> dict[str, int]:
    """Capability sets (CapInh, CapPrm, CapEff, CapBnd, CapAmb) and NoNewPrivs of a process."""
    found = {}
    with open(
        f"/proc/{pid}/status", "rb"
    ) as file:  # bytes: a codec may be a file that is out of reach by now
        for line in file:
            name, _, value = line.partition(b":")
            if name.startswith(b"Cap"):
                found[name.decode()] = int(value, 16)
            elif name == b"NoNewPrivs":
                found["NoNewPrivs"] = int(value)
    return found


# A trial


def needed() -> list[str]:
    """What an engine needs after a drop, by path: interpreter, environment, standard library, package, modules, directory."""
    import site
    import sysconfig

    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    own = site.getusersitepackages() if site.ENABLE_USER_SITE else ""  # root's, which nobody else is to read
    known = [
        sys.executable,
        f"{sys.prefix}/pyvenv.cfg",
        sysconfig.get_path("stdlib"),
        package,
        *sys.path,
        os.getcwd(),
    ]
    return [each for each in dict.fromkeys(known) if each and each != own and os.path.exists(each)]


def closed(rights: Rights, paths: Sequence[str]) -> str:
    """The first of these paths that a process with such rights cannot use, found out in a child; empty when there is none.

    Raises OSError where the kernel refuses the drop, and NotHeld.
    """
    load()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = _NOT_HELD
        try:
            os.close(reader)
            code = _try(rights, paths, writer)
        except NotHeld as error:
            os.write(writer, str(error).encode())
        except OSError as error:
            code = error.errno or errno.EIO
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader, "rb") as file:
        answer = os.fsdecode(file.read())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == _NOT_HELD:
        raise NotHeld(answer or "the trial has failed")
    if code:
        raise OSError(abs(code), os.strerror(abs(code)))
    return answer


def _try(rights: Rights, paths: Sequence[str], writer: int) -> int:
    drop(rights)
    for path in paths:
        if not _usable(path):
            os.write(writer, os.fsencode(path))
            break
    return 0


def _usable(path: str) -> bool:
    try:
        if os.path.isdir(path):
            return os.access(path, os.R_OK | os.X_OK)
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


# Calls that Python has not


def _prctl(option: int, *values: int) -> None:
    import ctypes

    given = [ctypes.c_ulong(each) for each in (*values, 0, 0, 0, 0)[:4]]
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(ctypes.c_int(option), *given) != 0:
        _refused("prctl", ctypes.get_errno())


def _capset(kept: int) -> None:
    """Effective, permitted and inheritable alike."""
    import ctypes

    header = (ctypes.c_uint32 * 2)(VERSION_3, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    data = (ctypes.c_uint32 * 6)(low, low, low, high, high, high)
    library: Any = ctypes.CDLL(None, use_errno=True)
    if library.capset(header, data) != 0:
        _refused("capset", ctypes.get_errno())


def _refused(call: str, number: int) -> None:
    raise OSError(number, f"{call}: {os.strerror(number)}")
