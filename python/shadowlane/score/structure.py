"""Where two JSON answers differ.

Invariants: :func:`structural_difference` of a value with itself is empty, and swapping the sides swaps ``missing`` and
``extra`` and nothing else. Paths are JSON pointers (RFC 6901); in patterns, ``*`` stands for one step, ``**`` for any
number of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from ..errors import DataError
from ..providers.reading.jsonlike import canonical, parse_json

__all__ = ["Difference", "Kind", "structural_difference"]

Kind = Literal["type", "value", "missing", "extra"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One JSON pointer at which two JSON values differ."""

    path: str
    """JSON pointer. An item matched by its key has the step ``name=value`` instead of its position."""
    kind: Kind
    """``type``: another JSON type. ``value``: another value. ``missing``: only ``a`` has it. ``extra``: only ``b``."""
    a: Any
    b: Any
    shape: str = ""
    """The path with ``*`` for every position in an array: what noise is learnt by."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A pair of values still to compare. Steps are unescaped; ``shape`` has ``*`` for array positions."""

    steps: tuple[str, ...]
    shape: tuple[str, ...]
    a: Any
    b: Any


class _Absent:
    """Stands for "not there", which ``null`` is not."""


_ABSENT = _Absent()


def structural_difference(
    a: bytes | Any,
    b: bytes | Any,
    *,
    ignore: Sequence[str] = (),
    float_tolerance: float = 1e-6,
    time_tolerance_s: float = 0.0,
    unordered: Mapping[str, str] | None = None,
) -> list[Difference]:
    """Where ``b`` differs from ``a``, in document order; bytes are parsed as JSON, other values taken as is.

    ``ignore``: patterns of paths left out with all below them (``"/id"``, ``"/items/*/created"``, ``"/**/trace_id"``).
    ``float_tolerance``: numbers x, y of which one is not whole are equal when |x − y| ≤ tolerance · max(1, |x|, |y|);
    whole numbers must be equal. ``time_tolerance_s``: two RFC 3339 timestamps are equal when they are at most that many
    seconds apart, whatever their offsets. ``unordered``: pattern of an array → the field that identifies its items
    (``{"/items": "id"}``), or ``""`` to match equal items wherever they stand. In other arrays an equal beginning and
    an equal end are matched first, the rest by position.

    Raises :class:`~shadowlane.errors.DataError` for bytes that are no JSON and for patterns that are no pointers.
    """
    for pattern in (*ignore, *(unordered or {})):
        if pattern and not pattern.startswith("/"):
            raise DataError(f"path pattern {pattern!r} must begin with '/', like '/items/*/id'")
    walker = _Walker(
        [_compiled(pattern) for pattern in ignore],
        [(_compiled(pattern), field) for pattern, field in (unordered or {}).items()],
        float_tolerance,
        time_tolerance_s,
    )
    return list(walker.walk(_Node((), (), _parsed(a, "a"), _parsed(b, "b"))))


def _parsed(value: Any, side: str) -> Any:
    if not isinstance(value, (bytes, bytearray)):
        return value
    parsed, why = parse_json(bytes(value))
    if why:
        raise DataError(f"side {side} cannot be compared by structure: {why}")
    return parsed


