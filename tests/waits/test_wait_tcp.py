"""`tcp`, and what all kinds share: addresses, names, refusals, black holes."""

import socket

import pytest
from pydantic import ValidationError

from orchestrator.document.plain import Template
from orchestrator.testing import closed_port, dripping_port, full_port, silent_port


def greeting(line):
    from orchestrator.testing import served

    return served(lambda connection: connection.sendall(line))


@pytest.mark.parametrize("form", ["text", "parts"])
def test_a_port_that_accepts_is_well(attempt, form):
    with silent_port() as port:
        value = f"127.0.0.1:{port}" if form == "text" else {"host": "127.0.0.1", "port": port}
        outcome = attempt("tcp", value)
    assert outcome.ok
    assert outcome.summary == f"127.0.0.1:{port} accepts connections"


def test_a_port_that_nobody_listens_on_is_refused(attempt):
    with closed_port() as port:
        outcome = attempt("tcp", f"127.0.0.1:{port}")
    assert (outcome.ok, outcome.code, outcome.reason, outcome.final) == (False, "ORC501", "refused", False)
    assert outcome.summary == f"connection to 127.0.0.1:{port} refused: nothing listens there"


def test_localhost_inside_a_pod_is_pointed_out(attempt):
    with closed_port() as port:
        outcome = attempt("tcp", f"localhost:{port}", environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert "inside a pod, localhost is the pod itself" in outcome.hint


def test_a_black_hole_is_a_timeout_within_its_time(attempt):
    with full_port() as port:
        outcome = attempt("tcp", f"127.0.0.1:{port}", timeout=0.3)
    assert (outcome.reason, outcome.code) == ("timeout", "ORC502")
    assert outcome.summary == f"no connection to 127.0.0.1:{port} within 0.3 s"


def test_a_name_that_is_not_known_is_said(attempt):
    outcome = attempt("tcp", "no-such-host.invalid:80", timeout=5)
    assert (outcome.reason, outcome.code, outcome.final) == ("dns", "ORC503", False)
    assert "no-such-host.invalid" in outcome.summary
    assert outcome.hint


def test_a_name_that_cannot_be_one_is_final(attempt):
    outcome = attempt("tcp", {"host": "a" * 64 + ".example", "port": 1})
    assert (outcome.reason, outcome.final) == ("dns", True)


def test_the_second_address_is_tried_when_the_first_refuses(attempt, ipv6):
    with silent_port() as port:  # on 127.0.0.1 alone, while localhost may be ::1 first
        assert attempt("tcp", f"localhost:{port}").ok


def test_ipv6_addresses_are_written_in_brackets(attempt, ipv6):
    with socket.create_server(("::1", 0), family=ipv6) as listener:
        port = listener.getsockname()[1]
        outcome = attempt("tcp", f"[::1]:{port}")
    assert outcome.summary == f"[::1]:{port} accepts connections"


def test_a_greeting_is_compared(attempt):
    with greeting(b"220 mail ready\r\n") as port:
        assert attempt("tcp", f"127.0.0.1:{port}", expect={"matches": "^220 "}).ok
        outcome = attempt("tcp", f"127.0.0.1:{port}", expect={"matches": "^250 "})
    assert (outcome.reason, outcome.code) == ("unexpected", "ORC508")
    assert '"220 mail ready"' in outcome.summary


def test_a_greeting_that_drips_cannot_stretch_the_timeout(attempt):
    with dripping_port(b"x" * 100) as port:
        outcome = attempt("tcp", f"127.0.0.1:{port}", timeout=0.35, expect="x")
    assert outcome.reason == "timeout"
    assert outcome.summary.endswith("did not finish its answer within 0.35 s")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("db", "ORC117"), ("db:http", "ORC117"), ("db:0", "ORC117"), ("db:65536", "ORC117"), ("::1:80", "ORC117"),
        ("a b:80", "ORC117"), ({"host": "db"}, "ORC101"), ({"port": 80}, "ORC101"),
        ({"host": "db:80", "port": 80}, "ORC117"), ({"host": "", "port": 80}, "ORC117"),
        ({"address": "db:80", "port": 80}, "ORC113"), ({"host": "db", "port": 70000}, "ORC105"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_when_it_is_read(make, value, code):
    with pytest.raises(ValidationError) as caught:
        make("tcp", value)
    assert caught.value.errors()[0]["type"] == code


def test_an_address_that_is_not_known_yet_shows_its_variables_alone(make):
    written = "db:${PORT}"
    unknown = Template(written, known=False, secret=False, written=written)
    assert make("tcp", unknown).target() == "${PORT}"
    host = Template("${HOST}", known=False, secret=False, written="${HOST}")
    assert make("tcp", {"host": host, "port": 5}).target() == "${HOST}"


def test_an_address_from_a_variable_is_read(make):
    known = Template("db:5432", known=True, secret=False, written="${DB}")
    assert make("tcp", known).target() == "db:5432"
    port = Template("5432", known=True, secret=False, written="${PORT}")
    assert make("tcp", {"host": "db", "port": port}).target() == "db:5432"


@pytest.mark.parametrize(("told", "hint"), [("1", "inside a container, 127.0.0.1 is the container itself"), ("0", "start what should listen on port")])  # fmt: skip
def test_who_runs_it_may_say_whether_this_is_a_container(attempt, told, hint):
    with closed_port() as port:
        outcome = attempt("tcp", f"127.0.0.1:{port}", environ={"ORCHESTRATOR_IN_CONTAINER": told})
    assert hint in outcome.hint


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("postgresql+asyncpg://me:pw@127.0.0.1:{port}/app", "127.0.0.1:{port}"),
        ("redis://127.0.0.1:{port}/0", "127.0.0.1:{port}"),
        ("strange://[::1]:7", "[::1]:7"),
        ("postgresql://db/app", "db:5432"),
        ("amqps://broker", "broker:5671"),
    ],
)
def test_host_and_port_are_taken_from_the_url_of_a_driver(make, url, where):
    assert make("tcp", {"url": url.format(port=5)}).target() == where.format(port=5)


