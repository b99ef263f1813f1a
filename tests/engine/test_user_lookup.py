"""Users looked up; whole starts as other users are in tests/e2e."""

import os
from types import SimpleNamespace

import pytest

from orchestrator.core.context import User
from orchestrator.core.outcome import Outcome
from orchestrator.engine import identity, snapshot
from orchestrator.spec.settings import NamedUser
from orchestrator.system.homes import private_home
from orchestrator.system.users import Identity, resolve

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")


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
    first = private_home(me, {"TMPDIR": str(tmp_path)})
    os.chmod(first, 0o777)
    assert private_home(me, {"TMPDIR": str(tmp_path)}) == first
    assert os.stat(first).st_mode & 0o777 == 0o700


def test_a_symlink_is_no_home(tmp_path):
    (tmp_path / f"orchestrator-home-{os.geteuid()}").symlink_to(tmp_path)
    found = private_home(User(os.geteuid(), os.getegid()), {"TMPDIR": str(tmp_path)})
    assert not found.startswith(str(tmp_path))
    if found:
        os.rmdir(found)


def test_an_engine_that_comes_back_is_who_it_was(monkeypatch):
    user = User(900, 901, (901, 800), "app", "/home/app")
    settled = Identity(user, environ={"HOME": "/home/app"}, escalation=True)
    before = SimpleNamespace(launched_as=settled, identity=None, user=user, as_root=True)
    after = SimpleNamespace(memory={"identity": snapshot._identity(before)}, as_root=False)
    monkeypatch.setattr(os, "geteuid", lambda: 900)
    found = identity._remembered(after)
    assert (found.user, found.environ, found.escalation, found.switch) == (user, settled.environ, True, False)
    assert after.as_root
