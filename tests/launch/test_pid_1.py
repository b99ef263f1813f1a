import signal

from launching import eventually, family
from namespaces import UNSHARE, ZOMBIES, needed

pytestmark = needed

ORPHANS = (
    ZOMBIES
    + """
import subprocess

@app.get("/")
def root():
    # `sh` ends at once: what it started in the background belongs to PID 1 from then on.
    for _ in range(20):
        subprocess.run(["sh", "-c", "(exec sleep 0.1) & (exec true) &"])
    return {"pid": os.getpid()}
"""
)


def first(service):
    """The process that is PID 1 inside: the only child of `unshare`."""
    return family(service.process.pid)[0]


def supervised(service):
    service.event("becoming")
    path = lambda: f"/proc/{first(service)}/cmdline"  # noqa: E731
    eventually(lambda: b"supervisor.py" in open_bytes(path()))
    return service


def open_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def test_orphans_are_reaped(launch):
    service = supervised(launch(ORPHANS, prefix=UNSHARE))
    assert service.event("bound")["pid"] == 1
    service.json()
    eventually(lambda: service.json("/zombies")["zombies"] == 0, 5)


def test_a_stop_of_pid_1_ends_with_0(launch):
    import os

    service = supervised(launch(prefix=UNSHARE))
    os.kill(first(service), signal.SIGTERM)
    assert service.wait(10) == 0


def test_a_killed_server_under_pid_1_passes_its_signal_on(launch):
    import os

    service = supervised(launch(prefix=UNSHARE))
    os.kill(family(service.process.pid)[1], signal.SIGKILL)
    assert service.wait(10) == 137


def test_a_signal_that_falls_into_the_exec_is_not_lost(launch):
    import os

    service = launch(prefix=UNSHARE)
    service.event("becoming")
    # Right now: handlers are gone or not there yet, and PID 1 ignores what it does not handle.
    os.kill(first(service), signal.SIGTERM)
    assert service.wait(10) == 0
