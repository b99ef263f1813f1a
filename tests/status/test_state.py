"""The state directory on a real file system: where it is made, what is refused, what readers find."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.status.state import Endpoint, Probe, StateDirectory, find, locate, opened, provide
from orchestrator.system import files

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="giving a directory away takes root")


def named(path):
    return {"ORCHESTRATOR_STATE_DIR": str(path)}


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def read(path):
    return Path(path).read_text()


@pytest.fixture
def state(tmp_path):
    path, why = locate(named(tmp_path / "state"))
    assert why == ""
    return StateDirectory(path)


def test_a_named_directory_is_made_ours_alone(tmp_path):
    path, why = locate(named(tmp_path / "deep" / "state"))
    assert (path, why) == (str(tmp_path / "deep" / "state"), "")
    assert mode(path) == 0o700
    assert os.listdir(path) == []
    assert locate(named(path)) == (path, "")


def test_a_named_directory_that_others_may_enter_is_refused_and_left_alone(tmp_path):
    tmp_path.chmod(0o755)
    path, why = locate(named(tmp_path))
    assert path is None
    assert "its mode is 0755, expected 0700" in why
    assert f"{tmp_path}/orchestrator" in why
    assert mode(tmp_path) == 0o755


def test_a_symbolic_link_and_a_file_are_refused(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("link", "file", "dangling"):
        path, why = locate(named(tmp_path / name))
        assert path is None
        assert "symbolic link or not a directory" in why


@AS_ROOT
def test_a_foreign_directory_is_refused(tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o700)
    os.chown(foreign, 12345, 12345)
    assert locate(named(foreign)) == (None, f"{foreign}: it belongs to uid 12345, expected 0")


def test_a_place_that_cannot_be_written_says_why():
    path, why = locate(named("/proc/orchestrator"))
    assert path is None
    assert why.startswith("/proc/orchestrator: ")


def test_unnamed_places_are_tried_in_turn_and_one_of_ours_is_tightened(tmp_path, monkeypatch):
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o755)
    monkeypatch.setattr(files, "candidates", lambda explicit: ("/proc/orchestrator", str(loose), "/never"))
    assert locate({}) == (str(loose), "")
    assert mode(loose) == 0o700


def test_none_of_the_places_names_all_reasons(monkeypatch):
    monkeypatch.setattr(files, "candidates", lambda explicit: ("/proc/a", "/proc/b"))
    path, why = locate({})
    assert path is None
    assert "/proc/a: " in why
    assert "/proc/b: " in why


def test_the_order_of_the_places_is_the_documented_one():
    uid = os.geteuid()
    given = ("/run/orchestrator/service", "/tmp/orchestrator-0/service", "/dev/shm/orchestrator-0/service")
    own = (f"/tmp/orchestrator-{uid}", f"/dev/shm/orchestrator-{uid}") if uid else ()
    assert files.candidates(None) == (*given, "/run/orchestrator", *own)
    assert files.candidates("/x") == ("/x",)


def test_readers_find_the_first_place_that_holds_something(tmp_path, state):
    assert find(named(state.path)) is None
    state.write_probe(Probe("starting", 1))
    assert find(named(state.path)) == state.path
    assert find(named(tmp_path / "elsewhere")) is None


@AS_ROOT
def test_readers_do_not_believe_a_stranger_where_all_may_write(tmp_path, monkeypatch):
    stranger, ours = tmp_path / "stranger", tmp_path / "ours"
    tmp_path.chmod(0o1777)
    for path in (stranger, ours):
        path.mkdir()
        (path / "probe").write_text("status ready\n")
    os.chown(stranger, 12345, 12345)
    link = tmp_path / "link"
    link.symlink_to(ours)
    monkeypatch.setattr(files, "candidates", lambda explicit: (str(stranger), str(link), str(ours)))
    assert find({}) == str(ours)


def test_the_state_is_json_with_a_key_a_line(state):
    state.write_state(
        {"service": "api", "status": "starting", "items": [{"id": "wait:db", "status": "waiting"}]}
    )
    lines = read(f"{state.path}/state.json").splitlines()
    assert '  "status": "starting",' in lines
    assert len(lines) == 2 + len(state.read_state())
    assert mode(f"{state.path}/state.json") == 0o600


@pytest.mark.parametrize("reason", ["", 'a "quoted" \\ path', "two\nlines\tand a bell\a", "Grüße"])
def test_the_status_is_changed_without_a_json_parser(state, reason):
    items = [{"id": "wait:db", "status": "waiting", "reason": "x"}]
    state.write_state({"service": "api", "status": "starting", "items": items, "pid": 7})
    state.write_probe(Probe("starting", 7, (Endpoint("ready", port=80),)))
    state.set_status("degraded", reason=reason, degraded=("search", 'a"b'))
    known = state.read_state()
    assert (known["status"], known["reason"], known["degraded"]) == ("degraded", reason, ["search", 'a"b'])
    assert (known["service"], known["items"], known["pid"]) == ("api", items, 7)
    probe = read(f"{state.path}/probe").splitlines()
    assert probe[0] == "status degraded"
    assert sum(line.startswith("status ") for line in probe) == 1
    assert "endpoint ready http 127.0.0.1 80 GET / 200-299 2 -" in probe


def test_the_last_line_of_the_state_can_be_the_status(state):
    with open(f"{state.path}/state.json", "w") as file:
        file.write('{\n  "pid": 1,\n  "status": "ready"\n}\n')
    state.set_status("stopping")
    assert state.read_state() == {"pid": 1, "status": "stopping"}


def test_a_status_without_files_to_change_is_no_error(state):
    state.set_status("stopping")
    assert os.listdir(state.path) == []


def test_a_verdict_replaces_the_one_before(state):
    state.write_probe(Probe("ready", 1, (Endpoint("ready"), Endpoint("live"))))
    state.set_verdict("ready", ok=True, expires=10.9)
    state.set_verdict("live", ok=True, expires=10)
    state.set_verdict("ready", ok=False, expires=20, text="503,\nexpected 200")
    lines = [each for each in read(f"{state.path}/probe").splitlines() if each.startswith("verdict")]
    assert lines == ["verdict ready failed expires=20 503, expected 200", "verdict live ok expires=10 "]


def test_a_header_with_a_line_break_is_refused():
    with pytest.raises(ValueError, match="line break"):
        Probe("ready", 1, (Endpoint("ready", headers=(("A", "b\r\nstatus ready"),)),)).text()


def test_events_are_lines_and_the_file_makes_way_when_it_has_grown(state, monkeypatch):
    state.append_event({"event": "a", "text": "one\ntwo"})
    state.append_event({"event": "b"})
    path = f"{state.path}/events.jsonl"
    assert [json.loads(line)["event"] for line in read(path).splitlines()] == ["a", "b"]
    assert mode(path) == 0o600
    monkeypatch.setattr(files, "LIMIT", 10)
    state.append_event({"event": "c"})
    state.append_event({"event": "d"})
    assert not os.path.exists(path)
    assert [json.loads(line)["event"] for line in read(path + ".1").splitlines()] == ["d"]


def test_the_report_is_read_as_it_was_written(state):
    assert state.read_report() is None
    state.write_report({"schema": 1, "items": []})
    assert state.read_report() == {"schema": 1, "items": []}


def test_readers_see_the_old_or_the_new_and_never_half(state):
    path = f"{state.path}/probe"
    contents = [letter * 200_000 for letter in (b"a", b"b")]
    files.replace(path, contents[0])
    done = threading.Event()

    def write():
        for turn in range(60):
            files.replace(path, contents[turn % 2])
        done.set()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    while not done.is_set():
        assert files.read(path) in contents
    for writer in writers:
        writer.join()
    assert os.listdir(state.path) == ["probe"]


def test_a_full_device_raises_and_leaves_nothing_behind(tmp_path):
    code = (
        "import resource, signal, os, sys\n"
        "from orchestrator.system import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: files.replace(sys.argv[1], b'x' * 5000)\n"
        "except OSError as error: print(error.errno, os.listdir(os.path.dirname(sys.argv[1])))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "probe")], capture_output=True, text=True, timeout=30
    )
    assert done.stdout == "27 []\n", done.stderr


def as_user(uid, act):
    """Done by a child of this user; what it raises is this test's failure."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            act()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The default place of a start as root, in a directory that everybody may enter."""
    for each in (tmp_path, *tmp_path.parents):
        if each.stat().st_uid == 0 and each.stat().st_mode & 0o055 != 0o055:
            each.chmod(each.stat().st_mode | 0o055)
    place = tmp_path / "run" / "service"
    monkeypatch.setattr(files, "candidates", lambda explicit: (explicit or str(place),))
    return place


