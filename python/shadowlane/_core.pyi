# The compiled core. What is public of it is re-exported, with the same objects, by shadowlane.core.
from collections.abc import Sequence
from typing import Any, final

__version__: str
REASONS: tuple[str, ...]

@final
class Finding:
    kind: str
    start: int
    end: int

@final
class RatioSampler:
    def __new__(cls, ratio: float, seed: int | None = None) -> RatioSampler: ...
    def take(self) -> bool: ...

@final
class RateLimiter:
    def __new__(cls, rate: float, burst: int) -> RateLimiter: ...
    def try_acquire(self) -> bool: ...

@final
class Redactor:
    def __new__(cls, rules: Any = None) -> Redactor: ...
    def redact_text(self, text: str) -> tuple[str, list[Finding]]: ...
    def redact_json(self, body: bytes) -> bytes: ...
    def redact_headers(self, headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]: ...

def request_hash(
    method: str,
    target: str | bytes,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    ignore: Sequence[str] = (),
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
        sticky_header: str | None,
        read_routes: Sequence[str],
        include: Sequence[str],
        exclude: Sequence[str],
    ) -> Lane: ...
    def admit(self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> Ticket | None: ...
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
    def reopen(self) -> None: ...
    def close(self) -> None: ...

@final
class Drainer:
    def __new__(cls, directory: str, *, allow_headers: Sequence[str], ignore: Sequence[str] = ()) -> Drainer: ...
    def drain(self, max_frames: int, max_bytes: int) -> list[tuple[Any, ...]]: ...
    def ack(self, ring: int, seq: int) -> None: ...
    def beat(self) -> None: ...
    def live_producers(self) -> int: ...
    def pending(self) -> int: ...
    def close(self) -> None: ...

def lane_status(directory: str) -> dict[str, Any]: ...
def set_enabled(directory: str, enabled: bool) -> None: ...
