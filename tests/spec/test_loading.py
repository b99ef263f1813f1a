"""Loading: several files, bases, roles, variables; what a start adds."""

import pytest

from orchestrator.spec import SpecError, load, load_files, load_text
from orchestrator.spec.loading import environments, missing_findings, provenance
from orchestrator.spec.values import RunValues

HEAD = "version: 1\nservice: shop\n"


def _codes(loaded):
    return [each.code for each in loaded.diagnostics]


def _write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".yaml").write_text(text)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_function_is_what_the_package_gives_whatever_was_imported_before():
    import orchestrator.spec.loading  # noqa: F401

    assert callable(load)


def test_a_spec_comes_typed(folder):
    _write(folder, startup=HEAD + "launch: {app: 'shop.main:app', port: 9000}\n")

    assert load().launch.port == 9000


def test_a_broken_spec_comes_as_an_error_with_every_diagnostic(folder):
    _write(folder, startup=HEAD + "launch: {app: x, prot: 1}\nstpes: []\n")

    with pytest.raises(SpecError) as error:
        load()

    assert [each.code for each in error.value.diagnostics] == ["ORC122", "ORC104", "ORC104"]
    assert "startup.yaml:3:15" in str(error.value)


def test_bases_lie_below_the_file_that_names_them_over_several_levels(folder):
    _write(folder, app__startup="extends: ../shared/base.yaml\nservice: shop\n", shared__base="extends: deeper/root.yaml\nlaunch: {port: 2}\n",
           shared__deeper__root="version: 1\nlaunch: {app: 'a:b', port: 1, workers: 3}\n")  # fmt: skip
    loaded = load_files(["app/startup.yaml"])

    assert not loaded.failed
    assert (loaded.spec.launch.port, loaded.spec.launch.workers, loaded.spec.extends) == (2, 3, None)
    origin = provenance(loaded)["/launch/port"]
    assert (origin["file"], origin["overrides"][0]["file"]) == ("shared/base.yaml", "shared/deeper/root.yaml")


def test_a_base_that_two_files_share_is_no_cycle():
    loaded = load_text(
        HEAD + "extends: base.yaml\n",
        overlays={"x.yaml": "extends: base.yaml\n"},
        bases={"base.yaml": "x-a: 1\n"},
    )

    assert not loaded.failed


def test_several_files_are_laid_over_one_another_in_their_order(folder):
    _write(
        folder,
        one=HEAD + "launch: {app: 'a:b', port: 1}\n",
        two="launch: {port: 2}\n",
        three="launch: {port: 3}\n",
    )

    assert load("one.yaml", "three.yaml", "two.yaml").launch.port == 2


def test_the_environments_of_a_spec_are_its_overlays(folder):
    for name in (
        "startup.yaml",
        "startup.production.yaml",
        "startup.eu-1.yaml",
        "startup.Bad.yaml",
        "other.x.yaml",
        "startup.yml",
    ):
        (folder / name).write_text(HEAD)

    assert environments("startup.yaml") == ["eu-1", "production"]
    assert environments("nowhere/startup.yaml") == []


def test_an_environment_that_is_no_word_is_refused(folder):
    _write(folder, startup=HEAD)

    assert _codes(load_files(["startup.yaml"], environment="../x")) == ["ORC210"]


ROLES = (
    HEAD
    + """\
launch: {app: 'shop.main:app', port: 8000}
steps:
  - {name: migrate, run: [x]}
roles:
  web: {launch: {port: 9000}}
  worker:
    launch: !remove
    steps:
      - !remove migrate
      - {name: consume, run: [y, "${QUEUE}"]}
default_role: web
"""
)


def test_a_role_is_laid_over_the_top_level():
    loaded = load_text(ROLES)
    assert not loaded.failed

    assert loaded.spec.launch.port == 8000
    assert loaded.for_role("web").spec.launch.port == 9000
    worker = loaded.for_role("worker").spec
    assert worker.launch is None
    assert [each.name for each in worker.steps] == ["consume"]


def test_a_role_that_is_not_there_is_a_lookup_error():
    with pytest.raises(LookupError):
        load_text(ROLES).for_role("wroker")


def test_an_overlay_may_bring_a_role_and_change_another():
    loaded = load_text(
        ROLES,
        overlays={"startup.x.yaml": "roles:\n  beat: {launch: !remove }\n  web: {launch: {workers: 2}}\n"},
    )

    assert not loaded.failed
    assert loaded.for_role("beat").spec.launch is None
    web = loaded.for_role("web").spec.launch
    assert (web.port, web.workers) == (9000, 2)


def test_the_variables_of_one_role_are_not_missing_in_another():
    loaded = load_text(ROLES)
    values = RunValues(loaded.spec.variables, {})

    assert loaded.for_role("web").resolve(values).missing == []
    assert [each.name for each in loaded.for_role("worker").resolve(values).missing] == ["QUEUE"]


