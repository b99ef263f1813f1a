import os
import shutil
import signal
from pathlib import Path

import pytest
from launching import alive, eventually

SERVICE = "from tiny_asgi import App\napp = App()\n"
GOOD = {"id": "module:good", "module": "good", "attribute": "", "deadline": 0}


def module(source, **more):
    return {
        "files": {"listed.py": source},
        "modules": [{"id": "module:listed", "module": "listed", "attribute": "", "deadline": 5, **more}],
    }


def failure(service):
    event = service.event("failed")
    assert event["id"] == "module:listed"
    return event


def test_each_import_is_told_with_its_time(launch):
    service = launch(SERVICE, **module("import time\ntime.sleep(0.2)\n"))
    service.event("ready")
    kinds = [(each["event"], each.get("id")) for each in service.events()]
    assert kinds[2:6] == [
        ("importing", "module:listed"),
        ("imported", "module:listed"),
        ("importing", "launch"),
        ("imported", "launch"),
    ]
    assert 200 <= service.event("imported")["ms"] < 2000


@pytest.mark.parametrize("fork", [True, False])
def test_an_exception_is_told_with_its_place(launch, fork):
    service = launch(SERVICE, fork=fork, **module("def work():\n    raise ValueError('bad')\nwork()\n"))
    event = failure(service)
    assert (event["reason"], event["type"], event["message"]) == ("exception", "ValueError", "bad")
    assert event["at"].endswith("listed.py:2")
    assert "importlib" not in event["traceback"]
    assert "raise ValueError('bad')" in event["traceback"]
    assert service.wait() == 5
    assert service.event("ended")["code"] == 3


def test_a_missing_module_is_told_with_who_wants_it(launch):
    event = failure(launch(SERVICE, **module("import os\nimport no_such_thing\n")))
    assert (event["reason"], event["missing"], event["itself"]) == ("missing", "no_such_thing", False)
    assert event["at"].endswith("listed.py:2")


def test_a_listed_module_that_is_itself_missing_is_told(launch):
    event = failure(
        launch(
            SERVICE,
            modules=[{"id": "module:listed", "module": "absent.core", "attribute": "", "deadline": 5}],
        )
    )
    assert (event["reason"], event["missing"], event["itself"]) == ("missing", "absent", True)
    assert event["at"] == ""


def test_a_missing_attribute_is_told(launch):
    event = failure(launch(SERVICE, **module("x = 1\n", attribute="y.z")))
    assert (event["reason"], event["message"]) == ("attribute", "`listed` has no `y.z`")


def test_sys_exit_is_told(launch):
    event = failure(launch(SERVICE, **module("import sys\nsys.exit('no licence')\n")))
    assert (event["reason"], event["message"]) == ("exit", "it called sys.exit('no licence')")


def test_an_exit_behind_pythons_back_is_told(launch):
    event = failure(launch(SERVICE, **module("import os\nos._exit(0)\n")))
    assert (event["reason"], event["message"]) == ("exit", "its import ended the process with 0")


def test_a_crash_is_told(launch):
    service = launch(SERVICE, **module("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"))
    event = failure(service)
    assert (event["reason"], event["message"]) == ("crash", "its import crashed the process: SIGSEGV")
    assert service.event("ended")["code"] == -signal.SIGSEGV


def test_a_hang_is_ended_at_its_deadline(launch):
    service = launch(SERVICE, **module("import time\ntime.sleep(600)\n", deadline=0.3))
    event = failure(service)
    assert (event["reason"], event["message"]) == ("hang", "its import did not end within 0.3 s")
    assert service.wait() == 5


def test_a_failure_does_not_keep_the_others_from_being_tried(launch):
    more = module("raise ValueError\n")
    more["modules"] = [*more["modules"], {**GOOD}]
    more["files"]["good.py"] = ""
    service = launch("raise KeyError('app')\n", **more)
    service.event("ended")
    told = [
        (each["event"], each["id"]) for each in service.events() if each["event"] in {"failed", "imported"}
    ]
    assert told == [("failed", "module:listed"), ("imported", "module:good"), ("failed", "launch")]


