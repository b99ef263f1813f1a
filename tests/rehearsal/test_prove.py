"""Each kind of failure really made, at least once, and what the real service came to."""

import os
import shutil
import signal
import time

import pytest

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("private_places")]


def endings(rows):
    return {name: (row["outcome"], row["exit_code"], row["proved"]) for name, row in rows.items()}


@pytest.mark.long
def test_what_is_asked_of_the_machine(service):
    service.write("optional.py", "")
    service.write("settings.json", "{}")
    service.write("filled.txt", "x\n")
    service.spec("""
variables:
  MODE: {allowed: [a, b], default: a, on_failure: warn}
  KEY: {required: true, on_failure: {degrade: billing}}
python: {version: ">=3.11", on_failure: warn}
host: {memory: {is: '>=1MB', on_failure: {degrade: big}}}
packages:
  - {requirement: httptools>=0.1, on_failure: {degrade: fast}}
modules: [{module: optional, on_failure: {degrade: optional}}]
directories:
  - {path: data, on_failure: [{use: {path: /tmp/elsewhere, export: DATA}}, {degrade: persistence}]}
files:
  - {path: settings.json, format: json, on_failure: {degrade: settings}}
""")
    service.environ["KEY"] = "there"
    rows = service.proved()
    assert {name: end for name, end in endings(rows).items() if name[0] not in ("port", "launch")} == {
        ("variable:MODE", "invalid"): ("ready", None, True),
        ("variable:KEY", "missing"): ("degraded", None, True),
        ("python", "version"): ("ready", None, True),
        ("host:memory", "limit"): ("degraded", None, True),
        ("package:httptools", "missing"): ("degraded", None, True),
        ("package:httptools", "version"): ("degraded", None, True),
        ("module:optional", "missing"): ("degraded", None, True),
        ("module:optional", "import"): ("degraded", None, True),
        ("directory:data", "missing"): ("healed", None, True),
        ("directory:data", "unwritable"): ("healed", None, True),
        ("directory:data", "full"): ("healed", None, True),
        ("file:settings.json", "missing"): ("degraded", None, True),
        ("file:settings.json", "content"): ("degraded", None, True),
    }
    assert {name: end for name, end in endings(rows).items() if name[0] in ("port", "launch")} == {
        ("port", "in_use"): ("stopped", 3, True),
        ("launch", "import"): ("stopped", 5, True),
        ("launch", "ended"): ("stopped", 137, True),
    }
    assert rows["module:optional", "import"]["degraded"] == ["optional"]
    assert rows["directory:data", "full"]["fallbacks"][0]["action"] == "use"


@pytest.mark.long
def test_what_must_answer_fails_in_each_way_at_the_very_address(service):
    service.spec("""
wait_for:
  - {name: api, http: 'http://api.example:9000/ready', on_failure: {serve: maintenance}}
  - {name: raw, tcp: '10.1.2.3:5000', on_failure: {degrade: raw}}
  - {name: cache, http: 'http://cache/', on_failure: [{use: {url: 'http://spare/', export: CACHE_URL}}, stop]}
  - {name: name, dns: db.example}
  - {name: local, unix: run/app.sock}
  - {name: mark, file: mark}
  - {name: asked, command: ['true'], on_failure: warn}
""")
    service.write("mark", "")
    rows = service.proved("api", "raw", "cache", "name", "local", "mark", "asked")
    assert endings(rows) == {
        ("wait:api", "refused"): ("maintenance", None, True),
        ("wait:api", "timeout"): ("maintenance", None, True),
        ("wait:api", "dropped"): ("maintenance", None, True),
        ("wait:api", "protocol"): ("maintenance", None, True),
        ("wait:api", "unexpected"): ("maintenance", None, True),
        ("wait:raw", "refused"): ("degraded", None, True),
        ("wait:raw", "timeout"): ("degraded", None, True),
        ("wait:cache", "refused"): ("healed", None, True),
        ("wait:cache", "timeout"): ("healed", None, True),
        ("wait:cache", "dropped"): ("healed", None, True),
        ("wait:cache", "protocol"): ("healed", None, True),
        ("wait:cache", "unexpected"): ("healed", None, True),
        ("wait:name", "dns"): ("stopped", 75, True),
        ("wait:local", "missing"): ("stopped", 75, True),
        ("wait:local", "refused"): ("stopped", 75, True),
        ("wait:mark", "unexpected"): ("stopped", 3, True),
        ("wait:asked", "unexpected"): ("ready", None, True),
        ("wait:asked", "timeout"): ("ready", None, True),
    }
    assert "the port answers 503" in rows["wait:api", "refused"]["note"]


