import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from ports import free_port

import app.main
from app.migrate import migrate
from app.store import Store


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch):
    monkeypatch.delenv("ORCHESTRATOR_STATE_DIR", raising=False)
    monkeypatch.delenv("ORCHESTRATOR_DEGRADED", raising=False)


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "bookmarks.db"
    migrate(path)
    return path


@contextmanager
def served(application):
    """uvicorn in a thread, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def client(database, monkeypatch):
    monkeypatch.setattr(app.main, "store", Store(database))
    with served(app.main.app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        yield client


@pytest.fixture
def add(client):
    def add(name, **fields):
        body = {"url": f"https://example.org/{name}", "title": name, **fields}
        answer = client.post("/bookmarks", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return add


@pytest.fixture
def unused_port():
    """A port of this moment's; each call gives another."""
    return free_port
