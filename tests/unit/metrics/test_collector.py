"""What is exposed of real lanes: the values are those of the status, in a text that Prometheus' own tools take."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Sample

from shadowlane.gate import Needs, Rule, Verdict
from shadowlane.metrics import METRICS, Judged, LaneCollector, expose
from shadowlane.metrics.families import Bucket, Families
from shadowlane.status.collect import collect_status
from shadowlane.store import open_store
from tests.support.lanedata import LaneData, lane_config

ROOT = Path(__file__).parents[3]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
JUDGED = Judged(
    1_700_000_000_500_000_000,
    [
        Verdict(
            "candidate",
            "HOLD",
            (
                Rule("mean_delta_s", "mean ΔS", True, "fine").held(0.2, 0.45),
                Rule("critical", "critical ΔS", False, "not", needs_person=True).held(0.2, 0.03),
                Rule("pairs", "pairs", None, "few", needs=Needs(600, 1.5)).held(400, 1000),
                Rule("cost", "cost", None, "no prices", not_judged="there are no prices"),
            ),
        )
    ],
)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[LaneData]:
    made = LaneData(lane_config(tmp_path))
    made.take(60)
    made.take(20, "/other")
    made.work(8)
    made.work(4, reason="deadline")
    made.work(2, status=404)
    made.write_limits()
    yield made
    made.close()


def samples(collector: LaneCollector) -> dict[tuple[str, tuple[tuple[str, str], ...]], Sample]:
    """By name and labels; ``lane`` is on all of them and left out here."""
    text, _ = expose(collector, OPENMETRICS)
    found = {}
    for family in parse_openmetrics(text.decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("lane") == "default", sample
            found[sample.name, tuple(sorted(labels.items()))] = sample
    return found


def value(found: dict[tuple[str, tuple[tuple[str, str], ...]], Sample], name: str, **labels: str) -> float:
    return float(found[name, tuple(sorted(labels.items()))].value)


def test_values_are_those_of_the_status(data: LaneData) -> None:
    found = samples(LaneCollector(data.config))
    status = collect_status(data.config)
    assert value(found, "shadowlane_requests_seen_total") == status["seen"] == 80
    assert value(found, "shadowlane_requests_mirrored_total") == status["mirrored"]
    dropped = {dict(labels)["reason"]: some.value for (name, labels), some in found.items() if "dropped" in name}
    assert {reason: n for reason, n in dropped.items() if n} == status["dropped"]
    assert value(found, "shadowlane_accounting_holds") == 1
    for name, shadow in status["shadows"].items():
        assert value(found, "shadowlane_copies_mirrored_total", shadow=name) == shadow["mirrored"]
        assert value(found, "shadowlane_copies_in_flight", shadow=name) == shadow["in_flight"]
        stored = {"result": "answered", "reason": ""}
        assert value(found, "shadowlane_copies_stored_total", shadow=name, **stored) == shadow["answered"] == 10
        late = {"result": "failed", "reason": "deadline"}
        assert value(found, "shadowlane_copies_stored_total", shadow=name, **late) == 4
        assert value(found, "shadowlane_responses_total", shadow=name, code="404") == 2
        assert value(found, "shadowlane_retries_total", shadow=name) == 14
        assert value(found, "shadowlane_breaker_state", shadow=name, state="open") == 1
        assert value(found, "shadowlane_breaker_state", shadow=name, state="closed") == 0
        assert value(found, "shadowlane_budget_spent", shadow=name, budget="tokens_per_day") == 1000
    assert value(found, "shadowlane_backlog_frames") == status["mirrored"] - status["acked"]
    assert {name for name in METRICS if METRICS[name].kind == "histogram"} == {
        name.removesuffix("_count") for name, _ in found if name.endswith("_count")
    }


def test_a_histogram_is_that_of_the_rows(data: LaneData) -> None:
    found = samples(LaneCollector(data.config))
    with open_store(data.config.store, read_only=True) as store:
        deltas = [row.pair.scores.delta_s for row in store.iter_pairs(shadow="candidate")]
    known = [delta for delta in deltas if delta is not None]
    for (name, labels), sample in found.items():
        if name == "shadowlane_semantic_delta_bucket" and dict(labels)["shadow"] == "candidate":
            assert sample.value == sum(delta <= float(dict(labels)["le"]) for delta in known), labels
    assert value(found, "shadowlane_semantic_delta_count", shadow="candidate") == len(known)
    assert math.isclose(value(found, "shadowlane_semantic_delta_sum", shadow="candidate"), math.fsum(known))


def test_an_exemplar_leads_to_a_stored_pair(data: LaneData) -> None:
    found = samples(LaneCollector(data.config))
    exemplars = [one.exemplar for (name, _), one in found.items() if one.exemplar and name.startswith("shadowlane_sem")]
    assert exemplars
    with open_store(data.config.store, read_only=True) as store:
        stored = {row.pair.copy.shadow_id: row.pair.scores.delta_s for row in store.iter_pairs()}
    for exemplar in exemplars:
        assert exemplar is not None
        assert stored[exemplar.labels["shadow_id"]] == exemplar.value
        assert sum(len(name) + len(text) for name, text in exemplar.labels.items()) <= 128


def test_routes_are_configured_patterns_never_paths(data: LaneData) -> None:
    data.take(10, "/secret-path-17")
    found = samples(LaneCollector(data.config))
    routes = {dict(labels)["route"] for name, labels in found if name.startswith("shadowlane_gateway_latency")}
    assert routes == {"GET /search", "other"}
    assert b"secret" not in expose(LaneCollector(data.config))[0]


def test_verdicts_are_shown_as_they_were_evaluated(data: LaneData) -> None:
    found = samples(LaneCollector(data.config, JUDGED))
    verdicts = {dict(labels)["verdict"]: one.value for (name, labels), one in found.items() if name.endswith("verdict")}
    assert verdicts == {"GRADUATE": 0, "HOLD": 1, "REJECT": 0}
    met = {dict(labels)["rule"]: one.value for (name, labels), one in found.items() if name.endswith("rule_met")}
    assert met == {"mean_delta_s": 1, "critical": 0}
    assert value(found, "shadowlane_gate_rule_figure", shadow="candidate", rule="critical") == 0.2
    assert value(found, "shadowlane_gate_rule_limit", shadow="candidate", rule="pairs") == 1000
    assert value(found, "shadowlane_gate_rule_state", shadow="candidate", rule="cost", state="not_judged") == 1
    assert value(found, "shadowlane_gate_rule_needed_seconds", shadow="candidate", rule="pairs") == 5400
    assert value(found, "shadowlane_gate_needed_seconds", shadow="candidate") == 5400
    assert value(found, "shadowlane_gate_evaluated_timestamp_seconds") == 1_700_000_000.5


def test_counters_do_not_fall_when_gateway_and_worker_are_exchanged(data: LaneData) -> None:
    def counters() -> dict[object, float]:
        found = samples(LaneCollector(data.config))
        return {
            key: one.value for key, one in found.items() if key[0].endswith(("_total", "_bucket", "_count", "_sum"))
        }

    before = counters()
    data.close()
    again = LaneData(data.config)
    try:
        at_once = counters()
        assert all(at_once[key] >= n for key, n in before.items())
        again.take(20)
        again.work(5)
        after = counters()
    finally:
        again.close()
    assert all(after[key] >= n for key, n in before.items())
    assert sum(after.values()) > sum(before.values())


def test_counters_of_a_shadow_that_is_new_in_the_configuration_do_not_fall(data: LaneData, tmp_path: Path) -> None:
    url = {"url": "http://127.0.0.1:9"}
    config = lane_config(tmp_path, shadows={"candidate": url, "later": url})

    def mirrored() -> float:
        return value(samples(LaneCollector(config)), "shadowlane_copies_mirrored_total", shadow="later")

    data.take(20)
    seen = [mirrored()]
    data.work(5)
    seen.append(mirrored())
    with open_store(config.store) as store:
        store.set_epoch(data.drainer.lane_id(), {"later": data.drainer.acked()})
    seen.append(mirrored())
    data.take(20)
    data.work(30)
    seen.append(mirrored())
    assert seen == sorted(seen)
    assert seen[0] == 0 < seen[-1]


def test_a_lane_that_never_started_and_a_store_that_is_damaged_are_no_errors(tmp_path: Path) -> None:
    config = lane_config(tmp_path)
    found = samples(LaneCollector(config))
    assert value(found, "shadowlane_lane_started") == 0
    assert not (tmp_path / "lane").exists()
    config.store.path.write_bytes(b"no database at all, " * 100)
    found = samples(LaneCollector(config))
    assert value(found, "shadowlane_readable", part="store") == 0
    assert ("shadowlane_accounting_holds", ()) not in found


def test_a_lane_that_is_not_safe_to_read_is_said_to_be_so(tmp_path: Path) -> None:
    config = lane_config(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "lane").symlink_to(tmp_path / "elsewhere")
    found = samples(LaneCollector(config))
    assert value(found, "shadowlane_readable", part="lane") == 0
    assert ("shadowlane_requests_seen_total", ()) not in found


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", True),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.1", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=nonsense", False),
        ("application/openmetrics-text; version=99; escaping=allow-utf-8", True),
    ],
)
def test_the_form_is_the_one_that_is_asked_for(data: LaneData, accept: str, openmetrics: bool) -> None:
    text, kind = expose(LaneCollector(data.config), accept)
    assert kind.startswith(
        "application/openmetrics-text; version=1.0.0" if openmetrics else "text/plain; version=0.0.4"
    )
    assert text.decode().endswith("# EOF\n") is openmetrics
    assert (b"shadow_id=" in text) is openmetrics
    families = list((parse_openmetrics if openmetrics else parse_text)(text.decode()))
    assert len(families) > 40


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize("judged", [None, JUDGED])
def test_promtool_finds_nothing_to_complain_about(data: LaneData, judged: Judged | None) -> None:
    text, _ = expose(LaneCollector(data.config, judged))
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_is_not_in_the_table_is_an_error() -> None:
    families = Families("default")
    with pytest.raises(KeyError):
        families.add("shadowlane_novel", 1)
    with pytest.raises(ValueError, match="labels"):
        families.add("shadowlane_gate_rule_met", 1, "candidate")


def test_an_exemplar_that_is_too_long_is_left_out() -> None:
    families = Families("default")
    for shadow, labels in (("a", {"shadow_id": "x" * 119}), ("b", {"shadow_id": "x" * 120})):
        buckets = [Bucket("1.0", 1, labels, 0.5, 1.0), Bucket("+Inf", 0)]
        families.histogram("shadowlane_semantic_delta", buckets, 0.5, shadow)
    [family] = families.all()
    found = {one.labels["shadow"]: one.exemplar for one in family.samples if one.labels.get("le") == "1.0"}
    assert found["a"] is not None
    assert found["b"] is None


def test_a_gateway_imports_none_of_it() -> None:
    code = (
        "import sys, shadowlane, shadowlane.asgi, shadowlane.capture.lane, shadowlane.worker.process, shadowlane.cli; "
        "print([m for m in ('prometheus_client', 'shadowlane.metrics') if m in sys.modules])"
    )
    env = {"PYTHONPATH": str(ROOT / "python"), "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=env)
    assert done.stdout.strip() == "[]"
