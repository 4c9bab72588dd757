"""Metrics and logs of real processes: what Prometheus says, what is left after ``kill -9``, what no log has."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from tests.e2e.conftest import ROOT, Process, World, until
from tests.e2e.test_serve import process
from tests.unit.metrics.test_names import without_metric

SECRET = "sk-live-PLANTED0123456789abcdefghij"
WORDS = "zirconium wombat"
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
FALLING = ("_total", "_bucket", "_count", "_sum")


def worker(world: World, port: int, *options: str) -> Process:
    world.lane.mkdir(mode=0o700, exist_ok=True)
    one = process(world, "worker", "--serve", f"127.0.0.1:{port}", *options)
    one.listening(port)
    return one


def configured(world: World, **sections: dict[str, Any]) -> int:
    world.configure(world.shadow(), lane={"worker": "external"}, **sections)
    return world.ports.reserve()


def ask(client: httpx.Client, gateway: str, n: int, path: str = "/ask") -> None:
    for number in range(n):
        assert client.post(f"{gateway}{path}", json={"question": f"{WORDS} {number}?", "key": SECRET}).is_success


def scraped(client: httpx.Client, port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = client.get(f"http://127.0.0.1:{port}/metrics", headers=OPENMETRICS)
    assert answer.status_code == 200
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in parse_openmetrics(answer.text)
        for one in family.samples
    }


def named(found: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str) -> float:
    return sum(n for (one, said), n in found.items() if one == name and labels.items() <= dict(said).items())


def test_a_scrape_is_the_status_and_the_verdict(world: World, client: httpx.Client) -> None:
    budget = {"tokens_per_day": 10**9}
    port = configured(world, shadows__candidate__budget=budget)
    world.config.write_text(world.config.read_text() + '[limits.routes]\n"POST /ask" = 1000.0\n')
    worker(world, port)
    gateway = world.gateway()
    ask(client, gateway, 12)
    ask(client, gateway, 3, "/elsewhere-17")
    status = world.settle(15)
    assert without_metric(status) == []
    url = f"http://127.0.0.1:{port}/metrics"
    until(lambda: "shadowlane_gate_verdict" in client.get(url).text, "the gate is evaluated")
    text = client.get(url)
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert not any(word in text.text for word in ("elsewhere", WORDS, SECRET))
    found = scraped(client, port)
    assert named(found, "shadowlane_requests_seen_total") == 15
    assert named(found, "shadowlane_requests_dropped_total") == 3
    assert named(found, "shadowlane_copies_stored_total", result="answered") == 12
    assert named(found, "shadowlane_responses_total", code="200") == 12
    assert named(found, "shadowlane_semantic_delta_count") == 12
    assert named(found, "shadowlane_gateway_latency_seconds_count", route="POST /ask", group="taken") == 12
    assert named(found, "shadowlane_gate_verdict", verdict="HOLD") == 1
    rules = {rule["key"]: rule for rule in json.loads(world.cli("gate", "--json").stdout)["rules"]}
    for key in ("pairs", "mean_delta_s", "every_hour"):
        assert named(found, "shadowlane_gate_rule_figure", rule=key) == (rules[key]["figure"] or 0.0)
    assert named(found, "shadowlane_worker_up") == named(found, "shadowlane_accounting_holds") == 1
    if shutil.which("promtool"):
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=text.content, capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_counters_only_rise_over_killed_workers_and_gateways(world: World, client: httpx.Client) -> None:
    """``kill -9`` of either while requests are under way, and retention between: no series falls or vanishes."""
    port = configured(world)
    one = worker(world, port)
    gateway = world.gateway()
    before: dict[Any, float] = {}

    def look() -> dict[Any, float]:
        found = {key: n for key, n in scraped(client, port).items() if key[0].endswith(FALLING)}
        assert {key: (n, found.get(key)) for key, n in before.items() if found.get(key, -1.0) < n} == {}
        before.update(found)
        return found

    for turn in range(3):
        if turn == 2:
            world.settle(40)  # else three might die at one copy, which then comes without contents
        ask(client, gateway, 8)
        look()
        ask(client, gateway, 8)
        one.stop(signal.SIGKILL)
        ask(client, gateway, 4)
        one = worker(world, port)
        look()
        if turn == 1:
            until(lambda: world.lane_status()["mirrored"] == 40, "each copy is made, which is behind its answer")
            world.processes[-2].stop(signal.SIGKILL)
            gateway = world.gateway()
        look()
    status = world.settle(60)
    found = look()
    assert named(found, "shadowlane_requests_seen_total") == status["seen"] == 60
    assert named(found, "shadowlane_copies_stored_total") == status["store"]["rows"] == 60
    assert named(found, "shadowlane_shadow_latency_seconds_count") == 60


def test_the_endpoint_alone_shows_the_lane_whose_worker_is_down(world: World, client: httpx.Client) -> None:
    port = configured(world)
    one = worker(world, port)
    ask(client, world.gateway(), 5)
    world.settle(5)
    one.stop()
    other = world.ports.reserve()
    process(world, "serve", "--listen", f"127.0.0.1:{other}").listening(other)
    found = scraped(client, other)
    assert named(found, "shadowlane_worker_up") == 0
    assert named(found, "shadowlane_copies_stored_total") == 5
    assert not any(name == "shadowlane_calls_out" for name, _ in found)


def test_a_json_log_tells_each_copy_and_quotes_none(world: World, client: httpx.Client) -> None:
    broken = world.shadow("close_mid_body")
    world.configure(world.shadow(), lane={"worker": "external"})
    text = world.config.read_text() + f'\n[shadows.broken]\nurl = "{broken}"\n'
    world.config.write_text(text)
    port = world.ports.reserve()
    one = worker(world, port, "--log-level", "debug", "--log-format", "json")
    ask(client, world.gateway(), 6)
    world.settle(6)
    assert one.stop() == 0
    log = one.log.read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    assert all({"ts", "level", "event", "message", "logger", "lane"} <= line.keys() for line in lines)
    assert [line["event"] for line in lines if line["event"] in ("started", "done")] == ["started", "done"]
    assert {line["lane"] for line in lines if line["event"] == "started"} == {"default"}
    stored = {(line["shadow_id"], line["shadow"]): line for line in lines if line["event"] == "stored"}
    with sqlite3.connect(world.database) as db:
        rows = {tuple(key): reason for *key, reason in db.execute("SELECT shadow_id, shadow, reason FROM pairs")}
    db.close()
    assert {key: line["reason"] for key, line in stored.items()} == rows
    assert len(rows) == 12
    assert not any(word in log for word in (SECRET, "PLANTED", "zirconium", "wombat", "The answer to"))


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed (Debian: prometheus)")
def test_prometheus_itself_takes_metrics_rules_and_every_panel(world: World, client: httpx.Client) -> None:
    port = configured(world)
    worker(world, port)
    gateway, at = world.gateway(), world.ports.reserve()
    target = {"targets": [f"127.0.0.1:{port}"]}
    plain = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "examples" / "prometheus" / "rules.yml")],
        "scrape_configs": [{"job_name": "shadowlane", "static_configs": [target]}],
    }
    (world.folder / "prometheus.yml").write_text(json.dumps(plain))  # JSON is YAML
    server = Process(
        [
            "prometheus",
            f"--config.file={world.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={world.folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{at}",
            "--enable-feature=exemplar-storage",
        ],
        world.folder / "prometheus.log",
    )
    world.processes.append(server)
    server.listening(at)
    until(lambda: client.get(f"http://127.0.0.1:{at}/-/ready").is_success, "Prometheus is ready")
    api = f"http://127.0.0.1:{at}/api/v1"

    def query(expr: str) -> list[Any]:
        answer = client.get(f"{api}/query", params={"query": expr})
        assert answer.status_code == 200, (expr, answer.text)
        found: list[Any] = answer.json()["data"]["result"]
        return found

    def increased() -> bool:
        ask(client, gateway, 2)
        rates = query("increase(shadowlane_copies_stored_total[1m]) > 0")
        return bool(rates and query("shadowlane_gate_verdict") and query("rag_e2e_latency_seconds_bucket"))

    until(increased, "Prometheus to see the counters rise")
    board = json.loads((ROOT / "examples" / "grafana" / "shadowlane.json").read_text())

    def shown() -> int:
        """How many of the panels' queries have a result; those of rates do from the second scrape on."""
        asked = [one["expr"] for panel in board["panels"] for one in panel["targets"]]
        return sum(bool(query(expr.replace("$lane", ".*").replace("$shadow", ".*"))) for expr in asked)

    until(lambda: shown() > 25, "the panels show something")
    rules = [rule for group in client.get(f"{api}/rules").json()["data"]["groups"] for rule in group["rules"]]
    assert [rule for rule in rules if rule["health"] == "err" or rule.get("lastError")] == []
    params = {"query": "shadowlane_semantic_delta_bucket", "start": "0", "end": "9999999999"}
    exemplars = until(lambda: client.get(f"{api}/query_exemplars", params=params).json()["data"], "an exemplar")
    assert exemplars[0]["exemplars"][0]["labels"].keys() == {"shadow_id"}
    assert Path(world.database).exists()


