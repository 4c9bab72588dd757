"""The records that travel between the steps. Every arrow of the way carries one of these.

Steps know these types, ``errors``, ``config`` and the core; they do not know each other. What two steps must mean alike
by a record is defined here too: a request's route, and the band of a score. ``REASONS`` (why a request was not mirrored
or a copy not answered) and the flags of a copy (the client left before prod's answer was complete; the answer is cut at
``max_body_bytes``; it came in more than one chunk; it was told of by telemetry) are the core's.
Times ending in ``_ns`` are integers in nanoseconds; ``started_ns`` counts from the Unix epoch.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from ._core import (
    FLAG_CLIENT_DISCONNECTED,
    FLAG_REDELIVERED,
    FLAG_RESPONSE_CUT,
    FLAG_STREAMED,
    FLAG_TIMED,
    FLAG_TOLD,
    REASONS,
)
from .bands import band

__all__ = [
    "FLAG_CLIENT_DISCONNECTED",
    "FLAG_NO_PROD",
    "FLAG_REDELIVERED",
    "FLAG_REPLAYED",
    "FLAG_RESPONSE_CUT",
    "FLAG_STREAMED",
    "FLAG_TIMED",
    "FLAG_TOLD",
    "MOST_PIN_VALUES",
    "NOT_SENT",
    "REASONS",
    "STRANGE_CALLS",
    "UNREADABLE_DETECTOR",
    "Answer",
    "Answered",
    "Begin",
    "Citation",
    "CleanAnswer",
    "Collapse",
    "Copy",
    "GroupReading",
    "Headers",
    "JudgeVerdict",
    "Mark",
    "Outcome",
    "Pair",
    "PinSeen",
    "Scores",
    "ShadowCounts",
    "StateName",
    "StructureDifference",
    "StubbedCall",
    "ToolAgreement",
    "ToolCall",
    "Transport",
    "drained_copies",
    "header",
    "route_of",
]

Headers = tuple[tuple[bytes, bytes], ...]

FLAG_REPLAYED = 16
"""The exchange was recorded earlier, and its copy sent by a replay: prod's answer and times are those of then."""
FLAG_NO_PROD = 32
"""Whoever captured it saw no answer of prod's: ``[control]`` answers in its stead. (The core passes both flags on.)"""


