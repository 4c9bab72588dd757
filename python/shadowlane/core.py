"""The public parts of the compiled core: samplers, reservoirs, the rate limiter, the redactor, the request hash.

They are the very objects that a lane uses, without the lane. All are safe to share between threads.
"""

from __future__ import annotations

from ._core import (
    Finding,
    RateLimiter,
    RatioSampler,
    Redactor,
    Reservoir,
    StickySampler,
    WeightedReservoir,
    request_hash,
)

__all__ = [
    "Finding",
    "RateLimiter",
    "RatioSampler",
    "Redactor",
    "Reservoir",
    "StickySampler",
    "WeightedReservoir",
    "request_hash",
]
