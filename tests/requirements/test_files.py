import hashlib
import os
import socket
import stat
import threading
import time

import pytest
from pydantic import ValidationError

from orchestrator.requirements.files import KIND as File


def check(project, spec, **context):
    return File.model_validate(spec).attempt(project.context(**context))


def owner(path):
    status = os.lstat(path)
    return status.st_uid, status.st_gid


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def read(path):
    with open(path) as file:
        return file.read()


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"copy_from": "a", "template": "b"}, "ORC113"),
        ({"template": "x"}, "ORC124"),
        ({"min_size": "2MB", "max_size": "1MB"}, "ORC124"),
        ({"private": True, "mode": "0640"}, "ORC124"),
        ({"type": "socket", "format": "json"}, "ORC113"),
        ({"format": "pem", "schema": "s.json"}, "ORC113"),
        ({"contains": ()}, "ORC115"),
        ({"sha256": "ab"}, "string_pattern_mismatch"),
    ],
)
def test_what_contradicts_itself_is_refused(spec, code):
    with pytest.raises(ValidationError) as caught:
        File.model_validate({"path": "x", **spec})
    assert code in {each["type"] for each in caught.value.errors()}


def test_a_file_that_is_there_is_ok(project):
    project.write("config/settings.toml")
    assert check(project, "config/settings.toml").ok


def test_a_missing_file_of_the_project_names_the_line(project):
    project.directory("config")
    outcome = check(project, "config/settings.toml")
    assert (outcome.code, outcome.reason) == ("ORC441", "missing")
    assert outcome.hint.startswith("COPY config/settings.toml ./config/settings.toml in the Dockerfile")


def test_a_missing_directory_above_is_named(project):
    assert f"there is no {project.path('a')}" in check(project, "a/b/c.txt").summary


def test_a_near_name_is_offered(project):
    project.write("config/setting.toml")
    assert (
        check(project, "config/settings.toml").hint == f"did you mean {project.path('config/setting.toml')}?"
    )


def test_a_broken_symlink_names_its_target(project):
    os.symlink("nowhere", project.path("link"))
    assert "is a symlink to nowhere, which does not exist" in check(project, "link").summary


def test_a_link_is_followed_to_be_read_as_mounted_settings_need(project):
    project.write("..data/app.json", "{}")
    os.symlink("..data/app.json", project.path("app.json"))
    assert check(project, {"path": "app.json", "format": "json"}).ok


def test_types_are_told_apart(project):
    project.directory("folder")
    os.mkfifo(project.path("pipe"))
    os.symlink("pipe", project.path("link"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(project.path("sock"))
        for name, kind in (("pipe", "fifo"), ("link", "symlink"), ("sock", "socket")):
            assert check(project, {"path": name, "type": kind}).ok
            assert check(project, name).reason == "type"
    assert "is a directory, expected a file" in check(project, "folder").summary
    assert check(project, {"path": "/dev/null", "type": "device"}).ok


def test_mode_is_mended_or_said(project):
    path = project.write("x", mode=0o666)
    outcome = check(project, {"path": "x", "mode": "0640", "fix": "none"})
    assert outcome.summary == f"{path} has mode 0666, expected 0640"
    assert check(project, {"path": "x", "mode": "0640"}).ok
    assert mode(path) == 0o640


def test_private_is_judged_and_not_mended(project):
    path = project.write("key", mode=0o640)
    outcome = check(project, {"path": "key", "private": True})
    assert (outcome.code, outcome.reason) == ("ORC442", "private")
    assert f"chmod 0600 {path}" in outcome.hint
    os.chmod(path, 0o600)
    assert check(project, {"path": "key", "private": True}).ok


def test_size_and_age(project):
    path = project.write("x", "12345")
    assert check(project, {"path": "x", "min_size": "5B", "max_size": "5B", "max_age": "1m"}).ok
    assert check(project, {"path": "x", "min_size": "6B"}).reason == "size"
    assert check(project, {"path": "x", "max_size": "4B"}).reason == "size"
    os.utime(path, (0, time.time() - 7200))
    outcome = check(project, {"path": "x", "max_age": "1h"})
    assert (outcome.code, outcome.reason) == ("ORC444", "age")


def test_content_and_digest(project):
    project.write("x", "alpha beta")
    digest = hashlib.sha256(b"alpha beta").hexdigest()
    assert check(project, {"path": "x", "contains": ("alpha", "beta"), "sha256": digest}).ok
    assert "does not contain `gamma`" in check(project, {"path": "x", "contains": "gamma"}).summary
    outcome = check(project, {"path": "x", "sha256": "0" * 64})
    assert outcome.reason == "digest"
    assert digest in outcome.summary


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("json", '{"a": [1]}'),
        ("yaml", "a: [1, 2]\n---\nb: 1\n"),
        ("toml", "[a]\nb = 1\n"),
        ("ini", "[a]\nb = 50%\n"),
        ("env", "# note\nexport A=1\nB='x y' # note\nC=\n"),
        ("pem", "text before\n" + CERTIFICATE + CERTIFICATE),
    ],
)
def test_a_file_in_its_format_is_ok(project, form, text):
    project.write("x", text)
    assert check(project, {"path": "x", "format": form}).ok


