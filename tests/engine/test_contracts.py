import pytest

from orchestrator.core.context import Context
from orchestrator.engine.contracts import apply
from orchestrator.engine.events import Secrets
from orchestrator.spec import load_text


def applied(contracts, environ=None, **more):
    lines = "\n".join(f"  {name}: {contract}" for name, contract in contracts.items())
    loaded = load_text(f"version: 1\nservice: shop\nvariables:\n{lines}\n")
    assert not loaded.failed, [each.message for each in loaded.diagnostics]
    return apply(loaded.spec.variables, Context(dict(environ or {}), **more))


def reasons(result):
    return {name: outcome.reason for name, outcome in result.outcomes.items() if not outcome.ok}


def test_a_default_reaches_the_server_and_a_value_wins():
    assert applied({"PORT": "{type: port, default: 8000}"}).for_server()["PORT"] == "8000"
    assert applied({"PORT": "{type: port, default: 8000}"}, {"PORT": "9000"}).for_server()["PORT"] == "9000"


def test_the_text_is_handed_on_unchanged():
    assert applied({"DEBUG": "{type: boolean}"}, {"DEBUG": "Yes"}).for_server()["DEBUG"] == "Yes"


@pytest.mark.parametrize("environ", [{}, {"KEY": ""}])
def test_required_is_neither_unset_nor_empty(environ):
    result = applied({"KEY": "{required: true}"}, environ)

    assert reasons(result) == {"KEY": "missing"}
    assert "KEY" in result.outcomes["KEY"].hint


def test_required_when_a_condition_holds():
    contracts = {"KEY": "{required_when: {variable: MODE, equals: live}}"}

    assert reasons(applied(contracts, {"MODE": "live"})) == {"KEY": "missing"}
    assert reasons(applied(contracts, {"MODE": "test"})) == {}


def test_the_first_default_whose_condition_holds():
    contracts = {"URL": "{default: [{value: a, when: {variable: X, is: set}}, {value: b}]}"}

    assert applied(contracts, {"X": "1"}).environ["URL"] == "a"
    assert applied(contracts).environ["URL"] == "b"


def test_a_default_is_made_of_others_whatever_their_order():
    contracts = {"URL": '{default: "http://${HOST}:${PORT:-80}"}', "HOST": "{default: db}"}

    assert applied(contracts).environ["URL"] == "http://db:80"


def test_a_default_that_needs_what_is_not_set_is_none():
    result = applied({"URL": '{default: "http://${HOST}"}', "HOST": "{}"})

    assert "URL" not in result.environ


@pytest.mark.parametrize(
    ("contract", "text", "reason"),
    [
        ("{type: port}", "99999", "invalid"),
        ("{type: integer, min: 3}", "2", "invalid"),
        ("{type: duration, max: 5s}", "1m", "invalid"),
        ("{type: url, schemes: [postgresql]}", "http://db/", "invalid"),
        ("{type: json}", "{", "invalid"),
        ("{type: boolean}", "maybe", "invalid"),
        ("{allowed: [a, b]}", "c", "invalid"),
        ('{pattern: "[a-z]+"}', "a1", "invalid"),
        ("{min_length: 8}", "short", "invalid"),
        ("{forbidden: [changeme]}", "ChangeMe", "forbidden"),
        ("{conflicts: [OTHER]}", "x", "conflict"),
        ("{requires: [MISSING]}", "x", "requires"),
        ("{removed: use B}", "x", "removed"),
        ("{removed: use B}", "", "removed"),
        ("{min_length: 1}", "", "invalid"),
        ("{type: url, schemes: [postgresql]}", "postgresql+asyncpg://db/app", "invalid"),
    ],
)
def test_what_breaks_a_contract_has_a_reason(contract, text, reason):
    assert reasons(applied({"A": contract}, {"A": text, "OTHER": "y"})) == {"A": reason}


@pytest.mark.parametrize("text", ["https://db/", "postgresql:///app?host=/run/postgresql"])
def test_a_url_may_name_no_host(text):
    assert reasons(applied({"A": "{type: url}"}, {"A": text})) == {}


def test_what_may_not_be_empty_may_still_be_unset():
    assert reasons(applied({"A": "{min_length: 1}"})) == {}
    assert reasons(applied({"A": "{removed: true}"})) == {}


def test_a_secret_is_read_from_the_file_that_is_named(tmp_path):
    (tmp_path / "key").write_text("s3cret-value\n")
    result = applied({"KEY": "{secret: true, from_file: true}"}, {"KEY_FILE": str(tmp_path / "key")})

    assert result.environ["KEY"] == "s3cret-value"
    assert result.secrets == ["s3cret-value"]


