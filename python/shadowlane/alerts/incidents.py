"""When a finding becomes an incident, when that is over, and what is owed to its receiver meanwhile. No I/O, no clock.

Invariants: an incident is told once, told again only every ``repeat_h``, and its end is told once, and only where its
beginning was, or may have been, heard; what cannot be read changes nothing; what waits is bounded.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Literal

import msgspec

from ..config import AlertConfig
from .findings import Finding, Reading, Severity

__all__ = ["Event", "Incident", "Message", "Post", "Track", "step"]

Event = Literal["firing", "resolved"]
MOST_WAITING = 256
"""Messages that wait for one receiver; the oldest goes first, counted."""
_MOST_TRACKS = 4096


class Incident(msgspec.Struct, kw_only=True):
    """Something that a receiver is told of, from its beginning to its end."""

    id: str
    """16 hex digits, the same in everything that is told of it."""
    lane: str
    source: str
    """The host that found it."""
    shadow: str
    rule: str
    name: str
    severity: Severity
    figure: float | None = None
    limit: float | None = None
    verdict: str = ""
    pins: dict[str, str] = {}
    stood_in: int = 0
    """In how many copies ``[control]`` answered in prod's stead."""
    baseline: bool = False
    """The shadow is the baseline: what is wrong is prod's."""
    first_seen: float
    """Unix time in seconds, as all times here."""
    resolved_at: float | None = None
    told: bool = False
    """Whether the receiver heard of it, or may have."""


class Message(msgspec.Struct, kw_only=True):
    """What waits to be sent."""

    event: Event
    incident: Incident
    put_at: float
    not_before: float = 0.0
    refused: int = 0
    sending: bool = False
    """Begun, and its end not known."""


class Track(msgspec.Struct, kw_only=True):
    """One rule of one shadow, as one receiver's entry sees it."""

    shadow: str
    rule: str
    bad: list[int] = []
    """The last minutes in which it was not met."""
    began: float = 0.0
    """When the first of them was seen."""
    incident: Incident | None = None
    put_at: float = 0.0
    """When it was put out to be told, last."""


class Post(msgspec.Struct, kw_only=True):
    """All that is known for one receiver; it outlives the worker."""

    tracks: dict[str, Track] = {}
    waiting: dict[str, Message] = {}
    """By the incident's id, the oldest first: a newer message about one takes the older one's stead."""
    failures: int = 0
    """In a row."""
    not_before: float = 0.0
    """The receiver asked for a pause, or does not answer."""
    sent: int = 0
    failed: int = 0
    """Tries that failed."""
    dropped: int = 0
    """Messages that were given up."""
    error: str = ""
    """Why the last try failed; empty when it did not."""

    @property
    def firing(self) -> int:
        """Incidents that last."""
        return sum(track.incident is not None for track in self.tracks.values())

    def put(self, message: Message) -> None:
        """Let a message wait. An end of what nobody heard of takes its beginning away instead."""
        key = message.incident.id
        before = self.waiting.pop(key, None)
        begun = before is not None and before.sending
        if message.event == "resolved" and not (message.incident.told or begun):
            return
        self.waiting[key] = message
        while len(self.waiting) > MOST_WAITING:
            self.drop(next(iter(self.waiting)))

    def drop(self, key: str) -> None:
        """Give a message up."""
        del self.waiting[key]
        self.dropped += 1

    def due(self, now: float) -> Iterator[Message]:
        """What may be sent now, the oldest first."""
        if now >= self.not_before:
            yield from [message for message in self.waiting.values() if now >= message.not_before]

    def settle(self, message: Message, *, taken: bool, heard: bool) -> None:
        """``message`` was sent and ``taken``, or not; ``heard``: its receiver knows of it, or may."""
        key, message.sending = message.incident.id, False
        if heard:
            message.incident.told = True
            for track in self.tracks.values():
                if track.incident is not None and track.incident.id == key:
                    track.incident.told = True
        newer = self.waiting.get(key)
        if newer is message:
            if taken:
                del self.waiting[key]
        elif newer is not None and newer.event == "resolved":
            newer.incident.told = newer.incident.told or heard
            if not newer.incident.told:
                del self.waiting[key]

    def resume(self, now: float) -> None:
        """Go on after another worker: what it had begun to send may have been heard, and what was refused may have been
        for a configuration that is another one now."""
        for message in list(self.waiting.values()):
            if message.sending:
                self.settle(message, taken=False, heard=True)
            if message.refused:
                message.not_before = now


