"""Orders in PostgreSQL: real starts of several replicas against a real server, in its good and bad moments."""

import importlib.util
import json
import time
import uuid
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
import servers
from ports import free_port

LACKING = [name for name in ("alembic", "psycopg", "sqlalchemy") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.skipif(not servers.BIN, reason="PostgreSQL is not installed"),
    pytest.mark.skipif(bool(LACKING), reason=f"not installed: {', '.join(LACKING)}"),
    pytest.mark.timeout(300),
]
PASSWORD = "s3cret-pa%/ss"
PARTS = ("orders", "migrations", "alembic.ini", "requirements.txt", "startup.yaml", "startup.production.yaml")
ORDER = {"customer": "Ada", "lines": [{"article": "punched card", "quantity": 40, "price": "0.05"}]}
_direct = build_opener(ProxyHandler({}))


class Postgres(servers.PrivatePostgres):
    HBA = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


@pytest.fixture(scope="module")
def server():
    running = Postgres(max_connections=60).start()
    running.sql(f"create role orders login password '{PASSWORD}'")
    yield running
    running.stop()


@pytest.fixture
def database(server):
    """The name of an empty database of this test's own."""
    name = f"orders_{uuid.uuid4().hex[:12]}"
    server.sql(f"create database {name} owner orders")
    yield name
    server.sql(f"drop database {name} with (force)")


@pytest.fixture
def url(server, database):
    return f"postgresql://orders:{PASSWORD.replace('%', '%25').replace('/', '%2F')}@127.0.0.1:{server.port}/{database}"


@pytest.fixture
def replica(copied, url):
    made = []

    def replica():
        service = copied(f"replica-{len(made)}", "examples/fastapi-postgres", *PARTS)
        service.environment["DATABASE_URL"] = url
        made.append(service)
        return service

    return replica


@pytest.fixture
def orders(replica):
    return replica()


def place(service, order=ORDER):
    body = json.dumps(order).encode()
    request = Request(f"http://127.0.0.1:{service.port}/orders", body, {"Content-Type": "application/json"})
    with _direct.open(request, timeout=5) as answer:
        return json.load(answer)


def applied(server, database):
    return server.sql("select revision from migrations_applied order by at", database=database).splitlines()


def wait_gives_up_after(seconds):
    def change(spec):
        spec["wait_for"][0]["deadline"] = seconds

    return change


def test_orders_are_placed_and_found_again(orders):
    orders.start()
    orders.until_healthy()
    placed = place(orders)
    assert placed == {"id": 1, **ORDER}
    assert orders.get("/orders/1") == placed
    assert orders.get("/orders") == [placed]
    assert orders.get("/ready") == {"status": "ok"}
    assert orders.status_of("step:migrate") == "ok"
    assert orders.stop() == 0, orders.stderr


@pytest.mark.long
def test_three_replicas_that_start_at_once_migrate_an_empty_database_once(replica, server, database):
    replicas = [replica() for _ in range(3)]
    for each in replicas:
        each.start()
    for each in replicas:
        each.until_healthy()
    assert applied(server, database) == ["0001", "0002"]
    assert sorted(each.status_of("step:migrate") for each in replicas) == ["ok", "skipped", "skipped"]
    assert sum(each.stderr.count("applied 0001") for each in replicas) == 1
    placed = place(replicas[0])
    assert [each.get("/orders/1") for each in replicas] == [placed] * 3
    assert [each.stop() for each in replicas] == [0, 0, 0]


def test_the_role_migrate_serves_nothing_and_the_next_start_finds_nothing_to_migrate(
    orders, server, database
):
    orders.start(words=["migrate"])
    assert orders.ends() == 0, orders.stderr
    assert applied(server, database) == ["0001", "0002"]
    assert "uvicorn serves" not in orders.stderr
    assert {each["kind"] for each in orders.report()["items"]}.isdisjoint({"launch", "health", "port"})
    orders.start()
    orders.until_healthy()
    assert orders.status_of("step:migrate") == "skipped"
    assert applied(server, database) == ["0001", "0002"]


