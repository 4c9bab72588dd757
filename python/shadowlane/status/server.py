"""What ``doctor`` says of the server of ``[offload]``: version, what it does when it is full, what outlives it.

Invariant: reads only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..config import Config
from ..config.shown import shown_url
from ..errors import ShadowlaneError
from .check import Check
from .render import size

__all__ = ["offload_checks"]

_NAME = "offload"
_LEAST = (7, 0)
_LITTLE_FREE = 0.2


def offload_checks(config: Config) -> Iterator[Check]:
    """Nothing where this host does all itself."""
    if config.worker.role == "all":
        return
    at = shown_url(config.offload.url)
    try:
        from ..offload.redis import server_facts

        facts = server_facts(config.offload)
    except ShadowlaneError as error:
        remedy = "correct [offload], or start the server; forwarding hosts keep their copies meanwhile"
        yield Check(_NAME, "fail", str(error), remedy)
        return
    version = str(facts.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < _LEAST:
        yield Check(_NAME, "fail", f"{at}: version {version}", "use Redis 7.0 or later, or Valkey")
        return
    yield Check(_NAME, "ok", f"{at}: {facts.get('server_name', 'redis')}, compatible with Redis {version}")
    yield from _memory(at, facts)
    yield from _persistence(at, facts)
    if facts.get("role", "master") != "master":
        yield Check(_NAME, "fail", f"{at}: a replica, which takes no writes", "name the primary in offload.url")
    if config.limits.tenant_key and config.worker.role == "forward":
        text = "tenants are known by hashes of each host's own: one tenant is another one on each host"
        yield Check(_NAME, "warn", text, "read the figures by tenant of one host at a time")
    if not config.sanitize.hash_key_env and _hashes(config):
        text = "the action hash has a key of each host's own: one value has as many hashes as hosts"
        yield Check(_NAME, "warn", text, "set sanitize.hash_key_env to one key on all hosts")


def _hashes(config: Config) -> bool:
    sanitize = config.sanitize
    actions = [sanitize.action, *sanitize.actions.values(), *(one.action for one in sanitize.fields)]
    return "hash" in actions or any(rule.action == "hash" for rule in sanitize.rules)


def _memory(at: str, facts: Mapping[str, Any]) -> Iterator[Check]:
    policy, most, used = facts.get("maxmemory_policy", ""), int(facts.get("maxmemory", 0)), int(facts["used_memory"])
    if policy not in ("noeviction", ""):
        text = f"{at}: maxmemory-policy is {policy}: when it is full it may throw the stream or its accounts away"
        yield Check(_NAME, "fail", text, "set maxmemory-policy noeviction, or give the lane a server of its own")
    elif not most:
        text = f"{at}: no maxmemory: a stream that grows can take all of its machine's memory"
        yield Check(_NAME, "warn", text, "set maxmemory, with maxmemory-policy noeviction")
    elif used > (1 - _LITTLE_FREE) * most:
        text = f"{at}: {size(used)} of {size(most)} used; when it is full admission pauses (backlog)"
        yield Check(_NAME, "warn", text, "start more judges, or raise maxmemory")
    else:
        yield Check(_NAME, "ok", f"{at}: {size(used)} of {size(most)} used, and nothing is evicted")


def _persistence(at: str, facts: Mapping[str, Any]) -> Iterator[Check]:
    if not int(facts.get("aof_enabled", 0)):
        text = f"{at}: no append-only file: a restart of the server loses the copies that are not judged"
        yield Check(_NAME, "warn", text, "set appendonly yes")
    elif facts.get("aof_last_write_status", "ok") != "ok":
        yield Check(_NAME, "fail", f"{at}: its append-only file cannot be written", "see the server's log and its disk")
    else:
        synced = facts.get("appendfsync", "")
        said = f", appendfsync {synced}" if synced else ""
        tail = "" if synced == "always" else ": a crash of its machine may lose the last second"
        yield Check(_NAME, "ok", f"{at}: append-only file{said}{tail}")
