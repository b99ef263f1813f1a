"""Whatever times a spec gives, and however they are written, there is a plan of it, in every form."""

import json

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli import plan as command
from orchestrator.engine.estimate import planned
from orchestrator.spec.loading import load_text

TIMES = st.sampled_from(
    ["0s", "5s", "1m30s", "${KNOWN}", "${UNKNOWN}", "${OTHER:-20s}", "${SECRET}", "${KNOWN:+3s}"]
)
COUNTS = st.sampled_from([1, 3, 1_000_000, "${NUMBER}", "${UNKNOWN}"])
RETRY = st.fixed_dictionaries(
    {}, optional={"initial": TIMES, "max": TIMES, "times": COUNTS, "factor": st.sampled_from([1, 1.5, 100])}
)
ACTIONS = st.sampled_from([
    "warn", {"run": ["fix"]}, {"run": ["fix"], "deadline": "${UNKNOWN}"}, {"set": {"A": "b"}}, {"degrade": "search"}, "named", "stop",
])  # fmt: skip
CONDITIONS = st.sampled_from([
    {"role": "web"}, {"environment": ["production", "staging"]}, {"not": {"role": "${UNKNOWN}"}}, {"exists": "/x"},
    {"any": [{"role": "worker"}, {"environment": "production"}]}, {"all": [{"root": True}, {"not": {"role": "web"}}]},
])  # fmt: skip
COMMON = {
    "deadline": TIMES, "timeout": TIMES, "retry": RETRY, "when": CONDITIONS, "on_failure": st.lists(ACTIONS, min_size=1, max_size=3),
}  # fmt: skip


def items(**own):
    return st.lists(
        st.fixed_dictionaries({k: st.just(v) for k, v in own.items()}, optional=COMMON), max_size=3
    )


SPECS = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "service": st.just("shop"),
        "variables": st.just(
            {"KNOWN": {"default": "9s"}, "NUMBER": {"default": "4"}, "SECRET": {"secret": True}, "OTHER": {}}
        ),
        "fallbacks": st.just({"named": [{"run": ["mend"], "deadline": "${OTHER:-7s}"}, "warn"]}),
        "roles": st.just({"web": {}, "worker": {}}),
        "directories": items(path="data"),
        "modules": items(module="shop"),
        "wait_for": items(tcp="db:5432"),
        "checks": items(run=["check"]),
        "steps": items(run=["step"]),
    },
    optional={
        "defaults": st.fixed_dictionaries({}, optional={"deadline": TIMES, "timeout": TIMES, "retry": RETRY}),
        "launch": st.just({"app": "shop.main:app"}),
        "health": st.fixed_dictionaries({"ready": st.just("/ready")}, optional={"deadline": TIMES}),
        "on_failure": ACTIONS,
    },
)


def named(spec):
    """Each item with a name of its own."""
    for section in ("wait_for", "checks", "steps"):
        spec[section] = [{**each, "name": f"{section[0]}{at}"} for at, each in enumerate(spec[section])]
    spec["directories"] = [{**each, "path": f"d{at}"} for at, each in enumerate(spec["directories"])]
    spec["modules"] = [{**each, "module": f"m{at}"} for at, each in enumerate(spec["modules"])]
    return spec


@given(SPECS, st.sampled_from(["", "web", "worker"]))
def test_there_is_a_plan(spec, role):
    loaded = load_text(json.dumps(named(spec))).for_role(role)
    assert loaded.spec is not None, loaded.diagnostics
    plan = planned(loaded, {})
    known = [each.end for each in plan.items if each.end is not None]
    assert plan.worst is None or plan.worst >= max(known, default=0)
    assert (plan.worst is None) == bool(plan.unbounded)
    assert all(each.worst == 0 for each in plan.items if each.when == "skipped")
    assert planned(loaded, {}) == plan
    assert command.text(plan)
    assert command.mermaid(plan).startswith("flowchart LR\n")
