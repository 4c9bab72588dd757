"""The table of columns of ``pairs``, and of what ``bodies`` holds: for each its name, what is written, and where it is
read to.

To add a column: a step in :mod:`.schema`, a line in :data:`PAIR_TABLE` here, and the field's drawing in
``tests/unit/store/pairs.py``. No position is counted anywhere: rows are written and read in the order of the table.

Invariant: every field of the records of a :class:`~shadowlane.types.Pair` is filled by exactly one column, except
:data:`NOT_STORED`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from ..types import (
    STRANGE_CALLS,
    GroupReading,
    Headers,
    JudgeVerdict,
    Outcome,
    Pair,
    StructureDifference,
    StubbedCall,
)

__all__ = ["BODY_TABLE", "NOT_STORED", "PAIR_TABLE", "Column", "judge_values", "writer"]

NOT_STORED = frozenset({"copy.ring", "copy.seq", "copy.traceparent"})
"""Where a copy lay in its ring, and where its request belongs in prod's traces: needed until it is a row."""

_MAX_INT = (1 << 63) - 1

Records = dict[str, dict[str, Any]]
"""What a pair is built from: for each record (``copy``, ``outcome``, ``scores``, ``group``, ``judge``, ``pair``) its
fields."""


class Column(NamedTuple):
    """One column. ``fills`` are the fields that :attr:`read` sets, as ``record.field``."""

    name: str
    write: Callable[[Pair], Any]
    """Its value for a pair, of a type that SQLite keeps."""
    read: Callable[[Records, Any], None]
    """Sets its fields from such a value."""
    fills: tuple[str, ...]
    source: str = ""
    """The attribute of a pair that :attr:`write` makes its value of; empty where it takes more than one."""
    made: Callable[[Any], Any] | None = None
    """What it makes of that; ``None`` where the attribute is the value."""


def writer(table: Sequence[Column]) -> Callable[[Pair], list[Any]]:
    """What every column of a table writes of a pair, in one call: at a third of the time of asking each."""
    fetch = attrgetter(*(column.source or "copy" for column in table))
    made_of = [(at, column.made) for at, column in enumerate(table) if column.source and column.made is not None]
    # Nearly all texts are ASCII and all numbers small: one look at all of them is as good as one at each.
    texts = [at for at, made in made_of if made is _text]
    numbers = [at for at, made in made_of if made is _int]
    changed = [(at, made) for at, made in made_of if made not in (_text, _int)]
    others = [(at, column.write) for at, column in enumerate(table) if not column.source]

    def written(pair: Pair) -> list[Any]:
        values = list(fetch(pair))
        if not "".join([values[at] for at in texts]).isascii():
            for at in texts:
                values[at] = _text(values[at])
        if max([values[at] for at in numbers], default=0) > _MAX_INT:
            for at in numbers:
                values[at] = _int(values[at])
        for at, made in changed:
            values[at] = made(values[at])
        for at, write in others:
            values[at] = write(pair)
        return values

    return written


def _column(
    name: str,
    source: str,
    made: Callable[[Any], Any] | None,
    read: Callable[[Records, Any], None],
    fills: tuple[str, ...],
) -> Column:
    """A column whose value is made of one attribute of a pair."""
    fetch = attrgetter(source)
    write = fetch if made is None else lambda pair: made(fetch(pair))
    return Column(name, write, read, fills, source, made)


def _same(value: Any) -> Any:
    return value


def _text(value: str) -> str:
    """SQLite refuses lone surrogates; one odd byte in a path must not cost the row."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _int(value: int) -> int:
    return min(value, _MAX_INT)


def _some_int(value: int | None) -> int | None:
    return None if value is None else _int(value)


def _real(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _optional_bool(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _optional_int(value: bool | None) -> int | None:
    return None if value is None else int(value)


def _record(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _json(value: dict[str, Any]) -> str:
    if not value:
        return "{}"
    return _record({_text(k): _text(v) if isinstance(v, str) else v for k, v in value.items()})


def _counts(value: str) -> dict[str, int]:
    return msgspec.json.decode(value, type=dict[str, int])


def _texts(value: str) -> dict[str, str]:
    return msgspec.json.decode(value, type=dict[str, str])


def _field(
    name: str, path: str, write: Callable[[Any], Any] | None = None, read: Callable[[Any], Any] = _same
) -> Column:
    """A column of one field; ``path`` is ``record.field``. ``pair`` is the record of a pair's own fields."""
    record, _, field = path.partition(".")

    def taken(records: Records, value: Any) -> None:
        records[record][field] = read(value)

    return _column(name, path.removeprefix("pair."), write, taken, (path,))


