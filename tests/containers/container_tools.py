"""What the container tests work with: the real docker command, a container, a stack of them."""

import json
import os
import subprocess
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from ports import free_port

ROOT = Path(__file__).parents[2]
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)[:12]
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
_direct = build_opener(ProxyHandler({}))


def docker(*words, check=True, timeout=60, **environment):
    done = subprocess.run(
        ["docker", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert not check or done.returncode == 0, f"docker {' '.join(words)}: {done.stdout}{done.stderr}"
    return done


def ask(port, path, body=None, seconds=5):
    content = body and json.dumps(body).encode()
    request = Request(f"http://127.0.0.1:{port}{path}", content, {"Content-Type": "application/json"})
    with _direct.open(request, timeout=seconds) as answer:
        return json.load(answer)


class Container:
    def __init__(self, name):
        self.name = name

    def inspect(self):
        return json.loads(docker("inspect", self.name).stdout)[0]

    def logs(self):
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def run(self, *words, check=True):
        return docker("exec", self.name, *words, check=check)

    def port(self, inside):
        """The port of this machine behind which that of the container is."""
        return int(self.inspect()["NetworkSettings"]["Ports"][f"{inside}/tcp"][0]["HostPort"])

    def until_health_is(self, wanted, seconds=90):
        deadline = time.monotonic() + seconds
        while (state := self.inspect()["State"])["Health"]["Status"] != wanted:
            assert state["Running"], f"ended with {state['ExitCode']}:\n{self.logs()}"
            assert time.monotonic() < deadline, f"{state['Health']}\n{self.logs()}"
            time.sleep(0.2)

    def until_it_says(self, words, seconds=60):
        deadline = time.monotonic() + seconds
        while words not in (logs := self.logs()):
            assert time.monotonic() < deadline, f"`{words}` is not in:\n{logs}"
            time.sleep(0.2)

    def stop(self):
        docker("stop", "-t", "20", self.name)

    def restart(self):
        docker("restart", "-t", "20", self.name)

    def ends(self, seconds=60):
        try:
            return int(docker("wait", self.name, timeout=seconds).stdout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s:\n{self.logs()}") from None


class Project:
    """A Compose file under a project name of this test's own."""

    def __init__(self, file, **environment):
        self.name = f"orchestrator-test-{RUN}-{uuid.uuid4().hex[:8]}"
        self.file = file
        self.environment = environment

    def compose(self, *words, check=True, timeout=180):
        whole = ("compose", "-f", self.file, "-p", self.name, *words)
        return docker(*whole, check=check, timeout=timeout, **self.environment)

    def containers(self, service):
        return [Container(each) for each in self.compose("ps", "--all", "--quiet", service).stdout.split()]

    def container(self, service):
        (only,) = self.containers(service)
        return only

    def logs(self):
        return self.compose("logs", "--no-color").stdout


@contextmanager
def running(project, *words):
    try:
        up = project.compose("up", "--no-build", "--detach", *words, check=False)
        assert up.returncode == 0, up.stderr + project.logs()
        yield project
    finally:
        project.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


class Stack(Project):
    """The services of docker-compose.yml on ports of this test's own."""

    def __init__(self, image):
        self.api_port, self.digest_port = free_port(), free_port()
        super().__init__(
            "docker-compose.yml",
            BOOKMARKS_IMAGE=image,
            PORT=str(self.api_port),
            DIGEST_PORT=str(self.digest_port),
            ORCHESTRATOR_ENV="production",
        )

    def ask_api(self, path, body=None):
        return ask(self.api_port, path, body)

    def ask_digest(self, path):
        return ask(self.digest_port, path)


def running_stack(image, *words):
    return running(Stack(image), *words)
