"""Users looked up, and their numbers moved; whole starts as other users are in tests/e2e."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from orchestrator.core.context import User
from orchestrator.core.outcome import Outcome
from orchestrator.engine import remapping
from orchestrator.engine.remapping import give_home, remap
from orchestrator.spec.settings import NamedUser
from orchestrator.system import users
from orchestrator.system.users import Identity, resolve

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
PASSWD = "root:x:0:0:root:/root:/bin/sh\n# a comment\n\napp:x:900:900:Ünï:/home/app:/bin/sh\n+@netgroup\nlast:x:7:7::/:/bin/sh"
GROUP = "root:x:0:\napp:x:900:\nmedia:x:800:app\n"


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "passwd").write_text(PASSWD)
    (tmp_path / "group").write_text(GROUP)
    (tmp_path / "passwd").chmod(0o644)
    return tmp_path


def app(uid, gid):
    return User(uid, gid, (gid,), "app", "/home/app")


def test_only_the_lines_of_the_user_and_its_group_change(etc):
    remap(app(1100, 1200), str(etc))
    assert (etc / "passwd").read_text() == PASSWD.replace("app:x:900:900:", "app:x:1100:1200:")
    assert (etc / "group").read_text() == GROUP.replace("app:x:900:", "app:x:1200:")


def test_mode_stays_and_readers_see_a_whole_file(etc):
    before = os.stat(etc / "passwd").st_ino
    with open(etc / "passwd") as held:
        remap(app(1100, 900), str(etc))
        assert held.read() == PASSWD
    found = os.stat(etc / "passwd")
    assert found.st_ino != before
    assert found.st_mode & 0o777 == 0o644
    assert (etc / "group").read_text() == GROUP
    assert sorted(os.listdir(etc)) == [".pwd.lock", "group", "passwd"]


def test_nothing_is_written_where_the_numbers_are_right(etc):
    before = [os.stat(etc / name).st_ino for name in ("passwd", "group")]
    remap(app(900, 900), str(etc))
    assert [os.stat(etc / name).st_ino for name in ("passwd", "group")] == before


def test_a_symlink_in_place_of_the_accounts_is_not_replaced(etc):
    (etc / "passwd").rename(etc / "real")
    (etc / "passwd").symlink_to("real")
    with pytest.raises(OSError, match="not a plain file"):
        remap(app(1100, 900), str(etc))
    assert (etc / "real").read_text() == PASSWD


def test_a_user_whom_another_service_knows_is_said_not_to_be_in_the_file(etc):
    with pytest.raises(FileNotFoundError, match="no line for somebody"):
        remap(User(5, 5, (), "somebody", "/"), str(etc))


def test_who_holds_the_lock_of_the_accounts_is_waited_for_and_not_for_ever(etc, monkeypatch):
    monkeypatch.setattr(remapping, "PATIENCE", 0.05)
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl, sys\nfile = open(sys.argv[1], 'w')\nfcntl.lockf(file, fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()", str(etc / ".pwd.lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    holder.stdout.readline()
    with pytest.raises(BlockingIOError) as raised:
        remap(app(1100, 900), str(etc))
    assert raised.value.errno == errno.EAGAIN
    holder.communicate("")
    remap(app(1100, 900), str(etc))
    with open(etc / ".pwd.lock", "a") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it was let go


@needs_root
def test_a_home_is_given_only_if_it_was_the_users(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "inner").mkdir()
    for each in (home, home / "inner"):
        os.chown(each, 900, 900)
    user = User(1100, 1200, (), "app", str(home))
    give_home(user, 899)
    assert home.stat().st_uid == 900
    give_home(user, 900)
    assert (home.stat().st_uid, home.stat().st_gid) == (1100, 1200)
    assert (home / "inner").stat().st_uid == 900
    give_home(User(1100, 1200, (), "app", str(tmp_path / "none")), 900)
    (tmp_path / "link").symlink_to(home)
    with pytest.raises(OSError, match="symlink"):
        give_home(User(1, 1, (), "app", str(tmp_path / "link")), 1100)


@needs_root
def test_root_without_a_user_stays_root_with_its_own_environment():
    found = resolve(None, {})
    assert isinstance(found, Identity)
    assert (found.user.uid, found.switch, dict(found.environ), found.notes) == (0, False, {}, ())


@needs_root
def test_supplementary_groups_are_those_of_initgroups():
    found = resolve("daemon", {})
    assert isinstance(found, Identity)
    assert found.user.groups == tuple(os.getgrouplist("daemon", found.user.gid))
    assert found.environ == {"HOME": found.user.home, "USER": "daemon", "LOGNAME": "daemon"}


@needs_root
@pytest.mark.parametrize("wanted", ["root", "0:0", NamedUser(name="root")])
def test_root_by_name_is_no_switch(wanted):
    found = resolve(wanted, {})
    assert isinstance(found, Identity)
    assert not found.switch
    assert not found.remap


@needs_root
@pytest.mark.parametrize(
    ("wanted", "reason", "hint"),
    [
        ("demon", "unknown-user", "did you mean `daemon`?"),
        ("0:rooot", "unknown-group", "did you mean `root`?"),
        ("61234", "group", '"61234:61234"'),
        ("4294967295:1", "user", "smaller"),
        ("99999999999999999999:1", "user", "smaller"),
        ("٣:1", "unknown-user", "useradd"),
        (":", "unknown-user", "useradd"),
        ("-1:-1", "unknown-user", "useradd"),
    ],
)
def test_each_failure_has_a_reason_and_a_remedy(wanted, reason, hint):
    found = resolve(wanted, {})
    assert isinstance(found, Outcome)
    assert (found.code, found.reason, found.final) == ("ORC453", reason, True)
    assert hint in found.hint


@needs_root
def test_the_trial_leaves_the_engine_root(tmp_path):
    assert isinstance(resolve("daemon", {}), Identity)
    assert os.getresuid() == (0, 0, 0)
    assert isinstance(resolve("12345:12345", {"TMPDIR": str(tmp_path)}), Identity)
    assert os.stat(tmp_path / "orchestrator-home-12345").st_uid == 12345


def test_a_home_is_closed_to_others_again(tmp_path):
    me = User(os.geteuid(), os.getegid())
    first = users.private_home(me, {"TMPDIR": str(tmp_path)})
    os.chmod(first, 0o777)
    assert users.private_home(me, {"TMPDIR": str(tmp_path)}) == first
    assert os.stat(first).st_mode & 0o777 == 0o700


def test_a_symlink_is_no_home(tmp_path):
    (tmp_path / f"orchestrator-home-{os.geteuid()}").symlink_to(tmp_path)
    found = users.private_home(User(os.geteuid(), os.getegid()), {"TMPDIR": str(tmp_path)})
    assert not found.startswith(str(tmp_path))
    if found:
        os.rmdir(found)
