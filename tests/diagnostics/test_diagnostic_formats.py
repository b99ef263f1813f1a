"""Each format against its golden file. `UPDATE_GOLDEN=1 pytest tests/diagnostics` writes them anew."""

import json
import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

import orchestrator
from orchestrator.diagnostics import Diagnostic, Place, Related, formats, summary
from orchestrator.diagnostics.formats import Options, github

GOLDEN = Path(__file__).parent / "golden"
BASE = "startup.yaml"
OVER = "startup.production.yaml"
SOURCES = {
    BASE: 'version: 1\nservice: shop\npython: ">=3.11"\npython: ">=3.12"\nx-note: naïve 数据 <b> & "quotes"\n',
    OVER: "\n" * 13 + "    timout: 5s\n",
    "clean.yaml": "version: 1\n",
}
FOUND = [
    Diagnostic(
        "ORC104",
        "error",
        "unknown key `timout` in wait `db`",
        Place(OVER, 14, 5, 14, 11),
        "/wait_for/0/timout",
        "wait:db",
        "did you mean `timeout`?",
        (Related("overrides", Place(BASE, 31, 5)),),
    ),
    Diagnostic(
        "ORC009",
        "error",
        "the key `python` is given twice",
        Place(BASE, 4, 1, 4, 7),
        "/python",
        hint="keep one of the two",
        related=(Related("first given here", Place(BASE, 3, 1, 3, 7)),),
    ),
    Diagnostic("ORC125", "warning", "`x-note` says 100%, `<b>` & more", Place(BASE, 5, 15, 5, 17)),
    Diagnostic("ORC001", "error", "cannot read the file: permission denied", Place("secret/base.yaml")),
    Diagnostic("ORC121", "note", "the options of `granian` are not checked", Place(BASE, 2, 1, 5, 1)),
]


def _name(extension):
    return {"text": "txt", "github": "txt", "junit": "xml"}.get(extension, "json")


def _agrees(file, output):
    # The version changes with every release; the format does not.
    output = output.replace(f'"{orchestrator.__version__}"', '"VERSION"')
    path = GOLDEN / file
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(output, encoding="utf-8")
    assert output == path.read_text(encoding="utf-8"), f"{file} differs; UPDATE_GOLDEN=1 writes it anew"


@pytest.mark.parametrize("name", formats.names())
def test_a_format_writes_what_it_wrote_before(name):
    _agrees(f"{name}.{_name(name)}", formats.get(name)(FOUND, SOURCES))


@pytest.mark.parametrize("name", formats.names())
def test_a_format_has_something_to_say_of_no_findings(name):
    _agrees(f"{name}-none.{_name(name)}", formats.get(name)([], {BASE: SOURCES[BASE]}))


def test_text_may_be_coloured():
    _agrees("text-color.txt", formats.get("text")(FOUND, SOURCES, Options(color=True)))


def test_the_step_summary_has_all_findings():
    _agrees("github-summary.md", github.step_summary(FOUND))


def test_the_formats_are_the_files_of_the_folder():
    assert formats.names() == ["github", "gitlab", "json", "junit", "sarif", "text"]


@pytest.mark.parametrize("name", ["", "xml", "__init__", "../explain"])
def test_an_unknown_format_is_refused(name):
    with pytest.raises(LookupError, match="unknown format"):
        formats.get(name)


def test_the_order_of_finding_does_not_matter():
    for name in formats.names():
        render = formats.get(name)
        assert render(FOUND, SOURCES) == render(FOUND[::-1] + FOUND, SOURCES)


HOSTILE = [
    Diagnostic(
        "ORC104",
        severity,
        "bad \x1b[2J\x1b]0;title\x07 \u202e \x9b31m\r\n::error file=x::forged\n]]> </failure> &amp; \ud800 \uffff",
        Place("sta\x1b[31mrtup.yaml\n::warning::x", 1, 4, 1, 8),
        "/a\x1bb",
        "wait:\x1b",
        "hint \x1b[1m\n::error::forged\nmore",
        (Related("over\x1b[mrides", Place("b\x07.yaml", 1, 1)),),
    )
    for severity in ("error", "warning", "note")
]
HOSTILE_SOURCES = {HOSTILE[0].place.file: "a: \x1b[31mred\x07 \u202e\ud800 <b>\n"}


