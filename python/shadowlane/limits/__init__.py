"""What a provider allows, and what may be spent: the worker's reasons to send less.

Pure classes over an injected clock (``now`` in seconds, monotonic unless said otherwise): nothing here sleeps, sends or
logs. A refusal is a value, never an exception.
"""

from __future__ import annotations

from .aimd import Aimd
from .breaker import Breaker
from .budget import Budget, BudgetLimits, Price
from .headers import RateLimit, parse_rate_limit, retry_after_s
from .quota import ProdQuota
from .times import parse_retry_after

__all__ = [
    "Aimd",
    "Breaker",
    "Budget",
    "BudgetLimits",
    "Price",
    "ProdQuota",
    "RateLimit",
    "parse_rate_limit",
    "parse_retry_after",
    "retry_after_s",
]