def test_what_only_skipped_items_need_is_not_missing():
    loaded = load_text(
        HEAD + 'steps:\n  - {name: a, run: [x, "${ONE}"]}\n  - {name: b, run: [x, "${ONE}${TWO}"]}\n'
    )
    resolved = loaded.resolve(RunValues({}, {}))

    assert [each.message for each in missing_findings(resolved)] == [
        "the variable `ONE` is not set",
        "the variable `TWO` is not set",
    ]
    assert [each.message for each in missing_findings(resolved, [("steps", 1)])] == [
        "the variable `ONE` is not set"
    ]
    assert missing_findings(resolved, [("steps", 0), ("steps", 1)]) == []


def test_a_list_variable_becomes_elements_and_places_stay_right():
    loaded = load_text(
        HEAD
        + 'variables:\n  ARGS: {type: list, default: "a \'b c\'"}\nsteps:\n  - {name: x, run: [cmd, "${ARGS}", "${NO:+gone}", 5]}\n'
    )

    assert [(each.code, each.place.column) for each in loaded.diagnostics] == [("ORC102", 52)]

    well = load_text(
        HEAD
        + 'variables:\n  ARGS: {type: list, default: "a \'b c\'"}\nsteps:\n  - {name: x, run: [cmd, "${ARGS}", last]}\n'
    )
    assert well.spec.steps[0].run == ("cmd", "a", "b c", "last")


def test_an_optional_field_that_becomes_nothing_disappears():
    loaded = load_text(
        HEAD + "launch: {app: 'a:b', user: '${WHO:+app}', options: {log_level: '${LEVEL:+debug}'}}\n"
    )
    resolved = loaded.resolve(RunValues({}, {}))

    assert resolved.spec.launch.user is None
    assert resolved.spec.launch.options == {}


def test_an_option_from_a_variable_is_of_the_options_type():
    text = (
        HEAD
        + "variables: {N: {type: integer, default: 9}}\nlaunch: {app: 'a:b', options: {backlog: '${N}', proxy_headers: '${P}', root_path: '${R}'}}\n"
    )
    loaded = load_text(text)
    resolved = loaded.resolve(RunValues(loaded.spec.variables, {"N": "12", "P": "true", "R": "/x"}))

    assert _codes(loaded) == ["ORC214", "ORC214"]
    assert resolved.spec.launch.options == {"backlog": 12, "proxy_headers": True, "root_path": "/x"}


def test_the_value_of_a_secret_is_in_no_message():
    loaded = load_text(
        HEAD
        + "variables: {PIN: {secret: true}}\nlaunch: {app: 'a:b', port: '${PIN}', options: {backlog: '${PIN}'}}\n"
    )
    resolved = loaded.resolve(RunValues(loaded.spec.variables, {"PIN": "hunter2"}))

    assert "ORC218" in _codes(resolved)
    assert not any("hunter2" in each.message + each.hint for each in resolved.diagnostics)


def test_a_finding_is_silenced_by_a_comment_with_a_reason():
    loaded = load_text(HEAD + "x-day: 2026-05-01  # orchestrator: ignore[ORC021] read by YAML 1.2 alone\n")

    assert loaded.diagnostics == []


def test_a_fallback_that_only_a_role_uses_is_used():
    loaded = load_text(
        HEAD + "fallbacks: {spare: [warn]}\nroles: {web: {modules: [{module: a, on_failure: spare}]}}\n"
    )

    assert loaded.diagnostics == []


def test_a_problem_of_the_top_level_is_not_said_again_for_each_role():
    loaded = load_text(
        HEAD + "launch: {app: 'a:b', prot: 1}\nroles: {a: {launch: {port: 1}}, b: {launch: {port: 2}}}\n"
    )

    assert _codes(loaded) == ["ORC104"]


def test_a_path_is_found_beside_the_file_it_stands_in(folder):
    _write(
        folder,
        startup=HEAD + "extends: shared/base.yaml\n",
        shared__base="files:\n  - {path: a.json, schema: s.json}\n",
    )
    loaded = load_files(["startup.yaml"])

    assert loaded.beside(("files", 0, "schema"), "s.json") == "shared/s.json"


def test_a_chain_of_defaults_is_followed_and_a_very_long_one_harms_nobody():
    chain = "".join(f'  V{at}: {{default: "${{V{at + 1}}}"}}\n' for at in range(3000))
    loaded = load_text(HEAD + "variables:\n" + chain + "  V3000: {default: end}\n")
    short = load_text(
        HEAD
        + "variables:\n  A: {default: '${B}'}\n  B: {default: '80000'}\nlaunch: {app: 'a:b', port: '${A}'}\n"
    )

    assert not loaded.failed
    assert _codes(short) == ["ORC218"]
