"""What prod's and the shadow's answers used and cost, like for like.

Invariant: a pair has both sides' figures or none, so that sums over pairs compare the same requests.
"""

from __future__ import annotations

from typing import Any

from ..limits import Prices
from ..providers.reading.jsonlike import as_map, as_str, parse_json
from ..types import Answer, Copy, Headers, Pair, header

__all__ = ["usage_scores"]

_CACHE_HEADERS = frozenset((b"x-cache", b"cf-cache-status", b"cf-aig-cache-status", b"x-litellm-cache-hit"))
_HIT = ("hit", "true")


def usage_scores(pair: Pair, prod: Answer, shadow: Answer, prices: Prices) -> dict[str, Any]:
    """The pair's tokens, and its costs where the models of both answers have a price, by the fields of
    :class:`~shadowlane.types.Scores`.

    Nothing where either answer does not say what it used, or where the shadow's took several rounds: what the rounds of
    prod's own tools cost is not known.
    """
    copy, outcome = pair.copy, pair.outcome
    if outcome.rounds != 1 or not (prod.usage and shadow.usage):
        return {}
    model = prod.model or _asked_for(copy)
    ours, theirs = _cost(shadow.model, shadow, prices), _cost(model, prod, prices)
    if not (ours.tokens and theirs.tokens):
        return {}
    found: dict[str, Any] = {
        "tokens": int(ours.tokens),
        "prod_tokens": int(theirs.tokens),
        "cache_served": _from_cache(prod, copy.response_headers) or _from_cache(shadow, outcome.headers),
    }
    if prices.knows(model) and prices.knows(shadow.model):
        found |= {"cost": ours.money, "prod_cost": theirs.money}
    return found


def _cost(model: str, answer: Answer, prices: Prices) -> Any:
    return prices.cost(model, {**answer.usage, **answer.cached} if answer.cached else answer.usage)


def _asked_for(copy: Copy) -> str:
    return as_str(as_map(parse_json(copy.body)[0]).get("model")) if copy.body else ""


def _from_cache(answer: Answer, headers: Headers) -> bool:
    """Whether a cache gave the answer or a part of its input: by the provider's usage, or by a header that may pass."""
    if answer.cached.get("cached_tokens", 0) > 0:
        return True
    said = {name for field, _ in headers if (name := field.lower()) in _CACHE_HEADERS}
    return bool(said) and any(header(headers, name).lower().startswith(_HIT) for name in said)
