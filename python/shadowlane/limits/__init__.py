"""What a provider allows, and what may be spent: the worker's reasons to send less.

Pure classes over an injected clock (``now`` in seconds, monotonic unless said otherwise): nothing here sleeps, sends or
logs. A refusal is a value, never an exception.
"""

from __future__ import annotations

from .aimd import Aimd
from .allowance import Allowance
from .breaker import Breaker
from .budget import Budget, BudgetLimits, Price
from .dates import parse_retry_after
from .headers import RateLimit, parse_rate_limit, rate_limit_headers, retry_after_s
from .lane import LaneLimits, Throttle
from .prices import Prices
from .quota import ProdQuota
from .retry import Retry
from .shadow import Permit, ShadowLimits
from .window import Window

__all__ = [
    "Aimd",
    "Allowance",
    "Breaker",
    "Budget",
    "BudgetLimits",
    "LaneLimits",
    "Permit",
    "Price",
    "Prices",
    "ProdQuota",
    "RateLimit",
    "Retry",
    "ShadowLimits",
    "Throttle",
    "Window",
    "parse_rate_limit",
    "parse_retry_after",
    "rate_limit_headers",
    "retry_after_s",
]