@pytest.mark.parametrize("name", formats.names())
def test_no_format_lets_control_characters_through(name):
    output = formats.get(name)(HOSTILE, HOSTILE_SOURCES)

    assert [each for each in output if each != "\n" and not each.isprintable()] == []
    assert "Traceback" not in output
    assert output.encode()


def test_the_step_summary_lets_no_markup_through():
    evil = Diagnostic("ORC104", "error", "| x | <img src=x> [a](b) `c|d` \x1b ` @all", Place("f|g", 1, 1))
    row = github.step_summary([evil]).splitlines()[-1]

    assert row.count("|") == 5
    assert "<img" not in row
    assert "](" not in row
    assert row.count("<code>") == row.count("</code>") == 1
    assert row.isprintable()


@pytest.mark.parametrize("name", ["text", "github"])
def test_no_foreign_text_becomes_a_workflow_command(name):
    output = formats.get(name)(HOSTILE, HOSTILE_SOURCES)
    commands = [line for line in output.splitlines() if line.lstrip().startswith("::")]

    assert len(commands) == (3 if name == "github" else 0)
    assert all(re.match(r"::(error|warning|notice) file=[^:]*,title=ORC104::", line) for line in commands)


@pytest.mark.parametrize("name", ["json", "gitlab", "sarif"])
def test_machine_formats_are_json_whatever_was_found(name):
    assert json.loads(formats.get(name)(HOSTILE, HOSTILE_SOURCES))


def test_junit_is_xml_whatever_was_found():
    root = ET.fromstring(formats.get("junit")(HOSTILE, HOSTILE_SOURCES))

    assert len(root.findall(".//testcase")) == 3


def test_json_has_records_and_counts():
    document = json.loads(formats.get("json")(FOUND, SOURCES))

    assert document["schema"] == 1
    assert document["summary"] == summary(FOUND) == {"errors": 3, "warnings": 1, "notes": 1}
    keys = (
        "code severity message file line column end_line end_column pointer item hint related documentation"
    )
    assert [list(each) for each in document["diagnostics"]] == [keys.split()] * 5


def test_junit_counts_as_failures_what_the_run_fails_on():
    def counts(fail_on):
        root = ET.fromstring(formats.get("junit")(FOUND, SOURCES, Options(fail_on=fail_on)))
        assert len(root.findall(".//failure")) == int(root.get("failures"))
        assert len(root.findall(".//testcase")) == int(root.get("tests")) == 6
        assert sum(int(suite.get("tests")) for suite in root) == 6
        return int(root.get("failures"))

    assert [counts(level) for level in ("error", "warning", "note", "never")] == [3, 4, 5, 0]


def test_github_shows_ten_of_each_level_worst_first_and_counts_the_rest():
    many = [
        Diagnostic(code, severity, "said", Place(BASE, line, 1))
        for line in range(1, 16)
        for code, severity in (("ORC018", "note"), ("ORC206", "warning"), ("ORC104", "error"))
    ]
    lines = formats.get("github")(many, {}).splitlines()

    assert [line.split()[0] for line in lines[:-1]] == ["::error"] * 10 + ["::warning"] * 10 + [
        "::notice"
    ] * 10
    assert lines[-1] == "5 errors, 5 warnings, 5 notes more: see the step summary"
    told = github.step_summary(many)
    assert "15 errors, 15 warnings, 15 notes (5 errors, 5 warnings, 5 notes without an annotation)" in told
    assert told.count("| ORC") == 45


def test_a_step_summary_stays_small():
    many = [Diagnostic("ORC104", "error", "x" * 200, Place(BASE, line, 1)) for line in range(1, 3000)]
    told = github.step_summary(many)

    assert told.endswith("2499 more are not listed.\n")
    assert len(told) < 500_000


def test_github_escapes_data_and_properties():
    found = Diagnostic("ORC104", "error", "100%, a:b\nc", Place("a,b:c%.yaml", 1, 1))
    line = formats.get("github")([found], {}).splitlines()[0]

    assert line.startswith(
        "::error file=a%2Cb%3Ac%25.yaml,line=1,endLine=1,col=1,title=ORC104::100%25, a:b%0Ac%0A"
    )