@pytest.mark.long
def test_a_password_is_refused_where_http_can_say_so(service):
    service.spec("""
variables: {PW: {secret: true, required: true}, DB_URL: {type: url, secret: true, required: true}}
wait_for:
  - {name: db, postgres: '${DB_URL}', expect: {writable: true}, on_failure: {degrade: db}}
  - {name: api, http: {url: 'https://app:${PW}@api.example/', headers: {X: y}}, on_failure: {degrade: api}}
""")
    service.environ |= {"PW": "swordfish", "DB_URL": "postgresql://app:swordfish@db.example/app"}
    rows = service.proved("db", "api")
    generic = ("refused", "timeout", "dropped", "protocol")
    assert endings(rows) == {
        **{("wait:db", reason): ("degraded", None, True) for reason in generic},
        ("wait:db", "auth"): ("degraded", None, None),
        **{("wait:api", reason): ("degraded", None, True) for reason in (*generic, "unexpected", "auth")},
    }
    assert "only the real server can refuse a password" in rows["wait:db", "auth"]["note"]


@pytest.mark.long
def test_an_address_that_is_taken_instead_is_answered_where_no_protocol_is_needed(service):
    service.spec("""
wait_for:
  - {name: cache, redis: 'redis://cache:6379', on_failure: [{use: {url: 'redis://spare:6379', export: CACHE_URL}}, stop]}
""")
    rows = service.proved("cache", code=4)
    assert set(endings(rows).values()) == {("healed", None, None)}
    assert "no server of ours can be well" in rows["wait:cache", "refused"]["note"]


@pytest.mark.long
def test_a_value_beyond_the_bounds_is_told_from_one_of_another_type(service):
    service.spec("""
variables:
  WORKERS: {type: integer, min: 1, max: 8, default: 2, on_failure: warn}
  PAUSE: {type: duration, max: 5m, default: 1m, on_failure: warn}
  SITE: {type: url, schemes: [https], default: 'https://a.example', on_failure: warn}
""")
    rows = service.proved("variable:WORKERS", "variable:PAUSE", "variable:SITE")
    assert endings(rows) == {
        (f"variable:{name}", reason): ("ready", None, True)
        for name in ("WORKERS", "PAUSE", "SITE")
        for reason in ("invalid", "outside")
    }


@pytest.mark.long
def test_what_is_done_and_launched(service):
    service.spec(
        """
checks:
  - {name: ledger, run: ['true'], on_failure: warn}
  - {name: rule, holds: {exists: main.py}, why: there is an app}
steps:
  - {name: migrate, run: [sh, -c, 'echo done > migrated'], deadline: 30s, on_failure: [{run: [sh, -c, 'echo mend']}, stop]}
  - {name: seed, run: ['true'], on_failure: {stop: {exit_code: 9}}}
health:
  ready: /ready
  deadline: 30s
  on_failure: [{restart: {times: 3}}, {serve: maintenance}]
""",
        "{app: 'main:app', host: 127.0.0.1, port: 8000, restart: {policy: on-failure}}",
    )
    assert endings(service.proved("ledger", "rule", "migrate", "seed", "launch", "health:ready")) == {
        ("check:ledger", "unexpected"): ("ready", None, True),
        ("check:ledger", "timeout"): ("ready", None, True),
        ("check:rule", "unexpected"): ("stopped", 3, True),
        ("step:migrate", "exit"): ("healed", None, True),
        ("step:migrate", "timeout"): ("healed", None, True),
        ("step:seed", "exit"): ("stopped", 9, True),
        ("launch", "import"): ("stopped", 5, True),
        ("launch", "ended"): ("healed", None, True),
        ("health:ready", "unexpected"): ("maintenance", None, True),
        ("health:ready", "timeout"): ("maintenance", None, True),
    }


def test_another_file_is_used_where_one_is_missing_or_empty(service):
    service.spec("files: [{path: data.bin, min_size: 1B, on_failure: {use: {path: main.py}}}]\n")
    service.write("data.bin", "x")
    assert endings(service.proved("data.bin")) == {
        ("file:data.bin", "missing"): ("healed", None, True),
        ("file:data.bin", "content"): ("healed", None, True),
    }


