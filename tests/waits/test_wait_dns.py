"""`dns` with the machine's own resolver."""

import os
import shutil
import subprocess
import sys

import pytest
from pydantic import ValidationError


def test_a_name_that_is_known_gives_its_addresses(attempt):
    outcome = attempt("dns", {"host": "localhost", "family": "ipv4"})
    assert outcome.ok
    assert outcome.data["addresses"] == ["127.0.0.1"]


def test_an_address_is_its_own_name(attempt):
    assert attempt("dns", "127.0.0.1").ok


def test_a_name_that_is_not_known_is_no_failure_for_good(attempt):
    outcome = attempt("dns", "no-such-host.invalid", timeout=5)
    assert (outcome.reason, outcome.code, outcome.final) == ("dns", "ORC503", False)


def test_a_family_that_is_not_there_is_said(attempt):
    outcome = attempt("dns", {"host": "127.0.0.1", "family": "ipv6"})
    assert (outcome.reason, outcome.summary) == ("dns", "127.0.0.1 has no ipv6 address")


def test_the_addresses_are_compared(attempt):
    assert attempt("dns", "127.0.0.1", expect={"contains": "127.0.0.1"}).ok
    outcome = attempt("dns", "127.0.0.1", expect={"contains": "10.0.0.1"})
    assert outcome.reason == "unexpected"


def test_inside_a_pod_the_hint_is_about_services(attempt):
    outcome = attempt("dns", "no-such-host", timeout=5, environ={"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert "is there a Service named no-such-host in this namespace?" in outcome.hint


@pytest.mark.parametrize("host", ["", "a b", "db:5432", "http://db"])
def test_what_cannot_be_a_name_is_refused_when_it_is_read(make, host):
    with pytest.raises(ValidationError) as caught:
        make("dns", host)
    assert caught.value.errors()[0]["type"] == "ORC117"


SCRIPT = """
import sys
from orchestrator.core.context import Context
from orchestrator.spec.kinds import WAITS
wait = WAITS.load("dns").model_validate({"name": "it", "dns": "late.internal"})
print(wait.attempt(Context(environ={}, timeout=5)).reason)
with open(sys.argv[1], "a") as file:
    file.write("10.1.2.3 late.internal\\n")
print(wait.attempt(Context(environ={}, timeout=5)).summary)
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can have its own /etc/hosts"
)
def test_a_name_that_comes_later_is_seen_by_the_next_attempt(tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    mounted = f'mount --bind {hosts} /etc/hosts && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mounted, "sh", sys.executable, "-c", SCRIPT, str(hosts)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and ("mount" in done.stderr or "unshare" in done.stderr):
        pytest.skip(f"no mounts of one's own here: {done.stderr.strip()}")
    assert done.stdout.splitlines() == ["dns", "late.internal is 10.1.2.3"], done.stderr
