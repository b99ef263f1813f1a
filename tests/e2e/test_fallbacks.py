import os
import site
import socket
import subprocess
import sys
import zipfile

import pytest
from matrices import crossed, mostly_long
from packaging.tags import sys_tags
from ports import free_port

CHAT = {
    "module": "modules: [{module: assistant, on_failure: {degrade: chat}}]",
    "file": "files: [{path: nothing, on_failure: {degrade: chat}}]",
    "wait": "wait_for: [{name: llm, tcp: '127.0.0.1:1', deadline: 300ms, on_failure: {degrade: chat}}]",
    "step": "steps: [{name: warm, run: ['false'], on_failure: {degrade: chat}}]",
    "variable": "variables: {LLM_KEY: {required: true, on_failure: {degrade: chat}}}",
}


def seen(engine):
    return engine.get("/")[1]


def test_warn_goes_on_and_is_in_the_report(engine):
    engine.spec("files: [{path: nothing, on_failure: {warn: the shop works without it}}]").start().serving()
    assert engine.item("file:nothing")["status"] == "warned"
    assert "the shop works without it" in engine.stderr
    assert engine.report()["status"] == "ready"


@pytest.mark.parametrize("kind", mostly_long(CHAT, "module", "wait"))
def test_a_degraded_feature_is_known_to_the_app_as_it_is_imported_and_to_everybody_else(engine, kind):
    engine.spec(CHAT[kind] + "\nhealth: {ready: /ready}").start().serving()
    assert seen(engine)["at_import"] == "chat"
    assert seen(engine)["degraded"] == ["chat"]
    assert seen(engine)["environ"]["ORCHESTRATOR_DEGRADED"] == "chat"
    assert engine.report()["degraded"] == ["chat"]
    assert engine.status() == "degraded"
    assert "degraded" in engine.command("status").stdout
    assert engine.command("health").returncode == 0
    assert engine.stop() == 0


def test_use_takes_another_directory_and_hands_it_to_the_server(engine, tmp_path):
    other = tmp_path / "other"
    engine.spec(
        f"directories: [{{path: /proc/state, on_failure: {{use: {{path: {other}, export: APP_STATE}}}}}}]"
    ).start().serving()
    assert engine.item("directory:/proc/state")["status"] == "healed"
    assert str(other) in engine.item("directory:/proc/state")["fallbacks"][0]["result"]
    assert other.is_dir()
    assert seen(engine)["environ"]["APP_STATE"] == str(other)


def test_use_takes_another_address_for_a_wait(engine):
    engine.write("ok.txt")
    import socket

    with socket.create_server(("127.0.0.1", 0)) as there:
        good = f"127.0.0.1:{there.getsockname()[1]}"
        engine.spec(
            f"wait_for: [{{name: db, tcp: '127.0.0.1:1', deadline: 300ms, on_failure: {{use: {{url: '{good}', export: APP_DB}}}}}}]"
        )
        engine.start().serving()
    assert engine.item("wait:db")["status"] == "healed"
    assert seen(engine)["environ"]["APP_DB"] == good


def test_use_takes_another_app(engine):
    engine.write("lesser.py", "from main import app\n")
    engine.spec(
        launch="{app: missing:app, host: 127.0.0.1, port: PORT, on_failure: {use: {app: 'lesser:app', export: APP_IS}}}"
    )
    engine.start().serving()
    assert engine.item("launch")["status"] == "healed"
    assert seen(engine)["environ"]["APP_IS"] == "lesser:app"


def test_use_takes_another_port(engine):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        engine.spec(
            f"health: {{ready: /ready}}\non_failure: [{{use: {{port: {engine.port}, export: APP_NUMBER}}}}]",
            launch=f"{{app: main:app, host: 127.0.0.1, port: {number}}}",
        )
        engine.start().serving()
        assert engine.item("port")["status"] == "healed"
        assert seen(engine)["environ"]["APP_NUMBER"] == str(engine.port)
        assert engine.command("health").returncode == 0


def test_set_changes_a_variable_for_the_next_attempt_and_for_the_server(engine):
    engine.write(
        "tuned.py", "import os\nif os.environ.get('APP_MODE') != 'safe': raise RuntimeError('not safe')\n"
    )
    engine.spec("modules: [{module: tuned, on_failure: {set: {APP_MODE: safe}}}]").start(
        env={"APP_MODE": "fast"}
    ).serving()
    assert engine.item("module:tuned")["status"] == "healed"
    assert seen(engine)["environ"]["APP_MODE"] == "safe"


