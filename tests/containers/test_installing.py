"""`install` by a user who is not root, in an image that cannot be written: a directory of its own that the server gets."""

import json
import zipfile

import pytest

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

SPEC = """
version: 1
service: shop
packages: [{requirement: 'tinything>=1', on_failure: [{install: wheels}]}]
modules: [tinything]
launch: {app: 'main:app', port: 8000}
"""
APP = """
import json, os
import tinything

async def app(scope, receive, send):
    if scope["type"] == "http":
        body = json.dumps({"value": tinything.VALUE, "file": tinything.__file__, "uid": os.getuid()}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})
"""
ASK = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8000/').read().decode())"


@pytest.fixture
def service(tmp_path):
    root = tmp_path / "srv"
    (root / "wheels").mkdir(parents=True)
    (root / "startup.yaml").write_text(SPEC)
    (root / "main.py").write_text(APP)
    info, path = "tinything-1.0.dist-info", root / "wheels" / "tinything-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("tinything.py", "VALUE = 1\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    for each in (root, *root.rglob("*")):
        each.chmod(0o755 if each.is_dir() else 0o644)
    return ("--volume", f"{root}:/srv:ro", "--read-only", "--user", "12345")


@pytest.mark.parametrize(
    ("mounts", "place"),
    [(("--tmpfs", "/tmp"), "/tmp/orchestrator-packages-"), ((), "/dev/shm/orchestrator-12345/packages")],
    ids=["with a tmpfs", "without"],
)
def test_what_was_installed_is_what_the_server_imports(start, service, mounts, place):
    container = start(*service, *mounts)
    container.until_it_says("is ready")
    seen = json.loads(container.run("python", "-c", ASK).stdout)
    assert (seen["value"], seen["uid"]) == (1, 12345)
    assert seen["file"].startswith(place)
    report = json.loads(container.run("orchestrator", "report", "--format", "json").stdout)
    (done,) = next(each for each in report["items"] if each["id"] == "package:tinything")["fallbacks"]
    assert done["changed"]["wheels"] == ["tinything 1.0"]
    assert seen["file"].startswith(done["changed"]["path"])
    assert done["changed"]["variables"] == ["PYTHONPATH"]


def test_where_nothing_at_all_can_be_written_it_says_so(start, service):
    container = start(*service, "--tmpfs", "/dev/shm:ro", "--tmpfs", "/run:ro")
    assert container.ends() == 3
    logs = container.logs()
    assert "install: there is no directory that can be written: mount a tmpfs on /tmp" in logs
    assert "Traceback" not in logs.replace("| Traceback", "")
