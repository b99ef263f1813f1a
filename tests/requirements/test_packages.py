import os
import re
import string
import subprocess
import sys

import packaging.markers
import packaging.requirements  # noqa: F401
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.requirements import _installed
from orchestrator.requirements.packages import KIND as Package


@pytest.fixture
def site(project, monkeypatch):
    """A site-packages of its own, the only one there is."""
    place = project.directory("site-packages")
    monkeypatch.setattr(sys, "path", [place])
    return place


@pytest.fixture
def install(project, site):
    def install(name, version, *, requires=(), extras=(), folder=None, place="site-packages", **files):
        folder = folder or f"{name.replace('-', '_')}-{version}.dist-info"
        lines = ["Metadata-Version: 2.1", f"Name: {name}", *([f"Version: {version}"] if version else [])]
        lines += [f"Requires-Dist: {each}" for each in requires] + [
            f"Provides-Extra: {each}" for each in extras
        ]
        project.write(f"{place}/{folder}/METADATA", "\n".join([*lines, "", "Name: wrong, this is the text"]))
        for file, content in files.items():
            project.write(f"{place}/{folder}/{file.replace('__', '.')}", content)

    return install


def check(project, spec):
    return Package.model_validate(spec).attempt(project.context())


def errors(spec):
    with pytest.raises(ValidationError) as caught:
        Package.model_validate(spec)
    return [(each["type"], each["ctx"]["message"], each["ctx"]["hint"]) for each in caught.value.errors()]


def test_an_installed_package_is_found_with_its_version(project, install):
    install("fastapi", "0.110.2")
    outcome = check(project, "fastapi>=0.110")
    assert outcome.ok
    assert outcome.summary == "fastapi 0.110.2"


@pytest.mark.parametrize(
    "spelling", ["Zope.Interface", "zope-interface", "ZOPE_interface", "zope--interface"]
)
def test_spellings_of_a_name_are_one_name(project, install, spelling):
    install("zope.interface", "6.0", folder="zope.interface-6.0.dist-info")
    assert check(project, spelling).ok


def test_a_missing_package_says_what_to_run_and_where_the_line_belongs(project, site):
    outcome = check(project, "fastapi[all]>=0.110")
    assert (outcome.code, outcome.reason) == ("ORC412", "missing")
    assert outcome.summary == "fastapi[all]>=0.110 is not installed"
    assert "pip install 'fastapi[all]>=0.110'" in outcome.hint
    assert "`fastapi[all]>=0.110`" in outcome.hint


def test_a_wrong_version_says_what_was_found_and_where(project, install, site):
    install("fastapi", "0.90.0")
    outcome = check(project, "fastapi>=0.110")
    assert (outcome.code, outcome.reason) == ("ORC413", "version")
    assert outcome.summary == f"needs fastapi>=0.110, found 0.90.0 in {site}"
    assert "pip install 'fastapi>=0.110'" in outcome.hint


def test_a_prerelease_satisfies_what_it_is_within(project, install):
    install("thing", "2.0rc1")
    assert check(project, "thing>=1.0").ok
    assert not check(project, "thing>=2.0").ok


def test_the_first_directory_of_the_path_wins(project, install, monkeypatch):
    install("thing", "1.0")
    install("thing", "2.0", place="later")
    monkeypatch.setattr(sys, "path", [project.path("site-packages"), project.path("later")])
    assert check(project, "thing==1.0").ok


def test_pythonpath_of_the_service_counts(project, install):
    install("thing", "3.0", place="vendored")
    context = project.context({"PYTHONPATH": "vendored"})
    assert Package.model_validate("thing==3.0").attempt(context).ok


def test_a_marker_that_does_not_apply_is_ok_and_says_so(project, site):
    outcome = check(project, 'pywin32>=300; sys_platform == "win32"')
    assert outcome.ok
    assert outcome.summary == 'pywin32 is not needed here: sys_platform == "win32"'


