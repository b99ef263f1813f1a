"""Who the service runs as: from the spec's `user` to numbers, groups, a home and the variables that follow.

Looks things up, and makes at most a home; knows nothing of starts, launches and processes.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from orchestrator.core.context import User, current_user
from orchestrator.core.outcome import Outcome, failed
from orchestrator.system import rights
from orchestrator.system.accounts import NoSuchUser
from orchestrator.system.homes import private_home
from orchestrator.system.rights import Rights

if TYPE_CHECKING:
    import pwd
    from collections.abc import Mapping, Sequence

    from orchestrator.core.context import Context

HIGHEST = 2**32 - 2


class OwnerOf(Protocol):
    """What `{owner_of, else}` says."""

    @property
    def owner_of(self) -> str: ...
    @property
    def otherwise(self) -> int | None: ...


class Named(Protocol):
    """What a `user` says that is a mapping."""

    @property
    def name(self) -> str | None: ...
    @property
    def uid(self) -> int | OwnerOf | None: ...
    @property
    def gid(self) -> int | None: ...
    @property
    def groups(self) -> Sequence[str | int] | None: ...
    @property
    def home(self) -> str | None: ...
    @property
    def capabilities(self) -> Sequence[str] | None: ...
    @property
    def allow_privilege_escalation(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, and what becoming this user means."""

    user: User
    switch: bool = False
    """Whether the engine is somebody else now: processes of the service have to switch."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """HOME, USER and LOGNAME, as far as they follow."""
    notes: tuple[tuple[str, str, str], ...] = ()
    """Level, message and hint of what is worth knowing."""
    capabilities: int = 0
    """The mask of those that are kept."""
    escalation: bool = False
    """Whether set-uid programs may still give more rights."""

    @property
    def rights(self) -> Rights:
        user = self.user
        return Rights(user.uid, user.gid, user.groups, self.capabilities, self.escalation)


def resolve(wanted: str | Named | None, environ: Mapping[str, str]) -> Identity | Outcome:
    """The user that a spec names: a name, `uid:gid`, or `{name, uid, gid}`; or why nobody can be that user."""
    if os.geteuid() != 0:
        return _as_it_is(wanted, environ)
    if wanted is None:
        return Identity(current_user())
    try:
        found = _written(wanted, environ) if isinstance(wanted, str) else _renumbered(wanted, environ)
    except NoSuchUser as error:
        return _nobody(error)
    return found if isinstance(found, Outcome) or not found.switch else _tried(found)


def acting(wanted: str | None, context: Context) -> Context | Outcome:
    """What a command may know that has a user of its own; None: it has none."""
    if wanted is None:
        return context
    found = resolve(wanted, context.environ)
    if isinstance(found, Outcome) or (not found.switch and os.geteuid() != 0):
        return found if isinstance(found, Outcome) else context
    own = variables(found.user) if os.geteuid() == 0 else {}
    return replace(context, user=found.user, environ=context.environ | own)


def variables(user: User) -> dict[str, str]:
    return {"HOME": user.home, "USER": user.name, "LOGNAME": user.name}


# As root


def _written(wanted: str, environ: Mapping[str, str]) -> Identity | Outcome:
    """`app`, `app:www-data`, `10001:10001`. As with Docker, a group that is written is the only one."""
    name, colon, group = wanted.partition(":")
    entry = _entry(name)
    uid = entry.pw_uid if entry is not None else int(name)
    if colon:
        gid = _group(group)
        groups: tuple[int, ...] = (gid,)
    elif entry is not None:
        gid, groups = entry.pw_gid, _groups(entry.pw_name, entry.pw_gid)
    else:
        return failed("ORC453", "group", f"uid {name} is not in /etc/passwd, so that its group is not known",
                      f'write the group, too: user: "{name}:{name}"', final=True)  # fmt: skip
    if max(uid, gid) > HIGHEST:
        return failed(
            "ORC453",
            "user",
            f"`{wanted}`: the highest uid and gid is {HIGHEST}",
            "write a smaller number",
            final=True,
        )
    if entry is None:
        return _without_account(User(uid, gid, groups), environ)
    return _as(User(uid, gid, groups, entry.pw_name, entry.pw_dir or "/"))


def _renumbered(wanted: Named, environ: Mapping[str, str]) -> Identity | Outcome:
    """A user of the image, perhaps with other numbers, PUID and PGID: for the kernel they suffice, no account is edited."""
    numbers = wanted.uid is not None and wanted.gid is not None
    entry = _account(wanted.name, needed=not numbers) if wanted.name else None
    uid = _uid_of(wanted.uid) if wanted.uid is not None else entry.pw_uid if entry is not None else 0
    if isinstance(uid, Outcome):
        return uid
    gid = wanted.gid if wanted.gid is not None else entry.pw_gid if entry is not None else 0
    groups = _groups(entry.pw_name, gid) if entry is not None else (gid,)
    more = [each if isinstance(each, int) else _group(each) for each in wanted.groups or ()]
    user = User(uid, gid, tuple(dict.fromkeys([*groups, *more])), wanted.name or "", "/")
    if entry is not None:
        home = wanted.home or entry.pw_dir or "/"
        notes = _foreign_home(replace(user, home=home), entry.pw_uid) if not wanted.home else ()
        found = replace(_as(replace(user, home=home)), notes=notes)
    elif wanted.home:
        found = _as(replace(user, name=wanted.name or f"uid-{uid}", home=wanted.home))
    else:
        found = _without_account(user, environ)
    kept = rights.mask(wanted.capabilities or ())
    escalation = wanted.allow_privilege_escalation
    told = (*found.notes, *_oddities(found.user), *_kept(wanted))
    return replace(found, capabilities=kept, escalation=escalation, notes=told)


def _account(name: str, *, needed: bool) -> pwd.struct_passwd | None:
    try:
        return _entry(name, number=False)
    except NoSuchUser:
        if needed:
            raise
        return None


def _uid_of(wanted: int | OwnerOf) -> int | Outcome:
    if isinstance(wanted, int):
        return wanted
    try:
        owner = os.stat(wanted.owner_of).st_uid
    except OSError:
        owner = 0
    if owner or wanted.otherwise is not None:
        return owner or wanted.otherwise or 0
    return failed("ORC453", "owner", f"{wanted.owner_of} does not say whose the service is: it is root's, or not there",
                  "write `else: UID` beside `owner_of`, or give the path to its owner", final=True)  # fmt: skip


def _kept(wanted: Named) -> tuple[tuple[str, str, str], ...]:
    """What is said at each start of rights that are not given up."""
    told = []
    if wanted.capabilities:
        told.append(("info", f"the service keeps the capabilities {', '.join(wanted.capabilities)}", ""))
    if wanted.allow_privilege_escalation:
        told.append(
            ("info", "set-uid programs may give the service more rights: `allow_privilege_escalation`", "")
        )
    return tuple(told)


def _as(user: User) -> Identity:
    me = current_user()
    switch = (user.uid, user.gid) != (me.uid, me.gid)
    if switch:
        user = replace(user, groups=tuple(dict.fromkeys([*user.groups, *_given_by_runtime()])))
    return Identity(user, switch, variables(user))


def _given_by_runtime() -> list[int]:
    """Groups of the started process that root's account does not have: Kubernetes' fsGroup, docker's --group-add."""
    try:
        own = set(os.getgrouplist("root", 0))
    except (KeyError, OSError):
        own = {0}
    return sorted(set(os.getgroups()) - own - {0})


