"""The whole examples as their Compose files start them: real images, real PostgreSQL and Redis, several containers."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from container_tools import RUN, WORKER, Container, Project, ask, docker, running

pytestmark = [
    pytest.mark.containers,
    pytest.mark.long,
    pytest.mark.usefixtures("compose"),
    pytest.mark.timeout(900),
]
PASSWORD = "s3cret-of-the-tests"
ORDER = {"customer": "Ada", "lines": [{"article": "punched card", "quantity": 40, "price": "0.05"}]}
# Prints who the processes of a container are, beside the one that prints.
WHO = (
    "import glob, os; print({tuple(line.split()[1:3]) for path in glob.glob('/proc/[0-9]*/status')"
    " if not path.startswith((f'/proc/{os.getpid()}/', '/proc/1/'))"
    " for line in open(path) if line.startswith(('Uid', 'Gid'))})"
)


@pytest.fixture(scope="module")
def built(engine):
    """Builds images side by side, each by the words that `docker build` gets; they are removed at the end."""
    tags = []

    def build(name, words):
        docker("build", "--quiet", "--tag", f"orchestrator-test-{RUN}:{WORKER}-{name}", *words, timeout=900)

    def built(**images):
        made = [f"orchestrator-test-{RUN}:{WORKER}-{name}" for name in images]
        tags.extend(made)
        with ThreadPoolExecutor(len(made)) as pool:
            list(pool.map(build, images, images.values()))
        return made

    yield built
    for tag in tags:
        docker("image", "rm", "--force", tag)


@pytest.fixture(scope="module")
def orders(built, tmp_path_factory):
    """The project of examples/fastapi-postgres, not started."""
    folder = "examples/fastapi-postgres"
    secrets = tmp_path_factory.mktemp("secrets")
    (secrets / "postgres_password").write_text(PASSWORD)
    (secrets / "database_url").write_text(f"postgresql://orders:{PASSWORD}@db/orders\n")
    for each in secrets.iterdir():
        each.chmod(0o644)
    postgres, image = built(postgres=[f"{folder}/postgres"], orders=["--file", f"{folder}/Dockerfile", "."])
    environment = {
        "POSTGRES_IMAGE": postgres,
        "ORDERS_IMAGE": image,
        "SECRETS": str(secrets),
        "PORTS": "0",
    }
    return lambda: Project(f"{folder}/docker-compose.yml", **environment)


@pytest.fixture(scope="module")
def replicas(orders):
    """Three of them, started at once beside an empty database."""
    with running(orders(), "--scale", "api=3") as project:
        for each in project.containers("api"):
            each.until_health_is("healthy")
        yield project


def applied(project):
    """The revisions that were applied, as the database itself tells."""
    query = "select revision from migrations_applied order by at"
    shell = f'PGPASSWORD=$(cat /run/secrets/postgres_password) psql -h 127.0.0.1 -U orders -At -c "{query}"'
    return project.container("db").run("sh", "-c", shell).stdout.split()


def step(container, name):
    report = json.loads(container.run("orchestrator", "report", "--format", "json").stdout)
    return next(each["status"] for each in report["items"] if each["id"] == f"step:{name}")


def test_three_replicas_at_once_migrate_an_empty_database_once(replicas):
    assert applied(replicas) == ["0001", "0002"]
    containers = replicas.containers("api")
    assert sorted(step(each, "migrate") for each in containers) == ["ok", "skipped", "skipped"]
    assert replicas.logs().count("applied 0001") == 1


def test_every_replica_answers_with_the_same_orders(replicas):
    first, *others = (each.port(8000) for each in replicas.containers("api"))
    placed = ask(first, "/orders", ORDER)
    assert [ask(each, f"/orders/{placed['id']}") for each in others] == [placed] * 2


def test_a_replica_is_nobody_in_particular_and_cannot_write_its_image(replicas):
    container = replicas.containers("api")[0]
    assert container.run("python", "-c", WHO).stdout.strip() == "{('10001', '10001')}"
    assert "Read-only file system" in container.run("touch", "/srv/new", check=False).stderr


def test_the_password_is_neither_in_the_logs_nor_in_what_docker_knows(replicas):
    assert PASSWORD not in replicas.logs()
    for container in replicas.containers("api"):
        assert PASSWORD not in json.dumps(container.inspect())
        assert PASSWORD not in container.run("orchestrator", "report", "--format", "json").stdout


@pytest.fixture
def start(replicas):
    """Starts one more container of the API beside those that run: options first, then the words behind the image."""
    started = []

    def start(*options, words=()):
        name = f"orchestrator-test-{RUN}-{uuid.uuid4().hex[:8]}"
        started.append(name)
        image = replicas.environment["ORDERS_IMAGE"]
        docker(
            "run",
            "--detach",
            "--name",
            name,
            "--network",
            f"{replicas.name}_default",
            *options,
            image,
            *words,
        )
        return Container(name)

    yield start
    for name in started:
        docker("rm", "--force", "--volumes", name)


def test_the_role_migrate_ends_with_0(start):
    container = start(
        "--env", f"DATABASE_URL=postgresql://orders:{PASSWORD}@db/orders", words=["run", "migrate"]
    )
    assert container.ends() == 0, container.logs()
    assert "done already" in container.logs()


def test_a_wrong_password_ends_with_3_at_once(start):
    container = start("--env", "DATABASE_URL=postgresql://orders:wr0ng@db/orders")
    assert container.ends(20) == 3, container.logs()
    logs = container.logs()
    assert "wait:db" in logs
    assert "POSTGRES_PASSWORD" in logs, "what to look at"
    assert "wr0ng" not in logs


def test_an_absent_database_ends_with_75(start, tmp_path):
    overlay = tmp_path / "startup.hasty.yaml"
    overlay.write_text("wait_for:\n  - name: db\n    deadline: 1s\n")
    overlay.chmod(0o644)
    container = start(
        "--volume", f"{overlay}:/srv/startup.hasty.yaml:ro", "--env", "ORCHESTRATOR_ENV=hasty",
        "--env", "DATABASE_URL=postgresql://orders@no-such-host.invalid/orders",
    )  # fmt: skip
    assert container.ends(30) == 75, container.logs()


def test_a_stop_ends_every_replica_with_0(replicas):
    """The last one that needs them."""
    replicas.compose("stop", "api")
    states = [each.inspect()["State"] for each in replicas.containers("api")]
    assert [(state["ExitCode"], state["OOMKilled"]) for state in states] == [(0, False)] * 3, replicas.logs()


def test_a_replica_waits_for_a_database_that_comes_late(orders):
    with running(orders(), "api") as project:
        project.container("api").until_it_says("waiting   wait:db")
        project.compose("up", "--no-build", "--detach", "db")
        project.container("api").until_health_is("healthy")


@pytest.fixture(scope="module")
def shop(built, tmp_path_factory):
    """The project of examples/django-celery, started for a user with numbers of their own."""
    folder = "examples/django-celery"
    secrets = tmp_path_factory.mktemp("secrets")
    (secrets / "django_superuser_password").write_text(PASSWORD)
    (secrets / "django_superuser_password").chmod(0o644)
    redis, image = built(redis=[f"{folder}/redis"], shop=["--file", f"{folder}/Dockerfile", "."])
    project = Project(
        f"{folder}/docker-compose.yml",
        REDIS_IMAGE=redis,
        SHOP_IMAGE=image,
        SECRETS=str(secrets),
        PORT="0",
        ALLOWED_HOSTS="localhost 127.0.0.1",
        PUID="12345",
        PGID="23456",
    )
    with running(project):
        for name in ROLES:
            project.container(name).until_health_is("healthy")
        yield project


ROLES = ("web", "worker", "beat")
SUPERUSERS = "import sqlite3; print(sqlite3.connect('data/shop.sqlite3').execute('select username from auth_user where is_superuser').fetchall())"


def owners(container):
    """Whose the data are; a lock belongs to the engine that took it."""
    found = container.run("find", "data", "-not", "-name", "*.lock", "-printf", "%U:%G\\n")
    return set(found.stdout.split())


def test_a_text_is_taken_by_the_web_and_counted_by_the_worker(shop):
    port = shop.container("web").port(8000)
    text = ask(port, "/texts", {"content": "one two three"})
    assert text["queued"]
    shop.container("worker").until_it_says("succeeded in")
    assert ask(port, f"/texts/{text['id']}")["words"] == 3


def test_there_is_one_superuser_and_no_password_to_be_seen(shop):
    assert shop.container("web").run("python", "-c", SUPERUSERS).stdout.strip() == "[('admin',)]"
    assert PASSWORD not in shop.logs()
    assert PASSWORD not in json.dumps(shop.container("web").inspect())


@pytest.mark.parametrize("name", ROLES)
def test_what_serves_has_the_numbers_that_were_asked_for(shop, name):
    container = shop.container(name)
    # The supervisor alone is root; whatever was started for the probe just now is, too.
    served = container.run("sh", "-c", "cat /proc/1/task/1/children").stdout.split()
    assert served
    for pid in served:
        ids = [
            line.split()[1:]
            for line in container.run("grep", "-E", "^[UG]id:", f"/proc/{pid}/status").stdout.splitlines()
        ]
        assert ids == [["12345"] * 4, ["23456"] * 4]
    assert container.run("id", "app").stdout.startswith("uid=12345(app) gid=23456(app)")
    assert owners(container) == {"12345:23456"}


def test_other_numbers_take_the_data_along(shop):
    shop.environment |= {"PUID": "10007", "PGID": "10008"}
    shop.compose("up", "--no-build", "--detach", "web", "worker", "beat")
    for name in ROLES:
        shop.container(name).until_health_is("healthy")
    web = shop.container("web")
    assert owners(web) == {"10007:10008"}
    assert [step(web, name) for name in ("migrate", "superuser")] == ["skipped"] * 2
    assert ask(web.port(8000), "/texts/1")["words"] == 3


def test_a_stop_ends_every_role_with_0(shop):
    """The last one that needs them."""
    shop.compose("stop", *ROLES)
    states = [shop.container(name).inspect()["State"] for name in ROLES]
    assert [(state["ExitCode"], state["OOMKilled"]) for state in states] == [(0, False)] * 3, shop.logs()
