"""The gold file: one JSON object a line, each a question that both services are asked.

Invariant: an item that is read is complete and its id is unique; what is wrong is said with the file's line, all of it
at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from ..errors import DataError

__all__ = ["GoldItem", "read_gold"]

_SHOWN = 20
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]


class GoldItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line: ``{"question": ..., "id": ..., "paraphrases": [...], "sections": [...]}``; the question must be."""

    question: _Text
    id: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """Empty: ``line-N``."""
    paraphrases: tuple[_Text, ...] = ()
    """Other wordings of the question."""
    sections: tuple[_Text, ...] = ()
    """Sections that a good answer cites: a citation's ``section_id``, or its source's URL."""


def read_gold(path: str | os.PathLike[str]) -> tuple[list[GoldItem], bytes]:
    """The items in the file's order, and the file's bytes.

    Blank lines are skipped. Raises :class:`~shadowlane.errors.DataError`, which names every line that is wrong, what is
    wrong with it, and the remedy.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: the gold file cannot be read: {error.strerror}") from None
    items: list[GoldItem] = []
    wrong: list[str] = []
    lines: dict[str, int] = {}
    decoder = msgspec.json.Decoder(GoldItem)
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not line.strip():
            continue
        try:
            item = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            wrong.append(f"{file}:{number}: {_readable(error)}")
            continue
        name = item.id or f"line-{number}"
        if blank := _blank(item):
            wrong.append(f"{file}:{number}: {blank} is blank; write the text, or remove it")
        elif name in lines:
            wrong.append(f"{file}:{number}: id = {name!r} is the id of line {lines[name]} too; give each its own")
        lines.setdefault(name, number)
        items.append(msgspec.structs.replace(item, id=name))
    if wrong:
        more = [f"and {len(wrong) - _SHOWN} lines more"] if len(wrong) > _SHOWN else []
        raise DataError("\n".join([*wrong[:_SHOWN], *more]))
    if not items:
        raise DataError(f'{file}: no item in it; write lines like {{"question": "...", "paraphrases": ["...", "..."]}}')
    return items, data


def _blank(item: GoldItem) -> str:
    texts: Sequence[tuple[str, str]] = [
        ("question", item.question),
        *((f"paraphrases[{index}]", text) for index, text in enumerate(item.paraphrases)),
        *((f"sections[{index}]", text) for index, text in enumerate(item.sections)),
    ]
    return next((name for name, text in texts if not text.strip()), "")


def _readable(error: Exception) -> str:
    text, _, where = str(error).partition(" - at `$")
    field = where.rstrip("`").lstrip(".")
    if isinstance(error, msgspec.ValidationError):
        remedy = (
            'the fields are question, id, paraphrases and sections, like {"question": "...", "paraphrases": ["..."]}'
        )
        return f"{field + ': ' if field else ''}{text[:1].lower()}{text[1:]}; {remedy}"
    return f"not a JSON object: {text}; write one object a line, without line breaks in it"
