"""Two answers compared by themselves: a text or a whole HTTP response of each, and every score that a lane would give.

Invariant: a given text is compared as it stands, letter by letter; a given body is read as a lane reads it, whatever
its provider's shape. Nothing is stored, sent or redacted here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from ..config import ScoreConfig
from ..embedders import Embedder, load_embedder
from ..errors import DataError
from ..types import Copy, Headers, Outcome, Pair, Scores
from .anchored import Evidence, anchor
from .scorer import Scorer

__all__ = ["AnswerComparison", "Given", "Response", "compare_answers", "comparison_of", "request_of", "response_of"]

Given: TypeAlias = "str | Mapping[str, Any] | Response"
"""An answer as a user gives it: its text, or ``{"text" or "body", "headers"?, "status"?, "latency_ms"?}``, and
with a text perhaps its ``finish_reason``."""

RESPONSE_FIELDS = ("text", "body", "headers", "status", "latency_ms", "finish_reason")
_JSON = (b"content-type", b"application/json")
_LONGEST_MS = 9e12
"""Longer times do not fit into 64 bits of nanoseconds."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One service's answer."""

    body: bytes = b""
    headers: Headers = ()
    status: int = 200
    latency_ns: int = 0
    """Time to the end of the answer; 0: not known."""


class AnswerComparison(Scores, frozen=True, kw_only=True):
    """The scores of two answers, the two texts that were compared, and each contradiction with its two spans."""

    prod_text: str = ""
    shadow_text: str = ""
    evidence: tuple[Evidence, ...] = ()


def compare_answers(
    prod: Given,
    shadow: Given,
    *,
    config: ScoreConfig | None = None,
    embedder: Embedder | None = None,
) -> AnswerComparison:
    """Compare prod's answer with the shadow's: ΔS, facts, λ, citations, structure.

    Each is a text, or a mapping with ``text`` or ``body`` (a text, or the JSON itself), and, where they are known,
    ``headers`` (name to value), ``status``, ``latency_ms``, and a text's ``finish_reason``. ``config`` is ``[score]``;
    ``embedder`` is used in place of the one that it names. Answers of equal text have ΔS 0 with any embedder.

    What cannot be scored has ``None`` there, and ``note`` says why. Raises :class:`~shadowlane.errors.DataError` when
    an answer is not given in one of these forms, and what :func:`shadowlane.score.load_embedder` raises.
    """
    chosen = msgspec.structs.replace(config or ScoreConfig(), groups=False)  # one pair has no group
    scorer = Scorer(chosen, embedder=embedder or load_embedder(chosen.embedder))
    pair = Pair(
        copy=_copy_of(response_of(prod, "prod")),
        outcome=_outcome_of(response_of(shadow, "shadow")),
    )
    return comparison_of(scorer.score([pair])[0])


def comparison_of(pair: Pair) -> AnswerComparison:
    """A scored pair with the evidence that its scores came from."""
    scores = pair.scores
    evidence: tuple[Evidence, ...] = ()
    if scores.fact_flip:
        evidence = anchor(pair.prod_text, pair.shadow_text, scores.delta_s or 0.0).evidence
    fields = {name: getattr(scores, name) for name in scores.__struct_fields__}
    return AnswerComparison(**fields, prod_text=pair.prod_text, shadow_text=pair.shadow_text, evidence=evidence)


def _copy_of(prod: Response) -> Copy:
    return Copy(
        shadow_id="given",
        req_hash="",
        started_ns=0,
        method="POST",
        target="/",
        status=prod.status,
        response_headers=prod.headers,
        response_body=prod.body,
        duration_ns=prod.latency_ns,
    )


def _outcome_of(shadow: Response) -> Outcome:
    return Outcome(
        shadow="shadow",
        status=shadow.status,
        headers=shadow.headers,
        body=shadow.body,
        duration_ns=shadow.latency_ns,
    )


