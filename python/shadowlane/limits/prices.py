"""What an answer's tokens cost, by the prices of ``[prices]``.

Invariant: usage is read under the names of OpenAI, Anthropic or our own normalised ones, and a token is counted once.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..config.limits import PriceConfig as Price

__all__ = ["Price", "Prices", "Spent"]


class Spent(msgspec.Struct, frozen=True):
    """Tokens, and money in the prices' currency."""

    tokens: float
    money: float


class Prices:
    """Prices by model: the exact name first, else the longest name that the model starts with (``gpt-4o`` for
    ``gpt-4o-2024-08-06``), else ``*``. A model without a price counts as the dearest one and is named in
    :attr:`unpriced`."""

    def __init__(self, prices: Mapping[str, Price] | None = None) -> None:
        self._prices = dict(prices or {})
        self.unpriced: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._prices)

    def knows(self, model: str) -> bool:
        """Whether a model has a price of its own, or one for any."""
        return self._named(model) is not None

    def cost(self, model: str, usage: Mapping[str, int]) -> Spent:
        """What an answer's ``usage`` is in tokens, and in money where there are prices."""
        get = usage.get
        plain = max(get("prompt_tokens", get("input_tokens", 0)), 0)
        output = max(get("completion_tokens", get("output_tokens", 0)), 0)
        write, read = max(get("cache_creation_input_tokens", 0), 0), max(get("cache_read_input_tokens", 0), 0)
        # OpenAI's lie within
        cached = min(max(get("cached_tokens", get("prompt_tokens_details.cached_tokens", 0)), 0), plain)
        cached_new = min(max(get("cache_write_tokens", 0), 0), plain - cached)  # so does this, in normalised usage
        total = max(get("total_tokens", 0), plain + output + write + read)
        if not self._prices or not total:
            return Spent(total, 0.0)
        price = self._price(model)
        cached_price = price.input if price.cached_input is None else price.cached_input
        write_price = price.input if price.cache_write is None else price.cache_write
        # Tokens that a total names and no part does are counted as the dearer kind: some services give only totals.
        rest = total - (plain + output + write + read)
        money = (
            (plain - cached - cached_new) * price.input
            + (cached + read) * cached_price
            + (write + cached_new) * write_price
            + output * price.output
            + rest * max(price.input, price.output)
        )
        return Spent(total, money / 1e6)

    def _named(self, model: str) -> Price | None:
        if model in self._prices:
            return self._prices[model]
        prefixes = [name for name in self._prices if name != "*" and model.startswith(name)]
        return self._prices[max(prefixes, key=len)] if prefixes else self._prices.get("*")

    def _price(self, model: str) -> Price:
        named = self._named(model)
        if named is None:
            self.unpriced.add(model)
            return max(self._prices.values(), key=lambda price: max(price.input, price.output))
        return named