def test_set_with_null_takes_a_variable_away(engine):
    engine.spec(
        "checks: [{name: clean, run: [sh, -c, 'test -z \"$APP_X\"'], on_failure: {set: {APP_X: null}}}]"
    )
    engine.start(env={"APP_X": "1"}).serving()
    assert engine.item("check:clean")["status"] == "healed"
    assert "APP_X" not in seen(engine)["environ"]


def test_set_changes_the_values_in_the_spec_of_what_follows(engine):
    engine.spec("""
        variables: {APP_DIR: {default: one}, APP_FLAG: {default: 'off'}}
        files: [{path: nothing, on_failure: [{set: {APP_DIR: two}}, warn]}]
        steps: [{name: make, run: [mkdir, '${APP_DIR}']}]
    """).start().serving()
    assert (engine.root / "two").is_dir()
    assert seen(engine)["environ"]["APP_DIR"] == "two"


def test_a_remedy_that_helps_heals(engine):
    engine.spec(
        "files: [{path: settings.json, format: json, on_failure: {run: [sh, -c, 'echo {} > settings.json']}}]"
    ).start().serving()
    assert engine.item("file:settings.json")["status"] == "healed"
    assert engine.item("file:settings.json")["attempts"] == 2
    assert engine.item("file:settings.json")["fallbacks"] == [{"action": "run", "result": "`sh` succeeded"}]


def test_the_report_says_what_each_fallback_changed(engine, tmp_path):
    other = str(tmp_path / "other")
    engine.spec(f"""
        directories: [{{path: /proc/state, on_failure: {{use: {{path: {other}, export: APP_STATE}}}}}}]
        checks: [{{name: it, run: [sh, -c, 'test -n "$APP_B"'], on_failure: {{set: {{APP_B: x, APP_A: y}}}}}}]
    """).start().serving()
    changes = {
        each["id"]: each["fallbacks"][0]["changed"] for each in engine.report()["items"] if each["fallbacks"]
    }
    assert changes == {
        "directory:/proc/state": {"path": other, "variables": ["APP_STATE"]},
        "check:it": {"variables": ["APP_A", "APP_B"]},
    }


def test_a_remedy_that_succeeds_and_does_not_help_is_not_believed(engine):
    done = engine.spec("files: [{path: settings.json, on_failure: {run: ['true']}}]").run()
    assert done.returncode == 3
    item = engine.item("file:settings.json")
    assert item["status"] == "failed"
    assert item["attempts"] == 2
    assert "ORC802" in done.stderr
    assert item["fallbacks"] == [{"action": "run", "result": "`true` succeeded, but it did not help"}]


def test_a_remedy_that_fails_leads_to_the_next_action(engine):
    engine.spec(
        "files: [{path: settings.json, on_failure: [{run: ['false']}, {run: [touch, settings.json]}]}]"
    ).start().serving()
    assert engine.item("file:settings.json")["status"] == "healed"
    assert "ORC801" in engine.stderr


def test_a_remedy_that_takes_too_long_is_ended(engine):
    done = engine.spec("files: [{path: nothing, on_failure: {run: [sleep, '60'], deadline: 300ms}}]").run()
    assert done.returncode == 3
    assert "did not end within 0.3 s" in engine.item("file:nothing")["fallbacks"][0]["result"]


@pytest.mark.parametrize("text", [
    "wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 300ms, on_failure: [{run: ['true']}, {set: {A: b}}]}]",
    "modules: [{module: nowhere, on_failure: [{run: ['true']}, {set: {A: b}}]}]",
    "variables: {X: {type: integer, on_failure: [{run: ['true']}, {set: {A: b}}]}}",
    "steps: [{name: x, run: ['false'], on_failure: [{run: ['true']}, {set: {A: b}}]}]",
    "packages: [{requirement: nope, on_failure: [{run: ['true']}, {set: {A: b}}]}]",
], ids=["wait", "module", "variable", "step", "package"])  # fmt: skip
def test_a_list_of_remedies_that_do_not_help_comes_to_its_end(engine, text):
    done = engine.spec(text).run(env={"X": "a"})
    assert done.returncode in (3, 75), done.stderr
    failed = [each for each in engine.report()["items"] if each["status"] == "failed"]
    assert len(failed) == 1
    assert failed[0]["attempts"] == 3 or failed[0]["kind"] == "wait"
    assert "ORC802" in done.stderr