@AS_ROOT
def test_a_place_is_given_to_the_user_inside_one_of_roots(places):
    assert provide({}, 12345, 12346) == ""
    found = os.stat(places)
    assert (found.st_uid, found.st_gid, mode(places)) == (12345, 12346, 0o700)
    assert (os.stat(places.parent).st_uid, mode(places.parent)) == (0, 0o755)
    as_user(12345, lambda: StateDirectory(str(places)).write_probe(Probe("ready", 1)))
    assert provide({}, 12345, 12346) == ""
    assert os.listdir(places) == ["probe"], "what the user keeps stays"


@AS_ROOT
def test_what_another_user_has_left_in_the_place_is_removed(places):
    places.mkdir(parents=True)
    (places / "probe").symlink_to("/etc/shadow")
    os.mkfifo(places / "state.json")
    os.chown(places, 777, 777)
    assert provide({}, 12345, 12345) == ""
    assert os.listdir(places) == []
    assert os.stat(places).st_uid == 12345


@AS_ROOT
def test_a_link_in_the_way_is_not_followed(places, tmp_path):
    (tmp_path / "real").mkdir()
    places.parent.symlink_to(tmp_path / "real")
    assert provide({}, 12345, 12345)
    assert os.listdir(tmp_path / "real") == []
    (tmp_path / "named").symlink_to(tmp_path / "real")
    assert provide(named(tmp_path / "named" / "state"), 12345, 12345)
    assert os.listdir(tmp_path / "real") == []


