"""An embedder behind any OpenAI-compatible ``/v1/embeddings``.

Invariants: only sanitized texts leave, each at most a chunk long and each once; what it costs a day has a bound; a row
always comes from the model that the name tells, so that a service that changes its model fails instead of mixing
scores; an error quotes neither texts nor answers. With a memory, what a day has cost outlives the process, and a
service that was known may be down at start. The calls go through the worker's transport: certificates verified,
deadline, bounded answer, no redirect.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Annotated, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import ScoreError
from ..limits import Breaker, Budget
from ..providers import extract_answer, extract_vectors
from ..types import Copy, Transport
from .base import Embedder

__all__ = ["RemoteEmbedder", "ServiceRecord"]

log = logging.getLogger("shadowlane.score")

_BYTES_A_TOKEN = 3
"""For an answer that names no usage: fewer bytes than a token has, so that the budget is never undercounted."""


class ServiceRecord(msgspec.Struct, frozen=True):
    """What one process learnt of a service, for the next one."""

    served: str
    """The model that answered."""
    dim: Annotated[int, msgspec.Meta(ge=1)]
    budget: dict[str, list[tuple[float, float, float]]]
    """What was spent, by the Unix time: a budget's snapshot."""


class _Memory(Protocol):
    def load(self) -> ServiceRecord | None: ...
    def save(self, record: ServiceRecord) -> None: ...


class RemoteEmbedder(Embedder):
    """Embeds with ``model`` of the service that ``transport`` reaches; runs the transport on a thread of its own.

    ``clean`` is what every text goes through before it leaves, for texts that are not sanitized yet.

    Asks for one row at once, to learn the dimension and the model that answers. When that fails, both are what
    ``memory`` holds of the process before, and :meth:`embed` raises :class:`~shadowlane.errors.ScoreError` until the
    service answers; without a memory the error is raised here.
    """

    def __init__(
        self,
        model: str,
        *,
        transport: Transport,
        budget: Budget,
        breaker: Breaker,
        clean: Callable[[str], str] | None = None,
        memory: _Memory | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._model = model
        self._transport = transport
        self._budget = budget
        self._breaker = breaker
        self._clean = clean
        self._memory = memory
        self._clock = clock
        self._served = ""
        self._failed = ""
        """Why the last call failed."""
        self.dim = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="shadowlane-embedder", daemon=True)
        self._thread.start()
        record = None if memory is None else memory.load()
        if record is not None:
            budget.restore(record.budget)
        try:
            self.dim = self._ask(["shadowlane"]).shape[1]
        except ScoreError as error:
            if record is None:
                self.close()
                raise
            log.error("there are no rows until the service answers: %s", error)
            self.dim, self._served = record.dim, record.served
        self.name = f"openai:{model}@{self._served or 'unnamed'}"
        self._remember()

    def close(self) -> None:
        """Give back the connections and end the thread."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._transport.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        try:
            return self._ask(texts if self._clean is None else [self._clean(text) for text in texts])
        finally:
            self._remember()

    def _remember(self) -> None:
        if self._memory is not None:
            self._memory.save(ServiceRecord(self._served, self.dim, self._budget.snapshot()))

    def _ask(self, texts: list[str]) -> NDArray[np.float32]:
        what = f"score.embedder = 'openai:{self._model}'"
        now = self._clock()
        reached = self._budget.reached(now)
        if reached:
            raise ScoreError(f"{what}: its budget is used up ({reached}); raise score.embedder_tokens_per_day")
        if not self._breaker.allow(now):
            raise ScoreError(f"{what}: {self._failed} (it failed too often and is left alone for a while)")
        outcome = asyncio.run_coroutine_threadsafe(self._transport.send(self._request(texts)), self._loop).result()
        now = self._clock()
        rows: NDArray[np.float32] | None = None
        if outcome.reason or outcome.status >= 400:
            why = f"{outcome.reason}: {outcome.detail}" if outcome.reason else f"HTTP {outcome.status}"
            self._failed = f"{why}; check score.embedder_url and score.embedder_credential_env"
        else:
            answer = extract_answer("application/json", outcome.body)
            guessed = {"input_tokens": sum(len(text.encode()) for text in texts) // _BYTES_A_TOKEN}
            self._budget.record(self._model, answer.usage or guessed, now)
            rows = extract_vectors(outcome.body)
            self._failed = self._unusable(rows, len(texts), answer.model)
            if not self.dim:
                self._served = answer.model
        self._breaker.record(not self._failed, now)
        if rows is None or self._failed:
            raise ScoreError(f"{what}: {self._failed}")
        return rows

    def _unusable(self, rows: NDArray[np.float32] | None, count: int, model: str) -> str:
        """Why these rows are not what was asked for; empty when they are."""
        if rows is None or len(rows) != count or (self.dim and rows.shape[1] != self.dim):
            got = "no vectors" if rows is None else f"{len(rows)} of {rows.shape[1]} dimensions"
            return f"asked for {count} vectors of {self.dim or 'any'} dimensions, got {got}; check score.embedder_url"
        if self.dim and model != self._served:
            return "another model answers than before; their scores cannot be compared: start again with the new one"
        return ""

    def _request(self, texts: list[str]) -> Copy:
        body = json.dumps({"model": self._model, "input": texts, "encoding_format": "float"}).encode()
        return Copy(
            shadow_id="",
            req_hash="",
            started_ns=0,
            method="POST",
            target="/embeddings",
            headers=((b"content-type", b"application/json"), (b"accept", b"application/json")),
            body=body,
        )
