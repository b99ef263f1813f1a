"""What holds for every spec, whoever wrote it."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.diagnostics import Findings
from orchestrator.document.dump import provenance, to_data, to_yaml
from orchestrator.document.node import Node, steps_of
from orchestrator.document.overlay import lay_over
from orchestrator.document.read import read
from orchestrator.spec.loading import RULES, load_files, load_text

ROOT = Path(__file__).parent.parent.parent
SEEDS = [
    ROOT / "startup.yaml",
    ROOT / "examples/arkalia/startup.yaml",
    *sorted((ROOT / "tests/cases/specs").glob("*/startup.yaml")),
]
LINES = sorted(
    {
        line
        for each in SEEDS
        for line in each.read_bytes().decode("utf-8", "replace").split("\n")
        if len(line) < 200
    }
)
HEAD = "version: 1\nservice: shop\n"
quickly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _answered(loaded):
    """A spec or diagnostics; and every place lies in a file that was read."""
    assert loaded.spec is not None or loaded.failed
    for each in loaded.diagnostics:
        assert each.message
        assert each.severity in ("error", "warning", "note")
        lines = loaded.sources.get(each.place.file, "").splitlines()
        assert 0 <= each.place.line <= len(lines) + 1
    return loaded


@quickly
@given(st.text())
def test_any_text_gives_a_spec_or_diagnostics(text):
    _answered(load_text(text))


@quickly
@given(st.binary())
def test_any_bytes_give_a_spec_or_diagnostics(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(data)

    loaded = load_files([str(file)])

    assert loaded.spec is not None or loaded.failed


@quickly
@given(st.lists(st.tuples(st.sampled_from(["", "  ", "    ", "- "]), st.sampled_from(LINES)), max_size=25))
def test_any_mixture_of_lines_of_specs_gives_a_spec_or_diagnostics(lines):
    _answered(load_text(HEAD + "\n".join(indent + line.replace("\r", "") for indent, line in lines)))


def _scalars():
    return st.one_of(
        st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
        st.sampled_from(["yes", "no", "0750", "1:30", "2026-05-01", "~", "", " x", "x ", "a: b", "a #b", "1e3", "0x1f", "- a", "...", "---",
                         "line\nline\n", "line\n", "\nline", "a\n\nb", "é", "${A}", "!x", "&a", "*a", "x: ", "y", "=", "<<", "\ttab", "0o7"]),
    )  # fmt: skip


def _keys():
    return st.one_of(
        st.sampled_from(["a", "b", "c", "on", "1", "y", "x y", "<<"]),
        st.text(st.characters(exclude_categories=("Cs",)), max_size=5),
    )


def _trees():
    return st.recursive(
        _scalars(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys(), inner, max_size=4),
        max_leaves=15,
    )


def _node(value, file="x.yaml"):
    if isinstance(value, dict):
        node = Node({key: _node(each, file) for key, each in value.items()}, file, (1, 1, 1, 2))
        node.keys = dict.fromkeys(value, (file, (1, 1, 1, 2)))
        return node
    return Node(
        [_node(each, file) for each in value] if isinstance(value, list) else value, file, (1, 1, 1, 2)
    )


@quickly
@given(st.dictionaries(_keys(), _trees(), min_size=1, max_size=4))
def test_what_is_written_is_read_back_the_same(data):
    written = to_yaml(_node(data))
    findings = Findings()
    tree = read(written.encode(), "x.yaml", findings)

    assert not findings.failed, (written, findings.found)
    assert tree is not None
    assert to_data(tree) == data
    assert to_yaml(tree) == written
    assert to_data(read(to_yaml(_node(data), provenance=True).encode(), "x.yaml", Findings())) == data


SECTIONS = ("launch", "defaults", "telemetry")


def _overlays():
    """Documents whose parts have one form each: what associativity is promised for."""
    items = st.lists(st.fixed_dictionaries({"name": st.sampled_from("abc")}, optional={"deadline": st.sampled_from(["1s", "2s"])}),
                     max_size=3, unique_by=lambda each: each["name"])  # fmt: skip
    plain = st.lists(st.integers(0, 3), max_size=3)
    mapping = st.fixed_dictionaries(
        {},
        optional={
            "one": st.integers(0, 9),
            "two": plain,
            "three": st.fixed_dictionaries({}, optional={"four": st.text(max_size=3)}),
        },
    )
    return st.fixed_dictionaries(
        {}, optional={**dict.fromkeys(SECTIONS, mapping), "steps": items, "wait_for": items}
    )


@quickly
@given(_overlays(), _overlays(), _overlays())
def test_layers_of_one_form_may_be_grouped_as_one_likes(one, two, three):
    def over(base, top):
        return lay_over(base, top, RULES, Findings())

    base, middle, top = _node(one, "one"), _node(two, "two"), _node(three, "three")
    left, right = over(over(base, middle), top), over(base, over(middle, top))

    assert to_data(left) == to_data(right)
    assert to_yaml(left) == to_yaml(right)
    assert _files(left) == _files(right)


def _files(tree):
    return {at: each["file"] for at, each in provenance(tree).items()}


@quickly
@given(st.sampled_from(SEEDS[:2]), _overlays())
def test_places_survive_merging(seed, overlay):
    written = to_yaml(_node(overlay)) if overlay else "x-a: 1\n"
    loaded = load_text(seed.read_text(), "startup.yaml", {"startup.x.yaml": written})
    assert loaded.tree is not None
    for at, origin in provenance(loaded.tree).items():
        key = next((each for each in reversed(steps_of(at)) if not each.isdigit()), "")
        node = _at(loaded.tree, steps_of(at))
        lines = loaded.sources[origin["file"]].split("\n")
        shown = lines[node.span[0] - 1][node.span[1] - 1 :]
        if isinstance(node.value, str) and not shown.startswith(("|", ">", '"', "'")):
            assert shown.startswith(node.value.split("\n")[0][:10])
        parent = _at(loaded.tree, steps_of(at)[:-1])
        if parent.keys and key in parent.keys:
            file, span = parent.keys[key]
            assert loaded.sources[file].split("\n")[span[0] - 1][span[1] - 1 :].lstrip("\"'").startswith(key)


def _at(tree, steps):
    for step in steps:
        tree = tree.value[int(step) if isinstance(tree.value, list) else step]
    return tree


@quickly
@given(st.sampled_from(SEEDS))
def test_the_effective_spec_read_again_is_itself(seed):
    loaded = load_text(seed.read_bytes().decode("utf-8", "replace"))
    if loaded.tree is None:
        return
    once = to_yaml(loaded.tree)
    again = load_text(once)
    assert again.tree is not None
    assert to_yaml(again.tree) == once
    if any(each.code in ("ORC010", "ORC011", "ORC016") for each in loaded.diagnostics):
        return  # what else is wrong with such a key or value is said once it is mended
    # What YAML made of a word is settled in the effective spec; all else is wrong in the same way.
    settled = {
        "ORC009",
        "ORC010",
        "ORC011",
        "ORC013",
        "ORC014",
        "ORC015",
        "ORC018",
        "ORC019",
        "ORC021",
        "ORC223",
        "ORC224",
        "ORC108",
    }
    assert {each.code for each in again.diagnostics} - settled <= {each.code for each in loaded.diagnostics}
