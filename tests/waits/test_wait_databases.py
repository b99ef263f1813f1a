"""What is expected of a database beyond letting somebody in, from a real PostgreSQL; and where migrations stand."""

import pytest
from pydantic import ValidationError
from servers import BIN, PrivatePostgres

real = pytest.mark.skipif(not BIN, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def server():
    running = PrivatePostgres(max_connections=20).start()
    running.sql(
        "create role app login",
        "create role few login connection limit 3",
        "create schema shop",
        "create table orders (id int)",
        "create table shop.lines (id int)",
        "create view recent as select * from orders",
        "grant select, insert on orders to app",
        "grant usage on schema shop to app",
    )
    yield running
    running.stop()


@pytest.fixture
def expect(attempt, server):
    def expect(user="app", cwd="/", **wanted):
        return attempt("postgres", server.url(user), expect=wanted, cwd=cwd, timeout=10.0)

    return expect


@real
def test_tables_schemas_and_extensions_are_looked_for(expect):
    assert expect(table="orders", schema="shop", extension="plpgsql").ok
    assert expect(table=("orders", "recent", "shop.lines"), schema=("public", "shop")).ok
    outcome = expect(table=("orders", "bills", "shop.bills"))
    assert (outcome.reason, outcome.code, outcome.final) == ("unexpected", "ORC508", False)
    assert outcome.summary.endswith("/postgres: it has no table `bills`, `shop.bills`")
    assert outcome.hint == "run the migrations"
    assert expect(schema="crm").summary.endswith("it has no schema `crm`")
    missing = expect(extension=("plpgsql", "postgis"))
    assert missing.summary.endswith("it has no extension `postgis`")
    assert missing.hint == "CREATE EXTENSION postgis, as somebody who may"


@real
def test_a_name_with_quotes_is_a_name(expect):
    assert expect(schema="it's \\ none").summary.endswith("it has no schema `it's \\ none`")


@real
def test_what_the_user_may_do_is_asked(expect):
    assert expect(privileges={"orders": ("select", "insert")}).ok
    outcome = expect(privileges={"orders": ("select", "update", "delete")})
    assert outcome.summary.endswith("the user may not update or delete in `orders`")
    assert outcome.hint == "GRANT UPDATE, DELETE ON orders TO the user"
    assert "there is no table `bills`" in expect(privileges={"bills": ("select",)}).summary


@real
def test_a_server_that_is_too_old_is_told(expect):
    assert expect(min_version="9.6").ok
    outcome = expect(min_version="99")
    assert "expected 99 or newer" in outcome.summary
    assert outcome.hint == "run version 99 of the server, or newer"


@real
def test_connections_that_are_left_are_counted(expect):
    assert expect(headroom=5, pool_size=17).ok
    outcome = expect(headroom=18)
    assert "of 17 connections are taken, 18 more are needed" in outcome.summary
    assert expect(pool_size=18).summary.endswith("it allows 17 connections, the service may open 18")
    limited = expect(user="few", pool_size=4)
    assert limited.summary.endswith("it allows 3 connections, the service may open 4")


@real
def test_character_set_and_time_zone_are_compared(expect):
    assert expect(charset="utf-8", timezone=_zone(expect)).ok
    assert "its character set is UTF8, expected LATIN1" in expect(charset="LATIN1").summary
    assert "expected Mars/Olympus" in expect(timezone="Mars/Olympus").summary


def _zone(expect):
    return expect(timezone="?").summary.partition("its time zone is ")[2].partition(",")[0]


@real
def test_a_query_stands_beside_the_rest(expect):
    assert expect(query="select count(*) from orders", value=0, table="orders").ok
    assert expect(query="select 1 where false", rows=0).ok
    assert expect(table="bills", query="select 1/0").summary.endswith("it has no table `bills`")


@real
def test_what_nobody_can_look_at_is_not_well(attempt, server):
    address = f"postgresql://127.0.0.1:{server.port}/postgres"
    assert attempt("postgres", address).ok
    outcome = attempt("postgres", address, expect={"table": "orders"})
    assert (outcome.reason, outcome.final) == ("auth", True)
    assert outcome.summary.endswith("what is expected of it takes a user")


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "ORC119"),
        ({"value": 1}, "ORC113"),
        ({"rows": 1}, "ORC113"),
        ({"min_version": "new"}, "ORC110"),
        ({"table": ()}, "ORC115"),
        ({"privileges": {}}, "ORC119"),
        ({"privileges": {"a": ("look",)}}, "literal_error"),
        ({"headroom": 0}, "greater_than_equal"),
        ({"migration": {"tool": "alembic"}}, "ORC113"),
        ({"migration": {"tool": "alembic", "head": "a", "directory": "b"}}, "ORC113"),
        ({"migration": {"tool": "flyway", "head": "a"}}, "literal_error"),
    ],
)
@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_an_expectation_that_means_nothing_is_refused(make, kind, wanted, code):
    scheme = {"postgres": "postgresql", "mysql": "mysql"}[kind]
    with pytest.raises(ValidationError) as caught:
        make(kind, f"{scheme}://a@db/app", expect=wanted)
    assert code in {each["type"] for each in caught.value.errors()}