@pytest.mark.long
def test_a_replica_that_may_not_migrate_waits_until_another_start_has(replica, server, database):
    web, job = replica(), replica()
    web.environment["MIGRATE_ON_START"] = "no"
    web.start()
    web.until(lambda: "check:schema" in web.stderr)
    assert web.command("health").returncode == 1
    job.start(words=["migrate"])
    assert job.ends() == 0, job.stderr
    web.until_healthy()
    assert web.status_of("step:migrate") == "skipped"
    assert web.status_of("check:schema") == "ok"
    assert place(web)["id"] == 1


def test_a_migration_that_fails_ends_with_3_and_nothing_is_served(orders, server, database):
    (orders.root / "migrations/versions/0003_broken.py").write_text(
        'from alembic import op\n\nrevision = "0003"\ndown_revision = "0002"\n\n\n'
        'def upgrade():\n    op.execute("alter table oders add column note text")\n'
    )
    orders.start()
    assert orders.ends() == 3, orders.stderr
    assert 'relation "oders" does not exist' in orders.stderr
    assert orders.status_of("step:migrate") == "failed"
    assert "uvicorn serves" not in orders.stderr
    assert applied(server, database) == ["0001", "0002"]


@pytest.mark.long
def test_a_database_that_comes_late_is_waited_for(orders, server):
    server.halt()
    try:
        orders.start()
        orders.until(lambda: "refused" in orders.stderr)
        assert orders.command("health").returncode == 1
    finally:
        server.start()
    orders.until_healthy()
    assert "Traceback" not in orders.stderr


def test_a_database_that_never_comes_ends_with_75(orders, server):
    orders.environment["DATABASE_URL"] = f"postgresql://orders@127.0.0.1:{free_port()}/orders"
    orders.change_spec(wait_gives_up_after("1s"))
    orders.start()
    assert orders.ends() == 75, orders.stderr
    assert orders.status_of("wait:db") == "failed"
    assert "refused" in orders.stderr


def test_a_wrong_password_ends_with_3_at_once_and_says_what_to_mend(orders, url):
    orders.environment["DATABASE_URL"] = url.replace("s3cret", "wr0ng")
    began = time.monotonic()
    orders.start()
    assert orders.ends() == 3, orders.stderr
    assert time.monotonic() - began < 20, "not waited for until the deadline of 60 s"
    (failed,) = [each for each in orders.report()["items"] if each["status"] == "failed"]
    assert (failed["id"], failed["reason"], failed["attempts"]) == ("wait:db", "auth", 1)
    assert "password" in failed["hint"]
    assert failed["hint"] in orders.stderr
    assert "wr0ng" not in orders.stderr + json.dumps(orders.report())


@pytest.mark.long
def test_the_address_may_come_from_a_file_and_is_shown_nowhere(orders, tmp_path):
    secret = tmp_path / "database_url"
    secret.write_text(orders.environment.pop("DATABASE_URL") + "\n")
    orders.environment["DATABASE_URL_FILE"] = str(secret)
    orders.start()
    orders.until_healthy()
    place(orders)
    shown = orders.stderr + json.dumps(orders.report()) + orders.command("status", "--format", "json").stdout
    assert "s3cret" not in shown
    assert "s3cret" not in "".join(path.read_text() for path in orders.state.iterdir() if path.is_file())


def test_without_an_address_the_start_ends_with_3_and_asks_for_it(orders):
    del orders.environment["DATABASE_URL"]
    orders.start()
    assert orders.ends() == 3, orders.stderr
    assert "DATABASE_URL_FILE" in orders.stderr or "DATABASE_URL" in orders.stderr
    assert orders.status_of("variable:DATABASE_URL") == "failed"


def test_it_is_not_ready_while_the_database_is_away_and_ready_again_after(orders, server):
    orders.start()
    orders.until_healthy()
    server.halt()
    try:
        with pytest.raises(HTTPError) as refused:
            orders.get("/ready")
        with refused.value as answer:
            assert answer.code == 503
        ready, live = orders.command("health"), orders.command("health", "live")
        assert (ready.returncode, live.returncode) == (1, 0), (ready.stdout, live.stdout)
    finally:
        server.start()
    orders.until_healthy()
    assert place(orders)["customer"] == "Ada"