@pytest.mark.parametrize(
    ("form", "text", "place"),
    [
        ("json", '{"a": 1,\n "b": }', "2:7"),
        ("json", "", "1:1"),
        ("yaml", "a: 1\nb: [1, 2\n", "3:1"),
        ("toml", "a = 1\nb = = 2\n", "2:5"),
        ("toml", 'a = "open', "1"),
        ("ini", "a = 1\n", "1"),
        ("ini", "[a]\nb = 1\nb = 2\n", "3"),
        ("env", "A=1\nno equals\n", "2:1"),
        ("env", "A=1\nB='open\n", "2:3"),
        ("env", "A-=1\n=x\n", "2:1"),
        ("pem", "nothing", "1:1"),
        ("pem", "-----BEGIN CERTIFICATE-----\nTUlJ\n", "1:1"),
        ("pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "2:1"),
        ("pem", "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END PRIVATE KEY-----\n", "3:1"),
    ],
)
def test_a_mistake_is_shown_with_its_line(project, form, text, place):
    path = project.write("x", text)
    outcome = check(project, {"path": "x", "format": form})
    assert (outcome.code, outcome.reason) == ("ORC443", "format")
    assert outcome.summary.startswith(f"{path}:{place}: cannot read it as {form}: ")


def test_deep_nesting_is_an_outcome(project):
    project.write("x", "[" * 100_000)
    assert check(project, {"path": "x", "format": "json"}).code == "ORC443"


def test_what_is_no_text_is_said(project):
    project.write("x", b"\xff\xfe\x00")
    assert "is not UTF-8 text: byte 0" in check(project, {"path": "x", "format": "json"}).summary


def test_a_schema_is_applied_and_no_value_is_quoted(project):
    project.write("x.json", '{"database": {"port": "hunter2"}, "extra": 1}')
    project.write(
        "s.json",
        '{"properties": {"database": {"properties": {"port": {"type": "integer"}}, "required": ["host"]}},'
        ' "additionalProperties": false}',
    )
    outcome = check(project, {"path": "x.json", "schema": "s.json"})
    assert (outcome.code, outcome.reason) == ("ORC444", "schema")
    assert outcome.details.splitlines() == [
        "the top level: unknown `extra`",
        "database: missing `host`",
        "database.port: expected integer, found string",
    ]
    assert "hunter2" not in repr(outcome)


def test_a_toml_file_can_satisfy_a_schema(project):
    project.write("x.toml", "port = 1\n")
    project.write("s.json", '{"properties": {"port": {"type": "integer"}}}')
    assert check(project, {"path": "x.toml", "schema": "s.json"}).ok


def test_a_schema_fetches_nothing(project):
    project.write("x.json", "{}")
    project.write("s.json", '{"$ref": "http://127.0.0.1:9/schema.json"}')
    outcome = check(project, {"path": "x.json", "schema": "s.json"})
    assert outcome.reason == "schema"
    assert "nothing is fetched" in outcome.summary


def test_a_missing_or_broken_schema_is_said(project):
    project.write("x.json", "{}")
    assert check(project, {"path": "x.json", "schema": "s.json"}).code == "ORC441"
    project.write("s.json", '{"type": "nonsense"}')
    assert "no valid JSON Schema" in check(project, {"path": "x.json", "schema": "s.json"}).summary


# --- copy_from ----------------------------------------------------------------------------------------------------


def test_a_file_is_copied_only_when_there_is_none(project):
    project.write("pristine", "v1", 0o640)
    assert check(project, {"path": "mine", "copy_from": "pristine"}).summary.endswith("(copied)")
    assert mode(project.path("mine")) == 0o640
    project.write("mine", "changed by hand")
    assert check(project, {"path": "mine", "copy_from": "pristine"}).ok
    assert read(project.path("mine")) == "changed by hand"


def test_no_draft_is_left_behind(project):
    project.write("pristine", "v1")
    assert check(project, {"path": "folder/../mine", "copy_from": "pristine"}).ok
    assert sorted(os.listdir(project.root)) == ["mine", "pristine"]


def test_a_missing_source_or_directory_is_named(project):
    outcome = check(project, {"path": "mine", "copy_from": "pristine"})
    assert (outcome.code, outcome.summary) == ("ORC441", "pristine does not exist")
    project.write("pristine")
    outcome = check(project, {"path": "no/mine", "copy_from": "pristine"})
    assert f"list {project.path('no')} under `directories`" in outcome.hint


def test_a_copy_belongs_to_the_user_from_its_first_moment(project, as_root, somebody):
    project.write("pristine", "v1")
    assert check(project, {"path": "mine", "copy_from": "pristine", "mode": "0600"}, user=somebody).ok
    assert owner(project.path("mine")) == (10001, 10001)
    assert mode(project.path("mine")) == 0o600
    assert check(
        project, {"path": "other", "copy_from": "pristine", "owner": 0, "group": 0}, user=somebody
    ).ok
    assert owner(project.path("other")) == (0, 0)


def test_many_starts_at_once_copy_one_whole_file(project):
    project.write("pristine", "x" * 1_000_000)
    outcomes, seen = [], set()
    threads = [
        threading.Thread(
            target=lambda: outcomes.append(check(project, {"path": "mine", "copy_from": "pristine"}))
        )
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    while any(each.is_alive() for each in threads):
        if os.path.exists(project.path("mine")):
            seen.add(os.path.getsize(project.path("mine")))
    assert all(each.ok for each in outcomes)
    assert seen <= {1_000_000}
    assert sorted(os.listdir(project.root)) == ["mine", "pristine"]


def test_root_copies_through_no_symlink(project, as_root, somebody):
    project.write("pristine", "v1")
    project.directory("elsewhere")
    os.symlink("elsewhere", project.path("link"))
    outcome = check(project, {"path": "link/mine", "copy_from": "pristine"}, user=somebody)
    assert outcome.reason == "symlink"
    assert os.listdir(project.path("elsewhere")) == []


def test_root_mends_through_no_symlink_and_no_hard_link(project, as_root, somebody):
    secret = project.write("secret", mode=0o600)
    os.symlink("secret", project.path("link"))
    os.link(secret, project.path("hard"))
    outcome = check(project, {"path": "link", "owner": 10001}, user=somebody)
    assert outcome.reason == "symlink"
    assert outcome.hint == f"write the target itself: {secret}"
    assert check(project, {"path": "hard", "owner": 10001}, user=somebody).reason == "owner"
    assert owner(secret) == (0, 0)


def test_the_user_must_be_able_to_read_it(project, as_root, somebody):
    path = project.write("key", mode=0o600)
    outcome = check(project, "key", user=somebody)
    assert (outcome.code, outcome.reason) == ("ORC442", "unreadable")
    assert f"{path} belongs to 0:0, mode 0600" in outcome.summary
    assert outcome.hint == (
        f"COPY --chown=10001:10001 in the Dockerfile, or RUN chmod a+r {path}, before USER in the Dockerfile"
    )


@pytest.mark.parametrize("how", ["copy_from", "template"])
def test_a_source_that_may_not_be_read_names_owner_mode_and_the_line(
    project, as_root, somebody, in_child, how
):
    path = project.write("pristine", mode=0o600)
    outcome = in_child(somebody, lambda: check(project, {"path": "made", how: "pristine"}))
    assert (outcome.code, outcome.reason) == ("ORC441", "unreadable")
    assert outcome.summary.startswith(f"cannot read {path}: permission denied at {path} for uid 10001")
    assert "belongs to 0:0, mode 0600" in outcome.summary
    assert f"RUN chmod a+r {path}" in outcome.hint


@pytest.mark.parametrize("kind", ["owner", "group"])
def test_owner_and_group_in_one_word_are_told_apart(project, kind):
    outcome = check(project, {"path": project.write("f"), kind: "5:6"})
    assert outcome.hint == 'owner and group are apart: `owner: "5"` and `group: "6"`'


# --- template -----------------------------------------------------------------------------------------------------

ENVIRON = {"PORT": "8000", "NAME": "shop"}


def test_a_template_is_rendered_at_each_start_from_its_source(project):
    project.write("x.tpl", "listen ${PORT}; server ${NAME}; keep $host and $${this} ${NONE:-default}\n")
    spec = {"path": "x.conf", "template": "x.tpl"}
    assert check(project, spec, environ=ENVIRON).summary.endswith("(rendered)")
    assert read(project.path("x.conf")) == "listen 8000; server shop; keep $host and ${this} default\n"
    assert mode(project.path("x.conf")) == 0o600
    project.write("x.conf", "by hand")
    assert check(project, spec, environ=ENVIRON | {"PORT": "9000"}).ok
    assert "9000" in read(project.path("x.conf"))


def test_an_unchanged_result_is_not_written_again(project):
    project.write("x.tpl", "${PORT}")
    spec = {"path": "x.conf", "template": "x.tpl", "mode": "0644"}
    assert check(project, spec, environ=ENVIRON).ok
    before = os.stat(project.path("x.conf"))
    assert check(project, spec, environ=ENVIRON).summary.endswith("(rendered, unchanged)")
    assert os.stat(project.path("x.conf")).st_ino == before.st_ino
    assert stat.S_IMODE(before.st_mode) == 0o644


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("a\nb ${NOPE}\n", 2, "`NOPE` is not set"),
        ("${NOPE:?say which}", 1, "say which"),
        ("\n\n${1}", 3, "expected a variable's name"),
        ("${PORT", 1, "not closed"),
    ],
)
def test_a_template_that_cannot_be_rendered_names_its_line_and_writes_nothing(project, text, place, said):
    project.write("x.tpl", text)
    outcome = check(project, {"path": "x.conf", "template": "x.tpl"}, environ=ENVIRON)
    assert (outcome.code, outcome.reason) == ("ORC443", "template")
    assert outcome.summary.startswith(f"x.tpl:{place}: ")
    assert said in outcome.summary
    assert outcome.hint
    assert os.listdir(project.root) == ["x.tpl"]


