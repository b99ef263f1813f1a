"""Starts as root whose service is somebody else: real uids, real files, the accounts of a mount namespace of its own."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from matrices import mostly_long
from starting import Engine, cmdline, eventually, family

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")

PACKAGES = (
    "orchestrator", "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection", "yaml", "_yaml",
    "uvicorn", "click", "h11", "packaging",
)  # fmt: skip
APP = """
import json, os
from orchestrator import startup

def status(name):
    with open("/proc/self/status") as file:
        return next(line.split()[1:] for line in file if line.startswith(name))

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = {"uids": status("Uid"), "gids": status("Gid"), "groups": status("Groups"), "no_new_privs": status("NoNewPrivs"),
            "environ": {k: os.environ.get(k) for k in ("HOME", "USER", "LOGNAME")}, "degraded": startup.degraded_features(),
            "live": startup.status(), "report": (startup.report() or {}).get("service"), "capabilities": status("CapEff")}
    try:
        os.listdir(os.environ["ORCHESTRATOR_STATE_DIR"])
        body["lists"] = True
    except PermissionError:
        body["lists"] = False
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
"""
LIST = "import json, os, sys; print('>', json.dumps([os.getresuid(), os.getresgid(), sorted(os.getgroups()), [os.environ.get(k) for k in ('HOME', 'USER', 'LOGNAME')]]))"


@pytest.fixture(scope="session")
def python():
    """An interpreter of this version that everybody may run."""
    name = f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    for path in (sys.executable, name):
        if os.path.exists(path) and runs_for_others(path):
            return path
    pytest.skip("no Python of this version can be run by other users")


def runs_for_others(path):
    try:
        return subprocess.run([path, "-c", ""], user=65533, group=65533, extra_groups=[]).returncode == 0
    except PermissionError:
        return False


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The packages where everybody may read them."""
    site = tmp_path_factory.mktemp("site")
    for name in PACKAGES:
        origin = importlib.util.find_spec(name).origin
        if os.path.basename(origin).startswith("__init__."):
            folder = os.path.dirname(origin)
            shutil.copytree(
                folder, site / os.path.basename(folder), ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(origin, site)
    open_up(site)
    return site


def open_up(path):
    """Everybody may enter, down to here."""
    for each in (path, *path.parents):
        if each.stat().st_uid == 0 and each.stat().st_mode & 0o055 != 0o055:
            each.chmod(each.stat().st_mode | 0o055)


class Accounts:
    """A copy of /etc that only this test's engine sees."""

    def __init__(self, root):
        self.etc = root / "etc"
        self.home = root / "homes"
        shutil.copytree("/etc", self.etc, symlinks=True, ignore=lambda folder, names: [
            name for name in names if folder == "/etc" and name not in {"ld.so.cache", "nsswitch.conf", "hosts"}
        ])  # fmt: skip
        self.home.mkdir()
        self.write(
            "passwd",
            f"root:x:0:0:root:/root:/bin/sh\napp:x:900:900::{self.home}/app:/bin/sh\nweb:x:950:950::/:/bin/sh\n",
        )
        self.write("group", "root:x:0:\napp:x:900:\nmedia:x:800:other,app\nweb:x:950:\nshared:x:801:web\n")
        for name, uid in (("app", 900),):
            (self.home / name).mkdir()
            os.chown(self.home / name, uid, uid)

    def write(self, name, text):
        (self.etc / name).write_text(text)
        (self.etc / name).chmod(0o644)

    def read(self, name):
        return (self.etc / name).read_text()

    def prefix(self, more="true"):
        return (
            "unshare",
            "--mount",
            "sh",
            "-c",
            f'mount --bind {self.etc} /etc && {more} && exec "$@"',
            "sh",
        )


@pytest.fixture
def service(tmp_path, python, site):
    engine = Engine(tmp_path)
    engine.write("main.py", APP)
    engine.python = python
    engine.environ = engine.environ | {"PYTHONPATH": str(site), "HOME": "/root"}
    engine.environ.pop("USER", None)
    open_up(engine.root)
    engine.accounts = Accounts(tmp_path)
    yield engine
    engine.end()


def to_its_end(service, *words, env=None, more="true", prefix=()):
    """A start to its end; gives what it printed, and the code."""
    done = subprocess.run(
        [*service.accounts.prefix(more), *prefix, service.python, "-m", "orchestrator", "run", *words], cwd=service.root,
        env=service.environ | (env or {}), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "internal error" not in done.stderr, done.stderr
    return done


def who(done, step="who"):
    """What the step of this name said about itself: uids, gids, groups, [HOME, USER, LOGNAME]."""
    line = next((line for line in done.stderr.splitlines() if line.startswith(f"step:{step} | > ")), "")
    assert line, done.stderr
    return json.loads(line.partition("> ")[2])


def asks(service, user, more=""):
    """A spec whose one step tells who it is."""
    argv = json.dumps([service.python, "-c", LIST])
    service.spec(f"user: {user}\n{more}\nsteps:\n  - {{name: who, run: {argv}}}\n", launch="")
    return service


def test_a_named_user_serves_with_its_groups_home_and_no_way_back(service):
    service.spec("user: app\nchecks:\n  - {name: never, run: ['false'], on_failure: {degrade: search}}\n")
    service.start(python=service.python, prefix=service.accounts.prefix()).serving()
    said = service.get()[1]
    assert said["uids"] == ["900"] * 4
    assert said["gids"] == ["900"] * 4
    assert sorted(said["groups"]) == ["800", "900"]
    assert said["environ"] == {"HOME": str(service.accounts.home / "app"), "USER": "app", "LOGNAME": "app"}
    assert said["no_new_privs"] == ["1"]
    assert int(said["capabilities"][0], 16) == 0
    assert said["degraded"] == ["search"]
    assert said["live"] == "degraded"
    assert said["report"] == "shop"
    assert os.stat(service.state / "events.jsonl").st_mode & 0o077 == 0
    assert service.stop() == 0


def test_the_standard_streams_can_be_opened_again_by_the_user(service):
    """`/dev/stdout` is a pipe of root's in a container, which nobody else may open."""
    service.spec("user: app", launch="{command: [sh, -c, 'echo well > /dev/stdout; echo ill > /dev/stderr']}")
    done = to_its_end(service)
    assert "well" in done.stdout
    assert "\nill\n" in done.stderr


def test_steps_checks_and_conditions_run_as_the_user(service):
    argv = json.dumps([service.python, "-c", LIST])
    service.write("own.py", "import os\n\ndef user():\n    return f'{os.getuid()}:{os.getgid()}'\n")
    service.spec(
        f"""
        user: app
        variables:
          MODE: {{default: [{{value: other, when: {{succeeds: [sh, -c, "test $(id -u) = 900"]}}}}, {{value: root}}]}}
        checks:
          - {{name: uid, run: [sh, -c, "test $(id -u) = 900"]}}
          - {{name: mode, holds: {{variable: MODE, equals: other}}}}
          - {{name: function, python: "own:user", on_failure: warn}}
        steps:
          - {{name: who, run: {argv}}}
          - {{name: own, user: "1234:5678", run: {argv}}}
          - {{name: root, user: root, run: {argv}}}
          - {{name: hand, outputs: [ANSWER], shell: 'echo ANSWER=42 >> "$ORCHESTRATOR_OUTPUT"'}}
        """,
        launch="",
    )
    done = to_its_end(service)
    assert done.returncode == 0, done.stderr
    assert service.item("check:function")["summary"] == "900:900"
    home = str(service.accounts.home / "app")
    assert who(done) == [[900] * 3, [900] * 3, [800, 900], [home, "app", "app"]]
    assert who(done, "own")[:3] == [[1234] * 3, [5678] * 3, [5678]]
    assert who(done, "root")[0] == [0] * 3
    assert who(done, "root")[3] == ["/root", "root", "root"]
    shutil.rmtree("/tmp/orchestrator-home-1234")


@pytest.mark.parametrize(
    ("user", "expected"),
    mostly_long(
        [
            ("app", ([900] * 3, [900] * 3, [800, 900])),
            ("'900:900'", ([900] * 3, [900] * 3, [900])),
            ("app:media", ([900] * 3, [800] * 3, [800])),
            ("'900'", ([900] * 3, [900] * 3, [800, 900])),
            ("{name: app}", ([900] * 3, [900] * 3, [800, 900])),
            ("{name: app, gid: 950}", ([900] * 3, [950] * 3, [800, 950])),
        ],
        "app:media",
        "'900:900'",
    ),
)
def test_each_way_to_write_a_user_gives_its_numbers(service, user, expected):
    done = to_its_end(asks(service, user))
    assert done.returncode == 0, done.stderr
    assert tuple(who(done)[:3]) == expected
    assert who(done)[3][1] == "app"


def test_a_number_without_an_account_has_a_home_of_its_own(service):
    done = to_its_end(asks(service, '"54321:54322"'), env={"TMPDIR": str(service.accounts.home)})
    home = service.accounts.home / "orchestrator-home-54321"
    assert who(done)[3] == [str(home), "uid-54321", "uid-54321"]
    found = home.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (54321, 54322, 0o700)


def test_a_home_that_somebody_else_has_put_there_is_not_taken(service):
    planted = service.accounts.home / "orchestrator-home-54321"
    planted.mkdir()
    os.chown(planted, 777, 777)
    done = to_its_end(asks(service, '"54321:54322"'), env={"TMPDIR": str(service.accounts.home)})
    assert who(done)[3][0] == "/tmp/orchestrator-home-54321"
    assert planted.stat().st_uid == 777
    shutil.rmtree("/tmp/orchestrator-home-54321")


PUID = '{name: app, uid: "${PUID:-900}", gid: "${PGID:-900}"}'


def test_puid_and_pgid_are_the_users_numbers_and_no_account_is_edited(service):
    more = "directories:\n  - path: data\n"
    (service.root / "data").mkdir()
    before = service.accounts.read("passwd"), service.accounts.read("group")
    done = to_its_end(asks(service, PUID, more), env={"PUID": "1100", "PGID": "1200"})
    assert done.returncode == 0, done.stderr
    home = str(service.accounts.home / "app")
    assert who(done) == [[1100] * 3, [1200] * 3, [800, 1200], [home, "app", "app"]]
    assert (service.accounts.read("passwd"), service.accounts.read("group")) == before
    assert os.stat(home).st_uid == 900
    assert f"the home {home} belongs to uid 900" in done.stderr
    assert os.stat(service.root / "data").st_uid == 1100


def test_a_puid_that_is_given_comes_before_the_default_of_its_contract(service):
    more = "variables:\n  PUID: {type: integer, default: 900}\n  PGID: {type: integer, default: 900}\n"
    wanted = '{name: app, uid: "${PUID}", gid: "${PGID}"}'
    done = to_its_end(asks(service, wanted, more), env={"PUID": "1100", "PGID": "1200"})
    assert who(done)[:2] == [[1100] * 3, [1200] * 3]
    assert who(to_its_end(service))[:2] == [[900] * 3, [900] * 3]


def test_without_puid_it_is_the_account_of_the_image(service):
    assert who(to_its_end(asks(service, PUID)))[0] == [900] * 3


def test_a_group_number_that_is_taken_is_the_users_all_the_same(service):
    """PGID=100 is `users` in many images."""
    assert who(to_its_end(asks(service, PUID), env={"PGID": "801"}))[1] == [801] * 3


def test_a_uid_that_is_taken_is_told(service):
    done = to_its_end(asks(service, PUID), env={"PUID": "950"})
    assert who(done)[0] == [950] * 3
    assert who(done)[3][1] == "app"
    assert "uid 950 is `web` already" in done.stderr


def test_uid_0_is_taken_at_its_word_and_warned_of(service):
    done = to_its_end(asks(service, PUID), env={"PUID": "0", "PGID": "0"})
    assert who(done)[0] == [0] * 3
    assert "runs as root" in done.stderr


def test_a_missing_puid_is_told_before_anything_runs(service):
    spec = asks(service, '{name: app, uid: "${PUID}"}', "checks:\n  - {name: mark, run: [touch, mark]}\n")
    done = to_its_end(spec)
    assert done.returncode == 78
    assert "`PUID` is not set" in done.stderr
    assert not (service.root / "mark").exists()


def test_a_puid_that_is_no_uid_is_refused(service):
    done = to_its_end(asks(service, PUID), env={"PUID": "-1"})
    assert done.returncode == 78
    assert "step:who" not in done.stderr


def test_a_puid_whose_contract_fails_is_never_taken_for_root(service):
    """Not even where a fallback lets the variable go."""
    more = "variables:\n  PUID: {min: 1000, type: integer, on_failure: warn}\nchecks:\n  - {name: mark, run: [touch, mark]}\n"
    done = to_its_end(asks(service, '{name: app, uid: "${PUID}"}', more), env={"PUID": "0"})
    assert done.returncode == 3
    assert not (service.root / "mark").exists()
    assert "step:who" not in done.stderr


@pytest.mark.parametrize(
    ("user", "expected"),
    mostly_long(
        [
            ("apq", "did you mean `app`?"),
            ("nobody-at-all", "RUN useradd --system nobody-at-all"),
            ("app:medja", "did you mean `media`?"),
            ("'4711'", 'user: "4711:4711"'),
            ("'4294967295:0'", "highest uid"),
            ("{name: apq, uid: 5}", "did you mean `app`?"),
        ],
        "apq",
        "'4711'",
    ),
)
def test_a_user_that_nobody_is_fails_at_once_with_a_remedy_and_no_fallback_goes_on_as_root(
    service, user, expected
):
    done = to_its_end(asks(service, user, "on_failure: warn\n"))
    assert done.returncode == 3
    assert expected in done.stderr
    assert "ORC453" in done.stderr
    assert "step:who" not in done.stderr


def test_the_users_of_launch_and_step_are_looked_up_as_well(service):
    service.spec(
        "steps:\n  - {name: mark, run: [touch, mark]}\n", launch="{app: main:app, port: PORT, user: apq}"
    )
    done = to_its_end(service)
    assert done.returncode == 3
    assert "did you mean `app`?" in done.stderr
    assert not (service.root / "mark").exists()
    service.spec("steps:\n  - {name: one, user: apq, run: ['true']}\n", launch="")
    done = to_its_end(service)
    assert done.returncode == 3
    assert "did you mean `app`?" in done.stderr


def test_a_launch_alone_may_have_a_user_and_what_comes_before_runs_as_it_was_started(service):
    argv = json.dumps([service.python, "-c", LIST])
    launch = "{app: main:app, host: 127.0.0.1, port: PORT, user: web}"
    service.spec(f"steps:\n  - {{name: who, run: {argv}}}\n", launch=launch)
    service.start(python=service.python, prefix=service.accounts.prefix()).serving()
    said = service.get()[1]
    assert said["uids"] == ["950"] * 4
    assert sorted(said["groups"]) == ["801", "950"]
    assert said["environ"] == {"HOME": "/", "USER": "web", "LOGNAME": "web"}
    assert said["live"] == "ready"
    assert uids(service.process.pid) == ["950"] * 4
    assert service.stop() == 0
    assert "[0, 0, 0]" in service.stderr


def test_a_launch_of_another_user_than_the_services_is_an_error(service):
    service.spec("user: app", launch="{app: main:app, port: PORT, user: web}")
    done = to_its_end(service)
    assert done.returncode == 78
    assert "`launch.user` is web, and `user` is app" in done.stderr


@pytest.mark.parametrize(
    ("user", "expected"),
    mostly_long(
        [
            ("{name: app, groups: [shared, 77]}", [[900] * 3, [900] * 3, [77, 800, 801, 900], "app"]),
            ("{uid: 4711, gid: 4712, home: /tmp}", [[4711] * 3, [4712] * 3, [4712], "uid-4711"]),
            (
                "{name: nobody-here, uid: 4711, gid: 4712, home: /tmp}",
                [[4711] * 3, [4712] * 3, [4712], "nobody-here"],
            ),
            ("{name: app, uid: {owner_of: data}}", [[1234] * 3, [900] * 3, [800, 900], "app"]),
            ("{name: app, uid: {owner_of: none, else: 911}}", [[911] * 3, [900] * 3, [800, 900], "app"]),
        ],
        "{name: app, groups: [shared, 77]}",
        "{name: app, uid: {owner_of: data}}",
    ),
)
def test_a_user_by_numbers_groups_and_owners(service, user, expected):
    (service.root / "data").mkdir()
    os.chown(service.root / "data", 1234, 1234)
    done = to_its_end(asks(service, user))
    assert done.returncode == 0, done.stderr
    found = who(done)
    assert [*found[:3], found[3][1]] == expected


def test_an_owner_who_is_root_is_nobody(service):
    done = to_its_end(asks(service, "{name: app, uid: {owner_of: /etc}}"))
    assert done.returncode == 3
    assert "/etc does not say whose the service is" in done.stderr


def test_root_without_the_right_to_switch_is_told_what_to_add(service):
    drop = ("setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid")
    done = to_its_end(asks(service, "app"), prefix=drop)
    assert done.returncode == 3
    assert "--cap-add SETUID --cap-add SETGID" in done.stderr


def test_who_is_not_root_stays_who_he_is_and_is_told(service):
    os.chown(service.root.parent, 950, 950)
    be = ("setpriv", "--reuid=950", "--regid=950", "--init-groups")
    done = to_its_end(asks(service, "app"), prefix=be, env={"HOME": "/somewhere"})
    assert done.returncode == 0, done.stderr
    assert who(done)[0] == [950] * 3
    assert who(done)[3][0] == "/somewhere"
    assert "`user: app` is skipped: the engine was started as uid 950" in done.stderr
    quiet = to_its_end(asks(service, "web"), prefix=be)
    assert "is skipped" not in quiet.stderr


def test_an_arbitrary_uid_has_a_home_and_a_name(service):
    """As on OpenShift: a uid of the platform's choice, in group 0, without an entry in passwd; Docker says HOME=/."""
    os.chown(service.root.parent, 1000650000, 0)
    be = ("setpriv", "--reuid=1000650000", "--regid=0", "--clear-groups")
    done = to_its_end(asks(service, "app"), prefix=be, env={"HOME": "/", "TMPDIR": ""})
    assert done.returncode == 0, done.stderr
    home = "/tmp/orchestrator-home-1000650000"
    assert who(done)[0] == [1000650000] * 3
    assert who(done)[3] == [home, "uid-1000650000", "uid-1000650000"]
    assert os.stat(home).st_uid == 1000650000
    shutil.rmtree(home)
    kept = to_its_end(asks(service, "app"), prefix=be, env={"HOME": str(service.root.parent), "USER": "me"})
    assert who(kept)[3] == [str(service.root.parent), "me", "me"]


def test_a_python_that_the_user_cannot_reach_is_told_before_the_start(service, tmp_path, site):
    closed = tmp_path / "closed"
    shutil.copytree(site, closed / "site")
    closed.chmod(0o700)
    service.environ["PYTHONPATH"] = str(closed / "site")
    service.spec("user: app")
    done = to_its_end(service)
    assert done.returncode == 3
    assert f"chmod a+x {closed}" in done.stderr


def test_a_working_directory_that_the_user_cannot_enter_is_told_before_the_start(service):
    service.spec("user: app")
    service.root.chmod(0o700)
    done = to_its_end(service)
    assert done.returncode == 3
    assert f"uid 900 (app) cannot use {service.root}" in done.stderr


def test_a_restarted_server_is_the_user_again(service):
    service.write("main.py", APP + "\nimport os, threading\nif not os.path.exists('once'):\n"
                  "    open('once', 'w').close()\n    threading.Timer(2.5, os._exit, (1,)).start()\n")  # fmt: skip
    os.chown(service.root, 900, 900)
    service.spec("user: app", launch="{app: main:app, host: 127.0.0.1, port: PORT, restart: on-failure}")
    service.start(python=service.python, prefix=service.accounts.prefix()).serving()
    first = eventually(service.tries)
    assert first[1]["uids"] == ["900"] * 4
    eventually(lambda: "restart" in service.stderr, 15, lambda: service.stderr)
    again = eventually(service.tries, 15)
    assert again[1]["uids"] == ["900"] * 4
    assert again[1]["no_new_privs"] == ["1"]


def test_maintenance_does_not_answer_as_root(service):
    """Before the launch it is the engine's child, afterwards the supervisor's."""
    service.spec(
        "user: app\nchecks:\n  - {name: open, run: [test, -e, open], deadline: 0.1s, on_failure: {serve: maintenance}}\n"
        "health: {live: /, watch: {interval: 0.1s, failures: 1}, on_failure: {serve: maintenance}}\n",
        launch="{app: main:app, host: 127.0.0.1, port: PORT, shutdown: {grace: 0.2s}}",
    )
    service.start(python=service.python, prefix=service.accounts.prefix())
    process = eventually(lambda: serving_maintenance(service), 20, lambda: service.stderr)
    assert uids(process) == ["900"] * 4
    service.write("open")
    service.serving(40)
    assert serving_maintenance(service) is None
    server = next(pid for pid in family(service.process.pid))
    os.kill(server, signal.SIGSTOP)
    process = eventually(lambda: serving_maintenance(service), 20, lambda: service.stderr)
    assert uids(process) == ["900"] * 4


def serving_maintenance(service):
    return next(
        (pid for pid in family(service.process.pid) if b"status/maintenance.py" in cmdline(pid)), None
    )


def uids(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(line.split()[1:] for line in file if line.startswith("Uid"))


def test_nothing_of_the_service_is_imported_as_root(service):
    """What the user may change would otherwise be root's at the next start."""
    service.spec("user: app\nmodules: [helper]  # for fastapi\n")
    service.write("helper.py", "import os\n"
                  "if os.getuid() == 0:\n    open('as-root', 'w').close()\n")  # fmt: skip
    service.write("fastapi.py", "import os\nif os.getuid() == 0:\n    open('as-root', 'w').close()\n")
    service.write("main.py", "import fastapi  # noqa\n" + APP)
    service.start(python=service.python, prefix=service.accounts.prefix()).serving()
    assert service.get()[1]["uids"] == ["900"] * 4
    assert not (service.root / "as-root").exists()


def test_a_step_can_open_its_standard_output_again(service):
    script = json.dumps(["sh", "-c", "echo again > /dev/stdout; echo also > /dev/stderr"])
    service.spec(f"user: app\nsteps:\n  - {{name: who, run: {script}}}\n", launch="")
    done = to_its_end(service)
    assert "step:who | again" in done.stderr
    assert "step:who | also" in done.stderr


def test_what_is_off_is_tried_again_as_the_same_user(service):
    service.spec(
        "user: app\nchecks:\n  - {name: it, run: [sh, -c, 'id -u >> /tmp/seen/uids; test -e late'],"
        " on_failure: {degrade: search, recheck: 200ms}}\n".replace("/tmp/seen", str(service.root / "seen"))
    )
    (service.root / "seen").mkdir()
    os.chown(service.root / "seen", 900, 900)
    service.start(python=service.python, prefix=service.accounts.prefix()).serving()
    assert service.get()[1]["degraded"] == ["search"]
    service.write("late")
    service.until(lambda: service.status() == "ready")
    assert service.get()[1]["degraded"] == []
    assert set((service.root / "seen" / "uids").read_text().split()) == {"900"}
    assert service.stop() == 0


def test_the_engine_that_comes_back_serves_as_the_same_user(service):
    crash = "\nimport threading, time\ndef fall():\n    while not os.path.exists('crash'): time.sleep(0.02)\n    os._exit(9)\n"
    service.write("main.py", APP + crash + "threading.Thread(target=fall, daemon=True).start()\n")
    service.spec("user: app\non_failure: {serve: maintenance}\n")
    service.start(python=service.python, prefix=service.accounts.prefix()).serving()
    service.write("crash")
    service.says("the engine is back")
    (service.root / "crash").unlink()
    said = service.until(lambda: (found := service.tries()) and found[0] == 200 and found[1])
    assert said["uids"] == ["900"] * 4
    assert said["environ"]["HOME"] == str(service.accounts.home / "app")
    service.serving()
    assert service.get()[1]["live"] == "ready"
    assert service.stop() == 0


def test_a_check_changes_nothing_that_exists_and_a_start_says_what_it_gives(service):
    data = service.root / "data"
    data.mkdir()
    (service.root / "own").mkdir()
    os.chown(service.root / "own", 777, 777)
    service.spec("user: app\ndirectories: [data, {path: own, owner: app}, new]\n", launch="")
    words = [*service.accounts.prefix(), service.python, "-m", "orchestrator"]
    how = {"cwd": service.root, "env": service.environ, "capture_output": True, "text": True, "timeout": 60}
    done = subprocess.run([*words, "check"], **how)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (data.stat().st_uid, (service.root / "own").stat().st_uid) == (0, 777)
    done = subprocess.run([*words, "run"], **how)
    assert done.returncode == 0, done.stderr
    assert "(owner root → app)" in done.stderr
    assert "(owner 777 → app)" in done.stderr
    assert data.stat().st_uid == 900
