"""Keeps the tables of the cookbook true: the lines that they point to, and the sum in docs/cookbook.md.

Run it after a change: python examples/cookbook/tables.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import yaml

HERE = Path(__file__).parent
SUM = HERE.parents[1] / "docs" / "cookbook.md"
HOW = ("spec", "command", "no", "outside")
"""Said by the spec; declared there and done by a command; not expressible; not the engine's business."""
_LINK = re.compile(r"\[([^\]]+)\]\(startup\.yaml#L\d+\)")
_IN = " \u203a "
"""Between the words of a place."""
_BEGIN, _END = "<!-- sum -->", "<!-- end of sum -->"


class Row(NamedTuple):
    """One thing that a project does today."""

    what: str
    how: str
    where: str


def projects() -> list[Path]:
    return sorted(path.parent for path in HERE.glob("*/startup.yaml"))


def rows(project: Path) -> list[Row]:
    lines = (project / "README.md").read_text().splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")
    ]
    return [Row(*each) for each in cells if len(each) == 3 and each[1] in HOW]


def line_of(project: Path, place: str) -> int:
    """The line of a place, such as that of `lock` in `migrate` in `steps`; a list's item is found by its id, name or path."""
    node = yaml.compose((project / "startup.yaml").read_text(), Loader=yaml.SafeLoader)
    mark = node.start_mark
    for word in place.split(_IN):
        mark, node = _step(node, word, place)
    return int(mark.line) + 1


def _step(node: yaml.Node, word: str, place: str) -> tuple[yaml.Mark, yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == word:
                return key.start_mark, value
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            if word in _names(item):
                return item.start_mark, item
    raise LookupError(f"there is no `{word}` in {place}")


def _names(item: yaml.Node) -> list[str]:
    if not isinstance(item, yaml.MappingNode):
        return [str(item.value)]
    found = {
        key.value: value.value for key, value in item.value if key.value in ("id", "name", "path", "module")
    }
    return [found["id"]] if "id" in found else list(found.values())


def refreshed(project: Path) -> str:
    """The project's README with the lines as they are now."""

    def link(found: re.Match[str]) -> str:
        return f"[{found[1]}](startup.yaml#L{line_of(project, found[1])})"

    return _LINK.sub(link, (project / "README.md").read_text())


def counted() -> dict[str, dict[str, int]]:
    """How many rows of each kind every project has."""
    return {each.name: {how: sum(row.how == how for row in rows(each)) for how in HOW} for each in projects()}


def summed() -> str:
    """The sum as docs/cookbook.md shows it."""
    found = counted()
    lines = [
        "| project | in scope | said by the spec | by a command | not expressible | outside |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, count in found.items():
        scope = sum(count[how] for how in ("spec", "command", "no"))
        lines.append(
            f"| [{name}](../examples/cookbook/{name}/README.md) | {scope} | {count['spec']} | {count['command']} | {count['no']} | {count['outside']} |"
        )
    total = {how: sum(count[how] for count in found.values()) for how in HOW}
    scope = total["spec"] + total["command"] + total["no"]
    lines.append(
        f"| **all {len(found)}** | **{scope}** | **{total['spec']}** | **{total['command']}** | **{total['no']}** | **{total['outside']}** |"
    )
    expressed = total["spec"] + total["command"]
    share, alone = 100 * expressed / scope, 100 * total["spec"] / scope
    lines += [
        "",
        f"**{expressed} of {scope}** in scope are expressed: **{share:.1f} %**, {alone:.1f} % by the spec alone.",
    ]
    return "\n".join(lines)


def with_sum(text: str) -> str:
    before, _, rest = text.partition(_BEGIN)
    return f"{before}{_BEGIN}\n\n{summed()}\n\n{_END}{rest.partition(_END)[2]}"


def main() -> None:
    for project in projects():
        (project / "README.md").write_text(refreshed(project))
    SUM.write_text(with_sum(SUM.read_text()))


if __name__ == "__main__":
    main()
