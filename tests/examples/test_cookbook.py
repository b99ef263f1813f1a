"""The cookbook: every spec is valid in all its roles, its tables are true, and seven starts are run with stand-ins."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ports import free_port
from servers import BIN, REDIS, PrivatePostgres, PrivateRedis

ROOT = Path(__file__).parents[2]
COOKBOOK = ROOT / "examples" / "cookbook"
PROJECTS = sorted(path.parent.name for path in COOKBOOK.glob("*/startup.yaml"))
HARDEST = {"paperless", "docker-zulip", "pgadmin4", "synapse", "superset", "jupyter-stacks", "searxng", "archivebox", "tandoor",
           "open-webui", "litellm", "plane"}  # fmt: skip

specification = importlib.util.spec_from_file_location("cookbook_tables", COOKBOOK / "tables.py")
tables = importlib.util.module_from_spec(specification)
specification.loader.exec_module(tables)


# What is written


def test_the_hardest_are_there_and_enough_others():
    assert set(PROJECTS) >= HARDEST
    assert len(PROJECTS) >= 16


@pytest.mark.parametrize("name", PROJECTS)
def test_a_spec_is_valid_in_every_role_without_a_finding(name):
    from orchestrator.spec.loading import load_files

    loaded = load_files([str(COOKBOOK / name / "startup.yaml")])
    assert [(each.code, each.message) for each in loaded.diagnostics] == []
    for role in loaded.spec.roles or {}:
        variant = loaded.for_role(role)
        assert variant.spec is not None
        assert [(each.code, each.message) for each in variant.diagnostics] == []


@pytest.mark.parametrize("name", PROJECTS)
def test_its_table_points_to_the_lines_that_it_names(name):
    rows = tables.rows(COOKBOOK / name)
    assert len(rows) >= 8
    assert all(row.where for row in rows)
    fresh = tables.refreshed(COOKBOOK / name)
    assert fresh == (COOKBOOK / name / "README.md").read_text(), (
        "out of date: run `python examples/cookbook/tables.py`"
    )
    linked = [row for row in rows if "](startup.yaml#L" in row.where]
    assert {row.how for row in linked} <= {"spec", "command"}
    assert len(linked) == sum(row.how in ("spec", "command") for row in rows)


def test_the_sum_is_that_of_the_tables_and_large_enough():
    text = tables.SUM.read_text()
    assert tables.with_sum(text) == text, "out of date: run `python examples/cookbook/tables.py`"
    found = tables.counted().values()
    expressed = sum(each["spec"] + each["command"] for each in found)
    assert expressed / (expressed + sum(each["no"] for each in found)) >= 0.95


def test_a_table_row_is_never_lost_by_the_reader():
    """Every line of a table is a heading, a rule or a row."""
    for name in PROJECTS:
        lines = [
            line for line in (COOKBOOK / name / "README.md").read_text().splitlines() if line.startswith("|")
        ]
        assert len(lines) - 2 == len(tables.rows(COOKBOOK / name)), name


# What is run

STAND_IN = """#!{python} -IS
import json, os, signal, sys, time
here = {here!r}
name = os.path.basename(sys.argv[0])
mask = os.umask(0)
words = [name, *sys.argv[1:]]
with open(here + "/called", "a") as file:
    file.write(json.dumps({{"argv": words, "environ": dict(os.environ), "umask": mask, "cwd": os.getcwd()}}) + "\\n")
with open(here + "/rules") as file:
    rules = json.load(file)
text = " ".join(words)
rule = next((each for key, each in rules if key in text), {{}})
if "says" in rule:
    print(rule["says"])
if "touches" in rule:
    open(rule["touches"], "w").close()
if rule.get("until") and not os.path.exists(rule["until"]):
    sys.exit(1)
if "serves" in rule:
    import socket
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if not rule["serves"]:
        while True:
            signal.pause()
    listener = socket.create_server(("127.0.0.1", rule["serves"]))
    while True:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
        connection.close()
