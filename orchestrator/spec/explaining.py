"""What `explain` says of words that have no page of their own: keys, families, servers. From the models alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.spec import reference
from orchestrator.spec.kinds import SERVERS
from orchestrator.spec.schema import COMMON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.spec.reference import Topic

_SHOWN_PLACES = 8


def page(word: str) -> str | None:
    """The page of a topic; else of a key, of a family, or of a server; None for a word that is none of them."""
    wanted = word.strip().casefold()
    return _topics(wanted) or _key(wanted) or _family(wanted) or _server(wanted)


def _topics(word: str) -> str | None:
    """The page of every topic of that word. Plug-ins are asked when nothing built in has it."""
    for plugins in (False, True):
        topics = reference.everything(plugins=plugins)
        found = [each for each in topics if word in map(str.casefold, (each.word, *each.others))]
        if found:
            return "\n\n".join(_page(each) for each in found) + "\n"
    return None


def _page(topic: Topic) -> str:
    parts = [topic.title, "=" * len(topic.title), "", topic.text]
    if topic.needs:
        parts += ["", f"Needs {topic.needs}"]
    if topic.example is not None:
        parts += ["", *(f"    {line}" for line in yaml_of(topic.example).splitlines())]
    for key in topic.keys:
        parts += ["", f"{key.name}: {facts(key)}", f"    {key.description}"]
    if topic.item:
        parts += ["", f"And the keys of every item: {', '.join(COMMON)} (explain item)"]
    return "\n".join(parts)


def facts(key: reference.Key) -> str:
    return (
        key.words
        + (", required" if key.required else "")
        + (f", default {inline(key.default)}" if key.default is not None else "")
    )


def inline(value: Any) -> str:
    """A value as it is written in YAML, on one line."""
    import yaml

    return (
        str(yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False))
        .removesuffix("\n")
        .removesuffix("\n...")
    )


def yaml_of(value: Any) -> str:
    import yaml

    class Indented(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
            super().increase_indent(flow, False)

    return str(yaml.dump(value, Dumper=Indented, sort_keys=False, width=100, allow_unicode=True))


def words() -> list[str]:
    """Every word that something is said of, for suggestions."""
    keys = {key.name for topic in reference.everything() for key in topic.keys}
    return sorted({*reference.topics(), *keys, *_families(), *SERVERS.built_in})


def contents() -> str:
    """All there is to explain, in lists."""
    lists = [(f"{family}s", [each.word for each in topics]) for family, topics in _families().items()]
    lists += [("servers", list(SERVERS.built_in))]
    parts = [f"{name}:\n    {', '.join(words_)}" for name, words_ in lists if words_]
    return (
        "\n\n".join([*parts, "and every key of these, such as when; and every code, such as ORC104"]) + "\n"
    )


def _key(word: str) -> str | None:
    """A key, wherever it stands: places where it means the same are shown together."""
    found: dict[tuple[str, str], list[Topic]] = {}
    for topic in reference.everything():
        for key in topic.keys:
            if key.name.casefold() == word:
                found.setdefault((facts(key), key.description), []).append(topic)
    if not found:
        return None
    parts = [_headed(f"{word} (key)")]
    parts += [f"{_places(topics)}: {facts}\n    {said}" for (facts, said), topics in found.items()]
    return "\n\n".join(parts) + "\n"


def _places(topics: Iterable[Topic]) -> str:
    names = [f"in {'every item' if each.word == 'item' else each.title}" for each in topics]
    more = f" and {len(names) - _SHOWN_PLACES} more" if len(names) > _SHOWN_PLACES else ""
    return ", ".join(names[:_SHOWN_PLACES]) + more


def _families() -> dict[str, list[Topic]]:
    found: dict[str, list[Topic]] = {}
    for topic in reference.everything():
        if topic.word != "item":
            found.setdefault(topic.family, []).append(topic)
    return found


def _family(word: str) -> str | None:
    """A kind of kinds, such as `conditions` or `action`: its members, each in a line."""
    for family, topics in _families().items():
        names = (family, family.rpartition(" ")[2])
        if word in names or word in [f"{each}s" for each in names]:
            lines = [f"{each.word}: {each.text.partition(chr(10))[0]}" for each in topics]
            return "\n".join([_headed(f"{family}s"), "", *lines]) + "\n"
    return None


def _server(word: str) -> str | None:
    """The options that can be set under `launch.options`, as the installed server has them."""
    if word not in SERVERS.built_in:
        return None
    from orchestrator.spec import options

    there, mine = options.options(word), options.owned(word)
    head = [_headed(f"{word} (server)"), "", f"server: {word} under `launch`; its own options stand under `launch.options`."]  # fmt: skip
    if there is None:
        return "\n".join([*head, f"It is not installed here: pip install {word}"]) + "\n"
    lines = [f"{name}: default {_default(value)}" for name, value in there.items() if name not in mine]
    decided = [f"{name}: {said}" for name, said in mine.items()]
    return "\n".join([*head, "", *lines, "", "Decided by the launch:", *decided]) + "\n"


def _default(value: Any) -> str:
    parts = list(value) if isinstance(value, list | tuple) else [value]
    plain = all(each.__class__ in (str, int, float, bool, type(None)) for each in parts)
    return inline(parts if isinstance(value, tuple) else value) if plain else "its own"


def _headed(title: str) -> str:
    return f"{title}\n{'=' * len(title)}"
