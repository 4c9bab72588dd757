"""What the span of one copy says: attributes, evaluations and the link to prod's trace, out of a stored pair.

Invariants: nothing is read that the drain did not clean, and no word of a question or an answer is in it; names come
from :mod:`.conventions` alone. Needs no package but the base.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from ..bands import band
from ..config import ShadowConfig
from ..config.shown import shown_url
from ..providers.answers import extract_usage
from ..tag import span_ids
from ..types import FLAG_STREAMED, NOT_SENT, Pair, header
from . import conventions as names

__all__ = ["Event", "SpanRecord", "record_of"]

Value = str | bool | int | float | tuple[str, ...]
_SECOND_NS = 1e9
_MOST_CHARS = 512
_PARTS = 3


class _Asked(msgspec.Struct):
    model: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was found out of the copy."""

    name: str
    attributes: dict[str, Value]


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """One span, before any package makes it one."""

    name: str
    trace_id: int
    span_id: int
    start_ns: int
    end_ns: int
    attributes: dict[str, Value]
    events: tuple[Event, ...] = ()
    error: str = ""
    """Why the copy failed; empty when it did not."""
    link: tuple[int, int, int] | None = None
    """Trace, span and flags of the request that was copied; ``None``: nobody said."""


def record_of(pair: Pair, lane: str, shadow: ShadowConfig) -> SpanRecord | None:
    """The span of a copy that was sent; ``None`` for one that was not."""
    copy, outcome = pair.copy, pair.outcome
    never_left = outcome.reason == "deadline" and not outcome.duration_ns
    if outcome.reason in NOT_SENT or never_left:
        return None
    trace, span = span_ids(copy.shadow_id, outcome.shadow)
    error = _error(pair)
    spoken = _gen_ai(pair, shadow)
    attributes = {**_http(pair, shadow), **spoken, **_own(pair, lane)}
    if error:
        attributes[names.ERROR_TYPE] = error
    model = spoken.get(names.GEN_AI_REQUEST_MODEL)
    return SpanRecord(
        name=f"{spoken[names.GEN_AI_OPERATION]} {model}" if model else copy.route,
        trace_id=trace,
        span_id=span,
        start_ns=outcome.started_ns,
        end_ns=outcome.started_ns + outcome.duration_ns,
        attributes=attributes,
        events=tuple(_evaluations(pair)),
        error=error,
        link=_context(copy.traceparent),
    )


def _error(pair: Pair) -> str:
    outcome = pair.outcome
    return outcome.reason or (str(outcome.status) if outcome.status >= 400 else "")


def _http(pair: Pair, shadow: ShadowConfig) -> dict[str, Value]:
    copy, outcome = pair.copy, pair.outcome
    url = urlsplit(shadow.url)
    found: dict[str, Value] = {
        names.HTTP_METHOD: copy.method,
        names.URL_FULL: _cut(shown_url(shadow.url).rstrip("/") + copy.target.partition("?")[0]),
        names.URL_TEMPLATE: copy.route.partition(" ")[2],
        names.SERVER_ADDRESS: url.hostname or "",
        names.SERVER_PORT: url.port or (443 if url.scheme == "https" else 80),
    }
    if outcome.status:
        found[names.HTTP_STATUS] = outcome.status
    if outcome.tries > 1:
        found[names.HTTP_RESEND_COUNT] = outcome.tries - 1
    return found


def _gen_ai(pair: Pair, shadow: ShadowConfig) -> dict[str, Value]:
    """Empty for a request that asks no model."""
    copy, outcome = pair.copy, pair.outcome
    provider = names.PROVIDERS.get(copy.preset)
    if provider is None:
        return {}
    found: dict[str, Value] = {names.GEN_AI_PROVIDER: provider, names.GEN_AI_OPERATION: _operation(copy.target)}
    if model := shadow.model or _asked_model(copy.body):
        found[names.GEN_AI_REQUEST_MODEL] = _cut(model)
    if pair.model:
        found[names.GEN_AI_RESPONSE_MODEL] = _cut(pair.model)
    if pair.finish:
        found[names.GEN_AI_FINISH_REASONS] = (_cut(pair.finish),)
    if copy.flags & FLAG_STREAMED:
        found[names.GEN_AI_REQUEST_STREAM] = True
        if outcome.ttfb_ns:
            found[names.GEN_AI_FIRST_CHUNK] = outcome.ttfb_ns / _SECOND_NS
    usage = outcome.usage or extract_usage(header(outcome.headers, b"content-type"), outcome.body)
    for name, key in ((names.GEN_AI_INPUT_TOKENS, "input_tokens"), (names.GEN_AI_OUTPUT_TOKENS, "output_tokens")):
        if key in usage:
            found[name] = usage[key]
    return found


def _operation(target: str) -> str:
    path = target.partition("?")[0].rstrip("/")
    return next((operation for end, operation in names.OPERATIONS if path.endswith(end)), "chat")


def _asked_model(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Asked).model
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _own(pair: Pair, lane: str) -> dict[str, Value]:
    copy, outcome = pair.copy, pair.outcome
    found: dict[str, Value] = {names.LANE: lane, names.ARM: outcome.shadow, names.SHADOW_ID: copy.shadow_id}
    if outcome.reason:
        found[names.REASON] = outcome.reason
    if outcome.waited_ns:
        found[names.SLOT_WAIT] = outcome.waited_ns / _SECOND_NS
    if copy.status:
        found[names.PROD_STATUS] = copy.status
        if copy.duration_ns:
            found[names.PROD_DURATION] = copy.duration_ns / _SECOND_NS
    return found


def _evaluations(pair: Pair) -> list[Event]:
    """What was found out of the two answers; what does not apply is left out."""
    scores = pair.scores
    found = []
    for name, value in (("delta_s", scores.delta_s), ("anchored_delta_s", scores.anchored)):
        if value is not None:
            found.append(_evaluation(name, value, band(value)))
    if scores.state:
        found.append(_evaluation("lambda", None, scores.state))
    if scores.fact_flip or (scores.delta_s is not None and not scores.unread):
        label = "contradicted" if scores.fact_flip else "not_contradicted"
        found.append(_evaluation("fact_flip", float(scores.fact_flip), label))
    return found


def _evaluation(name: str, value: float | None, label: str) -> Event:
    attributes: dict[str, Value] = {names.EVALUATION_NAME: name, names.EVALUATION_LABEL: label}
    if value is not None:
        attributes[names.EVALUATION_VALUE] = value
    return Event(names.EVALUATION, attributes)


def _context(traceparent: str) -> tuple[int, int, int] | None:
    """Of what the core gives: checked there, or empty."""
    parts = traceparent.split("-")[1:]
    return (int(parts[0], 16), int(parts[1], 16), int(parts[2], 16)) if len(parts) == _PARTS else None


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 1] + "…"
