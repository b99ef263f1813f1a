import fcntl
import shutil
import subprocess
import uuid

import pytest
from container_tools import RUN, WORKER, Container, docker


@pytest.fixture(scope="session")
def engine():
    """Skips where no Docker engine answers."""
    if not shutil.which("docker"):
        pytest.skip("there is no docker command")
    answer = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=30)
    if answer.returncode != 0:
        pytest.skip(f"no Docker engine answers: {answer.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="session")
def compose(engine):
    if docker("compose", "version", check=False).returncode != 0:
        pytest.skip("there is no docker compose")


@pytest.fixture(scope="session")
def image(engine, tmp_path_factory):
    """The image of the sample service. One worker builds, the others find every layer cached."""
    tag = f"orchestrator-test-{RUN}:{WORKER}"
    with (tmp_path_factory.getbasetemp().parent / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        docker("build", "--quiet", "--tag", tag, ".", timeout=900)
    yield tag
    docker("image", "rm", "--force", tag)


@pytest.fixture
def start(image):
    """Starts a container of the image: options first, then the words behind the image."""
    started = []

    def start(*options, words=()):
        name = f"orchestrator-test-{RUN}-{uuid.uuid4().hex[:8]}"
        started.append(name)
        quick = ("--health-interval=1s", "--health-timeout=5s", "--health-retries=2")
        docker("run", "--detach", "--name", name, *quick, *options, image, *words)
        return Container(name)

    yield start
    for name in started:
        docker("rm", "--force", "--volumes", name)
