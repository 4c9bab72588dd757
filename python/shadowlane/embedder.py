"""Opens the embedder that a configuration names: the one place where embedders, transports and budgets meet."""

from __future__ import annotations

from collections.abc import Callable

from .config import ScoreConfig, ShadowConfig
from .errors import ConfigError
from .limits import Breaker, Budget, BudgetLimits
from .score.embed import Embedder, load_embedder
from .score.remote import RemoteEmbedder
from .transport import open_transport

__all__ = ["open_embedder"]

_RESPONSE_BYTES = 16 * 1024 * 1024


def open_embedder(config: ScoreConfig, *, clean: Callable[[str], str] | None = None) -> Embedder:
    """The embedder that ``[score]`` names, with its transport and bounds where it is a service. Close it at the end.

    ``clean`` is what texts go through before they are sent to a service, where they are not sanitized yet.
    Raises what :func:`shadowlane.score.load_embedder` raises, :class:`~shadowlane.errors.ConfigError` when the
    service's credential or certificates cannot be read, and :class:`~shadowlane.errors.ScoreError` when it does not
    answer.
    """
    kind, _, model = config.embedder.partition(":")
    if kind != "openai":
        return load_embedder(config.embedder)
    place = ShadowConfig(
        url=config.embedder_url,
        credential_env=config.embedder_credential_env,
        timeout_s=config.embedder_timeout_s,
        concurrency=1,
        max_response_bytes=_RESPONSE_BYTES,
        ca_file=config.embedder_ca_file,
    )
    try:
        transport = open_transport("embedder", place, place.credential())
    except ConfigError as error:
        raise ConfigError(f"score.embedder_{str(error).removeprefix('shadows.embedder.')}") from None
    return RemoteEmbedder(
        model,
        transport=transport,
        budget=Budget(BudgetLimits(tokens_per_day=config.embedder_tokens_per_day)),
        breaker=Breaker(),
        clean=clean,
    )