def test_an_extra_brings_its_own_requirements(project, install):
    install(
        "uvicorn", "0.30", requires=['httptools>=0.6; extra == "standard"', "click>=7"], extras=["standard"]
    )
    outcome = check(project, "uvicorn[standard]")
    assert (outcome.code, outcome.reason) == ("ORC414", "extra")
    assert outcome.summary == "uvicorn[standard] lacks httptools>=0.6"
    assert "pip install 'uvicorn[standard]'" in outcome.hint
    install("httptools", "0.5")
    assert "httptools>=0.6 (found 0.5)" in check(project, "uvicorn[standard]").summary


def test_an_extra_that_is_there_is_ok(project, install):
    install("uvicorn", "0.30", requires=['httptools>=0.6; extra == "standard"'], extras=["standard"])
    install("httptools", "0.6.1")
    assert check(project, "uvicorn[standard]").ok


def test_an_extra_of_an_extra_is_followed_and_circles_end(project, install):
    install(
        "a",
        "1",
        requires=['a[two]; extra == "one"', 'b; extra == "two"', 'a[one]; extra == "two"'],
        extras=["one", "two"],
    )
    assert check(project, "a[one]").summary == "a[one] lacks b"
    install("b", "1")
    assert check(project, "a[one]").ok


def test_an_unknown_extra_is_a_failure_that_lists_the_known(project, install):
    install("uvicorn", "0.30", extras=["standard"])
    outcome = check(project, "uvicorn[standrad]")
    assert (outcome.code, outcome.reason) == ("ORC414", "extra")
    assert "its extras are standard" in outcome.summary
    assert outcome.hint == "did you mean `standard`?"


def test_names_of_extras_are_normalised(project, install):
    install("thing", "1", extras=["Fast_Path"])
    assert check(project, "thing[fast-path]").ok


def test_metadata_without_its_files_is_a_broken_package(project, install):
    install("mine", "0.1", RECORD="mine-0.1.dist-info/METADATA,,\n../../bin/mine,,\nmine/__init__.py,,\n")
    outcome = check(project, "mine")
    assert (outcome.code, outcome.reason) == ("ORC412", "missing")
    assert "its module `mine` is not in" in outcome.summary
    assert outcome.hint == "pip install --force-reinstall mine"

    project.write("site-packages/mine/__init__.pyc", "")
    assert check(project, "mine").ok


def test_an_editable_install_is_found_and_said(project, install):
    install("mine", "0.1", direct_url__json='{"url": "file:///src/mine", "dir_info": {"editable": true}}')
    assert check(project, "mine").summary == "mine 0.1 (editable, /src/mine)"


def test_a_direct_url_is_compared_where_one_was_recorded(project, install):
    install(
        "mine", "0.1", direct_url__json='{"url": "https://example.org/mine.git", "vcs_info": {"vcs": "git"}}'
    )
    assert check(project, "mine @ git+https://user:pw@example.org/mine.git@v1").ok
    outcome = check(project, "mine @ https://user:hunter2@example.org/other.whl")
    assert (outcome.code, outcome.reason) == ("ORC413", "version")
    assert "hunter2" not in repr(outcome)


def test_an_egg_info_directory_and_file_are_read(project, site):
    project.write("site-packages/old_thing-1.2-py3.11.egg-info/PKG-INFO", "Name: old-thing\nVersion: 1.2\n")
    project.write("site-packages/old_thing-1.2-py3.11.egg-info/requires.txt", "a>=1\n\n[fast]\nb\n")
    project.write("site-packages/older-0.3.egg-info", "Name: older\nVersion: 0.3\n")
    assert check(project, "old-thing>=1").ok
    assert check(project, "older==0.3").ok
    assert check(project, "old-thing[fast]").summary == "old-thing[fast] lacks b"


def test_an_interrupted_removal_is_said(project, install):
    install("thing", "", folder="thing-1.0.dist-info")
    outcome = check(project, "thing")
    assert outcome.code == "ORC412"
    assert "half installed" in outcome.summary
    assert "--force-reinstall" in outcome.hint


