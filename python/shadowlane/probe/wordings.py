"""The wordings in which an item is asked: its paraphrases, the question itself where they are too few, then what a
language model at a configured endpoint says in other words.

Invariant: an item is asked in exactly ``count`` different wordings, or the run does not begin.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import msgspec

from ..errors import DataError, ShadowlaneError
from ..providers import extract_answer
from ..types import Transport
from .gold import GoldItem
from .shape import Shape

__all__ = ["ask_for_wordings", "given_wordings", "missing"]

_TRIES = 2
_PROMPT = """\
Write {count} paraphrases of the question below: other words, the same meaning, the same language. Keep every name,
number, unit and condition. Reply with a JSON array of {count} strings and nothing else.

Question: {question}"""


def given_wordings(item: GoldItem, count: int) -> list[str]:
    """The item's own wordings, at most ``count``: its paraphrases, and the question first when they are fewer."""
    texts = list(item.paraphrases) if len(item.paraphrases) >= count else [item.question, *item.paraphrases]
    return list(dict.fromkeys(text.strip() for text in texts))[:count]


def missing(items: Sequence[GoldItem], count: int) -> list[GoldItem]:
    """The items that have fewer wordings than ``count``."""
    return [item for item in items if len(given_wordings(item, count)) < count]


async def ask_for_wordings(
    transport: Transport, url: str, model: str, item: GoldItem, count: int, number: int
) -> tuple[str, ...]:
    """``count`` wordings: the given ones, and the rest from an OpenAI-compatible endpoint.

    Raises :class:`~shadowlane.errors.ShadowlaneError` when it cannot be reached and
    :class:`~shadowlane.errors.DataError` when it gives too few that differ.
    """
    have = given_wordings(item, count)
    for _ in range(_TRIES):
        wanted = count - len(have)
        prompt = _PROMPT.format(count=wanted + 1, question=item.question)
        outcome = await transport.send(Shape().request(url, prompt, 0, model, number))
        if outcome.reason or outcome.status >= 400:
            why = outcome.detail or outcome.reason or f"HTTP {outcome.status}"
            raise ShadowlaneError(f"--paraphrase-url = {url!r}: no paraphrases for {item.id!r}: {why}")
        text = extract_answer("application/json", outcome.body).text
        seen = {_plain(wording) for wording in have}
        for wording in _strings(text):
            if len(have) < count and _plain(wording) not in seen:
                seen.add(_plain(wording))
                have.append(wording)
        if len(have) == count:
            return tuple(have)
    raise DataError(
        f"--paraphrase-url = {url!r}: gave too few different paraphrases of {item.id!r}: {len(have)} of {count}; write "
        "them into the gold file"
    )


def _strings(text: str) -> list[str]:
    """The first JSON array of texts in a reply; models put it into a fence, or talk around it."""
    decoder = json.JSONDecoder()
    for bracket in re.finditer(r"\[", text):
        try:
            value, _ = decoder.raw_decode(text, bracket.start())
        except (ValueError, RecursionError):
            continue
        try:
            return [one.strip() for one in msgspec.convert(value, list[str]) if one.strip()]
        except msgspec.ValidationError:
            continue
    return []


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