def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern as an expression over a pointer, with what lies below."""
    steps = {"*": r"/[^/]*", "**": r"(?:/[^/]*)*"}
    parts = (steps.get(step, "/" + re.escape(step)) for step in pattern.split("/")[1:])
    return re.compile("".join(parts))


def _pointer(steps: Iterable[str]) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


class _Walker:
    """Compares without recursion, so that no depth of nesting can exhaust the stack."""

    def __init__(
        self,
        ignore: list[re.Pattern[str]],
        unordered: list[tuple[re.Pattern[str], str]],
        float_tolerance: float,
        time_tolerance_s: float,
    ) -> None:
        self._ignore = ignore
        self._unordered = unordered
        self._float_tolerance = float_tolerance
        self._time_tolerance = timedelta(seconds=time_tolerance_s)

    def walk(self, start: _Node, *, probing: bool = False) -> Iterator[Difference]:
        """The differences in document order. ``probing`` asks only whether there is one.

        A probe takes arrays of different lengths as different at once. It is how items are aligned, and would else
        align inside alignments, at a cost that doubles with each level of nesting.
        """
        todo = [start]
        while todo:
            node = todo.pop()
            path = _pointer(node.steps)
            if any(pattern.fullmatch(path) for pattern in self._ignore):
                continue
            kind = self._kind(node.a, node.b)
            if probing and kind is None and isinstance(node.a, list) and len(node.a) != len(node.b):
                kind = "value"
            if kind is not None:
                shown_a = None if node.a is _ABSENT else node.a
                shown_b = None if node.b is _ABSENT else node.b
                yield Difference(path, kind, shown_a, shown_b, _pointer(node.shape))
            elif isinstance(node.a, dict):
                todo.extend(reversed(list(self._members(node))))
            elif isinstance(node.a, list):
                todo.extend(reversed(list(self._items(node, path))))

    def _kind(self, a: Any, b: Any) -> Kind | None:
        """How two values differ themselves; ``None`` when they are equal or of one container type."""
        if a is _ABSENT:
            return "extra"
        if b is _ABSENT:
            return "missing"
        type_a, type_b = _type(a), _type(b)
        if type_a != type_b:
            return "type"
        if type_a in ("object", "array") or self._equal(type_a, a, b):
            return None
        return "value"

    def _equal(self, kind: str, a: Any, b: Any) -> bool:
        if kind == "number":
            return self._equal_numbers(a, b)
        if a == b:
            return True
        if kind == "string":
            time_a, time_b = _time(a), _time(b)
            if time_a is not None and time_b is not None and _offset_known(time_a) == _offset_known(time_b):
                return abs(time_a - time_b) <= self._time_tolerance
        return False

    def _equal_numbers(self, a: int | float, b: int | float) -> bool:
        if a == b or (a != a and b != b):
            return True
        if isinstance(a, int) and isinstance(b, int):
            return False
        try:
            return math.isclose(a, b, rel_tol=self._float_tolerance, abs_tol=self._float_tolerance)
        except OverflowError:
            return False

    def _members(self, node: _Node) -> Iterator[_Node]:
        for name in [*node.a, *(name for name in node.b if name not in node.a)]:
            step = str(name)
            yield _Node(
                (*node.steps, step),
                (*node.shape, step),
                node.a.get(name, _ABSENT),
                node.b.get(name, _ABSENT),
            )

    def _items(self, node: _Node, path: str) -> Iterator[_Node]:
        field = next((field for pattern, field in self._unordered if pattern.fullmatch(path)), None)
        if field is None:
            pairs = self._aligned(node)
        elif field:
            pairs = _by_key(node.a, node.b, field)
        else:
            pairs = _by_value(node.a, node.b)
        for step, a, b in pairs:
            yield _Node((*node.steps, step), (*node.shape, "*"), a, b)

    def _aligned(self, node: _Node) -> Iterator[tuple[str, Any, Any]]:
        """By position; when one side has more items, those are where the sides stop being equal from both ends."""
        a, b = node.a, node.b
        short = min(len(a), len(b))
        start = tail = 0
        if len(a) != len(b):
            while start < short and self._same(node, start, a[start], b[start]):
                start += 1
            while tail < short - start and self._same(node, len(a) - 1 - tail, a[-1 - tail], b[-1 - tail]):
                tail += 1
        for at in range(start, max(len(a), len(b)) - tail):
            yield (
                str(at),
                a[at] if at < len(a) - tail else _ABSENT,
                b[at] if at < len(b) - tail else _ABSENT,
            )

    def _same(self, node: _Node, at: int, a: Any, b: Any) -> bool:
        item = _Node((*node.steps, str(at)), (*node.shape, "*"), a, b)
        return next(self.walk(item, probing=True), None) is None


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return "null" if value is None else type(value).__name__


def _by_key(a: list[Any], b: list[Any], field: str) -> Iterator[tuple[str, Any, Any]]:
    """Items matched by a field; those without it, and repeats of a key, by their turn."""
    groups_a, groups_b = _grouped(a, field), _grouped(b, field)
    for key in [*groups_a, *(key for key in groups_b if key not in groups_a)]:
        items_a, items_b = groups_a.get(key, []), groups_b.get(key, [])
        for turn in range(max(len(items_a), len(items_b))):
            step = f"{field}={key}" if turn == 0 else f"{field}={key}#{turn + 1}"
            yield (
                step,
                items_a[turn] if turn < len(items_a) else _ABSENT,
                items_b[turn] if turn < len(items_b) else _ABSENT,
            )


def _grouped(items: list[Any], field: str) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        key = item.get(field, _ABSENT) if isinstance(item, dict) else _ABSENT
        name = "?" if key is _ABSENT else key if isinstance(key, str) else canonical(key)
        groups.setdefault(name, []).append(item)
    return groups


def _by_value(a: list[Any], b: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Equal items cancel out; what is left on each side is missing or extra."""
    left: dict[str, list[int]] = {}
    for at, item in enumerate(b):
        left.setdefault(canonical(item), []).append(at)
    for at, item in enumerate(a):
        positions = left.get(canonical(item))
        if positions:
            positions.pop()
        else:
            yield str(at), item, _ABSENT
    for at in sorted(at for positions in left.values() for at in positions):
        yield str(at), _ABSENT, b[at]


_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)


def _time(text: str) -> datetime | None:
    """An RFC 3339 timestamp (also without offset), to the microsecond; ``None`` when it is none."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    *whole, fraction, offset = match.groups()
    micros = int((fraction or "0").ljust(6, "0")[:6])
    zone = None
    if offset:
        sign = -1 if offset[0] == "-" else 1
        digits = "0000" if offset in "Zz" else offset[1:].replace(":", "")
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        if shift >= timedelta(hours=24):
            return None
        zone = timezone(sign * shift)
    year, month, day, hour, minute, second = (int(part) for part in whole)
    try:
        # A leap second is the last moment of its minute.
        return datetime(year, month, day, hour, minute, min(second, 59), micros, zone)
    except ValueError:
        return None


def _offset_known(value: datetime) -> bool:
    return value.tzinfo is not None
