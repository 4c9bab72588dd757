"""Each receiver's form, member by member, and the signature as its documentation checks it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.alerts.incidents import Incident
from shadowlane.alerts.shapes import LASTS_S, SIGNATURE, Request, link_of, request_for
from shadowlane.config import AlertConfig, ServeConfig

NOW = 1_760_000_000.0
PAGE = Path(__file__).parents[3] / "docs" / "operate" / "alerts.md"
LINK = "https://lane.example/gate?shadow=candidate"
INCIDENT = Incident(
    id="00ff00ff00ff00ff",
    lane="default",
    source="host-1",
    shadow="candidate",
    rule="p95_latency",
    name="P95 latency",
    severity="critical",
    figure=1.2345678,
    limit=1.03,
    verdict="REJECT",
    pins={"build": "7"},
    first_seen=NOW - 120,
)
OVER = msgspec.structs.replace(INCIDENT, resolved_at=NOW)
ATTACK = "<!channel> & <https://evil.example|click> \u202e`*_~" + "&<>" * 3000


def request(kind: str, event: str = "firing", incident: Incident = INCIDENT, link: str = LINK, **more: Any) -> Request:
    alert = msgspec.convert({"kind": kind, "url": "http://a"}, AlertConfig)
    return request_for(alert, more.pop("key", ""), event, incident, link=link, now=NOW, **more)  # type: ignore[arg-type]


def body(*args: Any, **more: Any) -> Any:
    return json.loads(request(*args, **more).body)


def test_pagerduty() -> None:
    fired = body("pagerduty", key="R" * 32)
    assert fired == {
        "routing_key": "R" * 32,
        "event_action": "trigger",
        "dedup_key": "shadowlane-00ff00ff00ff00ff",
        "client": "shadowlane",
        "client_url": LINK,
        "links": [{"href": LINK, "text": "shadowlane"}],
        "payload": {
            "summary": "Wrong: lane default, shadow candidate: P95 latency: 1.235 (limit 1.03)",
            "source": "host-1",
            "severity": "critical",
            "timestamp": "2025-10-09T08:51:20.000Z",
            "component": "candidate",
            "group": "default",
            "class": "p95_latency",
            "custom_details": {
                "lane": "default",
                "shadow": "candidate",
                "rule": "p95_latency",
                "seen": "1.235 (limit 1.03)",
                "verdict": "REJECT",
                "pins": "build=7",
                "first seen": "2025-10-09T08:51:20.000Z",
                "id": "00ff00ff00ff00ff",
                "figure": 1.2345678,
                "limit": 1.03,
            },
        },
    }
    over = body("pagerduty", "resolved", OVER, link="", key="R" * 32)
    assert (over["event_action"], over["dedup_key"]) == ("resolve", fired["dedup_key"])
    assert "links" not in over
    assert "client_url" not in over


def test_alertmanager() -> None:
    [fired] = body("alertmanager")
    labels = {
        "alertname": "ShadowlaneP95Latency",
        "lane": "default",
        "shadow": "candidate",
        "rule": "p95_latency",
        "severity": "critical",
        "instance": "host-1",
    }
    assert fired["labels"] == labels
    assert fired["startsAt"] == "2025-10-09T08:51:20.000Z"
    assert fired["endsAt"] == "2025-10-09T08:57:20.000Z"
    assert LASTS_S == 240
    assert fired["generatorURL"] == LINK
    assert fired["annotations"]["summary"].startswith("Wrong: lane default")
    assert fired["annotations"]["pins"] == "build=7"
    [over] = body("alertmanager", "resolved", OVER, link="")
    assert (over["labels"], over["endsAt"]) == (labels, "2025-10-09T08:53:20.000Z")
    assert "generatorURL" not in over
    lane = msgspec.structs.replace(INCIDENT, shadow="", rule="store")
    assert "shadow" not in body("alertmanager", incident=lane)[0]["labels"]


def test_slack() -> None:
    said = body("slack")
    assert said["text"] == "Wrong: lane default, shadow candidate: P95 latency: 1.235 (limit 1.03)"
    head, fields = said["blocks"]
    assert head["text"]["text"].endswith(f"\n<{LINK}|shadowlane>")
    assert {"type": "mrkdwn", "text": "*rule*\np95_latency", "verbatim": True} in fields["fields"]
    assert body("slack", "resolved", OVER)["blocks"][0]["text"]["text"].startswith(":white_check_mark: *Over: ")


def test_json() -> None:
    assert body("json") == {
        "version": 1,
        "event": "firing",
        "test": False,
        "id": "00ff00ff00ff00ff",
        "summary": "Wrong: lane default, shadow candidate: P95 latency: 1.235 (limit 1.03)",
        "severity": "critical",
        "lane": "default",
        "source": "host-1",
        "shadow": "candidate",
        "rule": "p95_latency",
        "name": "P95 latency",
        "figure": 1.2345678,
        "limit": 1.03,
        "verdict": "REJECT",
        "pins": {"build": "7"},
        "stood_in": 0,
        "direction": "forward",
        "first_seen": "2025-10-09T08:51:20.000Z",
        "resolved_at": None,
        "link": LINK,
    }
    assert body("json", "resolved", OVER)["resolved_at"] == "2025-10-09T08:53:20.000Z"
    assert body("json", test=True)["test"] is True
    assert SIGNATURE not in request("json").headers


@pytest.mark.parametrize("kind", ["json", "slack", "pagerduty", "alertmanager"])
def test_each_says_whose_answers_prods_were(kind: str) -> None:
    said = "[control] answered in prod's stead in 12 copies"
    assert said not in json.dumps(body(kind))
    sink = body(kind, incident=msgspec.structs.replace(INCIDENT, stood_in=12))
    assert sink["stood_in"] == 12 if kind == "json" else said in json.dumps(sink)


@pytest.mark.parametrize("kind", ["json", "slack", "pagerduty", "alertmanager"])
def test_what_is_wrong_beside_a_baseline_is_prods(kind: str) -> None:
    told = body(kind, incident=msgspec.structs.replace(INCIDENT, baseline=True))
    assert "lane default, baseline candidate: " in json.dumps(told)
    assert told["direction"] == "reverse" if kind == "json" else "prod, which serves, is the candidate" in str(told)


def test_texts_are_bounded_and_escaped() -> None:
    long = msgspec.structs.replace(INCIDENT, name=ATTACK, pins={"build": ATTACK}, verdict=ATTACK)
    slack = body("slack", incident=long)
    texts = [slack["text"], slack["blocks"][0]["text"]["text"], *[one["text"] for one in slack["blocks"][1]["fields"]]]
    assert [len(text) for text in texts if len(text) > 3000] == []
    assert len(slack["blocks"][1]["fields"]) <= 10
    for text in texts:
        plain = text.replace(f"<{LINK}|shadowlane>", "")
        assert not re.search(r"[<>]|&(?!(?:amp|lt|gt);)", plain)
    pagerduty = body("pagerduty", incident=long, key="R" * 32)
    assert len(pagerduty["payload"]["summary"]) <= 1024
    assert len(request("pagerduty", incident=long, key="R" * 32).body) < 512_000
    assert len(body("alertmanager", incident=long)[0]["annotations"]["pins"]) <= 1024


def test_a_link_is_there_where_an_address_is_configured() -> None:
    assert link_of(ServeConfig(), "candidate") == ""
    gate = ServeConfig(public_url="https://lane.example/x/")
    assert link_of(gate, "candidate") == "https://lane.example/x/gate?shadow=candidate"
    assert link_of(gate, "") == "https://lane.example/x/gate"
    page = ServeConfig(public_url="https://lane.example", dashboard=True)
    assert link_of(page, "candidate") == "https://lane.example/?shadow=candidate"
    assert link_of(page, "") == "https://lane.example/"


def documented() -> Any:
    """``verify`` as the page prints it."""
    [program] = [
        text
        for text in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        if "def verify" in text
    ]
    namespace: dict[str, Any] = {}
    exec(program, namespace)
    return namespace["verify"]


def test_the_documented_program_takes_what_is_signed_and_nothing_else() -> None:
    verify, secret = documented(), "a secret of 32 characters, or so"
    signed = request("json", key=secret)
    header = signed.headers[SIGNATURE]
    assert re.fullmatch(r"t=1760000000,v1=[0-9a-f]{64}", header)
    assert verify(secret, header, signed.body, now=NOW + 10)
    assert not verify("another", header, signed.body, now=NOW + 10)
    assert not verify(secret, header, signed.body + b" ", now=NOW + 10)
    assert not verify(secret, header.replace("t=1760000000", "t=1760000001"), signed.body, now=NOW + 10)
    assert not verify(secret, header, signed.body, now=NOW + 400), "an old one is a replay"
    assert not verify(secret, "", signed.body, now=NOW)
    assert not verify(secret, "t=x,v1=y", signed.body, now=NOW)


@pytest.mark.parametrize("kind", ["json", "slack", "pagerduty", "alertmanager"])
def test_only_json_is_signed_and_only_pagerduty_gets_its_key(kind: str) -> None:
    sent = request(kind, key="K3Y-of-the-receiver")
    assert (SIGNATURE in sent.headers) is (kind == "json")
    assert (b"K3Y-of-the-receiver" in sent.body) is (kind == "pagerduty")
    assert sent.headers["Content-Type"] == "application/json"
