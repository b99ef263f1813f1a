"""The pages of `orchestrator explain CODE`, and the examples in them."""

from __future__ import annotations

import os

from orchestrator.core.suggest import closest

_PAGES = os.path.join(os.path.dirname(__file__), "pages")
SPEC = "startup.yaml"


def topics() -> list[str]:
    """The codes that have a page."""
    return sorted(name[:-3] for name in os.listdir(_PAGES) if name.endswith(".md"))


def page(topic: str) -> str | None:
    """The page of a code (`ORC104`, also `orc104` or `104`) in Markdown; None where there is none."""
    name = topic.strip().casefold()
    for known in topics():
        if known.casefold() in (name, f"orc{name}"):
            with open(os.path.join(_PAGES, f"{known}.md"), encoding="utf-8") as file:
                return file.read()
    return None


def suggestion(topic: str, others: tuple[str, ...] = ()) -> str | None:
    """The topic that was probably meant; `others` are topics with pages elsewhere, such as kinds."""
    return closest(topic, [*topics(), *others])


def meaning(code: str) -> str:
    """The first paragraph of a page, in one line."""
    text = page(code) or ""
    after = text.partition("## What it means\n")[2].lstrip("\n")
    return " ".join(after.partition("\n\n")[0].split())


def examples(code: str) -> list[tuple[str, str]]:
    """The files of the example, for which `validate` reports this code; none where YAML text cannot show it."""
    return _files(code, "")


def fixes(code: str) -> list[tuple[str, str]]:
    """The files of the page's repaired example, which `validate` accepts."""
    return _files(code, "fixed")


def _files(code: str, kind: str) -> list[tuple[str, str]]:
    """A block's info is `yaml`, then `fixed` or `run` if it is not the example, then the file's name."""
    found = []
    for info, text in _blocks(page(code) or ""):
        language, *words = info.split()
        names = [word for word in words if "." in word]
        kinds = [word for word in words if "." not in word]
        if language == "yaml" and kinds == kind.split():
            found.append((names[0] if names else SPEC, text))
    return found


def _blocks(markdown: str) -> list[tuple[str, str]]:
    """The fenced blocks: the info after the fence, and the text within."""
    blocks: list[tuple[str, str]] = []
    info, inside = "", False
    body: list[str] = []
    for line in markdown.split("\n"):
        if not line.startswith("```"):
            body.append(line)
        elif inside:
            blocks.append((info, "".join(line + "\n" for line in body)))
            inside = False
        else:
            info, inside, body = line[3:].strip() or "text", True, []
    return blocks