def step(post: Post, alert: AlertConfig, reading: Reading, *, lane: str, source: str, minute: int, now: float) -> None:
    """Take in what was found in a minute. ``minute``: its number; the same one twice is one."""
    wanted: dict[str, Finding] = {}
    for one in reading.findings:
        if _wants(alert, one):
            wanted.setdefault(_key(one), one)
    for key, finding in wanted.items():
        if key not in post.tracks and len(post.tracks) < _MOST_TRACKS:
            post.tracks[key] = Track(shadow=finding.shadow, rule=finding.rule)
    for key, track in list(post.tracks.items()):
        found = wanted.get(key)
        if found is not None or reading.knows(track.rule):
            _judge(post, key, track, found, alert, _Moment(reading, lane, source, minute, now))
    _tell_again(post, alert, now)


class _Moment(msgspec.Struct):
    reading: Reading
    lane: str
    source: str
    minute: int
    now: float


def _judge(post: Post, key: str, track: Track, found: Finding | None, alert: AlertConfig, at: _Moment) -> None:
    n, m = alert.minutes
    track.bad = [minute for minute in track.bad if at.minute - m < minute <= at.minute]
    if found is not None:
        if not track.bad:
            track.began = at.now
        if at.minute not in track.bad:
            track.bad.append(at.minute)
    if track.incident is not None:
        if found is not None:
            track.incident.figure, track.incident.limit = found.figure, found.limit
        elif not track.bad:
            over = msgspec.structs.replace(track.incident, resolved_at=max(at.now, track.incident.first_seen))
            post.put(Message(event="resolved", incident=over, put_at=at.now))
            del post.tracks[key]
    elif found is not None and len(track.bad) >= n:
        track.incident = _incident(track, found, at)
        track.put_at = at.now
        post.put(Message(event="firing", incident=track.incident, put_at=at.now))
    elif not track.bad:
        del post.tracks[key]


def _incident(track: Track, found: Finding, at: _Moment) -> Incident:
    return Incident(
        id=secrets.token_hex(8),
        lane=at.lane,
        source=at.source,
        shadow=found.shadow,
        rule=found.rule,
        name=found.name,
        severity=found.severity,
        figure=found.figure,
        limit=found.limit,
        verdict=at.reading.verdicts.get(found.shadow, ""),
        pins=dict(at.reading.pins.get(found.shadow, {})),
        stood_in=at.reading.stood_in.get(found.shadow, 0),
        baseline=found.shadow in at.reading.baselines,
        first_seen=track.began,
    )


def _tell_again(post: Post, alert: AlertConfig, now: float) -> None:
    """Alertmanager forgets what it is not told again (its clients are to resend); others are reminded."""
    for track in post.tracks.values():
        if track.incident is None or track.incident.id in post.waiting:
            continue
        due = alert.kind == "alertmanager" or (alert.repeat_h and now - track.put_at >= alert.repeat_h * 3600)
        if due:
            track.put_at = now
            post.put(Message(event="firing", incident=track.incident, put_at=now))


def _wants(alert: AlertConfig, finding: Finding) -> bool:
    return finding.rule in alert.rules or ("rejects" in alert.rules and finding.rejects and finding.rule != "verdict")


def _key(finding: Finding) -> str:
    return f"{finding.shadow}/{finding.rule}"