def test_a_fallback_that_does_not_do_what_it_says_is_found(service):
    service.write("needed.py", "")
    service.write("main.py", "import needed\n" + (service.root / "main.py").read_text())
    service.spec("modules: [{module: needed, on_failure: {degrade: extras}}]\n")
    row = service.proved("needed", code=4)["module:needed", "missing"]
    assert (row["outcome"], row["proved"]) == ("stopped", False)
    assert "the app cannot start without it" in row["note"]
    done = service.rehearse("--prove", "--break", "needed")
    assert done.returncode == 4
    assert "startup.yaml:3:" in done.err
    assert "error[ORC805]" in done.err
    assert "WRONG" in done.out


@pytest.mark.long
def test_a_pin_is_about_the_truth(service):
    service.write("needed.py", "")
    service.write("main.py", "import needed\n" + (service.root / "main.py").read_text())
    service.spec(
        "modules: [{module: needed, on_failure: {degrade: extras}}]\nrehearsal: {'module:needed': stopped}\n"
    )
    service.proved("needed", code=0)


def test_a_service_that_is_not_ready_anyway_proves_nothing_and_says_why(service):
    service.write("main.py", "raise RuntimeError('there is no app today')")
    service.spec("directories: [data]\n")
    done = service.rehearse("--prove")
    assert done.returncode == 4, "no proof must not look like one"
    assert "there is no app today" in done.err
    assert "proved " not in done.out.replace("not proved", "").replace("0 proved", "")


def test_no_secret_is_told(service):
    service.write("main.py", "import os\nraise RuntimeError(os.environ['KEY'])")
    service.spec("variables: {KEY: {secret: true, required: true}}\n")
    service.environ["KEY"] = "swordfish-0815"
    done = service.rehearse("--prove")
    assert "RuntimeError" in done.err
    assert "swordfish" not in done.out + done.err


@pytest.mark.long
def test_a_step_that_cannot_work_here_is_supposed_done_and_said_so(service):
    service.spec(
        "directories: [{path: data, on_failure: warn}]\nsteps: [{name: fetch, run: [python, -c, 'import urllib.request as u; u.urlopen(\"http://203.0.113.1\", timeout=1)']}]\n"
    )
    done = service.rehearse("--prove", "--break", "data")
    assert "supposed well where not under test, because it cannot be real here: step:fetch" in done.err
    assert "3 proved" in done.out


@pytest.mark.long
def test_roles_and_environments_are_rehearsed_as_they_are_started(service):
    service.write("startup.production.yaml", "directories: [{path: data, on_failure: {degrade: disk}}]\n")
    service.spec(
        "directories: [data]\nroles:\n  once:\n    launch: !remove\n    steps: [{name: it, run: ['true'], when: {environment: production}}]\n"
    )
    rows = service.proved("data", "it", words=("once", "--env", "production"))
    assert endings(rows)["directory:data", "missing"] == ("degraded", 0, True)
    assert endings(rows)["step:it", "exit"] == ("stopped", 3, True)


def test_nothing_outside_changes_and_nothing_is_left(service, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    service.spec(f"""
directories: [data, {outside}, {tmp_path}/new]
files: [{{path: {outside}/kept, contains: kept}}]
steps: [{{name: it, run: [sh, -c, 'rm -f {outside}/kept; touch {tmp_path}/made here']}}]
""")
    before = service.fingerprint()
    service.rehearse("--prove", "--break", f"directory:{outside}", "--break", "it")
    assert service.fingerprint() == before
    assert (outside / "kept").read_text() == "kept"
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "new").exists()
    assert list(service.temporary.iterdir()) == []
    assert service.alive() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_request_to_stop_cleans_up(service, number, code):
    service.spec("steps: [{name: long, run: [sleep, '3000']}]\n")
    process = service.start("--prove")
    until(lambda: any("sleep" in line for line in service.alive()))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    until(lambda: service.alive() == [])
    assert list(service.temporary.iterdir()) == []


def test_nothing_survives_a_rehearsal_that_is_killed(service):
    service.spec("steps: [{name: long, run: [sleep, '3000']}]\n")
    process = service.start("--prove")
    until(lambda: any("sleep" in line for line in service.alive()))
    process.kill()
    process.communicate(timeout=60)
    until(lambda: service.alive() == [])


def until(holds, within=60):
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="who is not root has no other way anyway"
)
def test_without_the_right_to_mount_a_namespace_of_users_gives_it(service):
    service.spec("directories: [{path: data, on_failure: {degrade: disk}}]\n")
    without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    done = service.rehearse("--prove", "--break", "data", before=without)
    said = (done.returncode, "3 proved" in done.out, "nothing can be proved here" in done.err)
    assert said in [(0, True, False), (4, False, True)], done.out + done.err
