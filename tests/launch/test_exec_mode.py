import os
import signal

import pytest
from launching import eventually, family


def test_the_server_takes_the_engines_place_and_pid(launch):
    service = launch(mode="exec")
    answer = eventually(service.answers, 20)
    assert answer["pid"] == service.process.pid
    assert family(service.process.pid) == []
    service.signal(signal.SIGTERM)
    assert service.wait() == -signal.SIGTERM


def test_nothing_is_left_open(launch):
    service = launch(mode="exec", options={"loop": "asyncio"})
    eventually(service.answers, 20)
    kinds = [
        target.split(":")[0] for number, target in service.json("/descriptors").items() if int(number) > 2
    ]
    assert kinds.count("socket") == 4
    assert [kind for kind in kinds if kind != "socket" and not kind.startswith("/proc/")] == ["anon_inode"]


def test_an_import_that_fails_is_told_without_our_frames(launch):
    service = launch("import no_such_thing\n", mode="exec")
    assert service.wait() == 5
    assert "orchestrator: launch: ModuleNotFoundError: No module named 'no_such_thing'" in service.errors()
    assert "Traceback" not in service.errors()


@pytest.mark.parametrize(("argv", "code"), [(["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], -9)])
def test_a_command_takes_the_engines_place(launch, argv, code):
    assert launch(command=argv, mode="exec").wait() == code


def test_a_command_has_the_engines_pid(launch):
    service = launch(command=["sh", "-c", "echo pid $$"], mode="exec")
    assert service.wait() == 0
    assert f"pid {service.process.pid}\n" in (service.directory / "out").read_text()
    assert os.path.exists(service.directory)


def test_a_command_dies_of_a_closed_pipe_as_in_a_shell(launch):
    assert launch(command=["sh", "-c", "kill -PIPE $$; sleep 60"], mode="exec").wait() == -signal.SIGPIPE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch users")
def test_the_user_is_switched_for_good(launch):
    command = ["sh", "-c", "id -u; id -g; id -G; grep -E 'NoNewPrivs|Uid' /proc/self/status"]
    service = launch(command=command, mode="exec", uid=65534, gid=65533, groups=[65532], cwd="/")
    assert service.wait() == 0
    said = (service.directory / "out").read_text().split("\n")[-6:]
    assert said == ["65534", "65533", "65533 65532", "Uid:\t65534\t65534\t65534\t65534", "NoNewPrivs:\t1", ""]
