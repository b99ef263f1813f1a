import contextlib
import os
import select
import sys

import pytest
from pydantic import ValidationError

from orchestrator.launch.app_handle import start
from orchestrator.launch.plan import LaunchPlan
from orchestrator.requirements.modules import KIND as Module
from orchestrator.requirements.modules import judge

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def check(project, spec, **context):
    return Module.model_validate(spec).attempt(project.context(**context))


@pytest.fixture
def app(project):
    project.write("helloria/__init__.py", "raise SystemExit('finding runs no code')\n")
    project.write("helloria/core.py", "raise SystemExit('finding runs no code')\n")
    return project


@pytest.fixture
def site(project, monkeypatch):
    place = project.directory("venv/site-packages")
    monkeypatch.setattr(sys, "path", [*sys.path, place])
    return place


def test_a_module_is_found_without_running_it_or_its_package(app):
    outcome = check(app, "helloria.core")
    assert outcome.ok
    assert outcome.data["origin"] == app.path("helloria/core.py")
    assert "helloria" not in sys.modules


@pytest.mark.parametrize("name", ["sys", "os", "json.decoder", "xml.etree"])
def test_modules_of_the_standard_library_are_found(project, name):
    assert check(project, name).ok


def test_namespace_packages_are_found_also_below_one_another(project):
    project.write("modules/zeroia/core.py")
    assert check(project, "modules").ok
    assert check(project, "modules.zeroia").ok
    assert check(project, "modules.zeroia.core").data["origin"] == project.path("modules/zeroia/core.py")


def test_a_mistyped_name_is_answered_with_its_sibling(app):
    outcome = check(app, "helloria.cor")
    assert (outcome.code, outcome.reason) == ("ORC421", "missing")
    assert outcome.summary == f"helloria.cor is not there: no `cor` in {app.path('helloria')}"
    assert outcome.hint.startswith("did you mean `helloria.core`? otherwise COPY helloria/cor.py ./helloria/")


def test_another_module_whose_name_goes_on_does_not_hide_that_one_was_not_copied(app, project):
    project.write("helloria/core_api.py")
    hint = check(app, "helloria.core_api_v2").hint
    assert hint.startswith("did you mean `helloria.core_api`? otherwise COPY")
    hint = check(app, "helloria.core_ap").hint
    assert hint.startswith("did you mean `helloria.core_api`? otherwise COPY")
    project.write("pkg/core_api.py")
    hint = check(app, "pkg.core").hint
    assert hint.startswith("COPY pkg/core.py ./pkg/")
    assert hint.endswith("; or did you mean `pkg.core_api`?")


def test_a_mistyped_package_keeps_the_rest_of_the_name(app):
    assert check(app, "heloria.core").hint == "did you mean `helloria.core`?"


def test_a_part_of_the_project_that_was_not_copied_names_the_line(app):
    outcome = check(app, "helloria.reflexia.core")
    assert "no `reflexia`" in outcome.summary
    assert "COPY helloria/reflexia.py ./helloria/" in outcome.hint
    assert "COPY helloria/reflexia/ ./helloria/reflexia/" in outcome.hint
    assert ".dockerignore" in outcome.hint


def test_a_missing_top_level_name_leaves_both_ways_open(project):
    outcome = check(project, "notthere")
    assert "pip install" in outcome.hint
    assert "COPY notthere.py ./ (a package: COPY notthere/ ./notthere/)" in outcome.hint


def test_what_has_something_below_it_can_only_be_a_package(project):
    outcome = check(project, "notthere.core")
    assert "COPY notthere/ ./notthere/" in outcome.hint
    assert "COPY notthere.py" not in outcome.hint


def test_a_module_is_no_package(app):
    outcome = check(app, "helloria.core.app")
    assert "`helloria.core` is a module and no package" in outcome.summary


def test_a_module_that_an_installed_package_lacks_is_not_to_be_copied(project):
    outcome = check(project, "pydantic.zzzzzzzzzz")
    assert outcome.hint == "the installed `pydantic` has no such module: check its version"


def test_a_directory_that_gives_way_to_an_installed_package_is_told_why(project, site):
    project.write("venv/site-packages/common/__init__.py")
    project.write("common/mine.py")
    outcome = check(project, "common.mine")
    assert outcome.hint.endswith(f"add an `__init__.py` to {project.path('common')}, or rename it")


