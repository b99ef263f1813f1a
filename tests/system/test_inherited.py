"""What a process was born with does not reach what it starts."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from orchestrator.core.context import Context, User
from orchestrator.system import processes

TELL = (
    "import json, os\n"
    "found = dict(line.split(':', 1) for line in open('/proc/self/status') if ':' in line)\n"
    "print(json.dumps({'session': os.getsid(0) == os.getpid(), 'blocked': int(found['SigBlk'], 16), 'ignored': int(found['SigIgn'], 16),"
    " 'descriptors': sorted(int(each) for each in os.listdir('/proc/self/fd')), 'uid': os.getuid(), 'no_new_privs': int(found['NoNewPrivs'])}))\n"
)
PYTHON_IGNORES = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
OF_GLIBC = 1 << 32 - 1 | 1 << 33 - 1
"""Its own two signals: posix_spawn, by which make starts this, leaves them ignored, and no program may change that."""


def told(user=None):
    context = Context(dict(os.environ))
    process = processes.start([sys.executable, "-c", TELL], context)
    with process, process.stdout:
        return json.loads(process.stdout.read())


def test_a_command_has_its_own_session_and_the_standard_streams_alone():
    found = told()
    assert found["session"]
    assert found["blocked"] == 0
    assert found["descriptors"][:3] == [0, 1, 2]
    assert len(found["descriptors"]) == 4, "the fourth is the one that lists them"


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_command_of_another_user_cannot_get_more_rights():
    process = processes.popen(
        ["cat", "/proc/self/status"], User(65534, 65534), bound=True, stdout=subprocess.PIPE
    )
    with process, process.stdout:
        found = dict(
            line.split(":\t") for line in process.stdout.read().decode().splitlines() if ":\t" in line
        )
    assert found["Uid"].split() == ["65534"] * 4
    assert found["NoNewPrivs"] == "1"
    assert int(found["CapPrm"], 16) == int(found["CapEff"], 16) == int(found["CapAmb"], 16) == 0


SPEC = """version: 1
service: shop
steps:
  - {name: tell, run: [%s, -c, %s]}
%s
"""


def started(tmp_path, more, **how):
    (tmp_path / "startup.yaml").write_text(SPEC % (json.dumps(sys.executable), json.dumps(TELL), more))
    environ = os.environ | {"ORCHESTRATOR_STATE_DIR": str(tmp_path / "state")}
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "run"],
        cwd=tmp_path,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


def born_badly():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1})
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)


def test_what_the_engines_parent_blocked_ignored_or_left_open_reaches_no_step(tmp_path):
    with open("/etc/hostname") as left_open:
        process = started(tmp_path, "", preexec_fn=born_badly, pass_fds=(left_open.fileno(),))
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    line = next(line for line in said.splitlines() if line.startswith("step:tell | "))
    found = json.loads(line.partition("| ")[2])
    assert found["session"]
    assert found["blocked"] == 0
    assert found["ignored"] & ~(PYTHON_IGNORES | OF_GLIBC) == 0
    assert len(found["descriptors"]) == 4


@pytest.mark.parametrize(
    "more",
    ["  - {name: long, run: [sleep, '60']}", "wait_for: [{name: never, tcp: '127.0.0.1:1', deadline: 60s}]"],
)
def test_term_is_heard_although_the_parent_had_blocked_it(tmp_path, more):
    process = started(tmp_path, more, preexec_fn=born_badly)
    time.sleep(4)
    assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert time.monotonic() - began < 8
    assert process.returncode == 128 + signal.SIGTERM, said
