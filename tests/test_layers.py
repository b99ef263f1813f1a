"""Who may import whom: the layers of docs/design.md, and no circle. Imports inside functions and for types count, too."""

import ast
from collections import defaultdict
from pathlib import Path

import orchestrator

LAYERS = (
    "cli", "rehearsal", "engine", "supervisor", "launch", "health", "status", "fallbacks", "requirements", "waits",
    "spec", "document", "diagnostics", "system", "core",
)  # fmt: skip
"""Each may import those to its right. What stands beside them (`startup`, `plugins`, `integrations`) is for apps and authors."""
BY_NAME = {"orchestrator.spec.kinds"}
"""Finds kinds by the name of their file: the one place that reaches to its left, and it names none of them."""

DRIVER = "orchestrator.engine.run"
"""What carries out parts of a start is still handed the whole of it, and names its type: the one circle that is left."""

PACKAGE = Path(orchestrator.__file__).parent


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def graph():
    """Module → the modules of ours that it imports anywhere."""
    paths = dict(modules())
    found = defaultdict(set)
    for name, path in paths.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found[name] |= {each.name for each in node.names if each.name in paths}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                for each in node.names:
                    full = f"{node.module}.{each.name}"
                    found[name] |= {full} if full in paths else {node.module} & paths.keys()
    return found


def layer(module):
    parts = module.split(".")
    return LAYERS.index(parts[1]) if len(parts) > 1 and parts[1] in LAYERS else -1


def circles(edges):
    """The groups of modules that import one another: strongly connected components, after Tarjan."""
    index, low, stack, found = {}, {}, [], []

    def visit(module):
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(edges.get(module, ())):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in sorted(edges):
        if module not in index:
            visit(module)
    return found


def test_a_module_imports_only_from_its_own_layer_and_those_below():
    upwards = [
        f"{module} imports {other}"
        for module, others in sorted(graph().items())
        for other in sorted(others)
        if module not in BY_NAME and -1 < layer(other) < layer(module)
    ]
    assert upwards == []


def test_no_modules_import_one_another():
    assert [each for each in circles(graph()) if DRIVER not in each] == []


def test_the_one_circle_is_within_the_engine_and_does_not_grow():
    found = [each for each in circles(graph()) if DRIVER in each]
    assert all(each.startswith("orchestrator.engine.") for group in found for each in group)
    assert sum(map(len, found)) <= 19
