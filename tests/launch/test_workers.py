import os
import signal
import socket
import threading
import time

import pytest
from launching import APP, alive, answering, eventually, family, refused
from matrices import crossed

THREAD = (
    "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n" + APP
)
SOCKET = "import socket\nkept = socket.socket()\n" + APP
LOOP = "import asyncio\nloop = asyncio.new_event_loop()\n" + APP
GRPC = "import sys, types\nsys.modules['grpc._cython.cygrpc'] = types.ModuleType('x')\n" + APP
COUNTED = "open('imports', 'a').write('x')\n" + APP
LIFESPAN = """
import os
from contextlib import asynccontextmanager
from tiny_asgi import App

@asynccontextmanager
async def lifespan(app):
    if os.path.exists("ill"):
        {}
    yield

app = App(lifespan=lifespan)

@app.get("/")
def root():
    return {{"pid": os.getpid()}}
"""
RAISES, DIES = (
    LIFESPAN.format("raise RuntimeError('no database')"),
    LIFESPAN.format("os.kill(os.getpid(), 9)"),
)
ILL = {"raises": RAISES, "dies": DIES}


def crew(service, count):
    parent = service.event("started")["pid"]
    return eventually(lambda: len(found := family(parent)) == count and set(found), 20, f"{count} workers")


@pytest.fixture(params=[None, False], ids=["forked", "each"])
def preload(request):
    return request.param


def test_workers_serve_under_the_importing_process(launch, preload, tmp_path):
    service = launch(COUNTED, workers=2, preload=preload).supervised()
    parent = service.event("started")["pid"]
    told = service.event("workers")
    assert (told["count"], told["form"]) == (2, "fork" if preload is None else "exec")
    assert answering(service, 2) == crew(service, 2)
    assert parent not in crew(service, 2)
    assert len((tmp_path / "imports").read_text()) == (1 if preload is None else 3)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0
    assert not alive(parent)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (THREAD, "another thread runs"),
        (SOCKET, "left a socket open"),
        (LOOP, "eventpoll"),
        (GRPC, "gRPC does not survive a fork"),
    ],
    ids=["thread", "socket", "loop", "library"],
)
def test_what_cannot_be_forked_is_imported_by_each(launch, source, why):
    service = launch(source, workers=2)
    told = service.event("workers")
    assert told["form"] == "exec"
    assert why in told["why"]
    service.supervised()
    assert len(crew(service, 2)) == 2
    # The parent is an interpreter that has imported nothing of the app.
    parent = service.event("started")["pid"]
    assert os.listdir(f"/proc/{parent}/task") == [str(parent)]


def test_preload_insists(launch):
    assert launch(THREAD, workers=2, preload=True).event("workers")["form"] == "fork"


@crossed(ill=ILL, preload=[None, False])
def test_workers_that_cannot_boot_end_the_start_with_their_code(launch, ill, preload, tmp_path):
    (tmp_path / "ill").touch()
    service = launch(ILL[ill], workers=2, preload=preload)
    assert service.event("ended")["code"] == {"raises": 3, "dies": 137}[ill]
    assert "serving" not in [each["event"] for each in service.events()]
    if ill == "raises":
        assert service.event("failed")["reason"] == "startup"


def test_a_dead_worker_is_replaced(launch, preload):
    service = launch(workers=2, preload=preload).supervised()
    before = crew(service, 2)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in crew(service, 2))
    after = answering(service, 2)
    assert len(after & before) == 1
    assert f"(pid {victim}) was ended by SIGKILL: another one in 0.1 s" in service.errors()
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


@crossed(ill=ILL, preload=[None, False])
def test_a_replacement_that_cannot_boot_ends_the_service(launch, tmp_path, preload, ill):
    service = launch(ILL[ill], workers=2, preload=preload).supervised()
    (tmp_path / "ill").touch()
    os.kill(min(crew(service, 2)), signal.SIGKILL)
    assert service.wait(20) == {"raises": 5, "dies": 137}[ill]
    assert service.errors().count("before it served: another one") == 2
    assert "before it served: the service ends" in service.errors()


def test_a_service_of_workers_is_restarted_as_a_whole(launch):
    service = launch(workers=2, restart={"policy": "on-failure", "attempts": 1, "within": 60}).supervised()
    before = crew(service, 2)
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    eventually(lambda: "ready again" in service.errors(), 20)
    assert not any(map(alive, before))
    answering(service, 2)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


def test_workers_end_with_a_killed_parent(launch, preload):
    service = launch(workers=2, preload=preload).supervised()
    before = crew(service, 2)
    service.signal(signal.SIGKILL)
    eventually(lambda: not any(map(alive, before)), 5)