def test_a_file_written_after_the_first_look_is_seen(project):
    assert not check(project, "late").ok
    project.write("late.py")
    assert check(project, "late").ok


def test_pythonpath_of_the_service_counts(project):
    project.write("src/inner.py")
    assert not check(project, "inner").ok
    assert check(project, "inner", environ={"PYTHONPATH": "src"}).ok


def test_an_unreadable_module_is_said(app, somebody, in_child, as_root):
    os.chmod(app.path("helloria/core.py"), 0)
    os.chmod(app.path("helloria"), 0o700)

    outcome = in_child(somebody, lambda: check(app, "helloria.core"))
    assert not outcome.ok
    assert "cannot be read" in outcome.hint


def test_a_local_file_that_hides_an_installed_package_is_a_failure(project, site):
    project.write("venv/site-packages/redis/__init__.py")
    project.write("redis.py")
    outcome = check(project, "redis")
    assert (outcome.code, outcome.reason) == ("ORC426", "elsewhere")
    assert project.path("redis.py") in outcome.summary
    assert outcome.hint.startswith(f"rename {project.path('redis.py')}")


def test_a_local_file_that_hides_the_standard_library_is_a_failure(project):
    project.write("colorsys.py")
    outcome = check(project, "colorsys")
    assert outcome.code == "ORC426"
    assert "hides the standard library's colorsys" in outcome.summary


def test_a_project_that_is_installed_too_is_no_shadow(project, site):
    project.write("mine/__init__.py")
    project.write("venv/site-packages/mine/__init__.py")
    assert check(project, "mine").ok


def test_inside_says_where_a_module_must_come_from(app):
    assert check(app, {"module": "helloria.core", "inside": "helloria"}).ok
    assert check(app, {"module": "json", "inside": sys.base_prefix}).ok
    outcome = check(app, {"module": "json", "inside": "."})
    assert outcome.code == "ORC426"
    assert "not from inside ." in outcome.summary


def test_inside_is_not_fooled_by_a_common_beginning(project):
    project.write("app2/x.py")
    assert not check(project, {"module": "app2.x", "inside": "app"}).ok


@pytest.mark.parametrize(
    "extra",
    [
        {"attribute": "app"},
        {"max_import_time": "2s"},
    ],
)
def test_what_only_an_import_tells_contradicts_resolvable(extra):
    with pytest.raises(ValidationError) as caught:
        Module.model_validate({"module": "a", "depth": "resolvable", **extra})
    assert caught.value.errors()[0]["type"] == "ORC113"


# --- judge: the events are those of a real importing process ------------------------------------------------------


@pytest.fixture
def imported(project):
    """What the importing process tells of importing a module of the project."""

    def imported(module, attribute="", deadline=5.0):
        item = {"id": f"module:{module}", "module": module, "attribute": attribute, "deadline": deadline}
        plan = LaunchPlan(
            "test", command=["true"], modules=[item], environ=dict(os.environ), cwd=project.root
        )
        importer = start(plan, None)
        try:
            return _verdict(importer)
        finally:
            importer.end()

    return imported


def _verdict(importer):
    while True:
        select.select([importer], [], [], 0.05)
        for event in importer.read_events():
            if event["event"] in ("imported", "failed"):
                return event
            assert event["event"] != "ended"


def told(project, imported, module, **fields):
    spec = Module.model_validate({"module": module, **fields})
    event = imported(module, fields.get("attribute", ""), spec.max_import_time or 5.0)
    return judge(spec, event, project.context())


def test_an_import_that_went_well_says_how_long_it_took(project, imported):
    project.write("well_made.py")
    outcome = told(project, imported, "well_made")
    assert outcome.ok
    assert outcome.summary.startswith("imported in ")


def test_a_missing_own_import_names_file_line_and_name(project, imported):
    project.write("modules/reflexia/core.py", "import os\n\nimport notthere\n")
    outcome = told(project, imported, "modules.reflexia.core")
    assert (outcome.code, outcome.reason) == ("ORC422", "missing")
    assert outcome.summary == "modules/reflexia/core.py:3 imports `notthere`, which is not installed"
    assert "pip install" in outcome.hint
    assert "import notthere" in outcome.details