def test_set_mends_a_variable(engine):
    engine.spec("variables: {APP_N: {type: integer, on_failure: {set: {APP_N: '7'}}}}").start(
        env={"APP_N": "seven"}
    ).serving()
    assert engine.item("variable:APP_N")["status"] == "healed"
    assert seen(engine)["environ"]["APP_N"] == "7"


def test_stop_ends_with_the_code_it_names(engine):
    assert engine.spec("files: [{path: nothing, on_failure: {stop: {exit_code: 17}}}]").run().returncode == 17


def test_named_fallbacks_and_the_default_of_the_spec(engine):
    engine.spec("""
        files: [{path: nothing, on_failure: quietly}, {path: nowhere}]
        fallbacks: {quietly: [{run: ['false']}, warn]}
        on_failure: {degrade: files}
    """).start().serving()
    assert engine.item("file:nothing")["status"] == "warned"
    assert engine.item("file:nowhere")["status"] == "degraded"


@pytest.mark.parametrize(("action", "why"), [
    ("{set: {CACHE: nonsense}}", "`CACHE`: `nonsense` is not a URL"),
    ("{set: {KEY: null}}", "`KEY` is not set and required"),
    ("{set: {NUMBER: many}}", "expected host:port, got `127.0.0.1:many`"),
    ("{use: {url: '127.0.0.1:2', export: NUMBER}}", "expected host:port, got `127.0.0.1:127.0.0.1:2`"),
], ids=["contract", "required", "field", "export"])  # fmt: skip
def test_a_remedy_that_would_break_a_contract_is_none_and_the_next_one_follows(engine, action, why):
    engine.spec(f"""
        variables: {{CACHE: {{type: url, default: 'redis://a:1'}}, KEY: {{required: true}}}}
        wait_for:
          - {{name: c, tcp: '127.0.0.1:${{NUMBER:-1}}', deadline: 200ms, on_failure: [{action}, {{degrade: cache}}]}}
    """).start(env={"KEY": "x"}).serving()
    wait = engine.item("wait:c")
    assert wait["status"] == "degraded"
    assert [each["action"] for each in wait["fallbacks"]] == [action[1:4], "degrade"]
    assert why in wait["fallbacks"][0]["result"]
    assert engine.statuses()["variable:KEY"] == "ok"
    assert engine.stop() == 0


def test_what_a_step_that_was_skipped_did_not_set_has_its_default_or_is_missed(engine):
    engine.write("done")
    engine.spec("""
        steps: [{name: key, run: ['true'], creates: done, outputs: [OUT, OTHER]}]
        checks:
          - {name: with-default, run: [test, '${OTHER:-1}', '=', '1'], needs: ['step:key']}
          - {name: without, run: [test, '${OUT}', '=', '1'], needs: ['step:key'], on_failure: [{run: ['true']}, {degrade: key}]}
          - {name: mended, run: [test, '${OUT}', '=', '2'], needs: ['check:without'], on_failure: [{set: {OUT: '2'}}]}
    """).start().serving()  # fmt: skip
    assert engine.statuses()["check:with-default"] == "ok"
    assert engine.item("check:without")["status"] == "degraded"
    assert engine.item("check:without")["summary"] == "it is written with `OUT`, which has no usable value"
    assert engine.statuses()["check:mended"] == "healed"
    assert engine.stop() == 0


@pytest.mark.parametrize("where", ["launch", "spec"])
def test_another_port_stands_in_for_one_that_is_taken(engine, where):
    taken, other = engine.port, free_port()
    action = f"on_failure: {{use: {{port: {other}, export: APP_INSTEAD}}}}"
    launch = f"{{app: main:app, host: 127.0.0.1, port: PORT{', ' + action if where == 'launch' else ''}}}"
    engine.spec(action if where == "spec" else "", launch=launch)
    with socket.create_server(("127.0.0.1", taken)):
        engine.port = other
        engine.start().serving()
        assert seen(engine)["environ"]["APP_INSTEAD"] == str(other)
        assert engine.item("port")["status"] == "healed"
        assert engine.stop() == 0