def test_line_ends_of_a_template_are_kept(project):
    project.write("x.tpl", b"a\r\n${PORT}\r\n")
    assert check(project, {"path": "x.conf", "template": "x.tpl"}, environ=ENVIRON).ok
    with open(project.path("x.conf"), "rb") as file:
        assert file.read() == b"a\r\n8000\r\n"


def test_a_read_only_file_system_is_said(project, tmpfs):
    project.write("x.tpl", "${PORT}")
    tmpfs("volume", "ro")
    outcome = check(project, {"path": "volume/x.conf", "template": "x.tpl"}, environ=ENVIRON)
    assert (outcome.code, outcome.reason) == ("ORC441", "read-only")
    assert outcome.hint.startswith("put x.conf into a directory of its own that is writable")


def test_a_full_file_system_keeps_the_old_file(project, tmpfs):
    project.write("x.tpl", "y" * 100_000)
    path = tmpfs("volume", "size=64k")
    project.write("volume/x.conf", "old")
    outcome = check(project, {"path": "volume/x.conf", "template": "x.tpl"}, environ=ENVIRON)
    assert (outcome.code, outcome.reason) == ("ORC434", "space")
    assert read(os.path.join(path, "x.conf")) == "old"
    assert os.listdir(path) == ["x.conf"]


def test_a_template_of_a_variable_that_failed_leads_to_that_one(project):
    project.write("app.in", "key=${KEY}\n")
    spec = {"path": "app.conf", "template": "app.in"}
    assert check(project, spec).hint == "set KEY, or write ${KEY:-default}"
    outcome = check(project, spec, states={"variable:KEY": "failed"})
    assert (outcome.reason, outcome.hint) == ("template", "fix variable:KEY")
    assert outcome.summary == "app.in:1: `KEY` has no value: its contract is not kept"
