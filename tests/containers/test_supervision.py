"""What a real container engine does to a service: memory limits, signals, restart policies, users, log drivers."""

import contextlib
import socket
import time
from datetime import UTC, datetime

import pytest
from container_tools import docker
from matrices import mostly_long

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

APP = """
import os

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/eat":
        eaten = bytearray(400 * 1024 * 1024)
        for at in range(0, len(eaten), 4096):
            eaten[at] = 1
    facts = f"{os.getpid()} {os.environ['HOME']} {os.environ['USER']} {os.access(os.environ['HOME'], os.W_OK)}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": facts.encode()})
"""
GET = """
import sys, urllib.request
for _ in range(int(sys.argv[2])):
    print(urllib.request.urlopen('http://127.0.0.1:8000' + sys.argv[1], timeout=30).read().decode())
"""
LAUNCH = "launch: {app: main:app, port: 8000}\nhealth: {ready: /}\n"
LIMIT = ("--memory", "250m", "--memory-swap", "250m")


@pytest.fixture
def serve(start, tmp_path):
    """Starts a spec of a test's own with a small app."""

    def serve(spec, *options, words=("run",)):
        folder = tmp_path / "shop"
        folder.mkdir()
        folder.chmod(0o755)
        (folder / "own").mkdir()  # these two are what a test mounts on
        (folder / "secret.key").touch()
        for name, text in (("main.py", APP), ("startup.yaml", f"version: 1\nservice: shop\n{spec}")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o644)
        mounted = ("--volume", f"{folder}:/srv/shop:ro", "--workdir", "/srv/shop")
        return start(*mounted, *options, words=words)

    return serve


def get(container, path="/", times=1):
    return container.run("python", "-c", GET, path, str(times), check=False)


def pids(container):
    return {line.split()[0] for line in get(container, times=40).stdout.splitlines()}


USED_UP = ": the kernel killed it, the container's memory is used up"


def eat(container):
    """A request that needs more memory than there is: nobody answers."""
    done = get(container, "/eat")
    if done.returncode == 0:
        pytest.skip("this engine does not keep to a memory limit")


