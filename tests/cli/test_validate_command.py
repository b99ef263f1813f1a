"""`validate` and `config` as a command line: what they take, where they write, how they end."""

import json

import pytest

MANY = "variables:\n" + "".join(f"  A{at}: {{default: 1:{at}}}\n" for at in range(10, 22))


def test_what_github_would_drop_is_in_the_summary_of_the_step(orchestrator):
    orchestrator.spec(MANY)
    summary = orchestrator.root / "summary.md"
    said = orchestrator("validate", "--format", "github", env={"GITHUB_STEP_SUMMARY": str(summary)}).stdout
    assert said.splitlines()[-1] == "2 warnings more: see the step summary"
    assert summary.read_text().count("| ORC014 |") == 12


@pytest.mark.parametrize("summary", ["", "/nowhere/summary.md"])
def test_without_a_summary_it_is_in_the_log(orchestrator, summary):
    orchestrator.spec(MANY)
    done = orchestrator("validate", "--format", "github", env={"GITHUB_STEP_SUMMARY": summary})
    *shown, more, one, two = done.stdout.splitlines()
    assert (len(shown), more) == (10, "2 warnings more, without an annotation:")
    assert one.startswith("warning[ORC014] startup.yaml:14:18: YAML 1.1 reads `1:20`")
    assert two.startswith("warning[ORC014] startup.yaml:15:18")
    assert ("cannot write the step summary /nowhere/summary.md: No such file" in done.stderr) == bool(summary)
    assert done.returncode == 0


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit", "github", "gitlab"])
@pytest.mark.parametrize(("spec", "codes"), [
    ("x-nothing: 1\n", {"error": 0, "warning": 0, "note": 0, "never": 0}),
    ("launch: {app: 'a:b'}\nvariables: {A: {default: 22:22}}\n", {"error": 0, "warning": 4, "note": 4, "never": 0}),
    ("variables: {A: {}}\r\n", {"error": 0, "warning": 0, "note": 4, "never": 0}),
    ("launch: {}\n", {"error": 78, "warning": 78, "note": 78, "never": 0}),
])  # fmt: skip
def test_the_level_decides_alone_how_it_ends(form, spec, codes, tmp_path, capsys, monkeypatch):
    from orchestrator.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    (tmp_path / "startup.yaml").write_bytes(b"version: 1\nservice: shop\n" + spec.encode())
    assert {level: main(["validate", "--format", form, "--fail-on", level]) for level in codes} == codes
    assert capsys.readouterr().out.strip() == "" or form != "text"


def test_a_spec_is_named_once(orchestrator):
    orchestrator.spec("")
    done = orchestrator("-f", "startup.yaml", "validate", "other.yaml")
    assert (done.returncode, done.stderr) == (
        2,
        "orchestrator: name the spec once: with -f, or after the command\n",
    )


def test_a_comment_that_one_environment_needs_is_of_use(orchestrator):
    orchestrator.spec(
        "variables:\n"
        "  # orchestrator: ignore[ORC125] production sets a default\n"
        "  KEY: {required: true}\n"
        "  # orchestrator: ignore[ORC125] nobody needs it\n"
        "  OTHER: {required: true}\n"
    )
    orchestrator.write("startup.production.yaml", "variables:\n  KEY: {default: x}\n")
    alone = orchestrator("validate").stderr
    assert alone.count("ORC223]") == 2
    every = orchestrator("validate", "--all-environments").stderr
    assert every.count("warning[ORC223]") == 1
    assert "startup.yaml:6:3: warning[ORC223]" in every


def test_the_config_of_a_role_is_shown_in_spite_of_mistakes(orchestrator):
    orchestrator.spec("launch: {prt: 1}\nroles: {web: {launch: {app: 'a:b'}}}\n")
    done = orchestrator("config", "web", "--format", "json")
    told = json.loads(done.stdout)
    assert done.returncode == 78
    assert told["spec"]["launch"] == {"prt": 1, "app": "a:b"}
    assert [each["code"] for each in told["diagnostics"]] == ["ORC104"]
    assert orchestrator("config", "worker").returncode == 78
