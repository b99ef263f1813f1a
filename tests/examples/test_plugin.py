"""The example of a plug-in: built, installed beside the project, and used like what comes with it."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import yaml
from matrices import mostly_long

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "examples" / "plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The directory into which its wheel was installed."""
    made = tmp_path_factory.mktemp("plugin")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    source = made / "source"
    subprocess.run(["cp", "-r", str(PLUGIN), str(source)], check=True)
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(made), str(source)],
        check=True,
    )
    (wheel,) = made.glob("startup_kinds-1.0-*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", str(made / "site"), str(wheel)], check=True
    )
    return made / "site"


@pytest.fixture
def orchestrator(installed, tmp_path):
    """The command in a directory with the plug-in's own spec."""

    def run(*words, spec=None, environ=None):
        (tmp_path / "startup.yaml").write_text(
            textwrap.dedent(spec) if spec else (PLUGIN / "startup.yaml").read_text()
        )
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR_")}
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *words], cwd=tmp_path, capture_output=True, text=True, timeout=60,
            env=inherited | {"PYTHONPATH": str(installed), "NO_COLOR": "1", "ORCHESTRATOR_STATE_DIR": str(tmp_path / "state")} | (environ or {}),
        )  # fmt: skip

    return run


def database(path, tables=("entries",)):
    path.parent.mkdir(exist_ok=True)
    with sqlite3.connect(path) as connection:
        for name in tables:
            connection.execute(f"create table {name} (n)")
    connection.close()


@pytest.fixture
def mail():
    """A mail server, as far as it is asked; what it was told."""
    heard = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                stream.write(b"220 mail ESMTP\r\n")
                stream.flush()
                for line in stream:
                    heard.append(line.strip().decode())
                    if line.startswith(b"QUIT"):
                        break
                    stream.write(b"250-mail\r\n250-STARTTLS\r\n250 8BITMIME\r\n")
                    stream.flush()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", heard
        listener.shutdown(socket.SHUT_RDWR)


def test_its_spec_is_valid(orchestrator):
    done = orchestrator("validate", "--fail-on", "warning")
    assert done.returncode == 0, done.stderr + done.stdout


def test_without_the_distribution_its_words_are_unknown(tmp_path):
    (tmp_path / "startup.yaml").write_text((PLUGIN / "startup.yaml").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "validate"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 78
    assert "smtp" in done.stderr + done.stdout


def test_a_start_uses_the_wait_the_check_and_the_action(orchestrator, tmp_path, mail):
    where, heard = mail
    database(tmp_path / "backups" / "ledger.db")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.db").write_bytes(b"this is no database at all" * 100)
    done = orchestrator("run", environ={"MAIL": where})
    assert done.returncode == 0, done.stderr
    items = {
        each["id"]: each for each in json.loads((tmp_path / "state" / "report.json").read_text())["items"]
    }
    assert items["wait:mail"]["summary"] == f"{where} takes mail"
    assert heard == ["EHLO orchestrator", "QUIT"]
    assert items["check:ledger"]["status"] == "healed"
    assert items["check:ledger"]["fallbacks"] == [
        {"action": "restore", "result": "data/ledger.db restored from backups/ledger.db"}
    ]
    assert (tmp_path / "data" / "ledger.db.broken").exists()


def test_a_remedy_that_cannot_be_applied_says_why_and_the_check_fails(orchestrator, tmp_path, mail):
    (tmp_path / "data").mkdir()
    done = orchestrator("run", environ={"MAIL": mail[0]})
    assert done.returncode == 3
    assert "cannot restore data/ledger.db: No such file or directory" in done.stderr
    assert "needed: the service keeps its books there" in done.stderr


def test_a_wait_keeps_its_deadline_and_degrades_as_a_built_in_one(orchestrator, tmp_path):
    database(tmp_path / "data" / "ledger.db")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        spec = (
            (PLUGIN / "startup.yaml")
            .read_text()
            .replace("deadline: 10s", "deadline: 600ms\n    timeout: 200ms")
        )
        done = orchestrator("run", spec=spec, environ={"MAIL": f"127.0.0.1:{silent.getsockname()[1]}"})
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "state" / "report.json").read_text())
    assert report["degraded"] == ["mail"]
    assert next(each for each in report["items"] if each["id"] == "wait:mail")["reason"] == "timeout"


@pytest.mark.parametrize(("spec", "said", "hint"), [
    ("wait_for: [{name: mail, smpt: 'mail:25'}]", "smpt", "did you mean `smtp`?"),
    ("wait_for: [{name: mail, smtp: 'mail:25', startls: true}]", "unknown key `startls`", "did you mean `starttls`?"),
    ("checks: [{name: books, sqlit: a.db}]", "sqlit", "did you mean `sqlite`?"),
    ("checks: [{name: books, sqlite: a.db, tabels: [a]}]", "unknown key `tabels`", "did you mean `tables`?"),
    ("checks: [{name: books, sqlite: a.db, on_failure: {restor: {from: a, to: b}}}]", "restor", "did you mean `restore`?"),
    ("checks: [{name: books, sqlite: a.db, on_failure: {restore: {from: a, too: b}}}]", "unknown key `too`", "did you mean `to`?"),
    ("wait_for: [{name: mail, smtp: 'mail:port'}]", "smtp", ""),
    ("steps: [{name: a, run: [b], on_failure: {restore: {from: a, to: b}}}]", "restore", ""),
], ids=["kind", "field", "check", "its-field", "action", "its-key", "value", "not-here"])  # fmt: skip
def test_mistakes_are_told_as_those_in_built_in_kinds_are(orchestrator, spec, said, hint):
    done = orchestrator("validate", spec=f"version: 1\nservice: ledger\n{spec}\n")
    assert done.returncode == 78
    assert said in done.stdout + done.stderr
    assert hint in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("word", "said"), mostly_long([
    ("smtp", "Whether it must offer STARTTLS."),
    ("sqlite", "Tables that it must have."),
    ("restore", "Put a file back from a copy, atomically, then check again."),
], "restore"))  # fmt: skip
def test_explain_has_a_page_for_each_word(orchestrator, word, said):
    done = orchestrator("explain", word)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


@pytest.mark.parametrize("overlay", [False, True])
def test_the_schema_that_the_command_prints_knows_its_fields(orchestrator, overlay):
    import jsonschema

    schema = json.loads(orchestrator("schema", *(["--overlay"] if overlay else [])).stdout)
    validator = jsonschema.Draft202012Validator(schema)
    good = yaml.safe_load((PLUGIN / "startup.yaml").read_text())
    assert list(validator.iter_errors(good)) == []
    text = json.dumps(schema)
    for description in ("Whether it must offer STARTTLS.", "Tables that it must have.", "The copy."):
        assert description in text
    bad = yaml.safe_load((PLUGIN / "startup.yaml").read_text().replace("starttls", "startls"))
    assert list(validator.iter_errors(bad))


def test_authors_find_what_they_need_in_one_place(installed):
    """The example imports nothing of the project but its public module."""
    for path in (PLUGIN / "startup_kinds").glob("*.py"):
        names = [
            line.split()[1]
            for line in path.read_text().splitlines()
            if line.strip().startswith("from orchestrator")
        ]
        assert set(names) <= {"orchestrator.plugins"}, path
