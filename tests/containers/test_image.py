"""The image of the sample service, one container at a time: how it fails, and how it says so."""

import pytest

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

READ_ONLY = ("--read-only", "--tmpfs", "/tmp", "--tmpfs", "/srv/data:uid=10001,gid=0", "--cap-drop", "ALL")


def test_a_broken_spec_ends_with_78_and_its_last_words(start, tmp_path):
    broken = tmp_path / "startup.yaml"
    broken.write_text("version: 1\nservice: bookmarks\nlaunch:\n  app: app.main:app\n  prot: 8000\n")
    words = tmp_path / "termination-log"
    words.touch()
    words.chmod(0o666)
    container = start(
        "--volume", f"{broken}:/srv/startup.yaml:ro", "--volume", f"{words}:/dev/termination-log"
    )
    assert container.ends() == 78
    logs = container.logs()
    assert "startup.yaml:5:3: error[ORC" in logs
    assert "unknown key `prot`" in logs
    assert "did you mean `port`?" in logs
    assert "Traceback" not in logs
    assert "prot" in words.read_text()


def test_a_spec_that_is_not_there_ends_with_78(start):
    container = start(words=("-f", "nowhere.yaml", "run"))
    assert container.ends() == 78
    assert "nowhere.yaml" in container.logs()


def test_a_directory_that_cannot_be_written_ends_with_3_and_is_named(start):
    container = start("--read-only", "--tmpfs", "/tmp")
    assert container.ends() == 3
    logs = container.logs()
    assert "data" in logs
    assert "Traceback" not in logs


def test_a_container_is_unhealthy_while_it_is_not_ready_and_healthy_again_after(start):
    container = start()
    container.until_health_is("healthy")
    container.run("python", "-c", "import os; os.chmod('data/bookmarks.db', 0)")
    container.until_health_is("unhealthy", 30)
    said = container.inspect()["State"]["Health"]["Log"][-1]
    assert said["ExitCode"] == 1
    assert "503" in said["Output"]
    assert container.run("orchestrator", "health", "live").returncode == 0
    container.run("python", "-c", "import os; os.chmod('data/bookmarks.db', 0o600)")
    container.until_health_is("healthy", 30)


def test_any_user_without_a_name_will_do_on_a_read_only_root(start):
    container = start("--user", "23456:0", *READ_ONLY)
    container.until_health_is("healthy")
    assert container.run("id", "-u").stdout == "23456\n"
    assert container.run("touch", "/srv/new", check=False).returncode != 0


def test_the_engine_is_process_1_and_a_stop_ends_with_0(start):
    container = start(*READ_ONLY)
    container.until_health_is("healthy")
    program = container.run("python", "-c", "print(open('/proc/1/cmdline').read())").stdout
    assert "orchestrator" in program
    container.stop()
    assert container.inspect()["State"]["ExitCode"] == 0, container.logs()


def test_a_stop_during_a_wait_ends_with_143(start):
    container = start(words=("-f", "digest.yaml", "run"))
    container.until_it_says("api")
    container.stop()
    assert container.inspect()["State"]["ExitCode"] == 143, container.logs()


def test_a_restarted_container_finds_its_database(start):
    container = start()
    container.until_health_is("healthy")
    container.restart()
    container.until_health_is("healthy")
    assert "nothing to do" in container.logs()


def test_an_image_without_the_search_module_serves_and_says_so(start, tmp_path):
    absent = tmp_path / "search.py"
    absent.write_text("import not_in_this_image\n")
    # The byte code in the image is never compared with its source: it is put out of reach.
    container = start("--volume", f"{absent}:/srv/app/search.py:ro", "--env", "PYTHONPYCACHEPREFIX=/tmp/none")
    container.until_health_is("healthy")
    assert "not_in_this_image" in container.logs()
    seen = container.run(
        "python",
        "-c",
        "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8000/ready').read().decode())",
    ).stdout
    assert '"degraded":["search"]' in seen


def test_every_module_of_the_image_is_compiled(start):
    container = start(*READ_ONLY)
    container.until_health_is("healthy")
    program = (
        "import importlib.util, pathlib; folders = ('/opt/venv/lib', '/srv/app');"
        "sources = [path for folder in folders for path in pathlib.Path(folder).rglob('*.py')];"
        "missing = [path for path in sources"
        " if not pathlib.Path(importlib.util.cache_from_source(str(path))).exists()];"
        "print(len(sources) > 500, missing)"
    )
    assert container.run("python", "-c", program).stdout == "True []\n"
