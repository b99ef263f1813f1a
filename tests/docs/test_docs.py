"""Everything the pages show is tried: specs are validated, commands are typed, links lead somewhere."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import docs_words
import pytest
import yaml
from docs_blocks import PAGES, ROOT, every_block, scratch_of
from docs_console import Terminal, difference, shown, wait_until_asked

from orchestrator import cli
from orchestrator.cli import COMMANDS
from orchestrator.diagnostics.formats import Options
from orchestrator.diagnostics.formats.text import render
from orchestrator.spec import load_text
from orchestrator.spec.kinds import SERVERS

pytestmark = pytest.mark.timeout(180)

BLOCKS = every_block()
OTHERS = ("compose", "github", "gitlab", "pre-commit", "kubernetes")
LANGUAGES = {"yaml", "python", "sh", "console", "dockerfile", "toml"}
WRAPPER = "version: 1\nservice: example\n"
INSTRUCTIONS = {
    "FROM", "RUN", "COPY", "WORKDIR", "USER", "ENV", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD", "ARG",
}  # fmt: skip


def of(*languages, word=None):
    found = [each for each in BLOCKS if each.language in languages and (word is None or word(each))]
    return pytest.mark.parametrize("block", found, ids=lambda each: each.id)


def is_spec(block):
    return block.word not in (*OTHERS, "fragment") and not _is_broken(block) and not _is_overlay(block)


def _is_broken(block):
    return block.word == "broken" or block.file.startswith("broken")


def _is_overlay(block):
    return re.fullmatch(r"startup\.[a-z0-9-]+\.yaml", block.file) is not None


def told(loaded):
    return render(loaded.diagnostics, loaded.sources, Options(width=100))


@pytest.fixture
def directory(tmp_path):
    """The page's directory as it is before a block."""

    def directory(block):
        here = tmp_path / "srv"
        here.mkdir()
        for name in scratch_of(block.page):
            _copy(ROOT / name, here / Path(name).name)
        for name, text in block.before.items():
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            (here / name).write_text(text, encoding="utf-8")
        return here

    return directory


def _copy(source, target):
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


@pytest.fixture
def terminal(directory, tmp_path):
    opened = []

    def terminal(block):
        opened.append(Terminal(directory(block), tmp_path / "state"))
        return opened[-1]

    yield terminal
    for each in opened:
        each.close()


# Specs


@of("yaml", word=is_spec)
def test_a_whole_spec_has_no_finding(block):
    assert told(load_text(block.text)) == ""


@of("yaml", word=lambda block: block.word == "fragment")
def test_a_fragment_is_right_inside_a_spec(block):
    """What refers to the rest of a spec may be unknown here, or unused; nothing may be wrong."""
    loaded = load_text(WRAPPER + block.text)
    wrong = [each for each in loaded.diagnostics if each.severity == "error" or each.code < "ORC2"]
    assert not wrong, told(loaded)


@of("yaml", word=_is_overlay)
def test_an_overlay_is_right_over_the_spec_of_its_page(block):
    base = block.before["startup.yaml"]
    assert told(load_text(base, overlays={block.file: block.text})) == ""


@of("yaml", word=_is_broken)
def test_a_broken_spec_is_broken(block):
    assert load_text(block.text).diagnostics


@of("yaml", word=lambda block: block.word in OTHERS)
def test_the_files_of_other_tools_are_yaml_with_commands_that_exist(block):
    assert isinstance(yaml.safe_load(block.text), dict | list)
    commands = re.findall(r"(?:run: |entry: |- |\[)(orchestrator [^\]\n#]*)", block.text)
    assert [docs_words.refused(each.split()[1:]) for each in commands] == [""] * len(commands)


# Other files