def test_an_extension_is_postgresqls_own(make):
    with pytest.raises(ValidationError):
        make("mysql", "mysql://a@db/app", expect={"extension": "a"})


# -- migrations

VERSION = 'revision = "{}"\ndown_revision = {}\n\ndef upgrade():\n    raise SystemExit("nothing is run")\n'


@pytest.fixture
def image(tmp_path):
    """An image with the migrations of three tools."""

    def write(name, text=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("versions/1_a.py", VERSION.format("aaa", None))
    write("versions/2_b.py", 'revision: str = "bbb"\ndown_revision: str | None = "aaa"\n')
    write("versions/3_c.py", VERSION.format("ccc", '"aaa"'))
    write("versions/4_d.py", VERSION.format("ddd", '("bbb", "ccc")'))
    write("versions/broken.py", "def (")
    write("shop/migrations/__init__.py")
    write("shop/migrations/0001_initial.py", "class Migration:\n    dependencies = []\n")
    write("shop/migrations/0002_more.py", "class Migration:\n    dependencies = []\n")
    write("shop/migrations/0001_squashed.py", "class Migration:\n    replaces = [('shop', '0001_initial')]\n")
    write("yoyo/0001.create.sql")
    write("yoyo/0001.create.rollback.sql")
    write("yoyo/0002.fill.py")
    return str(tmp_path)


@pytest.fixture
def migrated(server, expect, image):
    """Where the database stands by a table of its tool, and whether that is where this image leads."""

    def migrated(tool, table, rows, **asked):
        server.sql(f"drop table if exists {table.partition(' ')[0]}", f"create table {table}")
        for row in rows:
            server.sql(f"insert into {table.partition(' ')[0]} values {row}")
        server.sql(f"grant select on {table.partition(' ')[0]} to app")
        return expect(cwd=image, migration={"tool": tool, **asked})

    return migrated


ALEMBIC = "alembic_version (version_num text)"
DJANGO = "django_migrations (id int, app text, name text)"
YOYO = "_yoyo_migration (migration_hash text, migration_id text)"


@real
def test_a_database_that_was_never_migrated_is_said(server, expect, image):
    server.sql("drop table if exists alembic_version")
    outcome = expect(cwd=image, migration={"tool": "alembic", "directory": "versions"})
    assert outcome.summary.endswith("there is no table alembic_version: nothing was migrated")
    assert outcome.hint == "alembic upgrade head"


@real
def test_the_head_of_the_scripts_is_where_alembic_should_be(migrated):
    assert migrated("alembic", ALEMBIC, ["('ddd')"], directory="versions").ok
    outcome = migrated("alembic", ALEMBIC, ["('bbb')"], directory="versions")
    assert outcome.summary.endswith("not migrated to ddd, it is at bbb")
    assert migrated("alembic", ALEMBIC, ["('bbb')"], head="bbb").ok
    assert migrated("alembic", ALEMBIC, [], head="bbb").summary.endswith("it is at nothing")


@real
def test_a_database_that_a_newer_image_has_migrated_is_told(migrated):
    outcome = migrated("alembic", ALEMBIC, ["('eee')"], directory="versions")
    assert outcome.summary.endswith("it is at eee, which this image does not know")
    assert outcome.hint.startswith("a newer image has migrated it")


@real
def test_all_of_an_app_must_have_been_applied(migrated):
    first, second = "(1, 'shop', '0001_initial')", "(2, 'shop', '0002_more')"
    assert migrated("django", DJANGO, [first, second], directory="shop/migrations").ok
    outcome = migrated("django", DJANGO, [first], directory=("shop/migrations",))
    assert outcome.summary.endswith("not migrated to shop.0002_more")
    assert outcome.hint == "python manage.py migrate"
    assert migrated("django", DJANGO, [first], head="shop.0001_initial").ok


@real
def test_files_without_a_rollback_are_yoyos(migrated):
    assert migrated("yoyo", YOYO, ["('x', '0001.create')", "('y', '0002.fill')"], directory="yoyo").ok
    outcome = migrated("yoyo", YOYO, ["('x', '0001.create')"], directory="yoyo")
    assert outcome.summary.endswith("not migrated to 0002.fill")


@real
@pytest.mark.parametrize(
    ("directory", "said"),
    [("nowhere", "cannot read the migrations in nowhere: no such file"), ("shop", "no migrations in shop")],
)
def test_migrations_that_are_not_in_the_image_are_final(migrated, directory, said):
    outcome = migrated(
        "yoyo" if directory == "shop" else "alembic",
        YOYO if directory == "shop" else ALEMBIC,
        [],
        directory=directory,
    )
    assert outcome.final
    assert said in outcome.summary