def _oddities(user: User) -> tuple[tuple[str, str, str], ...]:
    if user.uid == 0:
        return (
            (
                "warning",
                f"`{user.name}` is to have uid 0: it runs as root",
                "PUID is the uid of a user on the host",
            ),
        )
    other = _by_number(user.uid)
    if other is not None and other.pw_name != user.name:
        said = f"uid {user.uid} is `{other.pw_name}` already: the files of both belong to either"
        return (("info", said, f"another uid than {user.uid} keeps them apart"),)
    return ()


def _foreign_home(user: User, before: int) -> tuple[tuple[str, str, str], ...]:
    """A home that still belongs to the number of the image."""
    try:
        owner = os.stat(user.home).st_uid
    except OSError:
        return ()
    if user.uid in (0, before) or owner != before:
        return ()
    said = f"the home {user.home} belongs to uid {before}, so uid {user.uid} may not be able to write it"
    return (("info", said, f"`directories: [{user.home}]` makes it writable"),)


def _without_account(user: User, environ: Mapping[str, str]) -> Identity:
    home = private_home(user, environ)
    named = replace(user, name=user.name or f"uid-{user.uid}", home=home or "/")
    notes = () if home else (_no_home(user.uid),)
    return replace(_as(named), notes=notes)


def _tried(identity: Identity) -> Identity | Outcome:
    """Whether the switch works, found out by switching: only trying knows capabilities and user namespaces."""
    user, number = identity.user, 0
    try:
        rights.closed(identity.rights, ())
    except OSError as error:
        number = error.errno or errno.EIO
    if not number:
        return identity
    who = f"uid {user.uid}, gid {user.gid}"
    if number == errno.EPERM:
        return failed("ORC453", "capability", f"cannot become {who}: this root lacks the capabilities SETUID and SETGID",
                      f"docker run --cap-add SETUID --cap-add SETGID, or start as this user: docker run --user {user.uid}:{user.gid} "
                      "(Compose: user; Kubernetes: runAsUser)", final=True)  # fmt: skip
    return failed("ORC453", "user", f"cannot become {who}: {os.strerror(number).lower()}",
                  "does the user namespace of this container have these numbers? see /proc/self/uid_map", final=True)  # fmt: skip