def test_a_module_that_is_not_there_is_searched_for(project, imported):
    project.write("hello_pkg/core.py")
    outcome = told(project, imported, "hello_pkg.cor")
    assert outcome.code == "ORC421"
    assert outcome.hint.startswith("did you mean `hello_pkg.core`? otherwise COPY")


def test_without_a_context_a_missing_module_is_still_an_outcome():
    event = {
        "event": "failed",
        "reason": "missing",
        "missing": "nix",
        "itself": True,
        "message": "No module named 'nix'",
    }
    outcome = judge(Module.model_validate("nix"), event)
    assert outcome.code == "ORC421"
    assert "COPY nix.py" in outcome.hint


def test_an_exception_names_place_type_and_message(project, imported):
    project.write("broken_one.py", "x = 1\nint('seven')\n")
    outcome = told(project, imported, "broken_one")
    assert (outcome.code, outcome.reason) == ("ORC423", "exception")
    assert outcome.summary.startswith("broken_one.py:2 raises ValueError: invalid literal")


def test_a_name_that_an_import_lacks_is_an_import_failure(project, imported):
    project.write("lacking.py", "from json import nothing_such\n")
    outcome = told(project, imported, "lacking")
    assert (outcome.code, outcome.reason) == ("ORC422", "import")
    assert outcome.hint.startswith("`json` has no `nothing_such`")


def test_a_circle_of_imports_is_called_one(project, imported):
    project.write("ring_a.py", "from ring_b import b\na = 1\n")
    project.write("ring_b.py", "from ring_a import a\nb = 1\n")
    assert "in a circle" in told(project, imported, "ring_a").hint


def test_a_missing_attribute_is_named(project, imported):
    project.write("with_app.py", "app = 1\n")
    outcome = told(project, imported, "with_app", attribute="application")
    assert outcome.code == "ORC427"
    assert outcome.summary == "`with_app` has no `application`"


def test_leaving_at_import_is_an_outcome(project, imported):
    project.write("leaver.py", "import sys\nsys.exit(3)\n")
    outcome = told(project, imported, "leaver")
    assert (outcome.code, outcome.reason) == ("ORC425", "exit")
    assert "leaver.py:2" in outcome.summary


def test_a_crash_is_an_outcome_with_its_signal(project, imported):
    project.write("native_thing.py", "import os\nos.kill(os.getpid(), 11)\n")
    outcome = told(project, imported, "native_thing")
    assert (outcome.code, outcome.reason) == ("ORC425", "crash")
    assert "SIGSEGV" in outcome.summary
    assert "faulthandler" in outcome.hint


def test_a_hang_is_an_outcome(project, imported):
    project.write("hanging.py", "import time\ntime.sleep(60)\n")
    outcome = told(project, imported, "hanging", max_import_time="200ms")
    assert (outcome.code, outcome.reason) == ("ORC424", "timeout")
    assert outcome.summary == "the import of hanging did not end within 0.2 s"


def test_a_slow_import_is_a_failure_where_a_time_is_given():
    module = Module.model_validate({"module": "slow", "max_import_time": "1s"})
    assert judge(module, {"event": "imported", "ms": 900.0}).ok
    outcome = judge(module, {"event": "imported", "ms": 1500.0})
    assert outcome.code == "ORC424"
    assert "1.5 s" in outcome.summary


def test_an_import_is_ended_at_the_least_of_its_times():
    def limit(**fields):
        return Module.model_validate({"module": "a", **fields}).limit

    assert limit() is None
    assert limit(max_import_time="3s") == 3
    assert limit(max_import_time="3s", timeout="2s") == 2
    assert limit(max_import_time="3s", deadline="9s", timeout="1s") == 3


def test_an_import_from_elsewhere_is_a_failure(project):
    project.write("here_only.py")
    module = Module.model_validate({"module": "here_only", "inside": "/usr/lib"})
    assert judge(module, {"event": "imported", "ms": 1.0}, project.context()).code == "ORC426"


def test_finding_never_imports_a_parent(app):
    with contextlib.suppress(KeyError):
        del sys.modules["helloria"]
    assert check(app, "helloria.core").ok
    assert check(app, {"module": "helloria.core", "depth": "resolvable"}).ok
    assert not [name for name in sys.modules if name.startswith("helloria")]
