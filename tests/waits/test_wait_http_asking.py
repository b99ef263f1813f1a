"""`http`: what is sent along."""

import base64
import json

import pytest
from pydantic import ValidationError


@pytest.fixture
def echo(http_server):
    """The port of a server that answers with what it was asked, and what it heard."""
    heard = []

    def reply(handler):
        length = int(handler.headers.get("Content-Length") or 0)
        said = {
            "method": handler.command, "target": handler.path, "headers": dict(handler.headers.items()),
            "body": handler.rfile.read(length).decode(),
        }  # fmt: skip
        heard.append(said)
        answer = json.dumps(said).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json; charset=utf-8")
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(answer)

    return http_server(reply), heard


def test_json_is_posted_as_such(attempt, echo):
    port, heard = echo
    value = {"url": f"http://127.0.0.1:{port}/graphql", "json": {"query": "{ok}", "list": (1, 2)}}
    assert attempt("http", value).ok
    assert (heard[0]["method"], json.loads(heard[0]["body"])) == ("POST", {"query": "{ok}", "list": [1, 2]})
    assert heard[0]["headers"]["Content-Type"] == "application/json"


def test_a_text_is_sent_as_it_is_with_the_method_that_is_written(attempt, echo):
    port, heard = echo
    value = {
        "url": f"http://127.0.0.1:{port}/", "method": "POST", "body": "a=1&ü",
        "headers": {"content-type": "application/x-www-form-urlencoded"},
    }  # fmt: skip
    assert attempt("http", value).ok
    assert heard[0]["body"] == "a=1&ü"
    assert heard[0]["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert attempt("http", {**value, "body": "", "method": "GET"}).ok
    assert (heard[1]["method"], heard[1]["headers"]["Content-Length"]) == ("GET", "0")


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"basic": {"user": "me", "password": "p:w"}}, "Basic " + base64.b64encode(b"me:p:w").decode()),
        ({"basic": {"user": "me", "password_file": "pw"}}, "Basic " + base64.b64encode(b"me:in file").decode()),
        ({"bearer": "abc"}, "Bearer abc"),
        ({"bearer": {"token_file": "pw"}}, "Bearer in file"),
    ],
)  # fmt: skip
def test_credentials_are_shown_to_whom_is_asked(attempt, echo, tmp_path, auth, header):
    (tmp_path / "pw").write_text("in file\n")
    port, heard = echo
    outcome = attempt("http", {"url": f"http://127.0.0.1:{port}/", "auth": auth}, cwd=str(tmp_path))
    assert outcome.ok, outcome.summary
    assert heard[0]["headers"]["Authorization"] == header


def test_a_secret_that_cannot_be_read_is_final(attempt, echo):
    value = {"url": f"http://127.0.0.1:{echo[0]}/", "auth": {"bearer": {"token_file": "/nowhere"}}}
    outcome = attempt("http", value)
    assert (outcome.reason, outcome.final) == ("auth", True)
    assert outcome.summary == "cannot read /nowhere: no such file or directory"


def test_no_secret_is_in_its_representation(make):
    value = {
        "url": "http://a/", "body": "hunter2", "auth": {"basic": {"user": "a", "password": "hunter2"}},
    }  # fmt: skip
    assert "hunter2" not in repr(make("http", value))
    assert "hunter2" not in repr(make("http", {"url": "http://a/", "auth": {"bearer": "hunter2"}}))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"body": "a", "json": 1}, "ORC113"),
        ({"auth": {}}, "ORC113"),
        ({"auth": {"bearer": "a", "basic": {"user": "a", "password": "b"}}}, "ORC113"),
        ({"auth": {"basic": {"user": "a"}}}, "ORC113"),
        ({"auth": {"bearer": {"token": "a", "token_file": "b"}}}, "ORC113"),
        ({"follow_redirects": 2}, "ORC104"),
        ({"proxy": "http://p"}, "ORC104"),
        ({"min_tls": "1.2"}, "ORC104"),
    ],
)
def test_what_excludes_each_other_is_refused(make, more, code):
    with pytest.raises(ValidationError) as caught:
        make("http", {"url": "http://a/", **more})
    assert code in {each["type"] for each in caught.value.errors()}
