"""What prod's and the shadow's answers used and cost, like for like.

Invariant: a pair has both sides' figures or none, so that sums over pairs compare the same requests.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..limits import Prices
from ..providers.reading.jsonlike import as_map, as_str, parse_json
from ..types import Answer, Copy, Headers, Pair, Scores, header

__all__ = ["with_usage"]

_CACHE_HEADERS = frozenset((b"x-cache", b"cf-cache-status", b"cf-aig-cache-status", b"x-litellm-cache-hit"))
_HIT = ("hit", "true")


def with_usage(pair: Pair, prod: Answer, shadow: Answer, prices: Prices) -> Scores:
    """The pair's scores with tokens, and with costs where the models of both answers have a price.

    Nothing where either answer does not say what it used, or where the shadow's took several rounds: what the rounds of
    prod's own tools cost is not known.
    """
    copy, outcome, scores = pair.copy, pair.outcome, pair.scores
    if outcome.rounds != 1 or not (prod.usage and shadow.usage):
        return scores
    model = prod.model or _asked_for(copy)
    ours, theirs = _cost(shadow.model, shadow, prices), _cost(model, prod, prices)
    if not (ours.tokens and theirs.tokens):
        return scores
    priced: dict[str, Any] = {}
    if prices.knows(model) and prices.knows(shadow.model):
        priced = {"cost": ours.money, "prod_cost": theirs.money}
    return msgspec.structs.replace(
        scores,
        tokens=int(ours.tokens),
        prod_tokens=int(theirs.tokens),
        cache_served=_from_cache(prod, copy.response_headers) or _from_cache(shadow, outcome.headers),
        **priced,
    )


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
