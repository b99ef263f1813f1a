"""What keeps two replicas from running a step at once: a file, or a row of a PostgreSQL's lock table.

Both are tried, never waited in; who waits does so outside, where it can be told to stop. Both end with their holder.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.core.outcome import Outcome, failed

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.waits._postgres import Session
    from orchestrator.waits.postgres import Postgres

_QUERY_TIME = 10.0
"""Seconds a query may take: in front of the server may be a pooler in which it queues."""
_HOLDER = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted "
    "AND l.objsubid = 1 AND l.classid = {high} AND l.objid = {low} "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
"""The name that the holder of a lock gives itself; the two halves of the key are numbers."""
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


class CannotLock(Exception):
    """The lock cannot be tried at all. Its outcome is `final` when trying again is pointless."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.summary)
        self.outcome = outcome


class Lock(Protocol):
    """Something that one holder has at a time. Every method may block, but none for long."""

    name: str

    def take(self) -> bool:
        """Tries once; raises CannotLock."""

    def holder(self) -> str:
        """Who has it, in words, as far as that can be told after a vain try."""

    def fileno(self) -> int:
        """Readable when `lost` should be asked; -1 when there is nothing to hear."""

    def lost(self) -> str:
        """Why it is not held any more; empty while it is."""

    def release(self) -> None:
        """Gives it up, and all that it took to hold it. Said again meanwhile, there is nothing to do."""


def lock_of(name: str, context: Context, step: str, wait: Any) -> Lock:
    """The lock of a step: a name with a `/` is a path, any other one that of a postgres wait."""
    if "/" in name:
        return FileLock(name, context)
    return ServerLock(name, wait, context, step)