def response_of(value: Any, field: str) -> Response:
    """An answer in one of the forms of :data:`Given`. Other fields are left alone.

    Raises :class:`~shadowlane.errors.DataError`, which begins with ``field``.
    """
    if isinstance(value, Response):
        return value
    if isinstance(value, str):
        return Response(body=_as_chat(value), headers=(_JSON,))
    if not isinstance(value, Mapping):
        raise DataError(f'{field} = {shown(value)}: give the answer\'s text, or an object with "text" or "body"')
    status = _status(value.get("status"), f"{field}.status")
    latency_ns = _latency_ns(value.get("latency_ms"), f"{field}.latency_ms")
    headers = _headers(value.get("headers"), f"{field}.headers")
    text, body = value.get("text"), value.get("body")
    if text is not None and body is not None:
        raise DataError(f"{field}: has text and body; give one of them")
    if text is not None:
        if not isinstance(text, str):
            raise DataError(f"{field}.text = {shown(text)}: not a text; give JSON as body")
        # The text stands in a form of ours, so what the headers say of the form is history.
        kept = tuple(pair for pair in headers if pair[0] not in (b"content-type", b"content-encoding"))
        chat = _as_chat(text, _finish_reason(value.get("finish_reason"), f"{field}.finish_reason"))
        return Response(body=chat, headers=(_JSON, *kept), status=status, latency_ns=latency_ns)
    if body is None:
        if value.get("status") is None:
            raise DataError(f"{field}: give text or body; an answer without one needs its status, such as 504")
        return Response(headers=headers, status=status, latency_ns=latency_ns)
    if not isinstance(body, (str, bytes)) and all(name != b"content-type" for name, _ in headers):
        headers = (_JSON, *headers)
    return Response(body=_as_sent(body, f"{field}.body"), headers=headers, status=status, latency_ns=latency_ns)


def request_of(value: Any, field: str) -> bytes:
    """A request's body: a text, or the JSON itself. Raises :class:`~shadowlane.errors.DataError`."""
    if isinstance(value, (str, Mapping, list)):
        return _as_sent(value, field)
    raise DataError(f"{field} = {shown(value)}: give the request's body, a JSON object or a text")


def shown(value: Any) -> str:
    """A value in a message: short, on one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _as_chat(text: str, finish: str = "stop") -> bytes:
    """A text as the answer of a language model: there nothing in it is read as markup, JSON or a stream."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # JSON may escape a lone surrogate, which UTF-8 cannot hold
    message = {"role": "assistant", "content": text}
    return msgspec.json.encode(
        {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    )


def _as_sent(body: Any, field: str) -> bytes:
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8", "replace")
    try:
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{field} = {shown(body)}: not JSON ({error}); give a text or plain JSON values") from None


def _finish_reason(value: Any, field: str) -> str:
    if value is not None and not isinstance(value, str):
        raise DataError(f"{field} = {shown(value)}: not a text; give the provider's word, such as length")
    return value or "stop"


def _status(value: Any, field: str) -> int:
    if value is None:
        return 200
    if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 599:
        raise DataError(f"{field} = {shown(value)}: not an HTTP status; give a number from 100 to 599")
    return value


def _latency_ns(value: Any, field: str) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LONGEST_MS:
        raise DataError(f"{field} = {shown(value)}: not a time; give milliseconds, 0 or more")
    return math.floor(value * 1e6)


def _headers(value: Any, field: str) -> Headers:
    if value is None:
        return ()
    pairs: Sequence[Any]
    if isinstance(value, Mapping):
        pairs = [
            (name, one)
            for name, several in value.items()
            for one in (several if isinstance(several, list) else [several])
        ]
    elif isinstance(value, list):
        pairs = value
    else:
        pairs = [value]
    out = []
    for pair in pairs:
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
            raise DataError(f"{field}: {shown(pair)} is no header; give an object of names and texts")
        name, text = pair
        out.append((name.lower().encode("latin-1", "replace"), text.encode("latin-1", "replace")))
    return tuple(out)