@pytest.mark.parametrize("name", ["github", "gitlab", "sarif"])
def test_paths_are_relative_to_the_repository(name):
    found = [Diagnostic("ORC104", "error", "said", Place("/repo/my service/startup.yaml", 1, 1))]
    output = formats.get(name)(found, {}, Options(cwd="/repo/my service", root="/repo"))

    assert ("my%20service" if name == "sarif" else "my service") + "/startup.yaml" in output
    assert "/repo" not in output


def test_gitlab_has_a_path_a_line_and_a_fingerprint_of_its_own_for_each():
    issues = json.loads(formats.get("gitlab")(FOUND, SOURCES))

    assert len({each["fingerprint"] for each in issues}) == 5
    assert {each["severity"] for each in issues} == {"major", "minor", "info"}
    assert all(each["location"]["path"] and each["location"]["lines"]["begin"] >= 1 for each in issues)


def _object(required, **properties):
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
MESSAGE = _object("text", text=TEXT, markdown=TEXT)
COUNT = {"type": "integer", "minimum": 1}
PHYSICAL = _object(
    "artifactLocation region",
    artifactLocation=_object("uri", uri={**TEXT, "pattern": r"^[A-Za-z0-9._~/%-]+$"}),
    region=_object("startLine", startLine=COUNT, startColumn=COUNT, endLine=COUNT, endColumn=COUNT),
)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
RULE = _object(
    "id shortDescription fullDescription help defaultConfiguration",
    id={"pattern": r"^ORC\d{3}$"},
    shortDescription=MESSAGE,
    fullDescription=MESSAGE,
    help=MESSAGE,
    defaultConfiguration=_object("level", level=LEVEL),
    properties=_object("tags", tags={"type": "array", "items": TEXT, "uniqueItems": True}),
)
LOGICAL = {"type": "array", "items": _object("", name=TEXT, fullyQualifiedName=TEXT)}
RESULT = _object(
    "ruleId ruleIndex level message locations partialFingerprints",
    ruleId={"pattern": r"^ORC\d{3}$"},
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=MESSAGE,
    locations={"type": "array", "items": _object("", physicalLocation=PHYSICAL, logicalLocations=LOGICAL)},
    relatedLocations={
        "type": "array",
        "items": _object(
            "id physicalLocation", id={"type": "integer"}, message=MESSAGE, physicalLocation=PHYSICAL
        ),
    },
    partialFingerprints={"type": "object", "minProperties": 1, "additionalProperties": TEXT},
)
DRIVER = _object("name rules", name=TEXT, semanticVersion=TEXT, rules={"type": "array", "items": RULE})
RUN = _object(
    "tool results columnKind",
    tool=_object("driver", driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
)
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {"version": {"const": "2.1.0"}, "runs": {"type": "array", "items": RUN, "minItems": 1}},
}


@pytest.mark.parametrize("found", [FOUND, [], HOSTILE], ids=["found", "none", "hostile"])
def test_sarif_has_the_shape_of_its_standard(found):
    document = json.loads(formats.get("sarif")(found, SOURCES))
    jsonschema.validate(document, SARIF)
    run = document["runs"][0]

    assert len(run["results"]) == len(found)
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_explains_its_rules_with_the_pages():
    run = json.loads(formats.get("sarif")(FOUND, SOURCES))["runs"][0]
    helps = {rule["id"]: rule["help"]["markdown"] for rule in run["tool"]["driver"]["rules"]}

    assert sorted(helps) == ["ORC001", "ORC009", "ORC104", "ORC121", "ORC125"]
    assert all(text.startswith(f"# {code}: ") and "## Fix" in text for code, text in helps.items())


def test_no_format_shows_a_secret_that_stands_in_the_spec():
    text = "variables:\n  KEY: {secret: true, default: hunter9, x: 1}\n"
    found = [
        Diagnostic("ORC123", "error", "a secret is written in the spec", Place(BASE, 2, 32, 2, 39)),
        Diagnostic("ORC104", "error", "unknown key `x`", Place(BASE, 2, 41, 2, 42)),
    ]

    assert [name for name in formats.names() if "hunter9" in formats.get(name)(found, {BASE: text})] == []