def test_an_app_that_cannot_be_imported_ends_with_5(launch):
    assert launch("raise KeyError('app')\n").event("ended")["code"] == 5


def test_a_missing_app_is_told(launch):
    event = launch("application = 1\n").event("failed")
    assert (event["id"], event["reason"]) == ("launch", "attribute")


def test_an_unknown_server_option_is_no_traceback_of_ours(launch):
    event = launch(SERVICE, options={"no_such": 1}).event("failed")
    assert (event["reason"], event["type"]) == ("startup", "TypeError")
    assert "no_such" in event["message"]


def test_a_factory_is_called(launch):
    service = launch(
        "from tiny_asgi import App\ndef make():\n    app = App()\n    app.get('/')(lambda: {'made': True})\n    return app\n",
        app="service_app:make",
        factory=True,
    )
    service.supervised()
    assert service.json() == {"made": True}


def test_the_importer_ends_with_a_killed_engine(launch):
    service = launch("import time\ntime.sleep(600)\n")
    service.event("importing")
    pid = service.event("started")["pid"]
    service.signal(signal.SIGKILL)
    service.wait()
    eventually(lambda: not alive(pid), 5)


def test_a_stop_during_an_import_ends_at_once(launch):
    service = launch("import time\ntime.sleep(600)\n")
    service.event("importing")
    service.signal(signal.SIGTERM)
    assert service.wait(2) == 143
    assert not alive(service.event("started")["pid"])


def test_umask_directory_and_environment_are_the_plans(launch, tmp_path):
    (tmp_path / "below").mkdir()
    shutil.copy(Path(__file__).parents[1] / "tiny_asgi.py", tmp_path / "below")
    (tmp_path / "below" / "placed.py").write_text(
        "import os, sys\nopen('made', 'w').close()\nassert sys.path[0] == os.getcwd()\nassert os.environ['WORD'] == 'hello'\n"
        + SERVICE
    )
    service = launch(app="placed:app", cwd=str(tmp_path / "below"), umask=0o027, environ={"WORD": "hello"})
    service.event("ready")
    assert os.stat(tmp_path / "below" / "made").st_mode & 0o777 == 0o640


@pytest.mark.parametrize(("changed", "form"), [({"PYTHONHASHSEED": "7"}, "exec"), ({"WORD": "x"}, "fork")])
def test_what_the_interpreter_has_read_already_asks_for_a_new_one(launch, changed, form):
    started = launch(SERVICE, environ=changed).event("started")
    assert started["form"] == form
    assert form == "fork" or "PYTHONHASHSEED changed" in started["why"]


def test_a_command_is_execed_after_the_imports(launch):
    service = launch(
        SERVICE,
        command=["sh", "-c", 'echo "word $WORD"; exec sleep 600'],
        environ={"WORD": "hello"},
        modules=[{"id": "module:service_app", "module": "service_app", "attribute": "", "deadline": 0}],
    )
    service.supervised()
    eventually(lambda: "word hello" in (service.directory / "out").read_text())
    service.signal(signal.SIGTERM)
    assert service.wait() == 0


def test_a_command_that_is_not_there_is_told(launch):
    service = launch(command=["no-such-command"])
    event = service.event("failed")
    assert (event["reason"], event["message"]) == (
        "command",
        "cannot run no-such-command: No such file or directory",
    )
    assert service.event("ended")["code"] == 127


@pytest.mark.parametrize("fork", [True, False])
def test_a_directory_that_is_not_there_is_told(launch, fork):
    service = launch(cwd="/no/such/place", fork=fork)
    event = service.event("failed")
    assert (event["id"], event["reason"]) == ("launch", "start")
    assert "/no/such/place" in event["message"]
    assert service.wait() == 5
    assert "Traceback" not in service.errors()