def test_a_second_interrupt_forces_the_end_of_workers(launch):
    slow = LIFESPAN.format("pass").replace(
        "    yield\n", "    yield\n    import asyncio\n    await asyncio.sleep(60)\n"
    )
    service = launch(slow, workers=2, grace=60.0).supervised()
    service.signal(signal.SIGINT)
    eventually(lambda: "stopping" in service.errors())
    time.sleep(0.2)
    service.signal(signal.SIGINT)
    assert service.wait(5) == 137


def test_other_signals_reach_every_worker(launch, tmp_path):
    noting = (
        "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: open(f'noted{os.getpid()}', 'w'))\n"
        + APP
    )
    service = launch(noting, workers=2, preload=False).supervised()
    workers = crew(service, 2)
    service.signal(signal.SIGUSR1)
    for pid in workers:
        eventually(lambda pid=pid: (tmp_path / f"noted{pid}").exists(), 5)


class Client(threading.Thread):
    """Asks all the time, on a new connection each; every failure is kept."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.asked, self.problems, self.done = port, 0, [], False

    def run(self):
        while not self.done:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=10) as caller:
                    caller.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    received = b"".join(iter(lambda: caller.recv(4096), b""))
                if not received.startswith(b"HTTP/1.1 200"):
                    self.problems.append(received[:80])
            except OSError as error:
                self.problems.append(repr(error))
            self.asked += 1
            time.sleep(0.001)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_rolling_restart_renews_every_worker_and_loses_no_connection(launch, loop):
    service = launch(workers=2, options={"loop": loop, "log_level": "warning"}).supervised()
    clients = [Client(service.port) for _ in range(2)]
    for client in clients:
        client.start()
    before = crew(service, 2)
    for _ in range(2):
        renewed = service.errors().count("every worker is renewed")
        service.signal(signal.SIGHUP)
        eventually(lambda renewed=renewed: service.errors().count("every worker is renewed") > renewed, 30)
    eventually(lambda: not before & set(family(service.event("started")["pid"])), 10)
    for client in clients:
        client.done = True
        client.join(10)
    assert [client.problems for client in clients] == [[], []]
    assert all(client.asked > 20 for client in clients)
    assert len(crew(service, 2)) == 2
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


def test_a_rolling_restart_that_fails_leaves_the_old_workers(launch, tmp_path):
    service = launch(RAISES, workers=2).supervised()
    before = crew(service, 2)
    (tmp_path / "ill").touch()
    service.signal(signal.SIGHUP)
    eventually(lambda: "the old workers stay" in service.errors(), 15)
    assert crew(service, 2) == before
    assert answering(service, 2) == before
    (tmp_path / "ill").unlink()
    service.signal(signal.SIGHUP)
    eventually(lambda: "every worker is renewed" in service.errors(), 15)


def test_workers_under_mode_exec_are_the_same_process(launch):
    service = launch(workers=2, mode="exec")
    pids = eventually(lambda: len(found := family(service.process.pid)) == 2 and found, 20)
    answering(service, 2)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0
    assert not any(map(alive, pids))


def test_nobody_accepts_before_the_first_worker_serves(launch):
    slow = LIFESPAN.format("pass").replace(
        "    yield\n", "    import asyncio\n    await asyncio.sleep(1)\n    yield\n"
    )
    service = launch(slow, workers=2)
    service.event("workers")
    assert refused(service.port)
    service.event("serving")
    assert not refused(service.port)


LEAVING = APP.replace(
    "app = App()",
    """
import asyncio, time
from contextlib import asynccontextmanager

@asynccontextmanager
async def life(app):
    if os.path.exists("leave"):
        with open("boots", "a") as file:
            file.write(f"{time.monotonic()}\\n")
        asyncio.get_running_loop().call_later(0.02, os._exit, 0)
    yield

app = App(lifespan=life)
""",
)


def test_workers_that_leave_as_soon_as_they_serve_come_after_a_pause(launch, tmp_path):
    service = launch(LEAVING, workers=2).supervised()
    (tmp_path / "leave").touch()
    os.kill(min(crew(service, 2)), signal.SIGKILL)
    eventually(lambda: "again and again" in service.errors(), 20)
    eventually(lambda: len((tmp_path / "boots").read_text().split()) >= 9, 20)
    boots = [float(each) for each in (tmp_path / "boots").read_text().split()]
    assert boots[8] - boots[7] >= 0.4
    assert service.errors().count("again and again") == 1
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0