def test_two_leftover_versions_are_both_judged(project, install):
    install("thing", "1.0")
    install("thing", "2.0")
    outcome = check(project, "thing>=2")
    assert outcome.code == "ORC413"
    assert "found 1.0" in outcome.summary


def test_a_near_name_is_offered(project, install):
    install("fastapi", "1")
    assert check(project, "fastpai").hint.startswith("did you mean `fastapi`, which is installed?")


def test_a_module_name_leads_to_its_distribution(project, install):
    install("PyYAML", "6.0", top_level__txt="_yaml\nyaml\n")
    assert "`yaml` is a module of `PyYAML`" in check(project, "yaml").hint


def test_an_installation_after_the_first_look_is_seen(project, install):
    assert not check(project, "late").ok
    install("late", "1.0")
    _installed.invalidate()
    assert check(project, "late").ok


def test_a_listed_directory_is_not_listed_again(project, install, monkeypatch):
    install("thing", "1.0")
    assert check(project, "thing").ok
    monkeypatch.setattr(_installed, "_scan", lambda directory: pytest.fail(f"listed {directory} again"))
    assert check(project, "thing").ok


# --- from ---------------------------------------------------------------------------------------------------------


def expanded(project, spec):
    return list(Package.model_validate(spec).expand(project.context()))


def test_a_requirements_file_becomes_its_packages(project):
    project.write(
        "requirements.txt",
        "# the web\nfastapi>=0.110  # really\n-r more/base.txt\n-c constraints.txt\n-e ./local\n--index-url https://x\n"
        "uvicorn[standard]==0.30 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def\n./wheels/x.whl\n"
        "git+https://example.org/y.git\nmine @ https://example.org/mine.whl\n",
    )
    project.write("more/base.txt", "pydantic\n-r ../requirements.txt\n")
    made = expanded(project, {"from": "requirements.txt", "why": "the app", "timeout": "3s"})
    assert [each.identity for each in made] == [
        "package:fastapi",
        "package:pydantic",
        "package:uvicorn",
        "package:mine",
    ]
    assert {each.why for each in made} == {"the app"}
    assert made[2].requirement == "uvicorn[standard]==0.30"


def test_a_listed_package_names_its_file_in_the_remedy(project, site):
    project.write("requirements.txt", "nothere>=1\n")
    (made,) = expanded(project, {"from": "requirements.txt"})
    outcome = made.attempt(project.context())
    assert outcome.code == "ORC412"
    assert "RUN pip install -r requirements.txt" in outcome.hint


def test_a_bad_line_is_said_with_its_place_and_the_others_count(project):
    project.write("requirements.txt", "good\n\nbad>>1\n")
    made = expanded(project, {"from": "requirements.txt"})
    assert [each.identity for each in made] == ["package:requirements.txt", "package:good"]
    outcome = made[0].attempt(project.context())
    assert outcome.code == "ORC110"
    assert "requirements.txt:3" in outcome.summary


def test_a_missing_file_is_one_failure(project):
    made = expanded(project, {"from": "requirements.txt"})
    assert made[0].attempt(project.context()).code == "ORC441"


def test_a_missing_included_file_is_said_with_its_name(project):
    project.write("requirements.txt", "-r base.txt\n")
    outcome = expanded(project, {"from": "requirements.txt"})[0].attempt(project.context())
    assert outcome.summary == "base.txt does not exist"


def test_an_empty_file_is_ok_and_says_so(project):
    project.write("requirements.txt", "# none\n")
    (made,) = expanded(project, {"from": "requirements.txt"})
    assert made.attempt(project.context()).summary == "requirements.txt lists 0 packages"


def test_lines_for_several_platforms_become_one_requirement(project):
    project.write(
        "requirements.txt",
        'thing<2; python_version < "3"\nthing>=2; python_version >= "3"\nthing[x]!=2.5\n',
    )
    (made,) = expanded(project, {"from": "requirements.txt"})
    assert made.requirement.startswith("thing[x]!=2.5,>=2")