def header(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> str:
    """A field's first value by its lower-case name, as latin-1 without outer blanks (RFC 9110 §5.5), or empty."""
    for field, value in headers:
        if field.lower() == name:
            return value.decode("latin-1").strip()
    return ""


StateName = Literal["", "convergent", "divergent", "recursive", "chaotic"]
"""A λ reading; empty when there is none."""

STRANGE_CALLS = "tool_call_prod_never_made"
"""The finding of an outcome whose shadow asked for tool calls that prod made neither before nor in its answer."""

UNREADABLE_DETECTOR = "unreadable:detector"
"""The finding of an exchange that the user's detector could not look at."""


NOT_SENT = (
    "sampled_out",
    "write_intent",
    "cap",
    "provider_limit",
    "budget",
    "reservoir",
    "store_error",
    "producer_died",
    "unreadable",
    "prod_failed",
)
"""Reasons that say nothing about the shadow: the copy never went out, or was left out, for a cause of ours."""

PinSeen = tuple[str, str, int, int, int]
"""A pin's name, its value, the times of its first and last answer, and how many answers had it."""

MOST_PIN_VALUES = 1000
"""Values of one pin that are told apart; one with more is no version of anything."""


# Digits; a UUID (RFC 9562); a long run of hex; a long word with digits, as keys and slugs are; a redacted value.
_IDENTIFIER = re.compile(
    r"[0-9]+\Z|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\Z|[0-9a-fA-F]{12,}\Z|(?=.*[0-9])[^/]{16,}\Z|.*(?:\[|%5B)[A-Z_]+(?:\]|%5D)"
)
_MOST_PARTS = 12
_MOST_CHARS = 64


def route_of(method: str, target: str) -> str:
    """The request for people and samples, with what looks like an identifier left out: ``GET /users/*/orders`` of
    ``GET /users/17/orders?page=2``. A service has as many routes as endpoints, not as many as items."""
    return _route_of(method, target.partition("?")[0])


@functools.lru_cache(maxsize=256)
def _route_of(method: str, path: str) -> str:
    parts = path.split("/")
    kept = ["*" if _IDENTIFIER.match(part) or len(part) > _MOST_CHARS else part for part in parts[:_MOST_PARTS]]
    if len(parts) > _MOST_PARTS:
        kept.append("*")
    return f"{method} {'/'.join(kept)}"


class Copy(msgspec.Struct, frozen=True):
    """One sanitized exchange, as drained from a ring: what the shadow may see, and what prod answered."""

    shadow_id: str
    """UUIDv7 (RFC 9562 §5.7), unique for each exchange."""
    req_hash: str
    """32 hex digits, see :func:`shadowlane.core.request_hash`."""
    started_ns: int
    method: str
    target: str
    """Path and query, sanitized, in origin form (RFC 9112 §3.2.1)."""
    headers: Headers = ()
    body: bytes = b""
    status: int = 0
    """Prod's status code; 0 in a request of our own making, which prod never answered."""
    response_headers: Headers = ()
    response_body: bytes = b""
    ttfb_ns: int = 0
    """Time from the request's arrival to prod's response head; 0: nobody measured it."""
    duration_ns: int = 0
    """Time from the request's arrival to the end of prod's response body; 0: nobody measured it, as in what telemetry
    or a data set tells. No rule takes such a pair for one whose times can be compared."""
    flags: int = 0
    blocked: str = ""
    """A reason when sanitizing found that this must not be sent; empty otherwise."""
    findings: dict[str, int] = {}
    """How many values of each kind were redacted, over request and response."""
    ring: int = 0
    """The ring it came from, and its number there: what is acknowledged."""
    seq: int = 0
    why: str = ""
    """What the read-only policy says of it, read or write, in words."""
    preset: str = ""
    """The preset that judged it; empty for GET, HEAD and what the user only declared a read."""
    normalised: tuple[str, ...] = ()
    """What was changed in an inference request for the shadow, one line each; never a value."""
    tenant: str = ""
    """Whose request it is: a hash that means nothing outside this lane's life; empty without ``limits.tenant_key``."""
    traceparent: str = ""
    """Prod's trace context (W3C Trace Context): of the span that served the request, where the gateway's tracing says,
    else of the caller; empty without either. Never sent."""

    @property
    def route(self) -> str:
        """The request's route, see :func:`route_of`."""
        return route_of(self.method, self.target)


_COPY_FIELDS = len(msgspec.structs.fields(Copy))


def drained_copies(rows: Iterable[tuple[Any, ...]]) -> list[Copy]:
    """What a drainer gives: rows of all fields of :class:`Copy`, in their order. Raises TypeError for any other row."""
    copies = []
    for row in rows:
        if len(row) != _COPY_FIELDS:
            raise TypeError(f"a drained row has {len(row)} fields; Copy has {_COPY_FIELDS}")
        copies.append(Copy(*row))
    return copies


class StubbedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call that a shadow asked for and that nobody carried out."""

    name: str
    arguments: str = ""
    """Canonical JSON (RFC 8785) where it has such a form, else the text as sent; sanitized."""
    round: int = 1
    """In which of the shadow's answers it was asked for, from 1."""
    answered: Literal["recorded", "unavailable", "left"] = "left"
    """With what prod got for the same call, with "unavailable in shadow", or not at all: the turn ended there."""
    by_prod: bool = False
    """Whether prod made the same call, in the conversation or in its own answer."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one copy at one shadow. With stubbed tool calls: the last answer, and the times of all rounds."""

    shadow: str
    reason: str = ""
    """Empty when the shadow answered (with whatever status); else one of :data:`REASONS`."""
    detail: str = ""
    """One line for a person, sanitized: why there was no answer, or an HTTP error's own message. Else empty."""
    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    started_ns: int = 0
    ttfb_ns: int = 0
    """Time from the first round's start to the head of the last answer."""
    duration_ns: int = 0
    """Time from the first round's start to the end of the last answer: what the shadow took for the answer scored."""
    waited_ns: int = 0
    """How long it waited for a slot, over all tries."""
    tries: int = 0
    """How often it was sent: more than once when it was tried again; 0 when it never was."""
    tokens: int = 0
    """What the answer used by its own usage fields, over all rounds; 0 when the shadow has no budget."""
    money: float = 0.0
    """What these tokens cost by ``[prices]``, in their currency; 0 when the shadow has no budget."""
    rounds: int = 1
    """How many requests were sent for it: more than one when tool calls were stubbed."""
    round_ns: tuple[int, ...] = ()
    """The time of each round, when there was more than one."""
    usage: dict[str, int] = {}
    """Tokens over all rounds by their name in the answers, when there was more than one."""
    calls: tuple[StubbedCall, ...] = ()
    findings: dict[str, int] = {}
    """What is remarkable about it, counted: :data:`STRANGE_CALLS`."""
    normalised: tuple[str, ...] = ()
    """What was changed for this shadow alone, such as the model's name."""


class CleanAnswer(NamedTuple):
    """An answer as it may be kept: what a sanitizer makes of its headers and body, how many values it replaced by kind,
    and why the body could not be read, or nothing."""

    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    findings: dict[str, int]
    note: str


class Answered(Protocol):
    """Is told the end of a call: its outcome, and the same answer sanitized where the transport did that."""

    def __call__(self, outcome: Outcome, clean: CleanAnswer | None = None) -> None: ...


Begin: TypeAlias = Callable[[Copy, Answered], Callable[[], None]]
"""``begin(copy, answered)`` of a transport that needs no coroutine: sends the copy, and calls ``answered`` once, in a
later turn of the event loop; what is returned gives the call up, and then ``answered`` is not called. It may raise:
then nothing was sent."""


class Transport(Protocol):
    """A way to one shadow. One that has a method ``begin`` as well (:data:`Begin`) is asked by that."""

    async def send(self, copy: Copy) -> Outcome:
        """Send the copy and wait for the answer, no longer than the shadow's deadline.

        Raises nothing but :class:`asyncio.CancelledError`.
        """

    async def close(self) -> None:
        """Give back connections. Nothing is sent afterwards."""


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """One citation of an answer, in the snippet contract."""

    snippet_id: str = ""
    section_id: str = ""
    source_url: str = ""
    offsets: tuple[int, int] | None = None
    tokens: int | None = None
    score: float | None = None
    index_hash: str = ""
    analyzer: str = ""
    text: str = ""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call that an answer asks for. ``arguments`` is the JSON text as sent."""

    name: str
    arguments: str = ""
    id: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a response says, whatever its provider's shape."""

    text: str = ""
    citations: tuple[Citation, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    usage: dict[str, int] = {}
    cached: dict[str, int] = {}
    """How many of the input tokens the provider had cached (``cached_tokens``) and cached now (``cache_write_tokens``):
    they have prices of their own."""
    refusal: bool = False
    model: str = ""
    model_rev: str = ""
    """The provider's system fingerprint, or the model's revision."""
    index_hash: str = ""
    kind: str = ""
    """Which shape was recognised: ``openai.chat``, ``anthropic.messages``, ``json``, ``text``, ..."""
    incomplete: Literal["", "cut", "error"] = ""
    """Whether the answer would have gone on: it was cut, or broke off with an error. An answer that ran into its length
    limit says so in ``finish_reason``."""
    note: str = ""
    """Why the text is empty or not whole (cut stream, error in mid-stream, unknown type); empty when all is well."""


class GroupReading(msgspec.Struct, frozen=True, kw_only=True):
    """What an exchange says of its paraphrase group: the requests before it that asked the same."""

    number: int
    """The group. Numbers are never given twice within the life of a groups' file."""
    seen: int
    """How many requests the group has taken, this one included: from 2 on an answer can flip."""
    prod: StateName
    """λ of prod's answer among prod's answers to this group."""
    shadow: StateName
    """λ of the shadow's answer among the shadow's answers to this group."""
    prod_flip: bool = False
    """Whether prod's state differs from its state at the group's request before."""
    flip: bool = False
    """Whether the shadow's does."""
    trend: StateName = ""
    """λ of the group's series of ΔS, prod against the shadow, at this exchange; empty for the first."""


class StructureDifference(msgspec.Struct, frozen=True, array_like=True):
    """One kind of JSON pointer at which two JSON answers differ, with its first example."""

    path: str
    """JSON pointer (RFC 6901)."""
    shape: str
    """The path with ``*`` for every position in an array: what noise is learnt by."""
    kind: Literal["type", "value", "missing", "extra"]
    a: str
    """Prod's value as JSON, cut; empty when it is not there."""
    b: str
    """The shadow's."""


class JudgeVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a language model said of a pair, blind to which answer is whose."""

    verdict: Literal["same", "prod_better", "shadow_better", "different", "inconsistent"]
    """``different``: not the same, and neither is better. ``inconsistent``: the other order gave another verdict."""
    why: str = ""
    model: str = ""
    """As configured, with the revision that answered."""


Unread: TypeAlias = Literal["", "language", "cut", "too long"]
"""Why facts were not looked at, or in part only: the answers' language is not known or not one, an answer is cut, or it
is longer than is read; empty when they were."""


ToolAgreement: TypeAlias = Literal["", "same", "arguments", "others", "missing", "extra"]
"""How the tool calls of two answers agree: the same calls; the same tools with other arguments; other tools; only
prod's answer calls; only the shadow's does. Empty when neither calls one."""


Collapse: TypeAlias = Literal["", "empty", "refused", "cut", "error"]
"""How an answer collapsed; empty when it did not."""


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """How prod's and the shadow's answers compare. ``None`` where a score does not apply."""

    delta_s: float | None = None
    anchored: float | None = None
    fact_flip: bool = False
    missing: float | None = None
    """Share of prod's sentences, and of values in the others, that the shadow's answer does not say, in [0, 1]."""
    extra: float | None = None
    """Share of the shadow's sentences that prod's answer does not say."""
    unread: Unread = ""
    embedder: str = ""
    """Name and revision: scores of different embedders are never averaged."""
    citation_match: float | None = None
    """Share of prod's citations that the shadow has too, in [0, 1]; ``None`` when neither cites."""
    prod_citation_match: float | None = None
    """Share of the shadow's citations that prod has too; ``None`` when neither cites, or when it is not known."""
    index_agrees: bool | None = None
    state: StateName = ""
    """The pair's λ reading; empty when not scored."""
    group: GroupReading | None = None
    """``None`` when the request has no text to group by, or groups are switched off."""
    differences: tuple[StructureDifference, ...] | None = None
    """Where two JSON answers differ, once for each shape of path; ``None`` when they are not JSON."""
    judge: JudgeVerdict | None = None
    """Given later than the other scores, and to few pairs."""
    tokens: int | None = None
    """What the shadow's answer used by its own usage fields, in and out; ``None`` unless both answers say."""
    prod_tokens: int | None = None
    """What prod's did."""
    cost: float | None = None
    """What the shadow's tokens cost by ``[prices]``; ``None`` unless both answers' models have a price."""
    prod_cost: float | None = None
    """What prod's did."""
    cache_served: bool = False
    """Whether a cache served either answer, or a part of its input: such costs are not like for like."""
    coverage: float | None = None
    """Share of the sections which prod retrieved that the shadow retrieved too, by their tokens where those are known;
    ``None`` where prod's answer carries no retrieval."""
    prod_coverage: float | None = None
    """The same of the shadow's sections that prod retrieved too; ``None`` where the shadow's answer carries no
    retrieval, or when it is not known."""
    retrieved: float | None = None
    """ΔS of the question and what the shadow retrieved; ``None`` where its answer carries no retrieved text."""
    prod_retrieved: float | None = None
    """ΔS of the question and what prod retrieved."""
    tools: ToolAgreement = ""
    prod_strange_calls: int | None = None
    """Tool calls of prod's answer that the shadow asked for in none of its own, and that were not made before in the
    conversation; ``None`` when that is not known."""
    note: str = ""
    """Why there is no score."""
    collapse: Collapse = ""
    """How the shadow's answer collapsed."""
    prod_collapse: Collapse = ""
    """How prod's did."""

    @property
    def band(self) -> str:
        """``fact_flip``, the band of ΔS, or ``unscored``: what a reader wants examples of."""
        if self.fact_flip:
            return "fact_flip"
        return "unscored" if self.delta_s is None or math.isnan(self.delta_s) else band(self.delta_s)


Mark: TypeAlias = Literal["", "fine", "wrong"]
"""What a person said of a pair; empty: nobody looked."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange with one shadow's outcome and the scores: one row of the store."""

    copy: Copy
    outcome: Outcome
    scores: Scores = Scores()
    prod_text: str = ""
    shadow_text: str = ""
    model_rev: str = ""
    index_hash: str = ""
    prod_index_hash: str = ""
    prod_model: str = ""
    """The model that prod's answer names."""
    model: str = ""
    """The model that the shadow's answer names."""
    finish: str = ""
    """Why the shadow's answer ended, in its own word; empty when it does not say."""
    prod_finish: str = ""
    """Why prod's did."""
    pins: dict[str, str] = {}
    """What the pins of ``[pins]`` read, by name; those that nobody sent are left out."""
    rate_limit: dict[str, str] = {}
    """The shadow's rate-limit headers, by lower-case name."""
    mark: Mark = ""


class ShadowCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one shadow, kept in the same transaction as the rows that they count."""

    answered: int = 0
    failed: dict[str, int] = {}
