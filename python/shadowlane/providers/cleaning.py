"""The one way from sanitized bodies to what is stored, embedded, judged or shown of them: read, and redacted once more.

Bodies are sanitized before anything in Python sees them. But a reader puts texts together (the events of a stream, the
parts of a message, the turns of a conversation), and what stands in none of the pieces may stand in the whole. So every
text that is read out of a body goes through :func:`clean`, by the rules that :func:`use_rules` sets for this process.

Invariant: :func:`read_answer` cleans every text of an :class:`~shadowlane.types.Answer` by its type and not by its
name, so that no new field skips it; :mod:`.question` cleans what it gives. A test holds the rooms above to these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from .. import _core
from ..types import Answer, Headers, header
from .answers import extract_answer

__all__ = ["Clean", "clean", "cleaned", "read_answer", "use_rules"]

Clean = Callable[[str], str]
"""``clean(text)``: the text with every value masked, see ``Sanitizer.again``."""
T = TypeVar("T")


class _Rules:
    clean: Clean | None = None


@lru_cache(maxsize=1)
def _built_in() -> Clean:
    return _core.Sanitizer().again


def use_rules(clean: Clean | None) -> None:
    """Read by these rules from now on, in all of the process; ``None``: by the built-in ones."""
    _Rules.clean = clean


def clean(text: str) -> str:
    """A text that was put together from sanitized pieces, redacted once more."""
    # No value is shorter; most fields of an answer are empty.
    return text if len(text) < _SHORTEST else (_Rules.clean or _built_in())(text)


_SHORTEST = 6


def cleaned(value: T) -> T:
    """A record, list or dict with every text in it cleaned, at any depth; names of members stay."""
    found: Any = value
    if isinstance(value, str):
        found = clean(value)
    elif isinstance(value, msgspec.Struct):
        fields = {field: getattr(value, field) for field in value.__struct_fields__}
        changed = {field: now for field, was in fields.items() if (now := cleaned(was)) is not was and now != was}
        found = msgspec.structs.replace(value, **changed) if changed else value
    elif isinstance(value, (list, tuple)):
        found = type(value)([cleaned(one) for one in value]) if value else value
    elif isinstance(value, dict):
        found = {key: cleaned(one) for key, one in value.items()} if value else value
    return found  # type: ignore[no-any-return]


def read_answer(headers: Headers, body: bytes, *, text_pointer: str = "", citations_pointer: str = "") -> Answer:
    """What a sanitized response says, see :func:`shadowlane.score.extract_answer`; every text of it cleaned."""
    content_type = header(headers, b"content-type")
    answer = extract_answer(content_type, body, text_pointer=text_pointer, citations_pointer=citations_pointer)
    return cleaned(answer)