def test_a_worker_that_a_gateway_starts_logs_as_the_environment_says(
    world: World, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHADOWLANE_LOG_FORMAT", "json")
    world.configure(world.shadow())
    ask(client, world.gateway(), 3)
    world.settle(3)
    lines = [json.loads(line) for line in (world.lane / "worker.log").read_text().splitlines()]
    assert "started" in {line["event"] for line in lines}


def test_an_exemplar_has_prods_trace_where_the_copy_carries_it(world: World, client: httpx.Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    port = configured(world)
    worker(world, port)
    gateway = world.gateway()
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert client.post(f"{gateway}/ask", json={"question": WORDS}, headers=headers).is_success
    world.settle(1)
    text = client.get(f"http://127.0.0.1:{port}/metrics", headers=OPENMETRICS).text
    [line] = [line for line in text.splitlines() if line.startswith("shadowlane_semantic_delta_bucket") and "#" in line]
    with sqlite3.connect(world.database) as db:
        [(shadow_id,)] = db.execute("SELECT shadow_id FROM pairs").fetchall()
    db.close()
    assert f'# {{shadow_id="{shadow_id}",trace_id="{trace}"}}' in line


def test_who_may_scrape(world: World, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "t" * 40)
    monkeypatch.setenv("GATE_TOKEN", "g" * 40)
    port = configured(world, serve={"token_env": "TOKEN", "gate_token_env": "GATE_TOKEN"})
    worker(world, port)
    url = f"http://127.0.0.1:{port}/metrics"
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer " + "g" * 40}, 401),
        ({"Authorization": "Bearer " + "t" * 40}, 200),
    ):
        assert client.get(url, headers=headers).status_code == status, headers
    assert client.post(url, headers={"Authorization": "Bearer " + "t" * 40}).status_code == 405