def until(check, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_a_worker_that_needs_too_much_memory_is_replaced_and_the_others_go_on(serve):
    container = serve(LAUNCH.replace("8000}", "8000, workers: 4}"), *LIMIT)
    container.until_health_is("healthy")
    before = until(lambda: len(found := pids(container)) == 4 and found)
    eat(container)
    after = until(lambda: len(found := pids(container)) == 4 and found)
    assert len(before & after) == 3
    assert f"was ended by SIGKILL{USED_UP}" in container.logs()
    assert container.inspect()["RestartCount"] == 0
    assert container.run("orchestrator", "health").returncode == 0
    container.stop()
    assert container.inspect()["State"]["ExitCode"] == 0, container.logs()


def test_a_server_that_needs_too_much_memory_ends_with_137_and_the_container_knows_why(serve):
    container = serve(LAUNCH, *LIMIT)
    container.until_health_is("healthy")
    eat(container)
    assert container.ends() == 137
    assert container.inspect()["State"]["OOMKilled"]
    assert f"the server was ended by SIGKILL{USED_UP}" in container.logs()


def test_a_server_that_may_be_restarted_is_restarted_inside_the_container(serve):
    container = serve(LAUNCH.replace("8000}", "8000, restart: {policy: on-failure}}"), *LIMIT)
    container.until_health_is("healthy")
    eat(container)
    container.until_it_says("the server is ready again")
    assert container.inspect()["RestartCount"] == 0
    container.stop()
    assert container.inspect()["State"]["ExitCode"] == 0, container.logs()


@pytest.mark.parametrize("init", [(), ("--init",)], ids=["process 1", "behind an init"])
def test_as_process_1_or_not_a_stop_ends_with_0_and_takes_all_with_it(serve, init):
    container = serve(LAUNCH.replace("8000}", "8000, workers: 2}"), *init)
    container.until_health_is("healthy")
    first = container.run("cat", "/proc/1/cmdline").stdout
    assert ("supervisor.py" in first) != bool(init)
    container.stop()
    state = container.inspect()["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False), container.logs()


@pytest.mark.parametrize("number", mostly_long(["TERM", "INT"], "INT"))
def test_a_signal_from_the_container_engine_is_a_requested_stop(serve, number):
    container = serve(LAUNCH)
    container.until_health_is("healthy")
    docker("kill", "--signal", number, container.name)
    assert container.ends() == 0, container.logs()


def test_a_container_that_was_killed_starts_again_as_if_nothing_had_been(serve):
    """Its state directory is still that of the engine that had no time to say goodbye."""
    container = serve(LAUNCH)
    container.until_health_is("healthy")
    docker("kill", container.name)
    assert container.ends() == 137
    docker("start", container.name)
    container.until_health_is("healthy")
    assert container.run("orchestrator", "status").stdout.startswith("shop is ready")


FAILING = {
    3: "files: [nowhere.toml]\n" + LAUNCH,
    75: "wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 200ms}]\n" + LAUNCH,
    78: "nonsense: true\n" + LAUNCH,
}


@pytest.mark.parametrize("code", mostly_long(FAILING, 75))
def test_a_restart_policy_tries_again_whatever_the_code_and_keeps_the_last(serve, code):
    container = serve(FAILING[code], "--restart", "on-failure:2")
    until(lambda: (state := container.inspect())["RestartCount"] == 2 and not state["State"]["Running"], 60)
    assert container.inspect()["State"]["ExitCode"] == code
    assert container.logs().count("nowhere.toml" if code == 3 else f"(exit {code})" if code == 75 else "nonsense") >= 3  # fmt: skip


@pytest.mark.parametrize("policy", mostly_long(["on-failure:3", "unless-stopped"], "unless-stopped"))
def test_a_requested_stop_is_no_reason_to_restart(serve, policy):
    container = serve(LAUNCH, "--restart", policy)
    container.until_health_is("healthy")
    container.stop()
    state = container.inspect()
    assert (state["State"]["ExitCode"], state["RestartCount"]) == (0, 0), container.logs()


def test_a_user_whom_nobody_knows_has_a_home_and_a_name(serve):
    container = serve(LAUNCH, "--user", "1234567:0", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")
    container.until_health_is("healthy")
    _, home, user, writable = get(container).stdout.split()
    assert (user, writable) == ("uid-1234567", "True"), home
    assert container.run("id", "-u").stdout.strip() == "1234567"
    container.stop()
    assert container.inspect()["State"]["ExitCode"] == 0, container.logs()


MANY = """
directories: [/opt/made, {path: own, mode: "0700"}, {path: data, mount: true}]
files: [secret.key, missing.toml]
host: {read_only_root: true}
wait_for: [{name: db, tcp: 'db:5432', deadline: 200ms}]
"""


def test_what_is_in_the_way_of_a_user_who_is_not_root_names_owner_and_line(serve, tmp_path):
    """Some of it is in the image, some on a mount: another hand mends each."""
    (tmp_path / "key").write_text("x")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "own").mkdir(mode=0o755)
    container = serve(
        MANY + LAUNCH,
        "--volume", f"{tmp_path / 'own'}:/srv/shop/own", "--volume", f"{tmp_path / 'key'}:/srv/shop/secret.key:ro",
    )  # fmt: skip
    assert container.ends() == 3
    last = container.logs().split("did not start")[1]
    assert "/opt belongs to 0:0, mode 0755" in last
    assert "RUN install -d -o 10001 -g 10001 /opt/made, before USER in the Dockerfile" in last
    assert "chmod 0700 /srv/shop/own at the source of the mount /srv/shop/own, on the host" in last
    assert "/srv/shop/secret.key belongs to 0:0, mode 0600" in last
    assert "chown 10001 /srv/shop/secret.key at the source of the mount /srv/shop/secret.key" in last
    assert "docker run -v NAME:/srv/shop/data" in last
    assert "is db a service in the same network as this container" in last
    assert "docker run --read-only" in last
    assert "Traceback" not in last


def finished(container):
    return datetime.fromisoformat(container.inspect()["State"]["FinishedAt"])


def test_a_stop_during_a_wait_is_over_at_once(serve):
    container = serve("wait_for: [{name: db, tcp: '127.0.0.1:1'}]\n" + LAUNCH)
    container.until_it_says("wait:db")
    asked = datetime.now(UTC)
    docker("kill", "--signal", "TERM", container.name)
    assert container.ends() == 143
    took = (finished(container) - asked).total_seconds()
    assert took < 2, "200 ms are promised; the container engine has a part in this"


@contextlib.contextmanager
def log_server_that_stands_still():
    """It takes connections, and not one byte."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def test_a_log_driver_that_stands_still_keeps_it_neither_from_being_healthy_nor_from_its_end(serve):
    talk = "import sys; [print('x' * 1000) for _ in range(20000)]"
    spec = f'steps: [{{name: talk, run: [python, -c, "{talk}"]}}]\n' + LAUNCH.replace(
        "8000}", "8000, options: {log_level: error}}"
    )
    with log_server_that_stands_still() as address:
        container = serve(spec, "--log-driver", "syslog", "--log-opt", f"syslog-address={address}")
        container.until_health_is("healthy")
        docker("kill", "--signal", "TERM", container.name)
    assert container.ends() == 0
