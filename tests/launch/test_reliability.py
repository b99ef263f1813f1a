"""The quick form of what `benchmarks/soak.py` does for long: nothing is left, however often it goes wrong."""

import os
import signal

import pytest
from bounded import number
from launching import answering, eventually, family
from namespaces import UNSHARE, ZOMBIES, needed

ORPHANS = (
    ZOMBIES
    + """
@app.get("/")
def root():
    script = "i=0; while [ $i -lt 50 ]; do (exec true) & i=$((i+1)); done"
    for _ in range(ROUNDS):
        os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", script], os.environ), 0)
    return {"pid": os.getpid()}
"""
)


@needed
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rounds", [4, pytest.param(number(200, 20), marks=pytest.mark.long)])
def test_orphans_are_reaped(launch, rounds):
    """Fifty in each round."""
    service = launch(f"ROUNDS = {rounds}\n" + ORPHANS, prefix=UNSHARE).supervised()
    service.get("/", timeout=500)
    eventually(lambda: service.json("/zombies")["zombies"] == 0, 10)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


def descriptors(pid):
    return sorted(
        os.readlink(f"/proc/{pid}/fd/{name}").split(":")[0] for name in os.listdir(f"/proc/{pid}/fd")
    )


@pytest.mark.timeout(2000)
@pytest.mark.parametrize("times", [3, pytest.param(number(1000, 20), marks=pytest.mark.long)])
def test_restarts_leave_neither_descriptors_nor_processes(launch, times):
    # `within` is short: whoever served for that long begins with the shortest back-off again.
    service = launch(
        command=["sleep", "600"], restart={"policy": "always", "attempts": None, "within": 0.01}
    ).supervised()
    before = descriptors(service.main)
    for count in range(1, times + 1):
        (victim,) = eventually(lambda: family(service.main))
        os.kill(victim, signal.SIGKILL)
        eventually(lambda count=count: service.errors().count("ready again") == count, 15)
    assert eventually(lambda: descriptors(service.main) == before, 5)
    assert len(family(service.main)) == 1
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


@pytest.mark.timeout(2000)
@pytest.mark.parametrize("times", [2, pytest.param(number(50, 4), marks=pytest.mark.long)])
def test_replaced_workers_leave_neither_descriptors_nor_processes(launch, times):
    service = launch(workers=2).supervised()
    parent = service.event("started")["pid"]
    before = descriptors(parent)
    for _ in range(times):
        # Only who serves: three in a row that are killed before they do end the service, as they could not boot.
        victim = max(answering(service, 2))
        os.kill(victim, signal.SIGKILL)
        eventually(lambda victim=victim: len(found := family(parent)) == 2 and victim not in found, 60)
    service.signal(signal.SIGHUP)
    eventually(lambda: "every worker is renewed" in service.errors(), 60)
    assert eventually(lambda: descriptors(parent) == before, 5)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0
