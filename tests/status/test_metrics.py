"""The metrics, read by Prometheus' own parser."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.status import metrics
from orchestrator.system.files import STATUSES

STATE = {
    "status": "degraded",
    "degraded": ["search"],
    "service": "shop",
    "environment": "production",
    "role": "web",
    "updated": 12,
}
ITEM = {"id": "wait:db", "kind": "wait", "status": "healed", "attempts": 3, "duration_ms": 1500.0, "fallbacks": [{"action": "run", "result": "x"}]}  # fmt: skip
REPORT = {"duration_ms": 2500.0, "items": [ITEM]}


def read(text):
    """Metric → {labels: value}."""
    return {
        family.name: {tuple(sorted(sample.labels.items())): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_the_state_of_the_service_is_one_of_all():
    found = read(metrics.text(STATE, REPORT))["orchestrator_service_status"]
    assert {dict(labels)["status"] for labels, value in found.items() if value == 1} == {"degraded"}
    assert {dict(labels)["status"] for labels in found} == set(STATUSES)


def test_features_are_told_whether_on_or_off():
    found = read(metrics.text(STATE, REPORT, ["search", "mail"]))["orchestrator_feature_degraded"]
    assert found == {(("feature", "mail"),): 0, (("feature", "search"),): 1}


def test_items_of_the_last_start_are_counted_and_timed():
    found = read(metrics.text(STATE, REPORT))
    who = (("item", "wait:db"), ("kind", "wait"))
    assert found["orchestrator_item_attempts"] == {who: 3}
    assert found["orchestrator_item_duration_seconds"] == {who: 1.5}
    assert found["orchestrator_item_fallbacks"] == {who: 1}
    assert found["orchestrator_item_status"] == {(*who, ("status", "healed")): 1}
    assert found["orchestrator_start_duration_seconds"] == {(): 2.5}


def test_before_anything_is_known_nothing_is_made_up():
    found = read(metrics.text({}, {}))
    assert set(found) == {"orchestrator_info", "orchestrator_service_status"}
    assert set(found["orchestrator_service_status"].values()) == {0}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00")))
def test_any_name_is_read_as_it_is(name):
    text = metrics.text({**STATE, "degraded": [name]}, {}, [])
    lines = [each for each in text.split("\n") if each.startswith("orchestrator_feature_degraded{")]
    assert lines == [f'orchestrator_feature_degraded{{feature="{metrics._escaped(name)}"}} 1']
    unescaped = (
        metrics._escaped(name)
        .replace("\\\\", "\0")
        .replace('\\"', '"')
        .replace("\\n", "\n")
        .replace("\0", "\\")
    )
    assert unescaped == name