def test_pyproject_dependencies_are_taken(project):
    project.write("pyproject.toml", '[project]\nname = "x"\ndependencies = ["fastapi>=0.1", "orjson"]\n')
    assert [each.title for each in expanded(project, {"from": "pyproject.toml"})] == ["fastapi", "orjson"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[tool.poetry.dependencies]\nfastapi = '*'\n", "poetry export"),
        ('[project]\nname = "x"\ndynamic = ["dependencies"]\n', "dynamic"),
        ("[build-system]\n", "add `dependencies"),
    ],
)
def test_a_pyproject_without_dependencies_says_what_to_do(project, text, hint):
    project.write("pyproject.toml", text)
    outcome = expanded(project, {"from": "pyproject.toml"})[0].attempt(project.context())
    assert outcome.code == "ORC443"
    assert hint in outcome.hint


def test_a_pylock_is_taken(project):
    project.write("pylock.toml", 'lock-version = "1.0"\n[[packages]]\nname = "orjson"\nversion = "3.9"\n')
    (made,) = expanded(project, {"from": "pylock.toml"})
    assert made.requirement == "orjson==3.9"


# --- consistent ---------------------------------------------------------------------------------------------------


def test_a_consistent_installation_is_ok(project, install):
    install("a", "1", requires=["b>=1", 'c; extra == "x"', 'd; sys_platform == "win32"'], extras=["x"])
    install("b", "1.5")
    assert check(project, {"consistent": True}).summary == "2 distributions satisfy one another"


def test_what_is_inconsistent_is_said_in_full(project, install):
    install("a", "1", requires=["b>=2", "c"])
    install("b", "1.5")
    outcome = check(project, {"consistent": True})
    assert (outcome.code, outcome.reason) == ("ORC415", "inconsistent")
    assert outcome.summary == "a 1 requires b>=2, but 1.5 is installed (and 1 more)"
    assert outcome.hint == "pip install 'b>=2'"
    assert "a 1 requires c, but it is not installed" in outcome.details


def test_this_environment_agrees_with_pip_check(project):
    pip = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    if "No module named pip" in pip.stderr:
        pytest.skip("there is no pip here")
    assert check(project, {"consistent": True}).ok == (pip.returncode == 0)


# --- the model ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "code", "hint"),
    [
        ("fastapi=1.0", "ORC110", "write `fastapi==1.0`"),
        ("-r requirements.txt", "ORC110", "to take a whole file write {from: requirements.txt}"),
        ("fastapi >> 1", "ORC110", 'for example "fastapi>=0.110" or "uvicorn[standard]" (PEP 508)'),
        ({"from": "requirements.txt", "consistent": True}, "ORC111", "split it in several"),
        ({"why": "x"}, "ORC111", "for example `- fastapi>=0.110`"),
    ],
)
def test_a_wrong_entry_is_told_how_to_write_it(spec, code, hint):
    assert [(each[0], each[2]) for each in errors(spec)] == [(code, hint)]


def test_an_overlay_matches_a_package_by_its_name_alone():
    assert Package.identify("Fast_API[all]>=0.1") == "fast-api"
    assert Package.identify({"requirement": "fast-api<2"}) == "fast-api"
    assert Package.identify({"from": "requirements.txt"}) == "requirements.txt"
    assert Package.model_validate("Fast_API[all]>=0.1").identity == "package:fast-api"


names = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?\Z")


@given(names)
def test_normalising_twice_is_normalising_once(name):
    once = _installed.normalise(name)
    assert _installed.normalise(once) == once
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", once)


@given(names, st.sampled_from(["-", "_", ".", "--", "._"]))
def test_separators_and_case_do_not_matter(name, separator):
    assert _installed.normalise(name) == _installed.normalise(re.sub(r"[-_.]+", separator, name).upper())


