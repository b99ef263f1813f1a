"""Reading and changing the files of the state directory with builtins alone: no json, not even `os`.

The supervisor and the probe live on this module; it knows nothing of what the files mean beyond their lines.
One process writes, so a change is read, edited and renamed into place; readers see the old or the new, whole.
"""

import _thread
import posix
import time

TERMINATION_LOG = "/dev/termination-log"
GIVEN = "/service"
"""The directory, below one of root's, that a start as root gives to the service's user."""
STATUSES = ("starting", "ready", "degraded", "maintenance", "stopping", "stopped", "failed")
"""The states of a service."""
LIMIT = 4 << 20
"""The most that is read of a file, and where `events.jsonl` starts anew."""


def candidates(explicit: str | None) -> tuple[str, ...]:
    """Where the state directory may be, in order; one that was named is the only one."""
    if explicit:
        return (explicit,)
    uid = posix.geteuid()
    given = tuple(
        [each + GIVEN for each in ("/run/orchestrator", "/tmp/orchestrator-0", "/dev/shm/orchestrator-0")]
    )
    own = (f"/tmp/orchestrator-{uid}", f"/dev/shm/orchestrator-{uid}") if uid else ()
    return (*given, "/run/orchestrator", *own)


def trusted(directory: str, explicit: str | None) -> bool:
    """Whether a reader may believe it: it is the reader's own; or the reader is root, and nobody else can have put it there."""
    try:
        found = posix.lstat(directory)
        above = posix.stat(directory.rpartition("/")[0] or "/")
    except OSError:
        return False
    uid = posix.geteuid()
    if found.st_mode & 0o170000 != 0o040000 or uid not in (0, found.st_uid):
        return False
    return found.st_uid == uid or bool(explicit) or (above.st_uid == 0 and not above.st_mode & 0o022)


def find(explicit: str | None, name: str = "probe") -> str | None:
    """The first state directory that holds the file `name`; `become_owner` is next."""
    for directory in candidates(explicit):
        if trusted(directory, explicit) and exists(f"{directory}/{name}"):
            return directory
    return None


def become_owner(directory: str) -> bool:
    """What a command that reads a state directory does first; false where it cannot.

    For good: else whoever keeps the state could have root open, or knock at, what is not his.
    """
    found = posix.lstat(directory)
    if posix.geteuid() == found.st_uid:
        return True
    try:
        posix.setgroups([])
        posix.setresgid(found.st_gid, found.st_gid, found.st_gid)
        posix.setresuid(found.st_uid, found.st_uid, found.st_uid)
    except OSError:
        return False  # a root that may not: it reads nothing of others
    return True


def exists(path: str) -> bool:
    try:
        posix.lstat(path)
    except OSError:
        return False
    return True


def read(path: str) -> bytes:
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC)
    try:
        if posix.fstat(descriptor).st_mode & 0o170000 != 0o100000:
            raise OSError(22, "it is not a plain file", path)
        chunks = [posix.read(descriptor, 65536)]
        while chunks[-1] and len(chunks) <= LIMIT // 65536:
            chunks.append(posix.read(descriptor, 65536))
        return b"".join(chunks)
    finally:
        posix.close(descriptor)


def replace(path: str, content: bytes) -> None:
    """Puts `content` in the place of the file, at once: whoever reads sees the old or the new."""
    # Of its own for each thread: two that write at once must not share it.
    new = f"{path}.{posix.getpid()}-{_thread.get_ident()}"
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC
    descriptor = posix.open(new, flags, 0o600)
    try:
        try:
            _write(descriptor, content)
        finally:
            posix.close(descriptor)
        posix.rename(new, path)
    except OSError:
        posix.unlink(new)
        raise


def append_line(path: str, text: str) -> None:
    """Adds a line. A file that has grown large becomes `PATH.1`: a container may run for years."""
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_NOFOLLOW | posix.O_CLOEXEC
    descriptor = posix.open(path, flags, 0o600)
    try:
        _write(descriptor, one_line(text).encode("utf-8", "backslashreplace") + b"\n")
        full = posix.fstat(descriptor).st_size > LIMIT
    finally:
        posix.close(descriptor)
    if full:
        posix.rename(path, path + ".1")


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[posix.write(descriptor, content) :]


def one_line(text: str) -> str:
    return " ".join(text.split()) if "\n" in text or "\r" in text else text


def set_status(
    directory: str, status: str, reason: str = "", degraded: list[str] | tuple[str, ...] | None = None
) -> None:
    """Changes the service's status in `probe`, which is what takes traffic away, and then in `state.json`."""
    now = int(time.time())
    lines = {"status": status, "reason": one_line(reason), "updated": str(now)}
    _edit(f"{directory}/probe", [(f"{key} ", f"{key} {value}") for key, value in lines.items()])
    values = {"status": quoted(status), "reason": quoted(reason), "updated": str(now)}
    if degraded is not None:
        values["degraded"] = "[" + ", ".join([quoted(name) for name in degraded]) + "]"
    _edit(
        f"{directory}/state.json", [(f'  "{key}": ', f'  "{key}": {value}') for key, value in values.items()]
    )


def set_value(directory: str, key: str, value: str) -> None:
    """Changes a top-level key of `state.json` to a text that is JSON already, without line breaks."""
    _edit(f"{directory}/state.json", [(f'  "{key}": ', f'  "{key}": {value}')])


def end_report(directory: str, status: str, code: int) -> None:
    """Notes in `report.json`, without parsing it, how what was started has ended."""
    changes = [
        ('  "status": ', f'  "status": {quoted(status)}'),
        ('  "exit_code": ', f'  "exit_code": {code}'),
    ]
    _edit(f"{directory}/report.json", changes)


def write_last_words(text: str) -> None:
    """Why it ended, where the platform looks for it: a file that is there and may be written."""
    try:
        descriptor = posix.open(TERMINATION_LOG, posix.O_WRONLY | posix.O_TRUNC | posix.O_CLOEXEC)
    except OSError:
        return  # no platform asks, or it asks somebody else
    try:
        _write(descriptor, text.encode("utf-8", "backslashreplace") + b"\n")
    finally:
        posix.close(descriptor)


def set_verdict(directory: str, name: str, *, ok: bool, expires: float, text: str = "") -> None:
    """Notes what the engine found when it last judged an endpoint, and until when that may be believed."""
    word = "ok" if ok else "failed"
    line = f"verdict {name} {word} expires={int(expires)} {one_line(text)}"
    _edit(f"{directory}/probe", [(f"verdict {name} ", line)], add=True)


def _edit(path: str, changes: list[tuple[str, str]], *, add: bool = False) -> None:
    """Replaces the lines that start so; a comma at a line's end is JSON's and stays."""
    if not exists(path):
        return
    lines = read(path).decode("utf-8", "replace").split("\n")
    for start, new in changes:
        places = [index for index, line in enumerate(lines) if line.startswith(start)]
        for index in places:
            lines[index] = new + ("," if start.startswith(" ") and lines[index].endswith(",") else "")
        if add and not places:
            lines.insert(len(lines) - 1, new)
    replace(path, "\n".join(lines).encode("utf-8", "replace"))


def quoted(text: str) -> str:
    """The text as a JSON string."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join([each if each >= " " else f"\\u{ord(each):04x}" for each in plain]) + '"'
