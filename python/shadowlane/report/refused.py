"""What a shadow's refusals looked like: the newest body of each kind, as it is kept, redacted.

Invariant: bodies come out of the sanitized store alone, and are cut.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from ..providers.question import listed_question
from ..providers.refusals import kind_of
from ..render.text import cut
from .source import PairSource

__all__ = ["with_bodies"]

_NEWEST = 200
_BODY_CHARS = 600


def with_bodies(block: dict[str, Any], store: PairSource, name: str, since: int | None) -> dict[str, Any]:
    """The block of :func:`shadowlane.status.routes.routes_of` with ``body`` and ``asked`` of each refusal: of the
    newest answer of its kind among the last ones that are kept; empty where there is none."""
    wanted = {(one["status"], one["route"], kind_of(one["words"])): one for one in block["refusals"]}
    for one in block["refusals"]:
        one["body"] = one["asked"] = ""
    if not wanted:
        return block
    rows = store.iter_pairs(since, name, _NEWEST, with_bodies=True, order="refused", only_kept=True)
    with closing(rows):  # type: ignore[type-var]
        for row in rows:
            pair = row.pair
            one = wanted.get((pair.outcome.status, pair.copy.route, kind_of(pair.outcome.detail)), {})
            if one and not one["body"] and pair.outcome.body:
                one["body"] = _text(pair.outcome.body)
                one["asked"] = cut(listed_question(pair.copy), 300)
    return block


def _text(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    return cut(text, _BODY_CHARS)
