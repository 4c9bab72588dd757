# The compiled core. What is public of it is re-exported, with the same objects, by shadowlane.core.
from collections.abc import Sequence
from typing import Any, Literal, final

__all__ = [
    "PRESET_NAMES",
    "REASONS",
    "Drainer",
    "Finding",
    "Lane",
    "Policy",
    "RateLimiter",
    "RatioSampler",
    "Redactor",
    "Reservoir",
    "Sanitizer",
    "StickySampler",
    "Ticket",
    "Timer",
    "WeightedReservoir",
    "__version__",
    "anchor_pair",
    "anchor_pairs",
    "canonical_json",
    "check_directory",
    "classify_graphql",
    "classify_jsonrpc",
    "classify_request",
    "classify_sql",
    "classify_tool_json",
    "inflate",
    "lane_status",
    "lane_times",
    "normalise_llm_body",
    "request_hash",
    "rewrite_model",
    "set_enabled",
]
__version__: str
PRESET_NAMES: tuple[str, ...]
REASONS: tuple[str, ...]

@final
class Finding:
    @property
    def kind(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...

@final
class RatioSampler:
    @property
    def ratio(self) -> float: ...
    @property
    def eligible(self) -> int: ...
    @property
    def taken(self) -> int: ...
    def __new__(cls, ratio: float, seed: int | None = None) -> RatioSampler: ...
    def take(self) -> bool: ...
    def set_ratio(self, ratio: float) -> None: ...

@final
class StickySampler:
    @property
    def ratio(self) -> float: ...
    def __new__(cls, ratio: float, salt: str | bytes | None = None) -> StickySampler: ...
    def take(self, key: bytes) -> bool: ...

@final
class Reservoir:
    @property
    def seen(self) -> int: ...
    def __new__(cls, k: int, seed: int | None = None) -> Reservoir: ...
    def offer(self, item: Any) -> Any: ...
    def merge(self, other: Reservoir) -> Reservoir: ...
    def items(self) -> list[Any]: ...

@final
class WeightedReservoir:
    @property
    def seen(self) -> int: ...
    def __new__(cls, k: int, seed: int | None = None) -> WeightedReservoir: ...
    def offer(self, item: Any, weight: float = 1.0) -> Any: ...
    def merge(self, other: WeightedReservoir) -> WeightedReservoir: ...
    def items(self) -> list[Any]: ...

@final
class RateLimiter:
    @property
    def rate(self) -> float: ...
    @property
    def burst(self) -> int: ...
    @property
    def available(self) -> float: ...
    def __new__(cls, rate: float, burst: int) -> RateLimiter: ...
    def try_acquire(self, weight: int = 1, now: float | None = None) -> bool: ...
    def wait_s(self, weight: int = 1, now: float | None = None) -> float: ...
    def set_rate(self, rate: float, now: float | None = None) -> None: ...
    def available_at(self, now: float | None = None) -> float: ...

@final
class Redactor:
    def __new__(cls, rules: dict[str, list[str]] | None = None) -> Redactor: ...
    def redact_text(self, text: str) -> tuple[str, list[Finding]]: ...
    def redact_json(self, body: bytes) -> bytes: ...
    def redact_headers(self, headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]: ...

@final
class Sanitizer:
    def __new__(
        cls,
        allow_headers: Sequence[str],
        secret_names: Sequence[str] = ...,
        allow_values: Sequence[str] = ...,
    ) -> Sanitizer: ...
    def text(self, text: str) -> str: ...
    def response(
        self, headers: Sequence[tuple[bytes, bytes]], body: bytes, cut: bool
    ) -> tuple[list[tuple[bytes, bytes]], bytes, dict[str, int], str]: ...

def request_hash(
    method: str,
    target: str | bytes,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    ignore: Sequence[str] = ...,
) -> str: ...

@final
class Ticket:
    def stop(self) -> None: ...

@final
class Timer:
    def stop(self) -> None: ...

@final
class Lane:
    @property
    def ring_error(self) -> str | None: ...
    def __new__(
        cls,
        directory: str,
        *,
        ring_bytes: int,
        max_body_bytes: int,
        ratio: float,
        seed: int | None,
        qps: float,
        burst: int,
        sticky_key: str | None,
        read_routes: Sequence[str],
        include: Sequence[str],
        exclude: Sequence[str],
        shed_above: float = 1.0,
        route_caps: Sequence[tuple[str, float]] = ...,
        weights: Sequence[tuple[str, int]] = ...,
        tenant: tuple[str, float] | None = None,
        timed_routes: Sequence[str] = ...,
    ) -> Lane: ...
    def admit(self, method: str, target: str, headers: Sequence[tuple[bytes, bytes]]) -> Ticket | None: ...
    def begin(self, method: str, target: str, headers: Sequence[tuple[bytes, bytes]]) -> Ticket | Timer | None: ...
    def offer(
        self,
        ticket: Ticket,
        target: str | bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes | list[bytes],
        status: int,
        response_headers: Sequence[tuple[bytes, bytes]],
        response_body: bytes | list[bytes],
        ttfb_ns: int,
        flags: int,
    ) -> bool: ...
    def drop(self, ticket: Ticket, reason: str) -> None: ...
    def worker_heartbeat_age_s(self) -> float | None: ...
    def is_ours(self) -> bool: ...
    def reopen(self) -> None: ...
    def close(self) -> None: ...

@final
class Drainer:
    def __new__(
        cls,
        directory: str,
        *,
        allow_headers: Sequence[str],
        ignore: Sequence[str] = ...,
        secret_names: Sequence[str] = ...,
        allow_values: Sequence[str] = ...,
        policy: Policy | None = None,
    ) -> Drainer: ...
    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]: ...
    def ack(self, ring: int, seq: int) -> None: ...
    def beat(self) -> None: ...
    def live_producers(self) -> int: ...
    def pending(self) -> int: ...
    def acked(self) -> int: ...
    def lane_id(self) -> str: ...
    def close(self) -> None: ...

