"""When something is told, again, and over: minutes are numbers here, and nothing is sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shadowlane.alerts.findings import Counters, Finding, Reading, gate_findings, lane_findings
from shadowlane.alerts.incidents import MOST_WAITING, Post, step
from shadowlane.config import AlertConfig
from shadowlane.gate import Rule, Verdict

WRONG = Finding("candidate", "p95_latency", "P95 latency", "warning", 1.2, 1.03)


def entry(**fields: Any) -> AlertConfig:
    return msgspec.convert({"kind": "json", "url": "http://a", "rules": ["p95_latency"], **fields}, AlertConfig)


class Minutes:
    """Lets minutes pass: ``x`` the rule is not met, ``.`` it is, ``?`` nobody knows, a blank: no worker was there."""

    def __init__(self, alert: AlertConfig) -> None:
        self.alert = alert
        self.post = Post()
        self.minute = 1000

    def pass_by(self, pattern: str, taken: bool = True) -> str:
        """What was put out to be told in each: ``F`` for firing, ``R`` for resolved, else ``-``."""
        told = ""
        for sign in pattern:
            self.minute += 1
            if sign != " ":
                found = (WRONG,) if sign == "x" else ()
                reading = Reading(
                    found,
                    gate_known=sign != "?",
                    pins={"candidate": {"build": "7"}},
                    stood_in={"candidate": 3},
                    baselines=frozenset(["candidate"]),
                )
                step(self.post, self.alert, reading, lane="l", source="h", minute=self.minute, now=60.0 * self.minute)
            events = [message.event for message in self.post.waiting.values()]
            told += {"firing": "F", "resolved": "R"}[events[0]] if events else "-"
            for message in list(self.post.waiting.values()) if taken else []:
                self.post.settle(message, taken=True, heard=True)
        return told


@pytest.mark.parametrize(
    ("lasts", "pattern", "told"),
    [
        ("2 of 3", "x..x..x..", "---------"),
        ("2 of 3", "x.xxxx...", "--F-----R"),
        ("2 of 3", "xx......x", "-F--R----"),
        ("2 of 3", "xx..xx...", "-F------R"),
        ("1 of 1", "x.x.xx.", "FRFRF-R"),
        ("3 of 3", "xx.xxxxx...", "-----F----R"),
        ("2 of 3", "x?x????...", "--F----R--"),
        ("2 of 3", "xx     .", "-F-----R"),
        ("2 of 3", "x      x", "--------"),
        ("2 of 3", "xx????????", "-F--------"),
    ],
)
def test_n_of_m_minutes(lasts: str, pattern: str, told: str) -> None:
    assert Minutes(entry(**{"for": lasts})).pass_by(pattern) == told


def test_it_is_one_incident_from_beginning_to_end() -> None:
    minutes = Minutes(entry(repeat_h=0))
    minutes.pass_by("x.x", taken=False)
    [first] = minutes.post.waiting.values()
    assert (first.incident.first_seen, first.incident.pins) == (60.0 * 1001, {"build": "7"})
    assert (first.incident.stood_in, first.incident.baseline) == (3, True)
    minutes.post.settle(first, taken=True, heard=True)
    assert minutes.pass_by("xxx...", taken=False) == "-----R"
    [last] = minutes.post.waiting.values()
    assert last.incident.id == first.incident.id
    assert last.incident.resolved_at == 60.0 * 1009
    assert minutes.post.tracks == {}


def test_it_is_told_again_when_due_and_never_when_not_wanted() -> None:
    again = Minutes(entry(repeat_h=0.1))
    assert again.pass_by("x" * 15) == "-F-----F-----F-"
    assert Minutes(entry(repeat_h=0)).pass_by("x" * 15).count("F") == 1
    alertmanager = Minutes(entry(kind="alertmanager"))
    assert alertmanager.pass_by("xx?x..") == "-FFFFF", "told every minute, also while nobody knows"
    assert alertmanager.pass_by(".") == "R"


def test_the_end_of_what_nobody_heard_of_is_not_told() -> None:
    minutes = Minutes(entry())
    assert minutes.pass_by("xx..", taken=False) == "-FFF"
    assert minutes.pass_by(".", taken=False) == "-"
    assert minutes.post.waiting == {}


@pytest.mark.parametrize("heard", [False, True])
def test_an_end_that_comes_while_the_beginning_is_being_sent(heard: bool) -> None:
    minutes = Minutes(entry())
    minutes.pass_by("xx", taken=False)
    [sending] = minutes.post.waiting.values()
    sending.sending = True
    assert minutes.pass_by("...", taken=False) == "FFR"
    minutes.post.settle(sending, taken=heard, heard=heard)
    assert [message.event for message in minutes.post.waiting.values()] == (["resolved"] if heard else [])


def test_after_a_worker_that_died_while_sending_the_end_is_told() -> None:
    minutes = Minutes(entry())
    minutes.pass_by("xx", taken=False)
    [sending] = minutes.post.waiting.values()
    sending.sending = True
    minutes.post = msgspec.json.decode(msgspec.json.encode(minutes.post), type=Post)
    minutes.post.resume(0.0)
    [again] = minutes.post.waiting.values()
    minutes.post.settle(again, taken=False, heard=False)  # a no to the second try takes back nothing of the first
    assert minutes.pass_by("...", taken=False) == "FFR"


def test_two_looks_in_one_minute_are_one() -> None:
    minutes = Minutes(entry())
    for _ in range(3):
        minutes.pass_by("x")
        minutes.minute -= 1
    assert minutes.post.firing == 0
    minutes.minute += 1
    assert minutes.pass_by("x") == "F"


def test_a_new_incident_does_not_take_the_stead_of_the_last_ones_end() -> None:
    minutes = Minutes(entry(**{"for": "1 of 1"}))
    minutes.pass_by("x")
    minutes.pass_by(".x", taken=False)
    events = [(message.event, message.incident.id) for message in minutes.post.waiting.values()]
    assert [event for event, _ in events] == ["resolved", "firing"]
    assert len({name for _, name in events}) == 2


def test_what_waits_is_bounded_and_the_oldest_goes_counted() -> None:
    post, alert = Post(), entry(rules=["cap"], **{"for": "1 of 1"})
    many = tuple(Finding(f"s{n}", "cap", "cap") for n in range(MOST_WAITING + 40))
    step(post, alert, Reading(many), lane="l", source="h", minute=1, now=60.0)
    assert (len(post.waiting), post.dropped, post.firing) == (MOST_WAITING, 40, MOST_WAITING + 40)
    assert next(iter(post.waiting.values())).incident.shadow == "s40"


def test_who_is_told_what() -> None:
    rules = (
        Rule("p95_latency", "P95 latency", False, "the answer said: hunter2", beyond=True, figure=2.0, limit=1.03),
        Rule("critical", "critical pairs", False, "evidence", figure=0.2, limit=0.03),
        Rule("slope", "slope", None, "evidence"),
        Rule("no_chaos", "no chaos", True, "evidence"),
    )
    findings = gate_findings([Verdict("candidate", "REJECT", rules)])
    assert "hunter2" not in repr(findings)

    def told(*rules: str) -> list[tuple[str, str]]:
        post = Post()
        alert = entry(rules=list(rules), **{"for": "1 of 1"})
        step(post, alert, Reading(tuple(findings)), lane="l", source="h", minute=1, now=60.0)
        return [(message.incident.rule, message.incident.severity) for message in post.waiting.values()]

    assert told("rejects") == [("p95_latency", "critical")]
    assert told("verdict") == [("verdict", "critical")]
    assert told("rejects", "verdict", "p95_latency") == [("verdict", "critical"), ("p95_latency", "critical")]
    assert told("critical", "slope", "no_chaos", "store") == [("critical", "warning")]


def test_the_lanes_health_by_its_counters() -> None:
    before = Counters("life", drops=5, cap=7, faults=0)
    now = Counters("life", drops=9, cap=7, faults=2)
    found = lane_findings(now, before, None)
    assert [(one.rule, one.figure) for one in found] == [("drops", 4.0), ("errors", 2.0)]
    assert lane_findings(now, Counters("another", 0, 0, 0), None) == []
    assert lane_findings(now, None, None) == lane_findings(None, before, None) == []
    shadow = {
        "breaker": {"state": "open"},
        "budget": {"reached": "tokens_per_day", "limits": {"tokens_per_day": {"spent": 11.0, "limit": 10.0}}},
    }
    well = {"breaker": {"state": "closed"}, "budget": {"reached": "", "limits": {}}}
    found = lane_findings(None, None, {"shadows": {"a": shadow, "b": well, "c": {"breaker": None, "budget": None}}})
    assert [(one.shadow, one.rule, one.figure, one.limit) for one in found] == [
        ("a", "breaker", None, None),
        ("a", "budget", 11.0, 10.0),
    ]