sys.exit(rule.get("code", 0))
"""


class Kitchen:
    """A copy of a spec in a directory of its own, with stand-ins for the commands that it calls."""

    def __init__(self, place):
        self.place = place
        self.bin = place / "bin"
        self.bin.mkdir()
        self.work = place / "work"
        self.work.mkdir()
        self.rules = []
        self.running = None
        self.more = {}

    def cook(self, name, **replaced):
        """The spec, with other places and ports than an image has."""
        text = (COOKBOOK / name / "startup.yaml").read_text()
        for old, new in replaced.get("instead", {}).items():
            assert old in text, old
            text = text.replace(old, str(new))
        (self.work / "startup.yaml").write_text(text)
        return self

    def stand_in(self, *names, **rules):
        for name in names:
            path = self.bin / name
            path.write_text(STAND_IN.format(python=sys.executable, here=str(self.place)))
            path.chmod(0o755)
        return self

    def rule(self, text, **rule):
        """What a stand-in does whose words contain the text; the first that fits."""
        self.rules.append([text, rule])
        return self

    def command(self, words, environ):
        (self.place / "rules").write_text(json.dumps(self.rules))
        return [sys.executable, "-m", "orchestrator", "run", *words], {
            "PATH": f"{self.bin}:{os.path.dirname(sys.executable)}:/usr/bin:/bin", "HOME": str(self.place), "NO_COLOR": "1",
            "ORCHESTRATOR_STATE_DIR": str(self.place / "state"), "ORCHESTRATOR_IN_CONTAINER": "0", **environ,
        }  # fmt: skip

    def run(self, *words, **environ):
        """A start to its end."""
        argv, whole = self.command(words, environ)
        return subprocess.run(argv, cwd=self.work, env=whole, capture_output=True, text=True, timeout=60)

    def serve(self, *words, **environ):
        """A start to its server, and the server's end; what the engine said."""
        argv, whole = self.command(words, environ)
        said = self.place / "said"
        with said.open("w") as file:
            self.running = subprocess.Popen(
                argv, cwd=self.work, env=whole, stdout=file, stderr=file, stdin=subprocess.DEVNULL
            )
        end = time.monotonic() + 40
        while self.status() not in ("ready", "degraded"):
            assert self.running.poll() is None, said.read_text()
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.02)
        while not self.served():
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.02)
        self.running.send_signal(signal.SIGTERM)
        assert self.running.wait(20) == 0, said.read_text()
        return said.read_text()

    def served(self):
        return any(
            "serves" in rule and any(text in " ".join(call["argv"]) for call in self.calls())
            for text, rule in self.rules
        )

    def status(self):
        try:
            return json.loads((self.place / "state" / "state.json").read_text())["status"]
        except (OSError, ValueError):
            return None

    def calls(self):
        try:
            return [json.loads(line) for line in (self.place / "called").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def words(self):
        """What was called, in order."""
        return [" ".join(call["argv"]) for call in self.calls()]

    def call(self, text):
        return next(call for call in self.calls() if text in " ".join(call["argv"]))

    def items(self):
        return {
            each["id"]: each["status"]
            for each in json.loads((self.place / "state" / "report.json").read_text())["items"]
        }


@pytest.fixture
def kitchen(tmp_path):
    made = Kitchen(tmp_path)
    yield made
    if made.running is not None and made.running.poll() is None:
        made.running.kill()
        made.running.wait()


@pytest.fixture(scope="module")
def postgres():
    if not BIN:
        pytest.skip("PostgreSQL is not installed")
    running = PrivatePostgres().start()
    yield running
    running.stop()


def in_order(wanted, found):
    """Whether these were called in this order, whatever was called between them."""
    rest = iter(found)
    missing = [each for each in wanted if not any(each in call for call in rest)]
    assert missing == [], found


def test_tandoor_migrates_collects_and_serves_with_its_mask(kitchen, tmp_path):
    (tmp_path / "site.template").write_text("listen ${TANDOOR_PORT}; # $host\n")
    kitchen.cook("tandoor", instead={
        "/opt/recipes/http.d/Recipes.conf.template": tmp_path / "site.template", "/opt/recipes/http.d/Recipes.conf": tmp_path / "site",
        "/opt/recipes/mediafiles": tmp_path / "media",
    })  # fmt: skip
    kitchen.stand_in("python", "gunicorn").rule("gunicorn", serves=0)
    (tmp_path / "key").write_text("a-secret-of-some-length\n")
    said = kitchen.serve(SECRET_KEY_FILE=str(tmp_path / "key"), GUNICORN_WORKERS="5", TANDOOR_PORT="8123")
    in_order(["python manage.py migrate", "collectstatic --noinput --clear", "gunicorn"], kitchen.words())
    assert not any("plugin.py" in each for each in kitchen.words()), "only when they are enabled"
    server = kitchen.call("gunicorn")
    assert server["argv"] == [
        "gunicorn",
        "--bind=unix:/run/tandoor.sock",
        "--workers=5",
        "--threads=2",
        "--log-level=info",
        "recipes.wsgi",
    ]
    assert server["umask"] == 0o022
    assert server["environ"]["SECRET_KEY"] == "a-secret-of-some-length"
    assert (tmp_path / "site").read_text() == "listen 8123; # $host\n"
    assert kitchen.items()["wait:db"] == "skipped"
    assert "a-secret-of-some-length" not in said


def test_tandoor_shows_a_page_while_its_migration_fails(kitchen, tmp_path):
    (tmp_path / "site.template").write_text("")
    port = free_port()
    kitchen.cook("tandoor", instead={
        "/opt/recipes/http.d/Recipes.conf.template": tmp_path / "site.template", "/opt/recipes/http.d/Recipes.conf": tmp_path / "site",
        "/opt/recipes/mediafiles": tmp_path / "media", "  umask:": f"  port: {port}\n  umask:",
    })  # fmt: skip
    kitchen.stand_in("python", "gunicorn").rule("migrate", code=1)
    argv, environ = kitchen.command((), {"SECRET_KEY": "a-secret-of-some-length"})
    kitchen.running = subprocess.Popen(argv, cwd=kitchen.work, env=environ, stderr=subprocess.DEVNULL)
    answer = b""
    end = time.monotonic() + 20
    while not answer:
        assert time.monotonic() < end
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = connection.recv(4096)
        except OSError:
            time.sleep(0.05)
    assert answer.startswith(b"HTTP/1.1 503")
    assert not any("gunicorn" in each for each in kitchen.words())
    kitchen.running.send_signal(signal.SIGTERM)
    kitchen.running.wait(20)


def test_litellm_migrates_once_and_hands_its_arguments_on(kitchen, tmp_path):
    port = free_port()
    (tmp_path / "cache").mkdir()
    kitchen.cook("litellm", instead={"port: 4000": f"port: {port}", "/app/.cache, /tmp/.cache": f"{tmp_path}/cache, {tmp_path}/copied",
                                     "creates: /tmp/.cache": f"creates: {tmp_path}/copied"})  # fmt: skip
    kitchen.stand_in("python3", "litellm").rule("litellm --config", serves=port)
    kitchen.serve("proxy", "--", "--config", "my config.yaml", LITELLM_NON_ROOT="true")
    in_order(["python3 litellm/proxy/prisma_migration.py", "litellm --config"], kitchen.words())
    server = kitchen.call("litellm --config")
    assert server["argv"] == ["litellm", "--config", "my config.yaml"], "words stay words"
    assert server["environ"]["PRISMA_BINARY_CACHE_DIR"] == "/tmp/.cache/prisma"
    assert (tmp_path / "copied").is_dir()


def test_litellm_does_not_serve_after_a_failed_migration(kitchen):
    kitchen.cook("litellm").stand_in("python3", "litellm").rule(
        "prisma_migration", code=1, says="no such table"
    )
    done = kitchen.run()
    assert done.returncode == 3
    assert "no such table" in done.stderr
    assert "the proxy would serve with yesterday's tables" in done.stderr
    assert kitchen.words() == ["python3 litellm/proxy/prisma_migration.py"]


def flagsmith(kitchen, tmp_path, port=8000):
    kitchen.cook("flagsmith", instead={"/run/flagsmith": tmp_path / "locks", "8000": port})
    return kitchen.stand_in("python", "gunicorn")


def test_flagsmith_migrates_both_databases_where_there_are_two(kitchen, tmp_path):
    flagsmith(kitchen, tmp_path).rule("migrate --check", code=1)
    done = kitchen.run(
        "migrate", DATABASE_URL="postgresql://db/a", ANALYTICS_DATABASE_URL="postgresql://db/b"
    )
    assert done.returncode == 0, done.stderr
    in_order(
        ["python manage.py migrate", "migrate --database analytics", "createcachetable", "bootstrap"],
        kitchen.words(),
    )
    assert not any("gunicorn" in each for each in kitchen.words()), "this role ends after its steps"


def test_flagsmith_skips_what_is_migrated_and_leaves_out_what_is_not_configured(kitchen, tmp_path):
    done = flagsmith(kitchen, tmp_path).run("migrate", DATABASE_URL="postgresql://db/a")
    assert done.returncode == 0, done.stderr
    assert kitchen.items()["step:migrate"] == "skipped"
    assert kitchen.items()["step:migrate-analytics"] == "skipped"
    assert "python manage.py migrate" not in kitchen.words()


def test_flagsmith_serves_with_the_options_of_statsd_only_when_there_is_one(kitchen, tmp_path):
    port = free_port()
    flagsmith(kitchen, tmp_path, port).rule("gunicorn", serves=port)
    kitchen.serve("serve", DATABASE_URL="postgresql://db/a", STATSD_HOST="statsd")
    assert "--statsd-host=statsd:8125" in kitchen.call("gunicorn")["argv"]
    (tmp_path / "called").unlink()
    kitchen.serve("serve", DATABASE_URL="postgresql://db/a")
    assert not any("statsd" in each for each in kitchen.call("gunicorn")["argv"])


def test_flagsmith_takes_another_word_for_a_management_command(kitchen, tmp_path):
    flagsmith(kitchen, tmp_path).rule("shell_plus", serves=0)
    kitchen.serve("shell_plus", "--", "--plain", DATABASE_URL="postgresql://db/a")
    assert kitchen.words()[-1] == "python manage.py shell_plus --plain"


def test_odoo_finds_its_database_by_the_oldest_of_four_names(kitchen, postgres):
    kitchen.cook("odoo").stand_in("odoo").rule("odoo", serves=0)
    said = kitchen.serve("odoo", "--", "-i", "base", DB_PORT_5432_TCP_ADDR="127.0.0.1", DB_PORT_5432_TCP_PORT=str(postgres.port),
                         DB_ENV_POSTGRES_USER="postgres", DB_ENV_POSTGRES_PASSWORD="known-to-nobody")  # fmt: skip
    server = kitchen.call("odoo")
    assert server["argv"] == ["odoo", "-i", "base"], "the password is no argument"
    assert server["environ"]["PGPASSWORD"] == "known-to-nobody"
    assert server["environ"]["PGUSER"] == "postgres"
    assert "known-to-nobody" not in said


def test_odoo_scaffolds_without_a_database(kitchen):
    kitchen.cook("odoo").stand_in("odoo").rule("odoo scaffold", serves=0)
    kitchen.serve("scaffold", "--", "my_module", "/mnt", HOST="nowhere.invalid")
    assert kitchen.words() == ["odoo scaffold my_module /mnt"]


def test_planes_api_waits_until_another_container_has_migrated(kitchen, tmp_path, postgres):
    port, migrated = free_port(), tmp_path / "migrated"
    kitchen.cook("plane").stand_in("python", "gunicorn", "machine-signature")
    kitchen.rule("migrate --check", until=str(migrated)).rule("machine-signature", says="f00d").rule(
        "gunicorn", serves=port
    )
    argv, environ = kitchen.command(
        (),
        {
            "DATABASE_URL": postgres.url(),
            "REDIS_URL": "redis://r",
            "GUNICORN_WORKERS": "2",
            "PORT": str(port),
        },
    )
    with (tmp_path / "said").open("w") as said:
        kitchen.running = subprocess.Popen(argv, cwd=kitchen.work, env=environ, stderr=said)
    end = time.monotonic() + 30
    while sum("--check" in each for each in kitchen.words()) < 3:
        assert time.monotonic() < end, (tmp_path / "said").read_text()
        time.sleep(0.02)
    assert not any("collectstatic" in each for each in kitchen.words()), (
        "no step before everything has answered"
    )
    migrated.touch()
    while not any("gunicorn" in each for each in kitchen.words()):
        assert time.monotonic() < end, (tmp_path / "said").read_text()
        time.sleep(0.02)
    in_order(["machine-signature", "register_instance", "create_bucket", "clear_cache", "collectstatic", "gunicorn"],
             [each.replace("configure_instance", "") for each in kitchen.words()])  # fmt: skip
    assert kitchen.call("register_instance")["argv"][-1] == "f00d", (
        "what a step printed is a value of the next"
    )
    assert kitchen.call("gunicorn")["environ"]["MACHINE_SIGNATURE"] == "f00d"


def test_planes_migrator_ends_with_0_and_skips_what_is_done(kitchen, postgres):
    kitchen.cook("plane").stand_in("python")
    done = kitchen.run("migrator", DATABASE_URL=postgres.url(), REDIS_URL="redis://r", GUNICORN_WORKERS="2")
    assert done.returncode == 0, done.stderr
    assert kitchen.items()["step:migrate"] == "skipped"
    assert "python manage.py migrate" not in kitchen.words()


def test_plane_says_what_is_missing_before_anything_is_done(kitchen):
    done = kitchen.cook("plane").stand_in("python").run("migrator")
    assert done.returncode in (3, 78)
    for name in ("DATABASE_URL", "REDIS_URL", "GUNICORN_WORKERS"):
        assert name in done.stderr
    assert kitchen.words() == []


@pytest.mark.skipif(not REDIS, reason="Redis is not installed")
def test_supersets_init_makes_the_admin_once_and_loads_examples_when_asked(kitchen, tmp_path, postgres):
    kitchen.cook("superset").stand_in("superset", "create-admin", "admin-exists", "examples-are-there")
    kitchen.rule("examples-are-there", code=1)
    redis = PrivateRedis(tmp_path)
    redis.start()
    where = {"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": str(postgres.port), "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port),
             "SUPERSET_SECRET_KEY": "long-enough-to-be-one", "ADMIN_PASSWORD": "not-the-default"}  # fmt: skip
    try:
        done = kitchen.run("init", SUPERSET_LOAD_EXAMPLES="yes", **where)
        assert done.returncode == 0, done.stderr
        in_order(
            ["superset db upgrade", "admin-exists", "superset init", "superset load_examples"],
            kitchen.words(),
        )
        assert "create-admin" not in kitchen.words(), "there is one"
        assert "not-the-default" not in done.stderr
        kitchen.rules.insert(0, ["examples-are-there", {"code": 2}])
        failed = kitchen.run("init", SUPERSET_LOAD_EXAMPLES="yes", **where)
        assert failed.returncode == 3
        assert "neither yes (0) nor no (1)" in failed.stderr, "a question that fails is no answer"
    finally:
        redis.stop()


def test_cookiecutter_compresses_only_when_the_app_says_so(kitchen, postgres):
    port = free_port()
    kitchen.cook("cookiecutter-django", instead={"5000": port}).stand_in("python", "gunicorn")
    kitchen.rule("compression_is_on", code=1).rule("gunicorn", serves=port)
    where = {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(postgres.port),
        "POSTGRES_PASSWORD": "known-to-nobody",
        "POSTGRES_DB": "postgres",
    }
    kitchen.serve("web", **where)
    in_order(["collectstatic", "compression_is_on", "gunicorn config.asgi"], kitchen.words())
    assert not any(each.endswith("compress") for each in kitchen.words())


def test_cookiecutters_flower_needs_its_password_and_never_shows_it(kitchen, postgres):
    kitchen.cook("cookiecutter-django").stand_in("celery").rule("flower", serves=0)
    where = {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(postgres.port),
        "POSTGRES_PASSWORD": "known-to-nobody",
        "POSTGRES_DB": "postgres",
    }
    assert kitchen.run("flower", **where).returncode in (3, 78)
    said = kitchen.serve("flower", CELERY_FLOWER_USER="ops", CELERY_FLOWER_PASSWORD="flower-of-evil", **where)
    in_order(["inspect ping", "celery -A config.celery_app flower"], kitchen.words())
    server = kitchen.call("celery -A config.celery_app flower")
    assert server["environ"]["FLOWER_BASIC_AUTH"] == "ops:flower-of-evil"
    assert "flower-of-evil" not in said + " ".join(server["argv"])
