"""An alert in its receiver's own form: URL, headers and body of one POST.

Sources: PagerDuty's Events API v2 (https://developer.pagerduty.com/docs/events-api-v2/trigger-events/: ``routing_key``,
``event_action``, ``dedup_key`` of up to 255 characters, a ``summary`` of up to 1024, four severities); Alertmanager's
API v2 (https://prometheus.io/docs/alerting/latest/alerts_api/ and its ``api/v2/openapi.yaml``: an array of alerts, told
apart by their labels, over at ``endsAt``, resent while they last); Slack's incoming webhooks
(https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, and for ``&``, ``<`` and ``>``
https://docs.slack.dev/messaging/formatting-message-text; a section's text has at most 3000 characters, its ten fields
2000 each); the signature of Stripe's webhooks (https://docs.stripe.com/webhooks#verify-manually).

Invariant: every text is bounded, and escaped where its receiver reads marks in it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

import msgspec

from ..config import AlertConfig, ServeConfig
from ..report.terminal import REVERSE
from ..status.routes import prod_lines
from .incidents import Event, Incident

__all__ = ["LASTS_S", "SIGNATURE", "Request", "link_of", "request_for", "signature"]

SIGNATURE = "X-Shadowlane-Signature"
LASTS_S = 240.0
"""For how long Alertmanager takes an alert for lasting after it was told; it is told again every minute."""
_SUMMARY = 1024
_FIELD = 2000
_VERSION = 1


class Request(NamedTuple):
    """One POST."""

    headers: dict[str, str]
    body: bytes


def request_for(
    alert: AlertConfig, key: str, event: Event, incident: Incident, *, link: str, now: float, test: bool = False
) -> Request:
    """What ``alert`` is sent. ``key``: its routing key or secret. ``now``: Unix time in seconds."""
    shape = _SHAPES[alert.kind]
    body = msgspec.json.encode(shape(_Told(event, incident, key, link, now, test)))
    headers = {"Content-Type": "application/json", "User-Agent": "shadowlane"}
    if alert.kind == "json" and key:
        headers[SIGNATURE] = signature(key, body, int(now))
    return Request(headers, body)


def signature(secret: str, body: bytes, now: int) -> str:
    """``t=...,v1=...``: hex of HMAC-SHA256 (RFC 2104) over the time, a dot and the body."""
    digest = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"


def link_of(serve: ServeConfig, shadow: str) -> str:
    """Where more is said of it: the live page, where there is one; empty where no address is configured."""
    if not serve.public_url:
        return ""
    path = "/" if serve.dashboard else "/gate"
    return f"{serve.public_url.rstrip('/')}{path}" + (f"?shadow={shadow}" if shadow else "")


class _Told(NamedTuple):
    event: Event
    incident: Incident
    key: str
    link: str
    now: float
    test: bool

    @property
    def summary(self) -> str:
        """One line for people."""
        one = self.incident
        who = "baseline" if one.baseline else "shadow"
        where = f"lane {one.lane}" + (f", {who} {one.shadow}" if one.shadow else "")
        if self.test:
            return f"Test of shadowlane's alerts, nothing is wrong: {where}"
        what = f"{one.name}: {self.held}" if self.held else one.name
        return f"{'Over' if self.event == 'resolved' else 'Wrong'}: {where}: {what}"[:_SUMMARY]

    @property
    def held(self) -> str:
        """What was seen, and what it is held against."""
        one = self.incident
        if one.figure is None:
            return ""
        return f"{one.figure:.4g}" + (f" (limit {one.limit:.4g})" if one.limit is not None else "")

    @property
    def details(self) -> dict[str, str]:
        """What is known of it, in words."""
        one = self.incident
        words = {
            "lane": one.lane,
            "shadow": one.shadow,
            "rule": one.rule,
            "seen": self.held,
            "verdict": one.verdict,
            "pins": ", ".join(f"{name}={value}" for name, value in one.pins.items()),
            "note": "; ".join([*([REVERSE] if one.baseline else []), *prod_lines({"stood_in": one.stood_in})]),
            "first seen": moment(one.first_seen),
            "over": moment(one.resolved_at) if one.resolved_at is not None else "",
            "id": one.id,
        }
        return {name: value[:_SUMMARY] for name, value in words.items() if value}


def _json(told: _Told) -> Mapping[str, Any]:
    one = told.incident
    return {
        "version": _VERSION,
        "event": told.event,
        "test": told.test,
        "id": one.id,
        "summary": told.summary,
        "severity": one.severity,
        "lane": one.lane,
        "source": one.source,
        "shadow": one.shadow or None,
        "rule": one.rule,
        "name": one.name,
        "figure": one.figure,
        "limit": one.limit,
        "verdict": one.verdict or None,
        "pins": one.pins,
        "stood_in": one.stood_in,
        "direction": "reverse" if one.baseline else "forward",
        "first_seen": moment(one.first_seen),
        "resolved_at": None if one.resolved_at is None else moment(one.resolved_at),
        "link": told.link or None,
    }


def _pagerduty(told: _Told) -> Mapping[str, Any]:
    one = told.incident
    event: dict[str, Any] = {
        "routing_key": told.key,
        "event_action": "resolve" if told.event == "resolved" else "trigger",
        "dedup_key": f"shadowlane-{one.id}",
        "client": "shadowlane",
        "payload": {
            "summary": told.summary,
            "source": one.source,
            "severity": one.severity,
            "timestamp": moment(one.first_seen),
            "component": one.shadow or one.lane,
            "group": one.lane,
            "class": one.rule,
            "custom_details": {**told.details, "figure": one.figure, "limit": one.limit},
        },
    }
    if told.link:
        event |= {"client_url": told.link, "links": [{"href": told.link, "text": "shadowlane"}]}
    return event


def _alertmanager(told: _Told) -> list[Mapping[str, Any]]:
    one = told.incident
    ends = told.now + LASTS_S if one.resolved_at is None else max(one.resolved_at, one.first_seen)
    labels = {
        "alertname": "Shadowlane" + "".join(part.capitalize() for part in one.rule.split("_")),
        "lane": one.lane,
        "shadow": one.shadow,
        "rule": one.rule,
        "severity": one.severity,
        "instance": one.source,
    }
    known = {name.replace(" ", "_"): value for name, value in told.details.items()}
    alert: dict[str, Any] = {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {"summary": told.summary, **{name: known[name] for name in known if name not in labels}},
        "startsAt": moment(one.first_seen),
        "endsAt": moment(ends),
    }
    if told.link:
        alert["generatorURL"] = told.link
    return [alert]


def _slack(told: _Told) -> Mapping[str, Any]:
    mark = ":white_check_mark:" if told.event == "resolved" else ":information_source:" if told.test else ":warning:"
    head = f"{mark} *{_escaped(told.summary, _SUMMARY)}*"
    if told.link:
        head += f"\n<{_escaped(told.link, _SUMMARY)}|shadowlane>"
    fields = [_marked(f"*{name}*\n{_escaped(value, _FIELD - 100)}") for name, value in told.details.items()]
    return {
        "text": _escaped(told.summary, _SUMMARY),
        "blocks": [{"type": "section", "text": _marked(head)}, {"type": "section", "fields": fields[:10]}],
    }


def _marked(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _escaped(text: str, most: int) -> str:
    """Of at most so many characters, and no reference cut in two."""
    out: list[str] = []
    length = 0
    for char in " ".join(text.split()):
        shown = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(char, char)
        length += len(shown)
        if length >= most:
            return "".join(out) + "…"
        out.append(shown)
    return "".join(out)


def moment(seconds: float) -> str:
    """As RFC 3339 says it, in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SHAPES: dict[str, Callable[[_Told], Any]] = {
    "json": _json,
    "pagerduty": _pagerduty,
    "alertmanager": _alertmanager,
    "slack": _slack,
}
