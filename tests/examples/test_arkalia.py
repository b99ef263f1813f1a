"""The case that started the project, each of its failures as a real start of a real process."""

import json
import re
from urllib.error import HTTPError

import pytest
from matrices import mostly_long

DIRECTORIES = ["logs", "state", "cache", "modules/zeroia/state", "modules/assistantia/logs"]


def test_all_well_serves_and_a_stop_ends_with_0(arkalia):
    assert arkalia.command("health").returncode == 1
    arkalia.start()
    arkalia.until_healthy()
    with open(f"/proc/{arkalia.process.pid}/net/tcp") as sockets:
        listening = [line.split()[1] for line in sockets if line.split()[3] == "0A"]
    assert f"00000000:{arkalia.port:04X}" in listening, "it answers from outside the container"
    assert arkalia.get("/health") == {"status": "ok"}
    assert arkalia.get("/") == {"service": "arkalia-api", "degraded": []}
    assert arkalia.get("/zeroia")["decision"] in {"normal", "reduce"}
    assert arkalia.get("/assistantia?question=is+the+disk+full")["answer"].startswith("disk is at")
    assert all((arkalia.root / path).is_dir() for path in DIRECTORIES)
    report = arkalia.report()
    assert (report["service"], report["status"], report["degraded"]) == ("arkalia-api", "ready", [])

    assert arkalia.stop() == 0, arkalia.stderr
    assert "Traceback" not in arkalia.stderr
    assert arkalia.command("health").returncode == 1


@pytest.mark.parametrize("feature", mostly_long(["zeroia", "assistantia"], "zeroia"))
def test_a_missing_optional_module_is_said_everywhere(arkalia, feature):
    (arkalia.root / f"modules/{feature}/core.py").unlink()
    arkalia.start()
    arkalia.until_healthy()

    said = [line for line in arkalia.stderr.splitlines() if f"modules.{feature}.core" in line]
    assert any("degraded" in line or "degrade" in line for line in said), arkalia.stderr
    status = arkalia.command("status", "--format", "json")
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["degraded"] == [feature]
    assert feature in arkalia.command("status").stdout
    assert (arkalia.report()["status"], arkalia.report()["degraded"]) == ("degraded", [feature])
    assert arkalia.status_of(f"module:modules.{feature}.core") == "degraded"
    assert arkalia.get("/")["degraded"] == [feature], "ORCHESTRATOR_DEGRADED"

    assert arkalia.get("/health") == {"status": "ok"}
    with pytest.raises(HTTPError) as refused:
        arkalia.get(f"/{feature}?question=load")
    with refused.value as answer:
        assert answer.code == 503
        assert f"{feature} is switched off" in json.load(answer)["detail"]
    assert arkalia.stop() == 0, arkalia.stderr


@pytest.mark.long
def test_both_optional_modules_may_be_missing(arkalia):
    for feature in ("zeroia", "assistantia"):
        (arkalia.root / f"modules/{feature}/core.py").unlink()
    arkalia.start()
    arkalia.until_healthy()
    assert sorted(arkalia.get("/")["degraded"]) == ["assistantia", "zeroia"]


def test_a_missing_package_ends_with_3_and_the_exact_remedy(arkalia):
    arkalia.change_spec(lambda spec: spec["packages"].append("notinstalled-xyz>=1"))
    arkalia.start()
    assert arkalia.ends() == 3, arkalia.stderr
    assert "pip install 'notinstalled-xyz>=1'" in arkalia.stderr
    assert re.search(r"(?i)RUN pip install|requirements", arkalia.stderr)
    assert "Traceback" not in arkalia.stderr
    assert arkalia.status_of("package:notinstalled-xyz") == "failed"
    assert arkalia.report()["exit_code"] == 3


def test_a_module_that_is_there_but_cannot_be_imported_is_found(arkalia):
    source = arkalia.root / "modules/reflexia/core.py"
    source.write_text("import notthere_abc\n" + source.read_text())
    arkalia.start()
    assert arkalia.ends() == 3, arkalia.stderr
    assert "modules.reflexia.core" in arkalia.stderr
    assert "notthere_abc" in arkalia.stderr
    assert arkalia.status_of("module:modules.reflexia.core") == "failed"


@pytest.mark.long
def test_an_optional_module_with_a_missing_import_of_its_own_degrades_too(arkalia):
    source = arkalia.root / "modules/zeroia/core.py"
    source.write_text("import notthere_abc\n" + source.read_text())
    arkalia.start()
    arkalia.until_healthy()
    assert arkalia.get("/")["degraded"] == ["zeroia"]
    assert "notthere_abc" in arkalia.stderr


def test_every_problem_is_said_by_one_start(arkalia):
    arkalia.change_spec(lambda spec: spec["packages"].append("notinstalled-xyz>=1"))
    (arkalia.root / "modules/reflexia/core.py").unlink()
    (arkalia.root / "cache").write_text("a file where a directory belongs")
    arkalia.start()
    assert arkalia.ends() == 3, arkalia.stderr
    failed = {each["id"] for each in arkalia.report()["items"] if each["status"] == "failed"}
    assert {"package:notinstalled-xyz", "directory:cache", "module:modules.reflexia.core"} <= failed


def test_loopback_in_a_container_is_warned_about(arkalia):
    arkalia.change_spec(lambda spec: spec["launch"].update(host="127.0.0.1"))
    arkalia.environment["ORCHESTRATOR_IN_CONTAINER"] = "1"
    arkalia.start()
    arkalia.until_healthy()
    warnings = [line for line in arkalia.stderr.splitlines() if re.search(r"(?i)warning.*ORC[0-9]{3}", line)]
    assert any("127.0.0.1" in line for line in warnings), arkalia.stderr
    assert arkalia.stop() == 0


@pytest.mark.parametrize("value", mostly_long(["99999", "http"], "http"))
def test_a_port_that_is_none_is_refused_with_its_name_and_value(arkalia, value):
    arkalia.environment["PORT"] = value
    arkalia.start()
    assert arkalia.ends() == 3, arkalia.stderr
    assert "PORT" in arkalia.stderr
    assert value in arkalia.stderr


def test_the_contract_has_no_findings(arkalia):
    done = arkalia.command("validate", "--fail-on", "note")
    assert done.returncode == 0, done.stdout + done.stderr