def _grouped(
    name: str, field: str, absent: Any, write: Callable[[Any], Any] = _same, read: Callable[[Any], Any] = _same
) -> Column:
    """A column of a field of the group's reading, and what stands there when there is none."""

    fetch = attrgetter(field)

    def made(group: GroupReading | None) -> Any:
        return absent if group is None else write(fetch(group))

    def taken(records: Records, value: Any) -> None:
        records["group"][field] = read(value)

    return _column(name, "scores.group", made, taken, (f"group.{field}",))


def judge_values(judge: JudgeVerdict | None) -> tuple[str, str, str]:
    """The values of ``judge``, ``judge_why`` and ``judge_model``."""
    return ("", "", "") if judge is None else (judge.verdict, _text(judge.why), _text(judge.model))


def _judged(name: str, field: str, position: int) -> Column:
    def made(judge: JudgeVerdict | None) -> str:
        return "" if judge is None else judge_values(judge)[position]

    def taken(records: Records, value: str) -> None:
        records["judge"][field] = value

    return _column(name, "scores.judge", made, taken, (f"judge.{field}",))


def _write_differences(found: tuple[StructureDifference, ...] | None) -> str | None:
    if found is None:
        return None
    return _record([[_text(value) for value in msgspec.structs.astuple(one)] for one in found])


def _read_differences(value: str | None) -> tuple[StructureDifference, ...] | None:
    return None if value is None else msgspec.json.decode(value, type=tuple[StructureDifference, ...])


def _write_normalised(pair: Pair) -> str:
    if not (pair.copy.normalised or pair.outcome.normalised):
        return _NOT_NORMALISED
    return _record({"copy": pair.copy.normalised, "shadow": pair.outcome.normalised})


_NOT_NORMALISED = _record({"copy": (), "shadow": ()})


def _read_normalised(records: Records, value: str) -> None:
    changes = msgspec.json.decode(value, type=dict[str, tuple[str, ...]])
    records["copy"]["normalised"] = changes.get("copy", ())
    records["outcome"]["normalised"] = changes.get("shadow", ())


class _Stubs(msgspec.Struct, frozen=True, omit_defaults=True):
    """The fields of an outcome that stubbed tool calls fill; empty for nearly all, so they share a column."""

    round_ns: tuple[int, ...] = ()
    usage: dict[str, int] = {}
    calls: tuple[StubbedCall, ...] = ()
    findings: dict[str, int] = {}


def _write_stubs(outcome: Outcome) -> str:
    if not (outcome.round_ns or outcome.usage or outcome.calls or outcome.findings):
        return "{}"
    calls = tuple(
        msgspec.structs.replace(call, name=_text(call.name), arguments=_text(call.arguments)) for call in outcome.calls
    )
    return _record(_Stubs(outcome.round_ns, outcome.usage, calls, outcome.findings))


def _read_stubs(records: Records, value: str) -> None:
    records["outcome"].update(msgspec.structs.asdict(msgspec.json.decode(value, type=_Stubs)))


def _nothing(_records: Records, _value: Any) -> None:
    """For a column that only repeats what another one holds, so that SQL can count it."""


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "replace")


def _write_headers(headers: Headers) -> bytes:
    return msgspec.json.encode([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])


def _read_headers(value: bytes) -> Headers:
    pairs = msgspec.json.decode(value, type=list[tuple[str, str]])
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)


