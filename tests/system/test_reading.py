"""What root reads for a user, with real files and links."""

import os

import pytest

from orchestrator.core.context import User
from orchestrator.system.reading import read_for, roots_own

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="reading for another user needs root")
APP = User(4711, 4711)


@pytest.fixture
def place(tmp_path):
    """A directory of root's with a secret, and one of the user's."""
    for each in (tmp_path, *tmp_path.parents):
        if each.stat().st_uid == 0 and each.stat().st_mode & 0o055 != 0o055:
            each.chmod(each.stat().st_mode | 0o055)
    secret = tmp_path / "secret"
    secret.write_text("for root")
    secret.chmod(0o600)
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 4711, 4711)
    return tmp_path


def test_a_link_of_the_users_to_a_secret_of_roots_is_not_read(place):
    (place / "theirs" / "link").symlink_to(place / "secret")
    os.link(place / "secret", place / "theirs" / "hard")
    for name in ("link", "hard"):
        with pytest.raises(PermissionError):
            read_for(str(place / "theirs" / name), APP)
    assert read_for(str(place / "theirs" / "link"), User(0, 0)) == b"for root"


def test_what_the_user_may_read_is_read_wherever_it_lies(place):
    (place / "theirs" / "own").write_text("x" * 300_000)
    assert read_for(str(place / "theirs" / "own"), APP) == b"x" * 300_000
    assert read_for(str(place / "theirs" / "own"), APP, 7) == b"x" * 7
    with pytest.raises(FileNotFoundError):
        read_for(str(place / "theirs" / "none"), APP)
    with pytest.raises(IsADirectoryError):
        read_for(str(place), APP)


def test_who_alone_can_have_put_a_file_there():
    assert roots_own("/etc/passwd")
    assert roots_own("/etc/../etc/passwd")
    assert not roots_own("/etc")
    assert not roots_own("/etc/no-such-file")
    assert not roots_own("/proc/self/fd/0/x")


def test_a_path_through_a_directory_of_others_is_not_roots(place):
    (place / "theirs" / "to-etc").symlink_to("/etc")
    assert not roots_own(str(place / "theirs" / "to-etc" / "passwd"))
    os.symlink("loop", place / "loop")
    assert not roots_own(str(place / "loop"))
