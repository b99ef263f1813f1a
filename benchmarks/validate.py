"""`orchestrator validate` as a whole process: the sample beside importing its libraries, a huge spec beside YAML alone."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.sidebyside import Command, Goal, compare, finish

ROOT = Path(__file__).parent.parent
LIBRARIES = "import yaml; from pydantic import BaseModel"
YAML_ALONE = "import sys, yaml; yaml.load(open(sys.argv[1], 'rb'), yaml.CSafeLoader)"
LINES = 20_000
MOST_MEMORY = 300.0
"""Megabytes that reading a spec of the largest size allowed may take."""
MOST_MORE = 250.0
"""Milliseconds that validating the sample may take more than importing the two libraries, processor time or wall.

Most of it builds the validators of the models that the sample uses."""


def main() -> int:
    script = str(Path(sys.executable).with_name("orchestrator"))
    environ = {"PATH": os.environ["PATH"]}
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.yaml"
        large.write_text(spec_of(LINES))
        python = sys.executable
        sample = compare(
            Command("import yaml, pydantic", [python, "-c", LIBRARIES], environ),
            Command("validate the sample", [script, "validate", str(ROOT / "startup.yaml")], environ),
            [],
            turns=20,
        )
        more = max(each.ours_median - each.rival_median for each in sample)
        print(
            f"validate of the sample: {more:.0f} ms more than importing YAML and pydantic, goal {MOST_MORE:g}"
        )
        whole = compare(
            Command(f"yaml.load, {LINES} lines", [python, "-c", YAML_ALONE, str(large)], environ),
            Command(f"validate, {LINES} lines", [script, "validate", str(large)], environ),
            [Goal("wall", 3), Goal("cpu", 3)],
            turns=7,
        )
        needed = max(peak_memory([script, "validate", str(path)]) for path in worst_specs(Path(folder)))
    print(f"reading the worst specs of 2 MB: at most {needed:.0f} MB, goal {MOST_MEMORY:g}")
    return finish("validate", [*sample, *whole]) or int(more > MOST_MORE or needed > MOST_MEMORY)


def worst_specs(folder: Path) -> Iterator[Path]:
    """As many items as fit, all well and all wrong."""
    for name, item in (("well", "- d{}\n"), ("wrong", "- {}\n")):
        path = folder / f"{name}.yaml"
        items = [item.format(at) for at in range(180_000)]
        path.write_text("version: 1\nservice: large\ndirectories:\n" + "".join(items))
        yield path


def peak_memory(argv: list[str]) -> float:
    """The resident memory of a command at its highest, in MB."""
    quiet = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)]
    _, _, usage = os.wait4(os.posix_spawn(argv[0], argv, os.environ, file_actions=quiet), 0)
    return usage.ru_maxrss / 1024


def spec_of(lines: int) -> str:
    """A spec of so many lines: waits, directories and steps by turns."""
    head = ["version: 1", "service: large"]
    share = (lines - len(head) - 3) // 3
    waits = [
        line
        for at in range(share // 4)
        for line in (f"  - name: w{at}", f"    tcp: host{at}:5432", "    deadline: 5s", "    why: because")
    ]
    folders = [
        line
        for at in range(share // 4)
        for line in (f"  - path: data/d{at}", '    mode: "0750"', "    min_free: 10MB", "    why: because")
    ]
    steps = [
        line
        for at in range(share // 4)
        for line in (
            f"  - name: s{at}",
            "    run: [python, -m, app.migrate]",
            "    deadline: 60s",
            f"    needs: [w{at}]",
        )
    ]
    return "\n".join([*head, "wait_for:", *waits, "directories:", *folders, "steps:", *steps]) + "\n"
