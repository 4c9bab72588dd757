"""The limits as the lane's worker last wrote them: checked, because another release or a damaged file may have others.

Invariant: what comes from here has the shape that the rendering reads; what has not is named, never a traceback.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

__all__ = [
    "alerting_of",
    "budgets_of",
    "endpoint_of",
    "fleet_of",
    "fleet_pins_of",
    "leaders_of",
    "limits_of",
    "spans_of",
]


class _Count(msgspec.Struct):
    spent: float
    limit: float


class _Slice(msgspec.Struct):
    tokens: float
    money: float
    left_s: float


class _Budget(msgspec.Struct):
    reached: str
    limits: dict[str, _Count]
    unmetered: int
    unpriced: list[str]
    slice: _Slice | None = None
    """What this host may spend of it now, where a fleet shares it."""


class _Breaker(msgspec.Struct):
    state: Literal["closed", "open", "half_open"]
    probe_at: float | None
    rest_s: float


class _Shadow(msgspec.Struct):
    rate: float
    slowed: bool
    paused_until: float | None
    breaker: _Breaker | None
    budget: _Budget | None
    out: int = 0
    """Calls that are out."""
    waiting: int = 0
    retries: int = 0
    transport: str = ""
    """What sends the copies: ``native`` or ``aiohttp``."""
    way: str = ""
    """How: in plain ``calls``, or a task for each (``tasks``)."""


class _Limits(msgspec.Struct):
    rate: float
    prod_paused_until: float | None
    shadows: dict[str, _Shadow]


class _Arm(msgspec.Struct):
    out: int
    waiting: int
    retries: int
    transport: str = ""
    way: str = ""


class _Receiver(msgspec.Struct):
    kind: str
    firing: int
    waiting: int
    sent: int
    failed: int
    dropped: int
    error: str


class _State(msgspec.Struct):
    limits: _Limits
    arms: dict[str, _Arm]


def limits_of(state: Mapping[str, Any] | None, lane_id: str) -> tuple[dict[str, Any] | None, str]:
    """The limits with each shadow's calls, when the state is of this life of the lane, and what is wrong with it."""
    if state is None or state.get("lane_id") != lane_id:
        return None, ""
    try:
        read = msgspec.convert(state, _State)
    except msgspec.ValidationError as error:
        return (
            None,
            f"worker.json is damaged or of another release: {error}; start the worker again, which writes it",
        )
    for name, arm in read.arms.items():
        if name in read.limits.shadows:
            shadow = read.limits.shadows[name]
            shadow.out, shadow.waiting, shadow.retries = arm.out, arm.waiting, arm.retries
            shadow.transport = arm.transport
            shadow.way = arm.way
    plain: dict[str, Any] = msgspec.to_builtins(read.limits)
    return plain, ""


def endpoint_of(state: Mapping[str, Any] | None, *, alive: bool) -> dict[str, str] | None:
    """Where the running worker's HTTP endpoint listens, and why it does not; ``None``: it has none."""
    said = _beside(state, alive).get("endpoint")
    if not isinstance(said, dict) or not said:
        return None
    return {name: str(said.get(name, "")) for name in ("listen", "error")}


class _Fleet(msgspec.Struct):
    engine: str
    error: str
    hosts: int
    rate: float
    burst: int
    opens_in_s: int
    joined: bool


def fleet_of(state: Mapping[str, Any] | None, *, alive: bool) -> dict[str, Any] | None:
    """What the running worker knows of its fleet; ``None``: it has none, or does not run."""
    said = state.get("fleet") if state is not None and alive else None
    try:
        plain: dict[str, Any] = msgspec.to_builtins(msgspec.convert(said, _Fleet))
    except msgspec.ValidationError:
        return None
    return plain


def fleet_pins_of(state: Mapping[str, Any] | None) -> dict[str, Any]:
    """Which versions the hosts of the fleet saw, by shadow: ``[pin, value, first_ns, last_ns]`` each, as the last
    worker heard; empty without a fleet."""
    said = state.get("fleet") if state is not None else None
    try:
        pins = said.get("pins", {}) if isinstance(said, dict) else {}
        read = msgspec.convert(pins, dict[str, list[tuple[str, str, int, int]]])
    except msgspec.ValidationError:
        return {}
    plain: dict[str, Any] = msgspec.to_builtins(read)
    return plain


class _Budgets(msgspec.Struct):
    error: str
    processes: int
    opens_in_s: int


def budgets_of(state: Mapping[str, Any] | None, *, alive: bool) -> dict[str, Any] | None:
    """How the running worker shares budgets with other hosts; ``None``: it does not, or does not run."""
    said = state.get("fleet") if state is not None and alive else None
    try:
        read = msgspec.convert(said.get("budgets") if isinstance(said, dict) else None, _Budgets)
    except msgspec.ValidationError:
        return None
    plain: dict[str, Any] = msgspec.to_builtins(read)
    return plain


class _Leader(msgspec.Struct):
    token: int
    host: str
    here: bool
    left_s: float


def leaders_of(state: Mapping[str, Any] | None, *, alive: bool) -> dict[str, Any]:
    """Who does what is done once for all workers of a store, by task; empty: no other one may write to it, or the
    worker does not know."""
    said = state.get("fleet") if state is not None and alive else None
    try:
        read = msgspec.convert(said.get("leaders", {}) if isinstance(said, dict) else {}, dict[str, _Leader])
    except msgspec.ValidationError:
        return {}
    plain: dict[str, Any] = msgspec.to_builtins(read)
    return plain


class _Spans(msgspec.Struct):
    sent: int
    waiting: int
    lost: dict[str, int]


def spans_of(state: Mapping[str, Any] | None, *, alive: bool) -> dict[str, Any] | None:
    """What became of the running worker's spans; ``None``: it makes none."""
    said = state.get("telemetry") if state is not None and alive else None
    try:
        plain: dict[str, Any] = msgspec.to_builtins(msgspec.convert(said, _Spans))
    except msgspec.ValidationError:
        return None
    return plain


def alerting_of(state: Mapping[str, Any] | None, *, alive: bool) -> dict[str, Any]:
    """How the running worker's alerts stand, by receiver; empty: it sends none."""
    try:
        read = msgspec.convert(_beside(state, alive).get("alerting", {}), dict[str, _Receiver])
    except msgspec.ValidationError:
        return {}  # of another release, which limits_of names
    plain: dict[str, Any] = msgspec.to_builtins(read)
    return plain


def _beside(state: Mapping[str, Any] | None, alive: bool) -> Mapping[str, Any]:
    """What the worker's side said of itself."""
    said = state.get("beside") if state is not None and alive else None
    return said if isinstance(said, dict) else {}
