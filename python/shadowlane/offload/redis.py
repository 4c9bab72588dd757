"""The stream on Redis or Valkey, 7.0 or later: a consumer group over one stream, and Lua for what must be whole.

Invariants: no error, state or log of it names the password; a call waits no longer than ``offload.timeout_s`` for the
connection and again for the answer, and is not repeated here: who calls knows what a repetition means. A group that is
gone, with the server's data or by hand, is made again from the stream's beginning: what is in it is judged.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..config import OffloadConfig
from ..config.offload import server_of
from ..config.shown import shown_url
from ..errors import MissingExtraError, OffloadError, OffloadFullError
from . import scripts
from .figures import HOSTS
from .record import VERSION, Forwarded
from .stream import Accounts, Message, Owned, StreamState

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError:
    raise MissingExtraError("worker.role = 'forward' or 'judge'", "redis", "redis") from None

__all__ = ["RedisStream", "server_facts"]

_AT_A_TIME = 500
_KEPT_ASIDE = 10_000
_DEAD_CLAIMS = 20
"""A consumer without messages goes after so many times ``claim_s``."""
_SETTLED_S = 7 * 86_400
_SOURCE = re.compile(r"[A-Za-z0-9_./-]{1,300}\Z")


def _connect(offload: OffloadConfig) -> redis.Redis:
    """A client of the server. Connects with the first call. Raises :class:`~shadowlane.errors.ConfigError`."""
    host, port, database, tls = server_of(offload)
    options: dict[str, Any] = {"ssl": True, "ssl_ca_certs": offload.ca_file or None} if tls else {}
    return redis.Redis(
        host=host,
        port=port,
        db=database,
        username=offload.user or None,
        password=offload.password() or None,
        socket_timeout=offload.timeout_s,
        socket_connect_timeout=offload.timeout_s,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        protocol=2,  # one shape of answers from all servers
        **options,
    )


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    """What the client raises, in one line with the remedy, as :class:`~shadowlane.errors.OffloadError`."""
    at = f"offload.url = {shown_url(url)!r}"
    try:
        yield
    except redis.AuthenticationError:
        raise OffloadError(f"{at}: the server refuses the password; see offload.user and credential_env") from None
    except redis.OutOfMemoryError:
        text = f"{at}: the server is full (maxmemory); nothing is published until it has room"
        raise OffloadFullError(text) from None
    except redis.TimeoutError:
        raise OffloadError(f"{at}: no answer within offload.timeout_s") from None
    except redis.ConnectionError as error:
        cause = error.__cause__ or error.__context__
        why = cause.strerror if isinstance(cause, OSError) and cause.strerror else type(cause or error).__name__
        raise OffloadError(f"{at}: cannot connect, or the connection broke: {why}") from None
    except redis.ResponseError as error:
        raise _refused(at, str(error)) from None
    except redis.RedisError as error:
        raise OffloadError(f"{at}: {type(error).__name__}") from None


def _refused(at: str, text: str) -> OffloadError:
    word = text.split(" ", 1)[0]
    if "OOM" in text:
        return OffloadFullError(f"{at}: the server is full (maxmemory); nothing is published until it has room")
    if "MISCONF" in text:
        return OffloadFullError(f"{at}: the server cannot save to its disk and takes no writes (MISCONF)")
    remedies = {
        "NOAUTH": "it asks for a password; set offload.credential_env",
        "NOPERM": "the user may not run a command that is needed; see docs/operate/offload.md",
        "READONLY": "it is a replica; name the primary",
        "MOVED": "it is a node of a Redis Cluster, which is not supported; use a single primary",
        "LOADING": "it is still loading its data",
        "WRONGTYPE": "the key offload.stream is something else there; name another one",
    }
    return OffloadError(f"{at}: {remedies.get(word, f'the server refused a call ({word[:32]}); is it 7.0 or later?')}")


def server_facts(offload: OffloadConfig) -> dict[str, Any]:
    """What the server says of itself, for ``shadowlane doctor``. Raises :class:`~shadowlane.errors.OffloadError`."""
    client = _connect(offload)
    try:
        with _explained(offload.url):
            facts: dict[str, Any] = dict(client.info())
            with contextlib.suppress(redis.ResponseError):  # hosted servers often refuse it
                found: dict[bytes, bytes] = client.config_get("appendfsync")  # type: ignore[assignment]
                facts |= {_text(name): _text(value) for name, value in found.items()}
        return facts
    finally:
        client.close()


class RedisStream:
    """See :class:`shadowlane.offload.stream.Stream`."""

    def __init__(self, offload: OffloadConfig, *, consumer: str = "") -> None:
        self._offload = offload
        self._consumer = consumer
        self._group = offload.group
        self._client = _connect(offload)
        self._keys = [offload.stream, f"{offload.stream}:accounts", f"{offload.stream}:aside"]
        self._scripts: dict[str, Any] = {}

    def close(self) -> None:
        self._client.close()

    # ---- forwarding hosts

    def publish(self, source: str, records: Sequence[Forwarded], forget: Sequence[str]) -> int:
        pairs = [part for one in records for part in one]
        given = [source, VERSION, self._offload.max_length, len(forget), *forget, *pairs]
        with _explained(self._offload.url):
            return int(self._run(scripts.PUBLISH, given, [*self._keys, self._sent(source)]))

    def join(self, source: str, base: int) -> list[str]:
        with _explained(self._offload.url):
            self._client.hsetnx(self._keys[1], f"base:{source}", str(base))
            self._seen(source)
            found: set[bytes] = self._client.smembers(self._sent(source))  # type: ignore[assignment]
            return [one.decode() for one in found]

    def put_figures(self, kind: str, name: str, value: bytes) -> None:
        with _explained(self._offload.url):
            self._client.hset(f"{self._offload.stream}:{kind}", name, value)
            if kind == HOSTS:
                self._seen(name)

    def _seen(self, source: str) -> None:
        """A source that is alive: its accounts stay, whether it has copies or not."""
        self._client.hset(self._keys[1], f"seen:{source}", str(int(time.time())))

    def _sent(self, source: str) -> str:
        return f"{self._offload.stream}:sent:{source}"

    # ---- judges

    def read(self, most: int) -> list[Message]:
        def ask() -> Any:
            return self._client.xreadgroup(self._group, self._consumer, {self._keys[0]: ">"}, count=most)

        found = self._grouped(ask)
        return [_message(one, fields) for _, messages in found or () for one, fields in messages]

    def owned(self) -> list[Owned]:
        owned: list[Owned] = []
        start = "-"
        while True:

            def ask(start: str = start) -> Any:
                return self._client.xpending_range(self._keys[0], self._group, start, "+", _AT_A_TIME, self._consumer)

            page = self._grouped(ask)
            owned += [Owned(one["message_id"].decode(), int(one["times_delivered"])) for one in page]
            if len(page) < _AT_A_TIME:
                return owned
            start = f"({owned[-1].id}"

    def claim(self, cursor: str) -> tuple[str, list[Owned]]:
        given = [self._group, self._consumer, int(1000 * self._offload.claim_s), cursor]
        cursor_after, found = self._grouped(lambda: self._run(scripts.CLAIM, given))
        return cursor_after.decode(), [Owned(one.decode(), int(n)) for one, n in found]

    def take(self, ids: Sequence[str]) -> list[Message]:
        found = self._grouped(lambda: self._run(scripts.TAKE, [self._group, self._consumer, *ids]))
        return [_message(one, dict(zip(flat[::2], flat[1::2], strict=False))) for one, flat in found]

    def beat(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _AT_A_TIME):
            given = [self._group, self._consumer, *ids[start : start + _AT_A_TIME]]
            self._grouped(lambda given=given: self._run(scripts.BEAT, given))  # type: ignore[misc]

    def works(self) -> None:
        with _explained(self._offload.url):
            self._run(scripts.WORKS, [self._consumer])

    def leave(self) -> None:
        with _explained(self._offload.url):
            self._client.hdel(self._keys[1], f"judge:{self._consumer}")

    def acknowledge(self, done: Sequence[tuple[str, str]]) -> int:
        acknowledged = 0
        for start in range(0, len(done), _AT_A_TIME):
            some = [part for one in done[start : start + _AT_A_TIME] for part in one]
            with _explained(self._offload.url):
                acknowledged += int(self._run(scripts.ACKNOWLEDGE, [self._group, *some]))
        return acknowledged

    def set_aside(self, message_id: str, reason: str) -> None:
        with _explained(self._offload.url):
            self._run(scripts.SET_ASIDE, [self._group, message_id, reason, _KEPT_ASIDE])

    def tidy(self) -> None:
        given = [self._group, self._consumer, int(1000 * _DEAD_CLAIMS * self._offload.claim_s), _SETTLED_S]
        keys = [*self._keys, f"{self._offload.stream}:{HOSTS}"]
        self._grouped(lambda: self._run(scripts.TIDY, given, keys))

    def figures(self, kind: str) -> dict[str, bytes]:
        with _explained(self._offload.url):
            found: dict[bytes, bytes] = self._client.hgetall(f"{self._offload.stream}:{kind}")  # type: ignore[assignment]
        return {name.decode("utf-8", "replace"): value for name, value in found.items()}

    def drop_figures(self, kind: str, names: list[str]) -> None:
        with _explained(self._offload.url):
            self._client.hdel(f"{self._offload.stream}:{kind}", *names)

    # ---- both

    def state(self) -> StreamState:
        with _explained(self._offload.url):
            given = [self._group, self._offload.claim_s]
            length, pending, age_ms, aside, flat, judges = self._run(scripts.STATE, given)
        accounts = {name.decode(): int(n) for name, n in zip(flat[::2], flat[1::2], strict=True)}
        by_source: dict[str, dict[str, int]] = {}
        for field, n in accounts.items():
            what, colon, source = field.partition(":")
            if colon and what in _COUNTS:
                by_source.setdefault(source, {})[_COUNTS[what]] = n
        foreign = by_source.pop("", {}).get("set_aside", 0)
        return StreamState(
            length=int(length),
            pending=int(pending),
            age_s=max(int(age_ms), 0) / 1000,
            lost=accounts.get("lost", 0),
            foreign=foreign,
            kept_aside=int(aside),
            judges=int(judges),
            total=Accounts(**{name: sum(one.get(name, 0) for one in by_source.values()) for name in _COUNTS.values()}),
            sources={source: Accounts(**counts) for source, counts in sorted(by_source.items())},
        )

    def _run(self, script: str, given: Sequence[Any], keys: Sequence[str] | None = None) -> Any:
        known = self._scripts.get(script)
        if known is None:
            known = self._scripts[script] = self._client.register_script(script)
        return known(keys=self._keys if keys is None else keys, args=given)

    def _grouped(self, call: Callable[[], Any]) -> Any:
        """A call that needs the group, which is made when it is not there."""
        with _explained(self._offload.url):
            try:
                return call()
            except redis.ResponseError as error:
                if "NOGROUP" not in str(error) and "no such key" not in str(error):
                    raise
            with contextlib.suppress(redis.ResponseError):  # another judge was faster
                self._client.xgroup_create(self._keys[0], self._group, id="0", mkstream=True)
            return call()


def _text(said: bytes | str) -> str:
    return said.decode() if isinstance(said, bytes) else said


_COUNTS = {"base": "base", "forwarded": "forwarded", "judged": "judged", "aside": "set_aside"}


def _message(message_id: bytes, fields: dict[bytes, bytes] | None) -> Message:
    known = fields or {}
    source, version = (known.get(name, b"").decode("ascii", "replace") for name in (b"from", b"v"))
    return Message(message_id.decode(), source if _SOURCE.match(source) else "", version, known.get(b"copy", b""))
