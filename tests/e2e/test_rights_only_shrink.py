"""A start as root whose service is somebody else: after the launch nothing of it has a right that the server has not."""
# ruff: noqa: F811 -- fixtures of another file

import json
import os
import shutil
import stat
import subprocess
import time

import pytest
from starting import cmdline, eventually, family
from test_users import python, service, site, to_its_end  # noqa: F401 -- fixtures among them

from orchestrator.system import rights

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="giving up rights needs some")
NONE = ("CapInh", "CapPrm", "CapEff", "CapAmb")
APP = """

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})
"""
SPEC = """
user: app
directories: [data, {path: cache, owner: app}]
variables:
  TOKEN: {secret: true, generate: {bytes: 16, store: data/token, ephemeral: true}}
checks:
  - {name: never, run: ["false"], on_failure: {degrade: search, recheck: 300ms}}
steps:
  - {name: prepare, user: root, run: [sh, -c, "id -u > by-root; setsid sleep 300 & sleep 0.2"]}
  - {name: migrate, run: [sh, -c, "id -u > data/by-app"]}
telemetry: {listen: "127.0.0.1:OPERATIONS"}
health: {ready: /, live: {command: [sh, -c, "id -u >> data/asked"]}, watch: {interval: 200ms}}
"""


def status_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return {name: value.split() for name, _, value in (line.partition(":") for line in file)}


def descriptors(pid):
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
    return found


def everyone(service):
    return [service.process.pid, *family(service.process.pid)]


def assert_shrunk(pid):
    try:
        found, held = status_of(pid), rights.status(pid)
    except (OSError, ProcessLookupError):
        return False  # a probe, which has just ended
    said = cmdline(pid)
    if not said:
        return False
    assert found["Uid"] == ["900"] * 4, said
    assert found["Gid"] == ["900"] * 4, said
    assert set(found["Groups"]) == {"800", "900"}, said
    assert [held[name] for name in NONE] == [0] * 4, said
    assert held["NoNewPrivs"] == 1, said
    return True


def starts_clean(pid):
    """Whether it leads a session and holds no signal back; just forked, it does neither."""
    try:
        return os.getsid(pid) == pid and not int(status_of(pid)["SigBlk"][0], 16)
    except (OSError, ProcessLookupError):
        return True  # it has ended


def test_no_process_after_the_launch_has_a_right_that_the_server_has_not(service):
    from ports import free_port

    service.write("main.py", APP)
    secret = service.root.parent / "root-only"
    secret.write_text("for root alone\n")
    secret.chmod(0o600)
    service.spec(SPEC.replace("OPERATIONS", str(free_port())))
    with open(secret) as left_open, service.err.open("w") as err:
        service.process = subprocess.Popen(
            [*service.accounts.prefix(), service.python, "-m", "orchestrator", "run"], cwd=service.root, env=service.environ,
            stdin=subprocess.DEVNULL, stdout=err, stderr=err, pass_fds=(left_open.fileno(),), start_new_session=True,
        )  # fmt: skip
    service.started.append(service.process)
    service.serving()
    eventually((service.root / "data" / "asked").exists)
    seen = set()
    end = time.monotonic() + 2
    while time.monotonic() < end:  # probes and engines beside the server come and go
        for pid in everyone(service):
            if assert_shrunk(pid):
                seen.add(pid)
                assert str(secret) not in descriptors(pid).values(), cmdline(pid)
        time.sleep(0.01)
    assert len(seen) >= 3, "the supervisor, the server and the operations listener"
    for pid in everyone(service):
        eventually(lambda pid=pid: starts_clean(pid), 5, lambda pid=pid: cmdline(pid))
    assert (service.root / "by-root").read_text() == "0\n"
    for name in ("by-app", "asked"):
        assert set((service.root / "data" / name).read_text().split()) == {"900"}
    assert (service.root / "data" / "token").stat().st_uid == 900
    found = service.state.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (900, 0o700)
    assert {each.stat().st_uid for each in service.state.iterdir()} == {900}
    assert "left running as uid 0 is ended" in service.stderr
    assert service.stop() == 0