@final
class Policy:
    def __new__(
        cls,
        *,
        read: Sequence[str] = ...,
        allow_tools: Sequence[str] = ...,
        read_only_hint: bool = False,
        tool_mode: str = "stub",
        stream: bool | None = None,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> Policy: ...
    def judge(
        self, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> tuple[Literal["read", "write"], str, str]: ...

def lane_status(directory: str) -> dict[str, Any]: ...
def lane_times(directory: str) -> tuple[bytes, list[tuple[str, bytes, bytes]]]: ...
def set_enabled(directory: str, enabled: bool) -> None: ...
def check_directory(directory: str) -> None: ...
def classify_request(
    method: bytes,
    target: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    preset: str = "openai",
) -> tuple[Literal["read", "write"], str]: ...
def classify_sql(text: str, dialect: str = "ansi") -> tuple[Literal["read", "write"], str]: ...
def classify_graphql(document: str, operation_name: str | None = None) -> tuple[Literal["read", "write"], str]: ...
def classify_jsonrpc(body: bytes, allow_tools: Sequence[str] = ...) -> tuple[Literal["read", "write"], str]: ...
def classify_tool_json(definition: bytes) -> tuple[Literal["read", "write"], str]: ...
def normalise_llm_body(
    preset: str,
    target: bytes,
    body: bytes,
    *,
    tool_mode: str = "stub",
    stream: bool | None = None,
    model: str | None = None,
    temperature: float | None = None,
    seed: int | None = None,
) -> tuple[bytes, list[str]]: ...
def rewrite_model(preset: str, target: str, body: bytes, model: str) -> tuple[str, bytes, list[str]]: ...
def canonical_json(text: bytes) -> bytes | None: ...
def anchor_pair(
    text_a: str, text_b: str, delta: float
) -> tuple[
    float,
    bool,
    bool,
    list[tuple[str, Literal["entities", "relations", "constraints"], tuple[int, int], tuple[int, int]]],
]: ...
def anchor_pairs(texts_a: Sequence[str], texts_b: Sequence[str], delta: Sequence[float]) -> list[float]: ...
def inflate(body: bytes, most: int) -> tuple[bytes, str, str] | None: ...
