"""A fold (:mod:`.fold`) as bytes, and back: what it has read so far, so that another process goes on from there.

Invariants: what comes back is the same to the last bit, and goes on as the first would have; objects that several
others share are one again. Only classes of :data:`CLASSES` are made, with nothing run of theirs: a content from outside
can name no other. A value of another kind raises when it is put, so that nothing is lost unseen.
"""

from __future__ import annotations

import zlib
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .accounts import AccountFold
from .blocks import Blocks
from .change import ChangeFold, Steps
from .drift import DriftFold
from .repeats import Questions, Repeats
from .sample import PairedSample, Sample
from .sequences import Errors
from .series import RuleStreams, SeriesFold
from .stream import Stream
from .targets import SCORE_RULES, Target
from .timeline import Timeline

__all__ = ["CLASSES", "DamagedStateError", "decoded", "encoded"]

CLASSES: tuple[type, ...] = (
    AccountFold, Blocks, ChangeFold, DriftFold, Errors, PairedSample, Questions, Repeats, RuleStreams, Sample,
    SeriesFold, Steps, Stream, Timeline,
)  # fmt: skip
"""What a state consists of, beside those that are named to :func:`encoded` and :func:`decoded`."""
_TARGETS = {target.key: target for target in SCORE_RULES}
_CHECK_BYTES = 4
"""Before each content: its CRC-32 (RFC 1952, section 8), little-endian."""
_LEVEL = 1
_KINDS = frozenset(("f8", "i8", "b1", "i1", "i2", "i4"))
_NARROW = tuple(np.dtype(name) for name in ("i1", "i2", "i4"))


class DamagedStateError(Exception):
    """A content is not what :func:`encoded` made."""


def encoded(state: object, *more: type) -> bytes:
    """A fold as bytes; ``more``: its own class. Raises TypeError for a value of a kind that nobody knows."""
    tree = _Put((*CLASSES, *more)).node(state)
    content = zlib.compress(msgspec.msgpack.encode(tree), _LEVEL)
    return zlib.crc32(content).to_bytes(_CHECK_BYTES, "little") + content


def decoded(content: bytes, *more: type) -> Any:
    """What :func:`encoded` was given. Raises :class:`DamagedStateError`."""
    rest = memoryview(content)[_CHECK_BYTES:]
    if zlib.crc32(rest).to_bytes(_CHECK_BYTES, "little") != content[:_CHECK_BYTES]:
        raise DamagedStateError
    try:
        return _Taken((*CLASSES, *more)).value(msgspec.msgpack.decode(zlib.decompress(rest)))
    except (zlib.error, msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
        raise DamagedStateError from error


class _Put:
    """Values as a tree of numbers, texts, bytes and lists whose first element says what they are."""

    def __init__(self, classes: Iterable[type]) -> None:
        self._names = {one: one.__name__ for one in classes}
        self._seen: dict[int, int] = {}

    def node(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if kind is np.ndarray:
            return ["array", *_narrowed(value)]
        if kind in (list, tuple):
            return [kind.__name__, *map(self.node, value)]
        if kind is OrderedDict:
            return ["ordered", *self._ordered(value)]
        if kind in (dict, Counter):
            return [kind.__name__, *(self.node(some) for item in value.items() for some in item)]
        if isinstance(value, Target) and _TARGETS.get(value.key) is value:
            return ["target", value.key]
        if kind not in self._names:
            raise TypeError(f"{kind.__module__}.{kind.__qualname__} has no part in a state; see gate/codec.py")
        known = self._seen.get(id(value))
        if known is not None:
            return ["again", known]
        self._seen[id(value)] = len(self._seen)
        return ["object", self._names[kind], *(self.node(some) for item in _fields(value) for some in item)]

    def _ordered(self, value: OrderedDict[Any, Any]) -> list[Any]:
        """Whole numbers, each with some floats: there are many."""
        keys, values = list(value), list(value.values())
        floats = all(type(some) is tuple and all(type(one) is float for one in some) for some in values)
        if not floats or {type(key) for key in keys} - {int} or len({len(some) for some in values}) > 1:
            raise TypeError("an ordered dict in a state holds floats by whole numbers; see gate/codec.py")
        return [self.node(np.array(keys, dtype=np.int64)), self.node(np.array(values, dtype=np.float64))]


class _Taken:
    """The other way round."""

    def __init__(self, classes: Iterable[type]) -> None:
        self._classes = {one.__name__: one for one in classes}
        self._seen: list[Any] = []

    def value(self, node: Any) -> Any:
        if not isinstance(node, list):
            return node
        kind, *parts = node
        if kind == "array":
            return _widened(*parts)
        if kind == "object":
            name, *parts = parts
            made: Any = object.__new__(self._classes[name])
            self._seen.append(made)
            for field, part in zip(parts[::2], parts[1::2], strict=True):
                object.__setattr__(made, field, self.value(part))
            return made
        if kind == "again":
            return self._seen[parts[0]]
        if kind == "target":
            return _TARGETS[parts[0]]
        values = [self.value(part) for part in parts]
        if kind == "list":
            return values
        if kind == "tuple":
            return tuple(values)
        if kind == "ordered":
            keys, floats = (some.tolist() for some in values)
            return OrderedDict(zip(keys, map(tuple, floats), strict=True))
        if kind in ("dict", "Counter"):
            found = dict(zip(values[::2], values[1::2], strict=True))
            return found if kind == "dict" else Counter(found)
        raise ValueError(kind)


def _fields(value: Any) -> list[tuple[str, Any]]:
    """All that an object has; of room that is kept for more, what is in use."""
    names = [name for one in type(value).__mro__ for name in one.__dict__.get("__slots__", ())]
    found: dict[str, Any] = dict(getattr(value, "__dict__", ())) | {name: getattr(value, name) for name in names}
    if isinstance(value, Sample | Blocks):
        found |= value.in_use()
    return list(found.items())


def _narrowed(array: NDArray[Any]) -> tuple[str, list[int], bytes]:
    """Its kind, shape and bytes: as the shortest whole numbers that are the same to the last bit, where they are."""
    if array.dtype.str[1:] not in _KINDS or array.dtype.hasobject:
        raise TypeError(f"an array of {array.dtype} has no part in a state; see gate/codec.py")
    values = np.ascontiguousarray(array)
    kind = values.dtype.str[1:]
    if kind == "b1" or not values.size:
        return kind, list(values.shape), values.tobytes()
    low, high = values.min(), values.max()
    for narrow in _NARROW:
        limits = np.iinfo(narrow)
        if not (limits.min <= low and high <= limits.max):  # NaN is in no range
            continue
        whole = values.astype(narrow)
        if kind == "f8" and not np.array_equal(whole.astype(np.float64).view(np.int64), values.view(np.int64)):
            break
        return f"{kind} {narrow.str[1:]}", list(values.shape), whole.tobytes()
    return kind, list(values.shape), values.tobytes()


def _widened(kinds: str, shape: list[int], content: bytes) -> NDArray[Any]:
    kind, _, narrow = kinds.partition(" ")
    if not {kind, narrow or kind} <= _KINDS:
        raise ValueError(kinds)
    values = np.frombuffer(content, dtype=narrow or kind).reshape(shape)
    return values.astype(kind)  # an array of its own, which can be written to