def test_a_url_is_connected_to_and_its_password_is_not_shown(attempt):
    with silent_port() as port:
        outcome = attempt("tcp", {"url": f"postgresql://me:hunter2@127.0.0.1:{port}/app"})
    assert outcome.ok
    assert "hunter2" not in str(outcome)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"url": "db:5432"}, "ORC117"),
        ({"url": "strange://db"}, "ORC117"),
        ({"url": "http://"}, "ORC117"),
        ({"url": "http://db", "port": 80}, "ORC113"),
        ({"url": "http://db", "family": "ipv5"}, "literal_error"),
    ],
)
def test_a_url_without_an_address_is_refused(make, value, code):
    with pytest.raises(ValidationError) as caught:
        make("tcp", value)
    assert code in {each["type"] for each in caught.value.errors()}


def test_an_address_of_the_other_family_is_not_tried(attempt):
    with silent_port() as port:
        assert attempt("tcp", {"host": "localhost", "port": port, "family": "ipv4"}).ok
        outcome = attempt("tcp", {"host": "127.0.0.1", "port": port, "family": "ipv6"})
    assert (outcome.reason, outcome.summary) == ("dns", "127.0.0.1 has no ipv6 address")


def test_what_is_said_in_tls(attempt, certificates):
    context = certificates.context(certificates.make("good"))

    def handle(connection):
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.sendall(b"220 ready\r\n")

    from orchestrator.testing import served

    with served(handle) as port:
        address = {"host": "localhost", "port": port, "family": "ipv4"}
        well = attempt("tcp", {**address, "tls": {"ca": certificates.ca}}, expect={"matches": "^220"})
        refused = attempt("tcp", {**address, "tls": True}, expect={"matches": "^220"})
        trusting = attempt("tcp", {**address, "tls": {"verify": False}}, expect={"matches": "^220"})
    assert well.ok, well.summary
    assert (refused.reason, refused.final) == ("tls", True)
    assert trusting.ok
