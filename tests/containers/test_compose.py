"""docker-compose.yml as a user runs it: both services, hardened, healthy, stopped."""

import pytest
from container_tools import running_stack

pytestmark = [
    pytest.mark.containers,
    pytest.mark.usefixtures("compose"),
    pytest.mark.timeout(900),
]
SERVICES = ("api", "digest")


@pytest.fixture(scope="module")
def stack(compose, image):
    with running_stack(image) as stack:
        for service in SERVICES:
            stack.container(service).until_health_is("healthy")
        yield stack


def test_both_services_answer_through_their_published_ports(stack):
    added = stack.ask_api("/bookmarks", {"url": "https://example.org/compose", "title": "from outside"})
    assert stack.ask_api(f"/bookmarks/{added['id']}") == added
    assert stack.ask_api("/ready") == {"status": "ok", "degraded": []}
    (found,) = stack.ask_api("/search?q=outside")
    assert found == added
    assert stack.ask_digest("/digest")["days"][0]["bookmarks"] == [added]


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_runs_as_root_or_can_write_the_image(stack, service):
    container = stack.container(service)
    processes = container.run(
        "python",
        "-c",
        "import glob; print({line for path in glob.glob('/proc/[0-9]*/status')"
        " for line in open(path).read().splitlines() if line.startswith(('Uid', 'CapEff', 'NoNewPrivs'))})",
    ).stdout
    assert "Uid:\\t10001\\t10001\\t10001\\t10001" in processes
    assert "CapEff:\\t0000000000000000" in processes
    assert "NoNewPrivs:\\t1" in processes
    assert processes.count("Uid") == processes.count("CapEff") == processes.count("NoNewPrivs") == 1
    refused = container.run("python", "-c", "open('/srv/new', 'w')", check=False)
    assert "Read-only file system" in refused.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_the_start_is_reported(stack, service):
    status = stack.container(service).run("orchestrator", "status")
    assert "ready" in status.stdout


def test_the_bookmarks_outlive_the_container(stack):
    added = stack.ask_api("/bookmarks", {"url": "https://example.org/kept", "title": "kept"})
    stack.compose("up", "--no-build", "--detach", "--force-recreate", "api")
    stack.container("api").until_health_is("healthy")
    assert stack.ask_api(f"/bookmarks/{added['id']}") == added


def test_a_stop_ends_both_with_0(compose, image):
    with running_stack(image) as stack:
        containers = [stack.container(service) for service in SERVICES]
        for container in containers:
            container.until_health_is("healthy")
        stack.compose("stop")
        states = [container.inspect()["State"] for container in containers]
        assert [(state["ExitCode"], state["OOMKilled"]) for state in states] == [(0, False)] * 2, stack.logs()


def test_the_digest_waits_for_an_api_that_comes_late(compose, image):
    """Without `depends_on`: the contract's own wait is enough."""
    with running_stack(image, "--no-deps", "digest") as stack:
        stack.container("digest").until_it_says("api")
        assert stack.container("digest").inspect()["State"]["Health"]["Status"] != "healthy"
        stack.compose("up", "--no-build", "--detach", "--no-deps", "api")
        stack.container("digest").until_health_is("healthy")