@of("dockerfile")
def test_a_dockerfile_has_known_instructions_in_exec_form_and_commands_that_exist(block):
    entry = []
    for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        instruction = line.split()[0]
        assert instruction in INSTRUCTIONS, line
        form = re.search(r"\[.*\]$", line)
        words = json.loads(form[0]) if form else []
        assert words or instruction not in ("ENTRYPOINT", "CMD", "HEALTHCHECK"), f"no exec form: {line}"
        if instruction == "ENTRYPOINT":
            entry = words
            continue
        assert [each for each in words if "probe.py" in each and not _installed(each)] == [], line
        command = entry + words if instruction == "CMD" else words
        if command and command[0].endswith("orchestrator"):
            assert docs_words.refused(command[1:]) == "", line


def _installed(path):
    """Whether a path below some site-packages is one of ours."""
    return (ROOT / path.partition("site-packages/")[2]).exists()


@of("toml")
def test_a_toml_block_can_be_read(block):
    assert tomllib.loads(block.text)


# Programs and commands


@of("python", word=lambda block: not block.file)
def test_a_python_block_runs(block, directory):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text],
        cwd=directory(block),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@of("python", word=lambda block: bool(block.file))
def test_a_python_file_compiles(block):
    compile(block.text, block.file, "exec")


def _opened(block, terminal):
    """A terminal; where the page says so, with the service running beside it."""
    here = terminal(block)
    if block.comment == "while running":
        here.start("orchestrator run")
        assert here.running is not None, "it did not start"
        wait_until_asked(here)
    return here


@of("sh", word=lambda block: not block.unexecuted)
def test_the_commands_of_a_shell_block_succeed(block, terminal):
    here = _opened(block, terminal)
    for line in filter(None, (each.partition(" #")[0].strip() for each in block.text.splitlines())):
        said = here.type(line)
        assert here.code == 0, "\n".join([line, *said])


@of("sh", word=lambda block: bool(block.unexecuted))
def test_what_is_not_executed_exists(block):
    assert [problem for line in block.text.splitlines() if (problem := docs_words.wrong(line))] == []


@of("console")
def test_a_console_block_shows_what_is_printed(block, terminal):
    here = _opened(block, terminal)
    typed = shown(block.text)
    for index, (command, expected) in enumerate(typed):
        real = here.interrupt() if command == "^C" else here.type(command)
        problem = difference(here.plain(expected), here.plain(real))
        assert not problem, f"$ {command}: {problem}"
        told_next = index + 1 < len(typed) and typed[index + 1][0] == "echo $?"
        assert here.code == 0 or told_next, f"`{command}` ends with {here.code}, which the page does not say"


# The pages themselves


def test_no_block_escapes():
    strange = [block.id for block in BLOCKS if block.language not in LANGUAGES]
    named = {"yaml": {*OTHERS, "fragment", "broken", ""}, "sh": {""}, "console": {""}}
    strange += [
        each.id for each in BLOCKS if not each.file and each.word not in named.get(each.language, {""})
    ]
    assert strange == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = [
        target
        for target in re.findall(r"\]\(([^)\s]+)\)", text)
        if not re.match(r"https?://", target) and not _leads(page, target)
    ]
    assert broken == []


def _leads(page, target):
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists() or not anchor:
        return file.exists()
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_page_is_reached_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [each.name for each in PAGES if each.name != "README.md" and each.name not in readme]
    assert missing == []


# What is not there yet: this list must shrink when it should


def _not_there_yet():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition("## What is not there yet")[2].partition("\n## ")[0]


def test_the_commands_that_are_said_to_be_missing_are_missing():
    listed = _not_there_yet().partition("* Commands: ")[2].partition(". ")[0]
    named = re.findall(r"`([a-z]+)`", listed)
    assert named
    assert not set(named) & _commands()


def _commands():
    folder = Path(cli.__file__).parent
    return {name for name in COMMANDS if name == "health" or (folder / f"{name}.py").exists()}


def test_the_servers_that_are_said_to_be_missing_are_missing():
    missing = {"uvicorn", "gunicorn", "granian", "hypercorn"} - set(SERVERS.built_in)
    said = {each for each in ("gunicorn", "granian", "hypercorn") if f"`{each}`" in _not_there_yet()}
    assert said == missing


def test_the_commands_are_told_to_newcomers():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## The commands")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `orchestrator (\w+)`", table, re.MULTILINE)) == _commands()