def test_what_was_healed_or_let_go_is_told_from_what_was_well_wherever_it_is_told(engine):
    engine.spec("""
        files:
          - {path: mended, on_failure: {run: [touch, mended]}}
          - {path: gone, on_failure: {degrade: search, recheck: 5m}}
          - main.py
    """).start().serving()
    junit = engine.command("report", "--format", "junit").stdout
    assert "<system-out>healed: " in junit
    assert "tried run: `touch` succeeded" in junit
    assert "<system-out>degraded: " in junit
    assert junit.count("<system-out>") == 2
    said = engine.command("status").stdout
    assert "degraded: search for " in said
    assert "retried every 5 min (file:gone: " in said
    assert "reason" not in said, "the same words twice"


def wheel(folder, name="tinything", requires=""):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "VALUE = 1\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def own_python(engine, tmp_path):
    """An environment of its own, so that what is installed does not stay in the one that runs the tests."""
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    inside = next((place / "lib").glob("python*")) / "site-packages"
    (inside / "shared.pth").write_text(
        "\n".join([*site.getsitepackages(), str(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))])
    )
    return str(place / "bin" / "python")


def test_install_brings_a_package_from_a_folder_of_wheels(engine, own_python):
    pytest.importorskip("pip")
    wheel(engine.root / "wheels").parent.chmod(0o755)
    engine.spec("packages: [{requirement: tinything, on_failure: {install: wheels}}]\nmodules: [tinything]")
    engine.start_with(own_python).serving()
    assert engine.item("package:tinything")["status"] == "healed"
    assert engine.item("module:tinything")["status"] == "ok"
    (done,) = engine.item("package:tinything")["fallbacks"]
    assert done["changed"]["wheels"] == ["tinything 1.0"]
    assert "variables" not in done["changed"]
    assert os.path.exists(done["changed"]["path"] + "/tinything.py")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.long
def test_install_into_an_environment_that_cannot_be_written_takes_a_directory_of_its_own(engine, own_python):
    pytest.importorskip("pip")
    requires = "Requires-Dist: another\nRequires-Dist: pydantic\n"
    wheel(engine.root / "wheels", requires=requires).parent.chmod(0o755)
    wheel(engine.root / "wheels", "another")
    engine.write("main.py", "import another, tinything\n" + (engine.root / "main.py").read_text())
    engine.spec("packages: [{requirement: tinything, on_failure: {install: wheels}}]\nmodules: [tinything]")
    place = os.path.dirname(os.path.dirname(own_python))
    closed = f'mount --bind {place} {place} && mount -o remount,bind,ro {place} && exec "$@"'
    engine.start(python=own_python, prefix=("unshare", "--mount", "sh", "-c", closed, "sh")).serving()
    assert engine.item("package:tinything")["status"] == "healed"
    assert engine.item("module:tinything")["status"] == "ok"
    changed = engine.item("package:tinything")["fallbacks"][0]["changed"]
    own = str(engine.state / "packages")
    assert changed == {"wheels": ["another 1.0", "tinything 1.0"], "path": own, "variables": ["PYTHONPATH"]}
    assert sorted(each for each in os.listdir(own) if each.endswith(".py")) == ["another.py", "tinything.py"]
    assert engine.get()[0] == 200
    assert engine.stop() == 0


@pytest.mark.long
def test_install_takes_the_pip_that_python_brings_where_none_is_installed(engine, own_python, tmp_path):
    wheel(engine.root / "wheels").parent.chmod(0o755)
    without = tmp_path / "without"
    without.mkdir()
    for folder in site.getsitepackages():
        for name in os.listdir(folder):
            if not name.startswith(("pip", "_distutils", "distutils")) and not (without / name).exists():
                (without / name).symlink_to(os.path.join(folder, name))
    (shared,) = (tmp_path / "venv" / "lib").glob("python*/site-packages/shared.pth")
    shared.write_text(f"{without}\n{os.path.dirname(os.path.dirname(os.path.dirname(__file__)))}\n")
    engine.spec("packages: [{requirement: tinything, on_failure: {install: wheels}}]\nmodules: [tinything]")
    engine.start_with(own_python).serving()
    assert engine.item("package:tinything")["status"] == "healed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.long
