"""The reference in docs/: a page for each family of topics, in Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrator.spec import expect
from orchestrator.spec.explaining import inline, yaml_of
from orchestrator.spec.schema import COMMON
from orchestrator.spec.schema_fields import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.spec.reference import Key, Topic


def joined(topics_: Iterable[Topic], level: int = 2) -> str:
    return "\n".join(markdown(each, level) for each in topics_)


def markdown(topic: Topic, level: int = 2) -> str:
    """A topic as it stands in docs/reference."""
    parts = [f"{'#' * level} `{topic.word}`", "", topic.text, ""]
    if topic.needs:
        parts += [f"Needs {topic.needs}", ""]
    if topic.example is not None:
        parts += ["```yaml", yaml_of(topic.example).rstrip("\n"), "```", ""]
    if topic.keys:
        parts += ["| key | value | meaning |", "|---|---|---|", *(_row(each) for each in topic.keys), ""]
    if topic.item:
        parts += [
            f"And the [keys of every item](mappings.md#item): {', '.join(f'`{each}`' for each in COMMON)}.",
            "",
        ]
    return "\n".join(parts)


def _row(key: Key) -> str:
    facts = [key.description]
    if key.required:
        facts.append("Required.")
    if key.default is not None:
        facts.append(f"Default: `{inline(key.default)}`.")
    if key.examples:
        facts.append("Example: " + ", ".join(f"`{inline(each)}`" for each in key.examples) + ".")
    return f"| `{key.name}` | {_linked(_cell(key.words))} | {_cell(' '.join(facts))} |"


def _file(name: str) -> str:
    return "matchers.md" if name in (name_of(expect.Expect), name_of(expect.Matcher)) else "mappings.md"


def _linked(words_: str) -> str:
    """The names of mappings as links to them."""
    return re.sub(
        r"\(`([a-z.-]+)`\)",
        lambda found: f"([`{found[1]}`]({_file(found[1])}#{found[1].replace('.', '')}))",
        words_,
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