def test_health_and_status_asked_by_root_are_asked_as_the_service(service):
    """A service that plants a probe must not have root knock at its doors."""
    service.write("main.py", APP)
    service.spec("user: app\nhealth: {ready: /}\n")
    service.start(python=service.python, prefix=service.accounts.prefix()).serving()
    trace = "import sys, os\nsys.argv = ['orchestrator', *sys.argv[1:]]\nimport atexit\nfrom orchestrator.health.command import run\nprint(run(['ready']), os.getresuid())"
    done = subprocess.run(
        [service.python, "-c", trace],
        cwd="/",
        env=service.environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "(900, 900, 900)" in done.stdout, done.stderr
    assert done.stdout.startswith("(0, ")
    for words in (["health"], ["status"], ["report"]):
        done = subprocess.run(
            [service.python, "-m", "orchestrator", *words],
            cwd="/",
            env=service.environ,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
    os.unlink(service.state / "probe")
    os.mkfifo(service.state / "probe")
    os.chown(service.state / "probe", 900, 900)
    done = subprocess.run(
        [service.python, "-m", "orchestrator", "health"],
        cwd="/",
        env=service.environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1


def test_a_root_without_the_right_to_kill_stops_what_it_has_started(service):
    prefix = ("setpriv", "--bounding-set=-all,+chown,+setuid,+setgid,+dac_override,+fowner")
    service.spec("user: '900:900'", launch="{command: [sleep, '60']}")
    service.start(python=service.python, prefix=(*service.accounts.prefix("true"), *prefix)).serving()
    assert service.stop() == 0


def test_a_root_that_may_not_enter_has_its_user_do_it(service):
    """NFS with root squash: the directory is the user's, and root has no way in."""
    data = service.root / "data"
    data.mkdir(mode=0o700)
    os.chown(data, 900, 900)
    prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    run = json.dumps(["sh", "-c", "id -u > data/by"])
    service.spec(f"user: app\ndirectories: [data/new]\nsteps: [{{name: who, run: {run}}}]", launch="")
    done = to_its_end(service, prefix=prefix)
    assert done.returncode == 0, done.stderr
    assert (data / "by").read_text() == "900\n"


@pytest.mark.parametrize(
    "form", ['{"version": 1, "service": "shop", "user": "app", "modules": ["helper"]%s}', "extends"]
)
def test_nothing_planted_in_the_directory_is_run_as_root(service, form):
    planted = "import os\nif os.getuid() == 0:\n    open('as-root', 'w').close()\n"
    for name in ("fastapi", "uvicorn", "yaml", "json", "pickle", "ctypes", "helper"):
        service.write(
            f"{name}.py", planted + ("" if name in ("fastapi", "helper") else "raise ImportError\n")
        )
    if form != "extends":  # a path that the service brings along comes before Python's own
        service.environ["PYTHONPATH"] = f"{service.root}:{service.environ['PYTHONPATH']}"
    os.chown(service.root, 900, 900)
    if form == "extends":
        service.write("base.yaml", "version: 1\nservice: shop\nuser: app\n")
        service.write("startup.yaml", "extends: base.yaml\nmodules: [helper]  # fastapi\n")
    else:
        service.write("startup.yaml", form % "")
    subprocess.run(
        [*service.accounts.prefix(), service.python, "-m", "orchestrator", "run"], cwd=service.root, env=service.environ, capture_output=True,
        text=True, timeout=60, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert not (service.root / "as-root").exists()


def test_kept_capabilities_and_escalation_are_the_servers_too_and_said(service):
    service.write("main.py", APP)
    service.spec("user: {name: app, capabilities: [NET_BIND_SERVICE], allow_privilege_escalation: true}")
    service.start(python=service.python, prefix=service.accounts.prefix()).serving()
    wanted = rights.mask(["NET_BIND_SERVICE"])
    for pid in everyone(service):
        held = rights.status(pid)
        assert [held[name] for name in NONE] == [wanted] * 4
        assert held["NoNewPrivs"] == 0
    assert "keeps the capabilities NET_BIND_SERVICE" in service.stderr
    assert "allow_privilege_escalation" in service.stderr
    assert service.stop() == 0


def test_a_low_port_is_bound_by_root_and_served_by_the_user(service):
    service.write("main.py", APP)
    service.spec("user: app", launch="{app: main:app, host: 127.0.0.1, port: 81}")
    prefix = service.accounts.prefix(
        "ip link set lo up; sysctl -qw net.ipv4.ip_unprivileged_port_start=1024; true"
    )
    prefix = (prefix[0], "--net", *prefix[1:])
    service.start(python=service.python, prefix=prefix)
    service.serving()
    assert status_of(service.process.pid)["Uid"] == ["900"] * 4
    assert service.stop() == 0


def test_who_is_not_root_cannot_get_more_rights_either(service):
    os.chown(service.root.parent, 950, 950)
    service.write("main.py", APP)
    be = ("setpriv", "--reuid=950", "--regid=950", "--init-groups")
    service.spec("steps: [{name: nnp, run: [sh, -c, 'grep -c NoNewPrivs:.1 /proc/self/status']}]")
    service.start(python=service.python, prefix=(*service.accounts.prefix(), *be)).serving()
    for pid in everyone(service):
        assert rights.status(pid)["NoNewPrivs"] == 1, cmdline(pid)
    assert "step:nnp | 1\n" in service.stderr
    assert service.stop() == 0


def test_a_spec_that_the_user_can_change_has_no_command_run_by_root(service):
    service.spec("user: app\nsteps: [{name: who, user: root, run: [touch, by-root]}]", launch="")
    os.chown(service.root / "startup.yaml", 900, 900)
    done = to_its_end(service)
    assert done.returncode == 3
    assert "can change startup.yaml" in done.stderr
    assert not (service.root / "by-root").exists()
    service.spec("user: app\ndirectories: [data]", launch="")
    os.chown(service.root, 900, 900)
    done = to_its_end(service)
    assert done.returncode == 0, done.stderr
    assert "which root acts on" in done.stderr


@pytest.mark.parametrize("run", [["theirs/setup.sh"], ["sh", "theirs/setup.sh"], ["setup.sh"]])
@pytest.mark.parametrize(
    "item",
    [
        "steps: [{{name: who, user: root, run: {run}}}]",
        "wait_for: [{{name: who, user: root, command: {run}}}]",
    ],
)
def test_a_program_that_the_user_can_change_is_not_run_by_root(service, item, run):
    theirs = service.root / "theirs"
    theirs.mkdir()
    (theirs / "setup.sh").write_text("#!/bin/sh\ntouch by-root\n")
    (theirs / "setup.sh").chmod(0o755)
    os.chown(theirs, 900, 900)
    service.spec("user: app\n" + item.format(run=json.dumps(run)), launch="")
    done = to_its_end(service, env={"PATH": f"{theirs}:{os.environ['PATH']}"})
    assert done.returncode == 3, done.stderr
    assert f"setup.sh, through {theirs}, and root would run it" in done.stderr
    assert not (service.root / "by-root").exists()


@pytest.mark.parametrize("engine", [True, False])
def test_an_engine_that_the_user_can_change_is_warned_of(service, site, tmp_path, engine):
    own = tmp_path / "own-site"
    if engine:
        shutil.copytree(site, own)
    else:
        own.mkdir()
    os.chown(own, 900, 900)
    service.spec("user: app", launch="")
    done = to_its_end(service, env={"PYTHONPATH": f"{site}:{own}" if not engine else str(own)})
    assert f"uid 900 can change {own}, which root runs at every start" in done.stderr


@pytest.fixture
def planted(service):
    """A directory of the service's user, in which a link leads to what is root's alone."""
    secret = service.root.parent / "root-only"
    secret.write_text("extends: the-secret-of-root\n")
    secret.chmod(0o600)
    theirs = service.root / "theirs"
    theirs.mkdir()
    (theirs / "link").symlink_to(secret)
    (theirs / "link.txt").symlink_to(secret)
    os.chown(theirs, 900, 900)
    return theirs


@pytest.mark.parametrize("spec", [
    "extends: theirs/link\nuser: app\n",
    "user: app\npackages: [{from: theirs/link.txt}]\n",
    "user: app\nfiles: [{path: own.json, owner: app, format: json, schema: theirs/link}]\n",
    "user: app\nfiles: [{path: theirs/link, owner: app, format: json}]\n",
    "user: {name: app, uid: '${PUID:-900}'}\nvariables: {TOKEN: {from_file: true}}\nsteps: [{name: show, run: [sh, -c, 'echo $TOKEN']}]\n",
])  # fmt: skip
def test_no_file_that_root_alone_may_read_is_read_through_a_link_of_the_users(service, planted, spec):
    service.write("own.json", "{}")
    service.spec(spec, launch="")
    done = to_its_end(service, env={"TOKEN_FILE": str(planted / "link")})
    assert done.returncode in (3, 78), done.stderr
    assert "the-secret-of-root" not in done.stdout + done.stderr


def test_no_command_of_a_condition_is_run_before_it_is_settled_who_the_service_is(service):
    when = "{succeeds: [sh, -c, 'id -u >> /dev/stderr; id -u >> asked']}"
    service.spec(
        "user: {name: app, uid: '${PUID:-900}'}\n"
        f"variables: {{EXTRA: {{default: x, when: {when}}}}}\n"
        "directories: [{path: asked-here}]\n",
        launch="",
    )
    (service.root / "asked").touch(0o666)
    (service.root / "asked").chmod(0o666)
    done = to_its_end(service)
    assert done.returncode == 0, done.stderr
    assert set((service.root / "asked").read_text().split()) == {"900"}


HANGING = """
import os, threading, time
if os.geteuid() == 0:
    threading.Thread(target=time.sleep, args=(60,), name="wait:mount", daemon=True).start()
"""


def test_an_attempt_that_never_ends_is_the_reason_why_the_start_fails_and_nothing_goes_on_as_root(service):
    hanging = service.root.parent / "hanging"
    hanging.mkdir()
    (hanging / "sitecustomize.py").write_text(HANGING)
    service.spec(
        "user: app\ndirectories: [data]\nwait_for: [{name: mount, command: ['true'], user: root}]\n"
        "on_failure: [warn]\nsteps: [{name: never, run: [touch, reached]}]\n",
        launch="",
    )
    done = to_its_end(service, env={"PYTHONPATH": f"{hanging}:{service.environ['PYTHONPATH']}"})
    assert done.returncode == 3, done.stderr
    assert "an attempt of wait:mount does not end" in done.stderr
    assert not (service.root / "reached").exists()
