"""The fleet's record in Redis or Valkey: one hash, replaced by a script.

Redis loses what it wrote last when it dies, and a replica that takes over has other words than the server had: both
have another ``run_id``, by which the hosts see that something may be lost. See docs/operate/fleet.md for what a split
brain does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import FleetError, MissingExtraError
from .engine import TIMEOUT_S, Stored

try:
    import redis
except ImportError:
    raise MissingExtraError("fleet.url = redis://", "redis", "redis") from None

__all__ = ["RedisEngine"]

T = TypeVar("T")

_LIFE = "local life = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''\n"
_READ = _LIFE + "local kept = redis.call('HMGET', KEYS[1], 'version', 'record')\nreturn {life, kept[1], kept[2]}"
_SWAP = (
    _LIFE
    + """
local kept = redis.call('HGET', KEYS[1], 'version')
if life ~= ARGV[1] or (kept or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'record', ARGV[4])
return 1
"""
)


class RedisEngine:
    """An :class:`.Engine`. ``url`` is ``redis[s]://[USER[:PASSWORD]@]HOST[:PORT][/DB]``."""

    kind = "redis"

    def __init__(self, url: str, name: str) -> None:
        self._key = f"shadowlane:fleet:{name}"
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                retry=None,
                retry_on_error=[],
                decode_responses=False,
            )
        except ValueError:
            raise FleetError("fleet.url: cannot be read; use redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]") from None

    def read(self) -> Stored:
        """See :class:`.Engine`."""

        def ask() -> Stored:
            life, version, data = self._client.eval(_READ, 1, self._key)
            return Stored(data, int(version) if version else None, life.decode())

        stored = self._do(ask)
        if not stored.life:
            raise FleetError("redis: its INFO has no run_id, by which a restart is seen; use a server that has one")
        return stored

    def swap(self, before: Stored, version: int, data: bytes) -> bool:
        """See :class:`.Engine`."""
        there = "" if before.version is None else str(before.version)
        done = self._do(lambda: self._client.eval(_SWAP, 1, self._key, before.life, there, str(version), data))
        if done not in (0, 1):
            raise FleetError("redis: what answers there is no Redis")
        return bool(done)

    def notes(self) -> list[str]:
        """See :class:`.Engine`."""
        info = self._do(lambda: {**self._client.info("replication"), **self._client.info("memory")})
        found = []
        if info.get("connected_slaves", 0) and not self._do(lambda: self._setting("min-replicas-to-write")):
            found.append(
                "redis has replicas and min-replicas-to-write is 0: a server that is cut off and its successor may "
                "both give out the whole cap; set it to 1 or more"
            )
        policy = str(info.get("maxmemory_policy", "noeviction"))
        if info.get("maxmemory", 0) and policy.startswith("allkeys"):
            found.append(
                f"redis may evict the fleet's record (maxmemory-policy {policy}): each time all hosts stop for one "
                "lease; use noeviction or a volatile policy"
            )
        return found

    def _setting(self, name: str) -> int:
        try:
            return int(self._client.config_get(name).get(name, 1))
        except redis.ResponseError:
            return 1  # a service that does not show its settings

    def close(self) -> None:
        """See :class:`.Engine`."""
        self._client.close()

    def _do(self, what: Callable[[], T]) -> T:
        try:
            return what()
        except redis.RedisError as error:
            # Its text may hold what the server was sent, but no address's password.
            self._client.connection_pool.disconnect()
            raise FleetError(f"redis: {type(error).__name__}: {str(error)[:200]}") from None
        except OSError as error:
            self._client.connection_pool.disconnect()
            raise FleetError(f"redis: {error.strerror or type(error).__name__}") from None
        except Exception as error:
            # The client takes what some other server answers as it comes, and fails anywhere.
            self._client.connection_pool.disconnect()
            raise FleetError(f"redis: what answers there is no Redis ({type(error).__name__})") from None