@given(st.text(string.printable, max_size=60))
def test_no_requirement_raises_anything_but_a_validation_error(text):
    try:
        package = Package.model_validate(text)
    except ValidationError as error:
        codes = {each["type"] for each in error.errors()}
    else:
        codes = {"ORC110"}
        assert package.title == _installed.normalise(package.title)
    assert codes <= {"ORC110", "ORC111"}


@given(st.binary(max_size=200))
def test_no_metadata_raises(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("site") / "thing-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_bytes(content)
    found = _installed.Distribution(str(folder))
    assert isinstance(found.version, str)
    assert isinstance(found.requires, list)


def test_asking_for_one_package_reads_no_other(project, install, monkeypatch):
    install("thing", "1.0")
    install("other", "1.0")
    os.chmod(project.path("site-packages/other-1.0.dist-info/METADATA"), 0)
    opened = []
    monkeypatch.setattr(_installed.Distribution, "_read", _recorded(opened, _installed.Distribution._read))
    assert check(project, "thing").ok
    assert opened
    assert all("thing-1.0" in each for each in opened)


def _recorded(opened, read):
    def _read(self, name, **options):
        opened.append(self.path)
        return read(self, name, **options)

    return _read


def test_importlib_metadata_is_not_imported():
    code = (
        "import sys; from orchestrator.requirements.packages import KIND; from orchestrator.core.context import Context;"
        "package = KIND.model_validate('pydantic>=2');"  # pydantic itself may import it, for its plug-ins
        "sys.modules.pop('importlib.metadata', None);"
        "assert package.attempt(Context(environ={})).ok;"
        "print('importlib.metadata' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "False\n"


# --- tables of a pyproject.toml -----------------------------------------------------------------------------------

TABLES = """
[project]
name = "x"
dependencies = ["fastapi"]
[project.optional-dependencies]
Server_Side = ["uvicorn>=0.30"]
[dependency-groups]
base = ["orjson"]
prod = ["gunicorn", {include-group = "Base"}]
circle = [{include-group = "circle"}]
"""


def test_extras_and_groups_are_taken_with_what_they_include(project):
    project.write("pyproject.toml", TABLES)
    spec = {"from": "pyproject.toml", "extras": ("server-side",), "groups": ("prod",)}
    made = [each.requirement for each in expanded(project, spec)]
    assert made == ["fastapi", "uvicorn>=0.30", "gunicorn", "orjson"]


def test_a_pyproject_of_groups_alone_needs_no_project(project):
    project.write("pyproject.toml", '[dependency-groups]\nprod = ["orjson"]\n')
    assert [each.title for each in expanded(project, {"from": "pyproject.toml", "groups": ("prod",)})] == [
        "orjson"
    ]


@pytest.mark.parametrize(
    ("spec", "said", "hint"),
    [
        (
            {"groups": ("prodd",)},
            "pyproject.toml has no `prodd` in [dependency-groups]",
            "did you mean `prod`?",
        ),
        (
            {"extras": ("nothing",)},
            "pyproject.toml has no `nothing` in [project.optional-dependencies]",
            "it has Server_Side",
        ),
        (
            {"groups": ("circle",)},
            "pyproject.toml: the group circle includes itself",
            "take one `include-group` out",
        ),
    ],
)
def test_a_table_that_is_not_there_is_said_with_those_that_are(project, spec, said, hint):
    project.write("pyproject.toml", TABLES)
    outcome = expanded(project, {"from": "pyproject.toml", **spec})[0].attempt(project.context())
    assert (outcome.code, outcome.summary, outcome.hint) == ("ORC443", said, hint)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"from": "requirements.txt", "groups": ("prod",)}, "`groups` are tables of a pyproject.toml"),
        ({"requirement": "uvicorn", "extras": ("standard",)}, "`extras` are tables of a pyproject.toml"),
    ],
)
def test_what_means_nothing_where_it_stands_is_refused(spec, said):
    ((code, message, hint),) = errors(spec)
    assert (code, message) == ("ORC113", said)
    assert hint
