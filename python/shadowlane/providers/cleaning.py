"""The one way from sanitized bodies to what is stored, embedded, judged or shown of them: read, and redacted once more.

Bodies are sanitized before anything in Python sees them. But a reader puts texts together (the events of a stream, the
parts of a message, the turns of a conversation), and what stands in none of the pieces may stand in the whole. So every
text that is read out of a body goes through :func:`clean`, by the rules that :func:`use_rules` sets for this process.

Invariant: :func:`read_answer` cleans every text of an :class:`~shadowlane.types.Answer` by its type and not by its
name, so that no new field skips it; :mod:`.question` cleans what it gives. A test holds the rooms above to these. What
cannot be cleaned is an error, never an empty text: that would pass for an answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from .. import _core
from ..types import Answer, Headers, header
from .answers import extract_answer
from .compiled import compiled_answer

__all__ = ["Clean", "clean", "cleaned", "detects", "read_answer", "use_rules"]

Clean = Callable[[str], str]
"""``clean(text)``: the text with every value masked, see ``Sanitizer.again``."""
CleanAll = Callable[[Sequence[str]], list[str]]
"""The same of many texts at once, for what is slow to call."""
T = TypeVar("T")


class _Rules:
    clean: Clean | None = None
    clean_all: CleanAll | None = None
    core: _core.Sanitizer | None = None


@lru_cache(maxsize=1)
def _built_in() -> _core.Sanitizer:
    return _core.Sanitizer()


def use_rules(clean: Clean | None, clean_all: CleanAll | None = None, *, core: _core.Sanitizer | None = None) -> None:
    """Read by these rules from now on, in all of the process; ``None``: by the built-in ones.

    ``clean_all`` is called once for all texts of an answer, where it is given. ``core``: whose ``again`` ``clean`` is,
    so that answers are cleaned where they are read.
    """
    _Rules.clean, _Rules.clean_all, _Rules.core = clean, clean_all, core


def detects() -> bool:
    """Whether a detector of the user's is among the rules: it may fail on a text, and then nobody has looked at it."""
    return _Rules.clean_all is not None


def clean(text: str) -> str:
    """A text that was put together from sanitized pieces, redacted once more.

    Raises :class:`~shadowlane.errors.DetectorError` when the user's detector cannot look at it, as do all that clean.
    """
    # No value is shorter; most fields of an answer are empty.
    return text if len(text) < _SHORTEST else (_Rules.clean or _built_in().again)(text)


_SHORTEST = 6


def cleaned(value: T) -> T:
    """A record, list or dict with every text in it cleaned, at any depth; names of members stay."""
    found: list[str] = []
    _gather(value, found)
    if not found:
        return value
    texts = list(dict.fromkeys(found))
    one_by_one = _Rules.clean or _built_in().again
    clean = _Rules.clean_all(texts) if _Rules.clean_all is not None else [one_by_one(text) for text in texts]
    changed = {was: now for was, now in zip(texts, clean, strict=True) if now != was}
    return _with(value, changed) if changed else value


def _gather(value: Any, texts: list[str]) -> None:
    """Adds its texts that are long enough to hold a value."""
    inner: Iterable[Any] = ()
    if isinstance(value, str):
        inner = (value,)
    elif isinstance(value, msgspec.Struct):
        inner = msgspec.structs.astuple(value)
    elif isinstance(value, (list, tuple)):
        inner = value
    elif isinstance(value, dict):
        inner = value.values()
    for one in inner:
        if isinstance(one, str):
            if len(one) >= _SHORTEST:
                texts.append(one)
        elif one and not isinstance(one, (int, float)):  # most fields of an answer are empty
            _gather(one, texts)


def _with(value: T, changed: Mapping[str, str]) -> T:
    """The value with other texts in place of those that changed."""
    found: Any = value
    if isinstance(value, str):
        found = changed.get(value, value)
    elif isinstance(value, msgspec.Struct):
        fields = {field: getattr(value, field) for field in value.__struct_fields__}
        others = {field: now for field, was in fields.items() if (now := _with(was, changed)) is not was and now != was}
        found = msgspec.structs.replace(value, **others) if others else value
    elif isinstance(value, (list, tuple)):
        found = type(value)([_with(one, changed) for one in value]) if value else value
    elif isinstance(value, dict):
        found = {key: _with(one, changed) for key, one in value.items()} if value else value
    return found  # type: ignore[no-any-return]


def read_answer(headers: Headers, body: bytes, *, text_pointer: str = "", citations_pointer: str = "") -> Answer:
    """What a sanitized response says, see :func:`shadowlane.score.extract_answer`; every text of it cleaned."""
    content_type = header(headers, b"content-type")
    core = _built_in() if _Rules.clean is None else _Rules.core
    if core is not None and not (text_pointer or citations_pointer):
        # At half of the time. What fails in it, reading or cleaning, fails below, too, and is told apart there.
        with contextlib.suppress(Exception):
            if (read := compiled_answer(content_type.lower(), body, core, _SHORTEST)) is not None:
                return read
    answer = extract_answer(content_type, body, text_pointer=text_pointer, citations_pointer=citations_pointer)
    return cleaned(answer)