class FileLock:
    """`flock` on a file that stays where it is; the kernel frees it when the holder ends in whatever way."""

    def __init__(self, path: str, context: Context) -> None:
        self.name = path
        self._path = context.path(path)
        self._file = -1

    def take(self) -> bool:
        import fcntl

        try:
            self._open()
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._replaced():
                self.release()
                return False
            self._sign()
        except BlockingIOError:
            return False
        except OSError as error:
            self.release()
            raise CannotLock(self._refused(error)) from None
        return True

    def _open(self) -> None:
        """Its directory is made; where root is the engine, no symlink on the way is followed, and here by nobody."""
        if self._file >= 0 and not self._replaced():
            return
        self.release()
        from orchestrator.requirements._places import Owner, reach

        above, name = os.path.split(self._path)
        directory, _ = reach(above, create=True, owner=Owner())
        try:
            self._file = _opened(name, directory)
        finally:
            os.close(directory)
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            # Written to below: a second name could be that of somebody else's file.
            raise OSError(errno.EINVAL, "not a file of its own", self._path)

    def _replaced(self) -> bool:
        """Whether somebody has put another file in its place: a lock on the old one excludes nobody."""
        try:
            return not os.path.samestat(os.fstat(self._file), os.lstat(self._path))
        except FileNotFoundError:
            return True

    def _sign(self) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{_whoami()}\n".encode(), 0)

    def _refused(self, error: OSError) -> Outcome:
        target = getattr(error, "target", "")
        said = (
            f"{error.filename or self._path} is a symlink to {target}"
            if target
            else (error.strerror or str(error)).lower()
        )
        hint = "name the place itself" if target or error.errno == errno.ELOOP else ""
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT):
            hint = f"uid {os.geteuid()} must be able to write {os.path.dirname(self._path)}"
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            hint = "this file system knows no locks: take a path elsewhere, or a postgres wait"
        return failed("ORC603", "lock", f"cannot lock {self.name}: {said}", hint, final=True)

    def holder(self) -> str:
        try:
            text = os.pread(self._file, 200, 0).decode("utf-8", "replace")
        except OSError:
            return ""
        return text.split("\n", 1)[0] if text.isprintable() or "\n" in text else ""

    def fileno(self) -> int:
        return -1

    def lost(self) -> str:
        return ""

    def release(self) -> None:
        """The file is left: who took it away could take it from under somebody who has just opened it."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def _opened(name: str, directory: int) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    while True:
        # Without O_CREAT first: in a sticky directory the kernel refuses it for a file of somebody else.
        try:
            return os.open(name, flags, dir_fd=directory)
        except FileNotFoundError:
            try:
                return os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
            except FileExistsError:
                continue  # another start was faster


def _whoami() -> str:
    return f"pid {os.getpid()} on {socket.gethostname()}"


class ServerLock:
    """An advisory lock of a transaction in PostgreSQL, on a connection that is used for nothing else.

    Of a transaction and not of a session: it also holds behind a pooler that gives a connection to each transaction.
    A waiter's transaction ends after each try, and the holder's runs nothing more: READ COMMITTED then keeps no
    snapshot, and what waits for all snapshots, such as CREATE INDEX CONCURRENTLY, waits for neither of them.
    """

    def __init__(self, name: str, wait: Postgres, context: Context, step: str) -> None:
        self.name = name
        self._wait = wait
        self._context = context
        self._label = _label(f"orchestrator: step {step}, {_whoami()}")
        self._key = key(context.service, step)
        self._session: Session | None = None
        self._holder = ""

    def take(self) -> bool:
        from orchestrator.waits._failure import Failure

        try:
            return self._try()
        except Failure as failure:
            self._drop()
            raise CannotLock(_unreachable(self.name, failure.outcome)) from None

    def _try(self) -> bool:
        session = self._opened()
        rows = self._ask(session, self._begin() + f"SELECT pg_try_advisory_xact_lock({self._key})")
        if rows and rows[-1] == [True]:
            return True
        self._holder = self._told(session)
        self._ask(session, "ROLLBACK")
        return False

    def _opened(self) -> Session:
        from orchestrator.waits._failure import Deadline

        if self._session is None:
            self._session = self._wait.open(self._context, Deadline(max(self._context.timeout, 5.0)))
            _noticed_when_gone(self._session.stream.connection)
        return self._session

    def _begin(self) -> str:
        """What could end a transaction that does nothing is switched off, a holder that vanished is noticed."""
        settings = {"application_name": self._label, "idle_in_transaction_session_timeout": "0",
                    "tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}  # fmt: skip
        if self._version() >= 17:
            settings["transaction_timeout"] = "0"
        return "BEGIN ISOLATION LEVEL READ COMMITTED;" + "".join(
            f"SET LOCAL {each} = '{value}';" for each, value in settings.items()
        )

    def _version(self) -> int:
        number = self._session.facts.get("server_version", "").partition(".")[0] if self._session else ""
        return int(number) if number.isdecimal() else 0

    def _ask(self, session: Session, text: str) -> list[list[Any]]:
        from orchestrator.waits._failure import Deadline

        session.stream.deadline = Deadline(_QUERY_TIME)
        return session.query(text)

    def _told(self, session: Session) -> str:
        """The name that the holder's transaction gives itself, where this user may see it."""
        high, low = self._key >> 32 & 0xFFFFFFFF, self._key & 0xFFFFFFFF
        rows = self._ask(session, _HOLDER.format(high=high, low=low))
        text = str(rows[0][0] or "") if rows else ""
        return text.partition(", ")[2] if text.startswith("orchestrator: ") else text

    def holder(self) -> str:
        return self._holder

    def fileno(self) -> int:
        return self._session.stream.connection.fileno() if self._session else -1

    def lost(self) -> str:
        """What the server says while nothing is asked is either news, or the end of the connection."""
        from orchestrator.waits._failure import Deadline, Failure

        session = self._session
        if session is None:
            return "its connection is closed"
        stream = session.stream
        while stream.buffer or _has_news(stream.connection):
            stream.deadline = Deadline(_QUERY_TIME)
            try:
                if problem := session.overheard():
                    return problem
            except Failure:
                return f"the connection to {stream.where} ended"
        return ""

    def release(self) -> None:
        from orchestrator.waits._failure import Failure

        session, self._session = self._session, None
        if session is not None:
            try:
                self._ask(session, "ROLLBACK")  # a pooler keeps a connection that is left in order
                session.leave()
            except Failure:
                pass  # it is released by the end of the connection as well
            finally:
                session.stream.connection.close()

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.stream.connection.close()


def key(service: str, step: str) -> int:
    """The number of the lock: 64 bits, signed."""
    from hashlib import sha256

    return int.from_bytes(sha256(f"{service}\0{step}".encode()).digest()[:8], "big", signed=True)


def _label(text: str) -> str:
    """What can stand between quotes and in an `application_name`: 63 plain bytes."""
    return "".join(each if each.isascii() and (each.isalnum() or each in " .,:_-") else "?" for each in text)[
        :63
    ]


def _noticed_when_gone(connection: socket.socket) -> None:
    """A server whose machine is gone is noticed within half a minute."""
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _has_news(connection: socket.socket) -> bool:
    pending = getattr(connection, "pending", None)
    if pending is not None and pending():
        return True
    poll = select.poll()
    poll.register(connection, _READABLE)
    return bool(poll.poll(0))


def _unreachable(name: str, outcome: Outcome) -> Outcome:
    reason = (
        outcome.reason if outcome.reason != "timeout" else "unreachable"
    )  # a step's own timeout is another thing
    return failed(
        outcome.code,
        reason,
        f"cannot take the lock `{name}`: {outcome.summary}",
        outcome.hint,
        final=outcome.final,
    )
