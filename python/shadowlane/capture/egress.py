"""What the captures of client libraries share: which requests a lane sees, and their beginning.

Invariant: :meth:`Egress.begin` is the one call that a request costs which is not mirrored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._core import Timer
from .exchange import Exchange, Headers, Timing
from .opening import Mirror

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from ..config import Config
    from .lane import Lane

__all__ = ["Egress"]

_CREDENTIALS = ("authorization", "x-api-key", "api-key")
_OVERRIDES = ("x-http-method", "x-method-override", "x-original-method", "x-http-method-override")
_READ = frozenset(("content-length", "x-shadow", "upgrade", *_OVERRIDES, *(n.replace("-", "_") for n in _OVERRIDES)))


class Egress(Mirror):
    """A client's lane; see :class:`~shadowlane.capture.opening.Mirror`."""

    def __init__(
        self,
        config: str | os.PathLike[str] | Config | Mapping[str, object] | Lane | None = None,
        *,
        hosts: Iterable[str] = (),
    ) -> None:
        if isinstance(hosts, (str, bytes)):
            raise TypeError(f"hosts = {hosts!r}: give a list of hosts, for example [{hosts!r}]")
        self.hosts = frozenset(host.lower() for host in hosts)
        """The hosts whose requests the lane sees; empty: all."""
        self.reads = _READ
        """The header fields that admission reads, in small letters."""
        super().__init__(config)

    def _use(self, lane: Lane) -> None:
        self.reads = _READ.union(_fields(lane.config.sampling.key), _fields(lane.config.limits.tenant_key))
        super()._use(lane)

    def has(self, host: str | None, port: int | None) -> bool:
        """Whether the lane sees requests to ``host``, which is written in small letters."""
        return host in self.hosts or f"{host}:{port}" in self.hosts

    def begin(self, method: str, path: str, headers: Headers) -> Exchange | Timing | None:
        """Ask the lane about a request; nothing: it is neither mirrored nor timed."""
        lane = self.lane
        if lane is None:
            return None
        entry = lane.begin(method, path, headers)
        if entry is None:
            return None
        if type(entry) is Timer:
            return Timing(entry)
        return Exchange(lane, entry, self._limit)

    def fault(self) -> None:
        """Count a failure of our own."""
        if self.lane is not None:
            self.lane.fault()


def _fields(key: str) -> tuple[str, ...]:
    """Where a key of the configuration (``header:NAME``, ``cookie:NAME``, ``api_key``) is found."""
    kind, _, name = key.partition(":")
    if kind == "header":
        return (name.lower(),)
    return _CREDENTIALS if kind == "api_key" else ("cookie",) if kind == "cookie" else ()