# Not as root


def _as_it_is(wanted: str | Named | None, environ: Mapping[str, str]) -> Identity:
    """Nobody but root can switch: the engine's own user it is, with a home if it has none."""
    me = current_user()
    entry = _by_number(me.uid)
    notes = _skipped(wanted, me.uid)
    if entry is not None:
        named = replace(
            me, name=environ.get("USER") or entry.pw_name, home=environ.get("HOME") or entry.pw_dir
        )
        return Identity(named, notes=notes, escalation=_escalation(wanted))
    home = environ.get("HOME", "")
    if not home or not os.path.isdir(home) or not os.access(home, os.W_OK | os.X_OK):
        made = private_home(me, environ)
        home, notes = (made, notes) if made else (home or "/", (*notes, _no_home(me.uid)))
    name = environ.get("USER") or environ.get("LOGNAME") or f"uid-{me.uid}"
    user = replace(me, name=name, home=home)
    lacking = {key: text for key, text in variables(user).items() if key == "HOME" or not environ.get(key)}
    return Identity(user, environ=lacking, notes=notes, escalation=_escalation(wanted))


def _escalation(wanted: str | Named | None) -> bool:
    return not isinstance(wanted, str) and wanted is not None and wanted.allow_privilege_escalation


def _skipped(wanted: str | Named | None, uid: int) -> tuple[tuple[str, str, str], ...]:
    if wanted is None or _uid(wanted) == uid:
        return ()
    shown = wanted if isinstance(wanted, str) else wanted.name or f"{wanted.uid}:{wanted.gid}"
    said = f"`user: {shown}` is skipped: the engine was started as uid {uid}, and only root can switch"
    return (("info", said, ""),)


def _uid(wanted: str | Named) -> int | None:
    try:
        if not isinstance(wanted, str) and wanted.uid is not None:
            found = _uid_of(wanted.uid)
            return found if isinstance(found, int) else None
        name = wanted.partition(":")[0] if isinstance(wanted, str) else wanted.name or ""
        entry = _entry(name)
    except NoSuchUser:
        return None
    return entry.pw_uid if entry is not None else int(name)


def _no_home(uid: int) -> tuple[str, str, str]:
    return ("warning", f"uid {uid} has no writable home: no directory for temporary files is writable",
            "mount a tmpfs at /tmp, or set HOME to a writable directory")  # fmt: skip


# Accounts and homes


def _entry(name: str, *, number: bool = True) -> pwd.struct_passwd | None:
    """The account of a name, or of a number if there is one; raises NoSuchUser for a name that nobody has."""
    import pwd

    try:
        return pwd.getpwnam(name)
    except KeyError:
        if number and _is_number(name):
            return _by_number(int(name))
        raise NoSuchUser("user", name) from None


def _by_number(uid: int) -> pwd.struct_passwd | None:
    import pwd

    try:
        return pwd.getpwuid(uid)
    except (KeyError, OverflowError):
        return None


def _group(group: str) -> int:
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        if _is_number(group):
            return int(group)
        raise NoSuchUser("group", group) from None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _groups(name: str, gid: int) -> tuple[int, ...]:
    """As `initgroups`: the group itself and all that have the user as a member."""
    return tuple(os.getgrouplist(name, gid))


def _nobody(error: NoSuchUser) -> Outcome:
    import grp
    import pwd

    from orchestrator.core.suggest import did_you_mean

    user = error.kind == "user"
    known = [each.pw_name for each in pwd.getpwall()] if user else [each.gr_name for each in grp.getgrall()]
    hints = [did_you_mean(error.name, known), error.hint]
    return failed(
        "ORC453", f"unknown-{error.kind}", str(error), " ".join(each for each in hints if each), final=True
    )
