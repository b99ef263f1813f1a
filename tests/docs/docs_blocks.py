"""The fenced blocks of the pages that are written for people, with their places. Knows nothing of what they mean.

The words behind the three backticks say what a block is; a comment above it may say more:

    ```yaml                      a whole spec, without a finding
    ```yaml startup.yaml         the same, and a file that later blocks of the page find in their directory
    ```yaml fragment             a part of a spec
    ```yaml broken               a spec with findings
    ```yaml compose|github|...   another tool's file
    ```python main.py            a file; a block without a name is run
    ```sh                        commands that must succeed
    ```console                   commands behind `$ ` with what they print; `...` stands for any lines, or a line's rest

    <!-- not executed: why -->   commands are only checked to exist
    <!-- while running -->       `orchestrator run` runs beside the block
    <!-- scratch: app x.yaml --> what the page's directory holds at first; anywhere in the page
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
)
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`]*)$")
_COMMENT = re.compile(r"^\s*<!-- (?P<text>.*?) -->\s*$")
_SCRATCH = re.compile(r"^<!-- scratch: (.*?) -->$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    """The line of its first line of text."""
    language: str
    word: str
    """The second word: a role, or the name of a file."""
    text: str
    comment: str

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str:
        """The name under which later blocks find it, if it has one."""
        return self.word if "." in self.word else ""

    @property
    def before(self) -> dict[str, str]:
        """The files that earlier blocks of the page have made; a later one of the same name replaces it."""
        earlier = [each for each in blocks(self.page) if each.line < self.line]
        return {each.file: each.text for each in earlier if each.file}

    @property
    def unexecuted(self) -> str:
        """Why it is not executed, if it says so."""
        head, _, reason = self.comment.partition(":")
        return reason.strip() if head == "not executed" else ""


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    opened: re.Match[str] | None = None
    at, body = 0, []
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if opened is None and fence is not None:
            opened, at, body = fence, number, []
        elif opened is not None and fence is not None and not fence["info"].strip():
            found.append(_block(page, at, opened, body, lines))
            opened = None
        elif opened is not None:
            body.append(line.removeprefix(opened["indent"]))
    assert opened is None, f"{page}:{at}: the block is not closed"
    return found


def _block(page: Path, fence_line: int, fence: re.Match[str], body: list[str], lines: list[str]) -> Block:
    language, _, word = fence["info"].strip().partition(" ")
    comment = _COMMENT.match(lines[fence_line - 2]) if fence_line > 1 else None
    text = "".join(each + "\n" for each in body)
    return Block(page, fence_line + 1, language, word.strip(), text, comment["text"] if comment else "")


def every_block() -> list[Block]:
    return [block for page in PAGES for block in blocks(page)]


def scratch_of(page: Path) -> list[str]:
    """The files of the repository that a page's directory holds at first."""
    return " ".join(_SCRATCH.findall(page.read_text(encoding="utf-8"))).split()
