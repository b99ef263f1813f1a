"""`make generate`: writes again what is derived from the models, `schema/` and `docs/reference/`."""

from __future__ import annotations

import json
import os
from typing import Any

from orchestrator.spec import reference
from orchestrator.spec.schema import base_schema, overlay_schema
from tools.formats import FORMATS, format_schema
from tools.pages import joined

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOTE = "<!-- Written by `make generate` from the models in orchestrator/: change a field's description there. -->\n"


def files() -> dict[str, str]:
    """Every file that is derived, by its path in the repository."""
    return {
        **_schemas(),
        **{f"docs/reference/{name}": f"{NOTE}\n{text.rstrip()}\n" for name, text in _pages().items()},
    }


def _schemas() -> dict[str, str]:
    made = {
        "startup": base_schema(),
        "startup.overlay": overlay_schema(),
        **{name: format_schema(name) for name in FORMATS},
    }
    return {f"schema/{name}.schema.json": _json(each) for name, each in made.items()}


_WIDTH = 140


def _json(data: Any) -> str:
    return _written(data, 0, 0) + "\n"


def _written(data: Any, depth: int, taken: int) -> str:
    """A value on one line where it fits; `taken` is what stands before it on its first line."""
    line = json.dumps(data, ensure_ascii=False)
    if depth + taken + len(line) <= _WIDTH or not isinstance(data, dict | list) or not data:
        return line
    start, end = "{}" if isinstance(data, dict) else "[]"
    pairs = data.items() if isinstance(data, dict) else ((None, each) for each in data)
    parts = []
    for key, value in pairs:
        name = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
        parts.append(f"{' ' * (depth + 1)}{name}{_written(value, depth + 1, len(name) + 1)}")
    return f"{start}\n" + ",\n".join(parts) + f"\n{' ' * depth}{end}"


def _pages() -> dict[str, str]:
    schema = base_schema()
    return {
        "README.md": _INDEX,
        "sections.md": "# Sections of `startup.yaml`\n\n" + joined(reference.sections(schema)),
        "waits.md": "# Kinds of `wait_for`\n\nEach is the key of an item that says what must answer.\n\n"
        + joined(reference.waits(schema)),
        "checks.md": "# Kinds of `checks`\n\nChecks of your own; the key tells which.\n\n"
        + joined(reference.checks_(schema)),
        "actions.md": "# Fallback actions\n\nWhat `on_failure` and the lists under `fallbacks` are made of.\n\n"
        + joined(reference.actions(schema)),
        "conditions.md": "# Conditions\n\nWhat `when`, `unless`, `required_when` and `holds` take.\n\n"
        + joined(reference.conditions_(schema)),
        "matchers.md": "# Expectations and matchers\n\n" + joined(reference.matchers(schema)),
        "mappings.md": "# Mappings inside sections and kinds\n\n" + joined(reference.mappings(schema)),
        "formats.md": "# Formats for programs\n\n" + _formats(),
    }


def _formats() -> str:
    rows = [
        f"| [{name}](../../schema/{name}.schema.json) | {(model.__doc__ or '').strip()} |"
        for name, model in FORMATS.items()
    ]
    return "\n".join([
        "Versioned, and they only grow: a reader lets keys pass that it does not know.", "",
        "| schema | what it describes |", "|---|---|", *rows, "",
    ])  # fmt: skip


_INDEX = """# Reference

* [Sections](sections.md) of `startup.yaml`
* [Waits](waits.md): what must answer
* [Checks](checks.md) of your own
* [Fallback actions](actions.md): what is done when something fails
* [Conditions](conditions.md): `when`, `unless`, `required_when`, `holds`
* [Expectations and matchers](matchers.md): what an answer must look like
* [Mappings](mappings.md) that stand in these
* [Formats for programs](formats.md)

The same is said in a terminal by `orchestrator explain WORD`: `explain tcp`, `explain degrade`, `explain launch`.

## In an editor

An editor with the YAML language server completes keys, shows what they mean and marks mistakes, when the first line
of the spec names the schema:

```yaml
# yaml-language-server: $schema=schema/startup.schema.json
```

An overlay names `startup.overlay.schema.json`. Both are printed by `orchestrator schema` and `orchestrator schema --overlay`,
with the kinds of installed plug-ins. The tags of overlays have to be told to the editor, because a schema cannot:

```json
{
  "yaml.customTags": [
    "!replace scalar", "!replace sequence", "!replace mapping",
    "!remove scalar", "!remove sequence", "!remove mapping"
  ]
}
```

## Where the schema and `validate` differ

`orchestrator validate` is the judge. The schema says the same of structure: keys, types, words, ranges, empty lists. It cannot
say what two values mean together (`min` above `max`, a lock without `unless`, a reference to nothing), and it differs in
one thing on purpose: to JSON Schema `2.0` is a whole number, to `validate` it is not, because YAML tells the two apart and so
do the programs that get the value.
"""


def main() -> None:
    for path, text in files().items():
        whole = os.path.join(ROOT, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
