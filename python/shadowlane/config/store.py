"""``[store]``: where pairs are kept: a SQLite file, or the schema of a PostgreSQL database.

Invariant: the URL of a server holds no secret: a password in it is refused, and not shown, so that what is logged,
reported and left for the worker holds none.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl

import msgspec

from ..errors import ConfigError
from .bounds import Bound
from .limits import Section
from .shown import shown_url
from .variables import value_of, variable_problem

__all__ = ["StoreConfig", "server_problem"]

_SQLITE = "sqlite:///"
_SERVER = re.compile(
    r"(?:postgresql|postgres)://(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^/?#@]*)(?:/(?P<name>[^/?#]*))?(?:\?(?P<more>[^#]*))?\Z"
)
_SCHEMA = re.compile(r"[a-z_][a-z0-9_.-]{0,62}\Z")
# fmt: off
_PARAMETERS = frozenset((
    "application_name", "channel_binding", "connect_timeout", "dbname", "gssencmode", "host", "hostaddr",
    "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname",
    "load_balance_hosts", "passfile", "port", "require_auth", "service", "sslcert", "sslcertmode", "sslcrl",
    "sslcrldir", "sslkey", "sslmode", "sslnegotiation", "sslrootcert", "sslsni", "ssl_min_protocol_version",
    "ssl_max_protocol_version", "target_session_attrs", "tcp_user_timeout", "user",
))
# fmt: on
"""Of libpq's (https://www.postgresql.org/docs/current/libpq-connect.html, Parameter Key Words), those that are no
secret, and do not change what the store sets itself."""


class StoreConfig(Section, frozen=True):
    """``[store]``: where pairs are kept, and for how long."""

    url: str = "sqlite:///shadowlane.db"
    """``sqlite:///FILE``, relative to the configuration file; four slashes for an absolute path. Where it is left out
    and that folder is read-only: ``LANE.db`` in ``$XDG_STATE_HOME/shadowlane``, else ``~/.local/state/shadowlane``. Or
    ``postgresql://USER@HOST:PORT/DATABASE``, which lanes of several hosts share (the ``postgres`` extra)."""
    schema: str = ""
    """PostgreSQL: the schema of the lane's tables. Empty: ``shadowlane_`` and the lane's name. Hosts with the same one
    are one lane."""
    credential_env: str = ""
    """PostgreSQL: name of the environment variable with the user's password. Empty: ``PGPASSWORD`` or the passfile."""
    max_age_days: Annotated[float, Bound(0, 36_500, above=True, unit="days")] = 30.0
    """Rows that are older are removed."""
    max_bytes: Annotated[int, Bound(1 << 20, 1 << 60, unit="bytes")] = 4 * 1024**3
    """When the file, or what the rows in PostgreSQL take, grows beyond it, the oldest rows are removed."""
    keep_bodies: Literal["all", "reservoir", "none"] = "all"
    """Which rows keep bodies, headers and texts: ``all``; ``reservoir``, a uniform choice of ``exemplars`` for each
    shadow, route and ΔS band; or ``none``. Every row keeps its scores, hashes, times, statuses and, of
    a shadow's HTTP error, the redacted message."""
    exemplars: Annotated[int, Bound(1, 10_000)] = 20
    """With ``reservoir``: rows of each shadow, route and ΔS band that keep their bodies."""

    @property
    def on_server(self) -> bool:
        """Whether a PostgreSQL server keeps the pairs, and not a file."""
        return self.url.startswith(("postgresql:", "postgres:"))

    @property
    def path(self) -> Path:
        """The database's file. Raises ConfigError for a URL of another kind."""
        path = self.url.removeprefix(_SQLITE)
        if not path or path == self.url:
            if self.on_server:
                raise ConfigError(f"store.url = {shown_url(self.url)!r}: is no file, and a file is needed here")
            raise ConfigError(
                f"store.url = {shown_url(self.url)!r}: use sqlite:///relative.db, sqlite:////absolute.db or "
                "postgresql://USER@HOST:PORT/DATABASE"
            )
        return Path(path)

    @property
    def shown(self) -> str:
        """What it is, for people: the file, or server, database and schema."""
        if not self.on_server:
            return str(self.path)
        return f"{self.url.partition('?')[0]} schema {self.schema}"

    def anchored(self, base: Path, name: str = "") -> StoreConfig:
        """With a path that is relative taken from ``base``, so that every command finds the same database; with
        ``name`` the file of that name in ``base``. A server stays where it is."""
        if self.on_server:
            return self
        return msgspec.structs.replace(self, url=f"{_SQLITE}{base / (name or self.path)}")

    def in_file(self, file: Path) -> StoreConfig:
        """The same in a file of its own, which is no lane's."""
        return msgspec.structs.replace(self, url=f"{_SQLITE}{file}", schema="", credential_env="")

    def of_lane(self, lane: str) -> StoreConfig:
        """With the schema of a lane where none is named."""
        if not self.on_server or self.schema:
            return self
        return msgspec.structs.replace(self, schema=f"shadowlane_{lane.lower()}")

    def password(self) -> str:
        """Of the server's user; empty where libpq is to find it. Raises ConfigError for a variable that is not set."""
        return value_of("store.credential_env", self.credential_env) if self.credential_env else ""


def server_problem(store: StoreConfig) -> str | None:
    """What is wrong with the URL of a server, and what belongs to it; ``None`` when nothing is."""
    found = _SERVER.match(store.url)
    if found is None:
        return f"store.url = {shown_url(store.url)!r}: use postgresql://USER@HOST:PORT/DATABASE"
    if ":" in (found["user"] or ""):
        return (
            "store.url: holds a password; put it into an environment variable (store.credential_env), PGPASSWORD or a "
            "passfile (?passfile=FILE)"
        )
    for name, value in parse_qsl(found["more"] or "", keep_blank_values=True):
        if name in ("password", "sslpassword", "options"):
            return f"store.url: the parameter {name} is not taken; use store.credential_env, PGPASSWORD or a passfile"
        if name not in _PARAMETERS or not value:
            return (
                f"store.url: a parameter that is not known or empty; use of libpq's: {', '.join(sorted(_PARAMETERS))}"
            )
    if not _SCHEMA.match(store.schema):
        return (
            f"store.schema = {store.schema!r}: use 1 to 63 of a-z, 0-9, '_', '.', '-', beginning with a letter or '_'"
        )
    return variable_problem("store.credential_env", store.credential_env)