PAIR_TABLE: tuple[Column, ...] = (
    _field("shadow_id", "copy.shadow_id", _text),
    _field("shadow", "outcome.shadow", _text),
    _field("req_hash", "copy.req_hash", _text),
    _field("started_ns", "copy.started_ns", _int),
    _field("method", "copy.method", _text),
    _field("target", "copy.target", _text),
    _field("prod_status", "copy.status", _int),
    _field("prod_ttfb_ns", "copy.ttfb_ns", _int),
    _field("prod_ns", "copy.duration_ns", _int),
    _field("flags", "copy.flags", _int),
    _field("blocked", "copy.blocked", _text),
    _field("findings", "copy.findings", _json, _counts),
    _field("reason", "outcome.reason", _text),
    _field("detail", "outcome.detail", _text),
    _field("status", "outcome.status", _int),
    _field("shadow_started_ns", "outcome.started_ns", _int),
    _field("shadow_ttfb_ns", "outcome.ttfb_ns", _int),
    _field("shadow_ns", "outcome.duration_ns", _int),
    _field("delta_s", "scores.delta_s", _real),
    _field("anchored", "scores.anchored", _real),
    _field("fact_flip", "scores.fact_flip", int, bool),
    _field("embedder", "scores.embedder", _text),
    _field("citation_match", "scores.citation_match", _real),
    _field("index_agrees", "scores.index_agrees", _optional_int, _optional_bool),
    _field("state", "scores.state"),
    _field("note", "scores.note", _text),
    _field("model_rev", "pair.model_rev", _text),
    _field("index_hash", "pair.index_hash", _text),
    _field("prod_index_hash", "pair.prod_index_hash", _text),
    _field("rate_limit", "pair.rate_limit", _json, _texts),
    _grouped("group_id", "number", None, _int),
    _grouped("group_seen", "seen", None, _int),
    _grouped("prod_lambda", "prod", ""),
    _grouped("shadow_lambda", "shadow", ""),
    _grouped("prod_flip", "prod_flip", 0, int, bool),
    _grouped("lambda_flip", "flip", 0, int, bool),
    _grouped("trend", "trend", ""),
    _field("differences", "scores.differences", _write_differences, _read_differences),
    _judged("judge", "verdict", 0),
    _judged("judge_why", "why", 1),
    _judged("judge_model", "model", 2),
    _field("why", "copy.why", _text),
    _field("preset", "copy.preset", _text),
    Column("normalised", _write_normalised, _read_normalised, ("copy.normalised", "outcome.normalised")),
    _column(
        "stubs",
        "outcome",
        _write_stubs,
        _read_stubs,
        ("outcome.round_ns", "outcome.usage", "outcome.calls", "outcome.findings"),
    ),
    _column("strange_calls", "outcome.findings", lambda found: found.get(STRANGE_CALLS, 0), _nothing, ()),
    _field("rounds", "outcome.rounds"),
    _field("tokens", "outcome.tokens", _int),
    _field("money", "outcome.money", float),
    _field("tenant", "copy.tenant", _text),
    _field("missing", "scores.missing", _real),
    _field("extra", "scores.extra", _real),
    _field("unread", "scores.unread"),
    _field("collapse", "scores.collapse"),
    _field("prod_collapse", "scores.prod_collapse"),
    _field("waited_ns", "outcome.waited_ns", _int),
    _field("tries", "outcome.tries"),
    _field("answer_tokens", "scores.tokens", _some_int),
    _field("prod_tokens", "scores.prod_tokens", _some_int),
    _field("answer_cost", "scores.cost", _real),
    _field("prod_cost", "scores.prod_cost", _real),
    _field("cache_served", "scores.cache_served", int, bool),
    _field("coverage", "scores.coverage", _real),
    _field("retrieved", "scores.retrieved", _real),
    _field("prod_retrieved", "scores.prod_retrieved", _real),
    _field("prod_model", "pair.prod_model", _text),
    _field("model", "pair.model", _text),
    _field("finish", "pair.finish", _text),
    _field("prod_finish", "pair.prod_finish", _text),
    _field("tools", "scores.tools"),
    _field("pins", "pair.pins", _json, _texts),
    _field("mark", "pair.mark"),
    _field("prod_citation_match", "scores.prod_citation_match", _real),
    _field("prod_coverage", "scores.prod_coverage", _real),
    _field("prod_strange_calls", "scores.prod_strange_calls", _some_int),
)
"""The columns of ``pairs``, but for ``id`` and ``stored_ns``, which are the row's own."""

BODY_TABLE: tuple[Column, ...] = (
    _field("request_headers", "copy.headers", _write_headers, _read_headers),
    _field("request_body", "copy.body"),
    _field("prod_headers", "copy.response_headers", _write_headers, _read_headers),
    _field("prod_body", "copy.response_body"),
    _field("shadow_headers", "outcome.headers", _write_headers, _read_headers),
    _field("shadow_body", "outcome.body"),
    _field("prod_text", "pair.prod_text", _bytes, bytes.decode),
    _field("shadow_text", "pair.shadow_text", _bytes, bytes.decode),
)
"""What ``bodies`` holds of a row, as bytes: packed as one in its column ``packed`` (:mod:`.packed`), in this order. A
row of an earlier release has each in a column of its own, compressed."""
