"""What root reads for a user, with real files and links."""

import os

import pytest

from orchestrator.core.context import User
from orchestrator.system.reading import Planted, open_for, read_for, roots_own

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


def test_before_the_user_is_known_nothing_is_read_that_whoever_has_put_it_there_could_not(place):
    (place / "theirs" / "link").symlink_to(place / "secret")
    (place / "theirs" / "own").write_text("theirs")
    os.chown(place / "theirs" / "own", 4711, 4711)
    (place / "theirs" / "own").chmod(0o600)
    with pytest.raises(Planted, match="uid 4711 can replace it, and cannot read it") as refused:
        read_for(str(place / "theirs" / "link"), None)
    assert refused.value.uid == 4711
    assert read_for(str(place / "theirs" / "own"), None) == b"theirs"
    assert read_for(str(place / "secret"), None) == b"for root"
    with pytest.raises(FileNotFoundError):
        read_for(str(place / "theirs" / "none"), None)


def test_in_a_directory_for_everybody_what_is_roots_is_roots(place):
    shared = place / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "roots").write_text("by root")
    (shared / "roots").chmod(0o600)
    (shared / "link").symlink_to(place / "secret")
    os.lchown(shared / "link", 4711, 4711)
    assert roots_own(str(shared / "roots"))
    assert not roots_own(str(shared / "link"))
    with pytest.raises(Planted):
        read_for(str(shared / "link"), None)


def test_a_pipe_that_is_named_by_its_descriptor_is_read_to_its_end():
    reader, writer = os.pipe()
    os.write(writer, b"from a pipe")
    os.close(writer)
    with open(open_for(f"/dev/fd/{reader}", None), "rb") as file:
        assert file.read() == b"from a pipe"
    os.close(reader)


def test_a_descriptor_that_was_opened_for_a_user_is_not_inherited(place):
    (place / "theirs" / "own").write_text("x")
    descriptor = open_for(str(place / "theirs" / "own"), APP)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
