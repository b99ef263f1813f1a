import pytest

from orchestrator.diagnostics import Diagnostic, Place
from orchestrator.diagnostics.excerpt import Sources
from orchestrator.diagnostics.formats import PLAIN
from orchestrator.diagnostics.review import fingerprints, relative, repository


@pytest.mark.parametrize(
    ("file", "cwd", "root", "expected"),
    [
        ("startup.yaml", "", "", "startup.yaml"),
        ("./a/../startup.yaml", "", "", "startup.yaml"),
        ("startup.yaml", "/repo/service", "/repo", "service/startup.yaml"),
        ("/repo/service/startup.yaml", "/repo/service", "/repo", "service/startup.yaml"),
        ("/repo/startup.yaml", "/repo", "", "startup.yaml"),
        ("../other/startup.yaml", "/repo/service", "/repo", "other/startup.yaml"),
        ("/elsewhere/startup.yaml", "/repo", "/repo", "/elsewhere/startup.yaml"),
        ("/repository/startup.yaml", "/repo", "/repo", "/repository/startup.yaml"),
        ("", "/repo", "/repo", ""),
    ],
)
def test_paths_are_relative_to_the_repository_where_they_lie_below_it(file, cwd, root, expected):
    assert relative(file, cwd, root) == expected


@pytest.mark.parametrize(
    ("environ", "cwd", "expected"),
    [
        ({}, "/repo/service", "/repo/service"),
        ({"GITHUB_WORKSPACE": "/repo"}, "/repo/service", "/repo"),
        ({"CI_PROJECT_DIR": "/repo/"}, "/repo", "/repo"),
        ({"GITHUB_WORKSPACE": "/rep"}, "/repo", "/repo"),
    ],
)
def test_ci_names_the_top_of_the_repository(environ, cwd, expected):
    assert repository(environ, cwd) == expected


def _prints(text, *places):
    found = [Diagnostic("ORC104", "error", f"unknown key at {place}", place) for place in places]
    return fingerprints(found, Sources({"f": text}), PLAIN)


def test_a_fingerprint_outlives_lines_above_it():
    before = _prints("a: 1\n", Place("f", 1, 1))
    after = _prints("# new\n\n  a: 1\n", Place("f", 3, 3))

    assert before == after


def test_fingerprints_differ_for_other_text_and_for_the_same_text_twice():
    prints = _prints("a: 1\nb: 1\na: 1\n", Place("f", 1, 1), Place("f", 2, 1), Place("f", 3, 1))

    assert len(set(prints)) == 3