@AS_ROOT
def test_a_named_directory_with_anything_else_in_it_is_left_alone(places, tmp_path):
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / ".bashrc").touch()
    assert provide(named(tmp_path / "home"), 12345, 12345) == ""
    assert os.stat(tmp_path / "home").st_uid == 0
    assert (tmp_path / "home" / ".bashrc").exists()


@AS_ROOT
def test_a_reader_who_is_root_is_the_owner_before_it_opens_anything(places):
    assert provide({}, 12345, 12346) == ""
    as_user(12345, lambda: StateDirectory(str(places)).write_probe(Probe("ready", 1)))

    def read_it():
        assert opened({}) == str(places)
        assert os.getresuid() == (12345,) * 3
        assert os.getresgid() == (12346,) * 3
        assert os.getgroups() == []

    as_user(0, read_it)


@AS_ROOT
def test_a_place_where_others_may_put_one_is_not_believed(places):
    """As a /run that is a tmpfs with mode 1777."""
    places.mkdir(parents=True)
    (places / "probe").write_text("status ready\n")
    os.chown(places, 12345, 12345)
    places.parent.chmod(0o1777)
    assert find({}) is None
    places.parent.chmod(0o755)
    os.chown(places.parent, 12345, 12345)
    assert find({}) is None


def test_a_pipe_or_a_link_in_place_of_a_file_is_refused_and_waited_for_by_nobody(tmp_path):
    os.mkfifo(tmp_path / "probe")
    with pytest.raises(OSError, match="plain file"):
        files.read(str(tmp_path / "probe"))
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        files.read(str(tmp_path / "link"))


def test_the_last_words_replace_earlier_ones_where_the_platform_looks(tmp_path, monkeypatch):
    path = tmp_path / "termination-log"
    path.write_text("something much longer than what follows\n")
    monkeypatch.setattr(files, "TERMINATION_LOG", str(path))
    files.write_last_words("it ended: naïve")
    assert path.read_text(encoding="utf-8") == "it ended: naïve\n"


def test_nobody_looks_for_last_words_where_there_is_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "TERMINATION_LOG", str(tmp_path / "termination-log"))
    files.write_last_words("it ended")
    assert list(tmp_path.iterdir()) == []
