"""The arms of a lane as its configuration has them: transport, limits, cap and meter of each."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import msgspec

from .. import _core
from ..config import Config, ShadowConfig
from ..config.shadows import section_of
from ..dispatch.arm import Arm, ArmOptions
from ..limits import Breaker, Budget, BudgetLimits, Retry, ShadowLimits
from ..policy import stub_rounds
from ..score import extract_answer
from ..store import Store
from ..transport import Transport, open_transport
from ..types import Outcome, header
from .pipeline import MOST_BYTES, SANITIZED_AT_ONCE

__all__ = ["Caps", "open_arm", "open_limits"]


class Caps(Protocol):
    """The lane's cap, and the shadows' own."""

    def try_acquire(self, n: int = 1) -> bool: ...
    def take_own(self, name: str, qps: float, burst: int) -> bool: ...


def _transport(config: Config, name: str, shadow: ShadowConfig, sanitizer: _core.Sanitizer | None) -> Transport:
    where = f"{section_of(name)}."
    credential = shadow.credential(where=where)
    rounds = stub_rounds(config)
    propagate = config.telemetry.propagate
    return open_transport(
        name,
        shadow,
        credential,
        read=extract_answer,
        stub_rounds=rounds,
        where=where,
        propagate=propagate,
        sanitizer=sanitizer,
        sanitized_bytes=SANITIZED_AT_ONCE,
    )


def open_arm(
    config: Config,
    name: str,
    shadow: ShadowConfig,
    limits: ShadowLimits,
    caps: Caps,
    kind: type[Arm] = Arm,
    sanitizer: _core.Sanitizer | None = None,
) -> Arm:
    """The arm of a service, with its transport, which sanitizes small answers where there is a ``sanitizer``.

    Raises :class:`~shadowlane.errors.ConfigError`."""
    options = ArmOptions(
        ratio=shadow.ratio,
        salt=shadow.salt(name),
        concurrency=shadow.concurrency,
        deadline_s=shadow.deadline(),
        timeout_s=shadow.timeout_s,
        most_bytes=MOST_BYTES / len(config.arms()),
    )
    return kind(
        name,
        _transport(config, name, shadow, sanitizer),
        options,
        limits=limits,
        retry=Retry(shadow.retry.attempts, base_s=shadow.retry.base_s, max_s=shadow.retry.max_s),
        cap=caps.try_acquire,
        meter=_usage,
    )


class _OwnCap(NamedTuple):
    """A shadow's own cap. It lies in the control file: a worker that takes over goes on with what is left of it."""

    caps: Caps
    name: str
    qps: float
    burst: int

    def try_acquire(self) -> bool:
        return self.caps.take_own(self.name, self.qps, self.burst)


def open_limits(config: Config, name: str, shadow: ShadowConfig, store: Store, caps: Caps) -> ShadowLimits:
    """What keeps copies from a service. What it used before is read from the store."""
    breaker, budget = shadow.breaker, None
    if shadow.budget.limited:
        limited = {field: value for field, value in msgspec.structs.asdict(shadow.budget).items() if value}
        budget = Budget(BudgetLimits(**limited), config.prices)
        budget.load(store.spent(name))
    share = config.limits.qps * shadow.ratio
    return ShadowLimits(
        qps=min(share, shadow.qps) if shadow.qps else share,
        min_qps=shadow.min_qps,
        cap=_OwnCap(caps, name, shadow.qps, shadow.burst or max(1, math.ceil(shadow.qps))) if shadow.qps else None,
        breaker=Breaker(
            window=breaker.window,
            minimum=breaker.minimum,
            ratio=breaker.ratio,
            open_s=breaker.open_s,
            max_open_s=breaker.max_open_s,
            closes_after=breaker.closes_after,
        )
        if breaker.enabled
        else None,
        budget=budget,
    )


def _usage(outcome: Outcome) -> tuple[str, dict[str, int]]:
    """The model and the usage that an answer names; over all rounds when tool calls were stubbed."""
    answer = extract_answer(header(outcome.headers, b"content-type"), outcome.body)
    return answer.model, outcome.usage or {**answer.usage, **answer.cached}
