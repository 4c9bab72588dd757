# The compiled core. What is public of it is re-exported, with the same objects, by shadowlane.core.
from collections.abc import Sequence
from typing import Any, Literal, final

__all__ = [
    "REASONS",
    "Drainer",
    "Finding",
    "Lane",
    "RateLimiter",
    "RatioSampler",
    "Redactor",
    "Reservoir",
    "Sanitizer",
    "StickySampler",
    "Ticket",
    "WeightedReservoir",
    "__version__",
    "check_directory",
    "classify_graphql",
    "classify_jsonrpc",
    "classify_request",
    "classify_sql",
    "classify_tool_json",
    "lane_status",
    "normalise_llm_body",
    "request_hash",
    "set_enabled",
]
__version__: str
REASONS: tuple[str, ...]

@final
class Finding:
    kind: str
    start: int
    end: int

@final
class RatioSampler:
    ratio: float
    eligible: int
    taken: int
    def __new__(cls, ratio: float, seed: int | None = None) -> RatioSampler: ...
    def take(self) -> bool: ...
    def set_ratio(self, ratio: float) -> None: ...

@final
class StickySampler:
    ratio: float
    def __new__(cls, ratio: float, salt: str | bytes | None = None) -> StickySampler: ...
    def take(self, key: bytes) -> bool: ...

@final
class Reservoir:
    seen: int
    def __new__(cls, k: int, seed: int | None = None) -> Reservoir: ...
    def offer(self, item: Any) -> Any: ...
    def items(self) -> list[Any]: ...

@final
class WeightedReservoir:
    seen: int
    def __new__(cls, k: int, seed: int | None = None) -> WeightedReservoir: ...
    def offer(self, item: Any, weight: float = 1.0) -> Any: ...
    def items(self) -> list[Any]: ...

@final
class RateLimiter:
    available: float
    def __new__(cls, rate: float, burst: int) -> RateLimiter: ...
    def try_acquire(self, n: int = 1) -> bool: ...
    def set_rate(self, rate: float) -> None: ...

@final
class Redactor:
    def __new__(cls, rules: dict[str, Any] | None = None) -> Redactor: ...
    @staticmethod
    def kinds() -> dict[str, str]: ...
    def redact_text(self, text: str) -> tuple[str, list[Finding]]: ...
    def redact_json(self, body: bytes) -> bytes: ...
    def redact_headers(self, headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]: ...

@final
class Sanitizer:
    def __new__(cls, rules: dict[str, Any] | None = None, directory: str | None = None) -> Sanitizer: ...
    @staticmethod
    def texts(content_type: bytes, body: bytes) -> list[str]: ...
    def replace(
        self, content_type: bytes, body: bytes, found: Sequence[Sequence[tuple[int, int, str]]]
    ) -> tuple[bytes, dict[str, int]]: ...
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
class Ticket: ...

@final
class Lane:
    ring_error: str | None
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
    ) -> Lane: ...
    def admit(self, method: str, target: str, headers: Sequence[tuple[bytes, bytes]]) -> Ticket | None: ...
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
        rules: dict[str, Any] | None = None,
        allow_headers: Sequence[str] = ...,
        ignore: Sequence[str] = ...,
    ) -> Drainer: ...
    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]: ...
    def ack(self, ring: int, seq: int) -> None: ...
    def beat(self) -> None: ...
    def live_producers(self) -> int: ...
    def pending(self) -> int: ...
    def acked(self) -> int: ...
    def lane_id(self) -> str: ...
    def close(self) -> None: ...

def lane_status(directory: str) -> dict[str, Any]: ...
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