def test_compiled_code_is_not_installed_where_it_cannot_be_loaded(engine, own_python):
    """A directory of its own on a mount that forbids it: said at once, not by an import that fails later."""
    path = wheel(engine.root / "wheels")
    path.parent.chmod(0o755)
    tag = next(sys_tags())
    path.rename(path.with_name(f"tinything-1.0-{tag.interpreter}-{tag.abi}-{tag.platform}.whl"))
    engine.spec("packages: [{requirement: tinything, on_failure: {install: wheels}}]")
    place = os.path.dirname(os.path.dirname(own_python))
    closed = (
        f"mount --bind {place} {place} && mount -o remount,bind,ro {place} && mkdir -p {engine.state} && "
        f'mount -t tmpfs -o noexec,mode=700 none {engine.state} && mount -t tmpfs -o noexec,mode=1777 none /mnt && exec "$@"'
    )
    engine.start(
        env={"TMPDIR": "/mnt"}, python=own_python, prefix=("unshare", "--mount", "sh", "-c", closed, "sh")
    )
    assert engine.wait() == 3
    assert "tinything 1.0 has compiled code, and /mnt/orchestrator-packages-" in engine.stderr
    assert "is mounted noexec" in engine.stderr


def test_install_says_why_pip_finds_nothing(engine, own_python):
    pytest.importorskip("pip")
    wheel(engine.root / "wheels", "another").parent.chmod(0o755)
    engine.spec("packages: [{requirement: tinything, on_failure: {install: wheels}}]").start_with(own_python)
    assert engine.wait() == 3
    assert "pip ended with 1" in engine.item("package:tinything")["fallbacks"][0]["result"]
    assert "No matching distribution found for tinything" in engine.stderr


def test_install_refuses_a_folder_that_others_can_write(engine, own_python):
    wheel(engine.root / "wheels").parent.chmod(0o777)
    engine.spec("packages: [{requirement: tinything, on_failure: {install: wheels}}]").start_with(own_python)
    assert engine.wait() == 3
    assert "others may write it (mode 0777)" in engine.item("package:tinything")["fallbacks"][0]["result"]
    assert "ORC801" in engine.stderr


def test_install_refuses_a_wheel_that_others_can_write(engine, own_python):
    path = wheel(engine.root / "wheels")
    path.parent.chmod(0o755)
    path.chmod(0o666)
    engine.spec("packages: [{requirement: tinything, on_failure: {install: wheels}}]").start_with(own_python)
    assert engine.wait() == 3
    assert "others may write" in engine.item("package:tinything")["fallbacks"][0]["result"]


NEEDED = {
    "module:whoosh_of_ours": "modules: [{module: whoosh_of_ours, on_failure: %s}]",
    "package:whoosh-of-ours": "packages: [{requirement: whoosh-of-ours, on_failure: %s}]",
}


@crossed(item=NEEDED, action=["warn", "{degrade: search}"])
def test_what_the_app_itself_imports_cannot_be_let_go(engine, item, action):
    engine.write("lib/__init__.py")
    engine.write("lib/search.py", "import os\n\nimport whoosh_of_ours\n")
    engine.write("main.py", "import lib.search\n" + (engine.root / "main.py").read_text())
    done = engine.spec(NEEDED[item] % action).run()
    assert done.returncode == 3, done.stderr
    found = engine.item(item)
    assert found["status"] == "failed"
    assert found["summary"].startswith("lib/search.py:3 imports `whoosh_of_ours`")
    assert engine.statuses()["launch"] == "blocked"
    assert engine.report()["degraded"] == []
    assert item in done.stderr


def test_what_the_app_needs_is_degraded_for_others_all_the_same(engine):
    engine.write("main.py", "import missing_one\n")
    done = engine.spec("""
        modules: [{module: missing_one, on_failure: {degrade: a}}, {module: missing_two, on_failure: {degrade: b}}]
    """).run()
    assert done.returncode == 3
    assert engine.report()["degraded"] == ["b"]
    assert engine.statuses()["module:missing_two"] == "degraded"


def test_the_module_that_fails_for_what_is_missing_cannot_be_let_go_if_the_app_imports_it(engine):
    engine.write("search.py", "import missing_one\n")
    engine.write("main.py", "import search\n" + (engine.root / "main.py").read_text())
    done = engine.spec("modules: [{module: search, on_failure: {degrade: search}}]").run()
    assert done.returncode == 3
    assert "search.py:1 imports `missing_one`" in engine.item("module:search")["summary"]
