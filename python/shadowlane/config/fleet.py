"""``[fleet]``: the hosts that share one cap.

Invariants: an address that passes here is of an engine that is known and holds no password, since it is written to
files; it sets nothing that the engine's own promises rest on (how long a call may take); the fleet's name can be a part
of a key.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from .bounds import Bound
from .limits import Section
from .shown import shown_url
from .variables import value_of, variable_problem

__all__ = ["FleetConfig", "address_problem", "fleet_problem"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")
_SCHEMES = ("redis", "rediss", "postgresql", "postgres")
_DATABASE = re.compile(r"(/[0-9]{0,4})?\Z")
_UNREADABLE = "host or port cannot be read; use redis://HOST[:PORT] or postgresql://USER@HOST/DATABASE"
_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


class FleetConfig(Section, frozen=True):
    """``[fleet]``: several hosts that mirror together. ``limits.qps`` and ``limits.burst`` are then the cap over all of
    them, and a shadow's ``budget`` what it may cost on all of them: each host's worker gets a share for a short time,
    kept in Redis (extra ``redis``) or PostgreSQL (extra ``postgres``). Without a share a host mirrors nothing."""

    url: str = ""
    """``redis://HOST[:PORT][/DB]`` (``rediss://`` with TLS) or ``postgresql://USER@HOST/DATABASE``. Empty: no fleet,
    and the cap is this host's."""
    url_env: str = ""
    """Name of the environment variable with the address, where it holds a password. Instead of ``url``."""
    name: str = ""
    """Hosts that say the same name share one cap. Empty: the lane's name."""
    lease_s: Annotated[float, Bound(2, 60, unit="seconds")] = 5.0
    """How long a share holds. So long a host goes on when the engine is away, and so long nobody mirrors after the
    engine was started again or lost what it had."""

    @property
    def on(self) -> bool:
        """Whether there is a fleet."""
        return bool(self.url or self.url_env)

    def address(self) -> str:
        """The engine's address. Raises :class:`~shadowlane.errors.ConfigError` when its variable is not set."""
        return value_of("fleet.url_env", self.url_env) if self.url_env else self.url


def fleet_problem(fleet: FleetConfig) -> str | None:
    """The first thing that is wrong, as ``field = value: why; remedy``, or ``None``."""
    if problem := variable_problem("url_env", fleet.url_env):
        return f"fleet.{problem}"
    if fleet.url and fleet.url_env:
        return "fleet.url_env: fleet.url is set, too; remove one of them"
    if fleet.name and not _NAME.match(fleet.name):
        return f"fleet.name = {fleet.name!r}: use 1 to 64 of a-z, 0-9, '_', '.', '-', starting with a letter or digit"
    if not fleet.url:
        return None
    shown = f"fleet.url = {shown_url(fleet.url)!r}"
    if problem := address_problem(fleet.url):
        return f"{shown}: {problem}"
    parts = urlsplit(fleet.url)
    try:
        _ = parts.port
    except ValueError:  # a password that is cut by '#' or '?' looks like a port
        return f"{shown}: {_UNREADABLE}"
    if parts.password is not None or any("password" in name for name, _ in parse_qsl(parts.query)):
        return f"{shown}: holds a password; put the address into a variable and name that in fleet.url_env"
    return None


def address_problem(address: str) -> str | None:
    """Why an address, of a file or a variable, names no engine, or ``None``. Quotes nothing of it."""
    try:
        parts = urlsplit(address)
        if parts.scheme not in _SCHEMES:
            return "no engine that is known; use redis://, rediss:// or postgresql://"
        if not parts.scheme.startswith("redis"):  # libpq reads it, which takes several hosts
            return _UNREADABLE if "@" in parts.path else None
        host, _ = parts.hostname, parts.port
    except ValueError:  # whose words quote what may be a password
        return _UNREADABLE
    if not host:
        return "names no host; use redis://HOST[:PORT][/DB]"
    if not _DATABASE.match(parts.path) or parts.fragment:
        return "behind the port stands the number of a database; use redis://HOST[:PORT][/DB]"
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if parts.query and (parts.scheme != "rediss" or not names or not set(names) <= set(_TLS)):
        return f"its query is not taken; remove it, or with rediss:// use only {', '.join(_TLS)}"
    return None
