"""Opens the embedder that a configuration names: the one module where embedders, transports and budgets meet."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import msgspec
import xxhash

from ..config import ScoreConfig
from ..embedders import Embedder, load_embedder
from ..embedders.remote import RemoteEmbedder, ServiceRecord
from ..files import write_private
from ..limits import Breaker, Budget, BudgetLimits
from ..transport import open_transport

__all__ = ["open_embedder"]

log = logging.getLogger("shadowlane.worker")

_RESPONSE_BYTES = 16 * 1024 * 1024


class _Memory:
    """What is known of one service, in a file of the folder: mode 0600, replaced at once, without a text."""

    def __init__(self, folder: Path, service: str) -> None:
        self._file = folder / f"embedder-{xxhash.xxh3_64_hexdigest(service.encode())}.json"
        self._trouble = ""

    def load(self) -> ServiceRecord | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=ServiceRecord)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.warning(
                "%s: cannot be read, what was spent of the embedder's budget is not known: %s", self._file, error
            )
            return None

    def save(self, known: ServiceRecord) -> None:
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._file, msgspec.json.encode(known))
        except OSError as error:
            if str(error.strerror) != self._trouble:
                log.warning("%s: cannot be written: %s", self._file, error.strerror)
            self._trouble = str(error.strerror)


def open_embedder(
    config: ScoreConfig, *, clean: Callable[[str], str] | None = None, folder: Path | None = None
) -> Embedder:
    """The embedder that ``[score]`` names, with its transport and bounds where it is a service. Close it at the end.

    ``clean`` is what texts go through before they are sent to a service, where they are not sanitized yet. ``folder``
    is where what was spent at a service is kept for the next process, which then starts though the service is down.

    Raises what :func:`shadowlane.score.load_embedder` raises, :class:`~shadowlane.errors.ConfigError` when the
    service's credential or certificates cannot be read, and :class:`~shadowlane.errors.ScoreError` when it does not
    answer.
    """
    kind, _, model = config.embedder.partition(":")
    if kind != "openai":
        return load_embedder(config.embedder)
    service = msgspec.structs.replace(config.embedder_service(), max_response_bytes=_RESPONSE_BYTES)
    where = "score.embedder_"
    transport = open_transport("embedder", service, service.credential(where=where), where=where)
    return RemoteEmbedder(
        model,
        transport=transport,
        budget=Budget(BudgetLimits(tokens_per_day=config.embedder_tokens_per_day)),
        breaker=Breaker(),
        clean=clean,
        memory=_Memory(folder, f"{config.embedder} {config.embedder_url}") if folder is not None else None,
    )