def test_only_one_trailing_newline_is_not_meant(tmp_path):
    (tmp_path / "key").write_text("value\n\n")

    assert (
        applied({"KEY": "{from_file: true}"}, {"KEY_FILE": str(tmp_path / "key")}).environ["KEY"] == "value\n"
    )


def test_a_value_and_a_file_contradict_each_other(tmp_path):
    environ = {"KEY": "a", "KEY_FILE": str(tmp_path / "key")}

    assert reasons(applied({"KEY": "{from_file: true}"}, environ)) == {"KEY": "both"}


def test_an_empty_variable_gives_way_to_its_file(tmp_path):
    (tmp_path / "key").write_text("from the file\n")
    environ = {"KEY": "", "KEY_FILE": str(tmp_path / "key")}

    assert applied({"KEY": "{required: true, from_file: true}"}, environ).environ["KEY"] == "from the file"
    assert reasons(applied({"KEY": "{required: true, from_file: true}"}, {"KEY": ""})) == {"KEY": "missing"}


@pytest.mark.parametrize(("content", "value"), [(b"a\rb\r\n\n", "a\rb\r\n"), (b"a\r\n", "a"), (b"a", "a")])
def test_a_secret_keeps_its_bytes_but_for_one_line_end(tmp_path, content, value):
    (tmp_path / "key").write_bytes(content)

    assert applied({"KEY": "{from_file: true}"}, {"KEY_FILE": str(tmp_path / "key")}).environ["KEY"] == value


@pytest.mark.parametrize(
    ("of_type", "text"),
    [("url", "http://api/\n"), ("number", " 1"), ("path", "/data\n"), ("boolean", "true "), ("list", "a,b\n"),
     ("size", "1MB\n"), ("duration", "1s\n"), ("email", "a@b.c\n"), ("port", "80\n"), ("integer", "1\n")],
)  # fmt: skip
def test_blanks_that_would_be_handed_on_are_refused(of_type, text):
    assert reasons(applied({"A": f"{{type: {of_type}}}"}, {"A": text})) == {"A": "invalid"}
    assert reasons(applied({"A": f"{{type: {of_type}}}"}, {"A": text.strip()})) == {}


@pytest.mark.parametrize(
    ("text", "hint"), [('"8000"', "--env-file"), ("tcp://10.0.0.1:6379", "enableServiceLinks"), ("x", "8000")]
)
def test_a_value_that_nobody_wrote_like_this_is_told_from_a_mistake(text, hint):
    assert hint in applied({"PORT": "{type: port}"}, {"PORT": text}).outcomes["PORT"].hint


def test_a_file_that_cannot_be_read_is_a_failure(tmp_path):
    environ = {"KEY_FILE": str(tmp_path / "gone")}

    assert reasons(applied({"KEY": "{from_file: true}"}, environ)) == {"KEY": "unreadable"}


def test_an_old_name_is_taken_and_warned_about():
    result = applied({"OLD": "{renamed_to: NEW}", "NEW": "{required: true}"}, {"OLD": "1"})

    assert result.environ["NEW"] == "1"
    assert reasons(result) == {}
    assert [name for name, _, _ in result.warnings] == ["OLD"]


def test_an_old_and_a_new_name_that_differ_are_an_error():
    result = applied({"OLD": "{renamed_to: NEW}", "NEW": "{}"}, {"OLD": "1", "NEW": "2"})

    assert reasons(result) == {"OLD": "both"}


def test_what_is_unset_is_not_handed_on():
    result = applied({"KEY": "{unset: true}"}, {"KEY": "x"})

    assert "KEY" in result.environ
    assert "KEY" not in result.for_server()


def test_a_prefix_is_the_contract_of_all_that_begin_so():
    result = applied({"APP_*": "{type: integer}"}, {"APP_A": "1", "APP_B": "x", "OTHER": "y"})

    assert reasons(result) == {"APP_B": "invalid"}


def test_a_contract_that_does_not_apply_is_skipped_with_a_reason():
    result = applied({"KEY": "{required: true, when: {variable: X, is: set}}"})

    assert reasons(result) == {}
    assert result.skipped == {"KEY": "`X` is unset"}


def test_no_message_shows_a_secret():
    result = applied({"KEY": "{secret: true, min_length: 50}"}, {"KEY": "hunter2-hunter2"})

    assert "hunter2" not in repr(result.outcomes["KEY"])


def test_secrets_are_masked_in_all_their_forms():
    secrets = Secrets()
    secrets.add(["p@ss word", "postgresql://u:s3cr3t@db/x"])

    assert secrets.masked("a p@ss word, p%40ss%20word and s3cr3t") == "a ***, *** and ***"
    assert secrets.clean({"a": ["p@ss word", 1]}) == {"a": ["***", 1]}
