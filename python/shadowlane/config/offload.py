"""``[worker]`` and ``[offload]``: what this host's worker does, and the stream between forwarding hosts and judges.

Invariant: what passes here names a server without a secret in its address.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from ..files import is_file
from .bounds import Bound
from .limits import Section
from .shown import looks_like_key, shown_url
from .variables import value_of, variable_problem

if TYPE_CHECKING:
    from . import Config

__all__ = ["OffloadConfig", "WorkerConfig", "offload_problem", "server_of"]

_DEFAULT_PORT = 6379
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}\Z")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
_URL_HELP = "use redis://HOST[:PORT][/DATABASE], or rediss:// for TLS"


class WorkerConfig(Section, frozen=True):
    """``[worker]``: what the worker of this host does."""

    role: Literal["all", "forward", "judge"] = "all"
    """``all``: everything. ``forward``: drain, redact, and publish to the stream of ``[offload]``. ``judge``: take from
    that stream, send to the shadows, score and store; such a host has no gateway."""


class OffloadConfig(Section, frozen=True):
    """``[offload]``: the Redis (or Valkey) stream between forwarding hosts and judges (extra ``redis``)."""

    url: str = ""
    """``redis://HOST[:PORT][/DATABASE]``, or ``rediss://`` for TLS. The password is in the variable of
    ``credential_env``."""
    user: str = ""
    """The server's user (ACL); empty: its default one."""
    credential_env: str = ""
    """Name of the environment variable that holds the server's password."""
    ca_file: str = ""
    """A PEM bundle for the server's private certificate authority."""
    stream: str = "shadowlane"
    """The stream's key. Hosts and judges of one mirror share it; beside it lie keys that begin with it and a colon."""
    group: str = "judges"
    """The consumer group of the judges: one a stream."""
    host: str = ""
    """How this host is called in the accounts; empty: its host name."""
    max_length: Annotated[int, Bound(1, 100_000_000, unit="copies")] = 100_000
    """Copies that may wait in the stream. Beyond it nothing is published and admission pauses (``backlog``), until a
    fifth of it is free again."""
    max_age_s: Annotated[float, Bound(1, 604_800, unit="seconds")] = 900.0
    """How old the oldest of them may be before admission pauses."""
    claim_s: Annotated[float, Bound(1, 86_400, unit="seconds")] = 60.0
    """A judge that gave no sign of life for so long loses what it held to the others."""
    max_deliveries: Annotated[int, Bound(2, 1_000_000)] = 10
    """A copy that was given to judges so often, and judged by none, is set aside. In the second half of them it is
    given out alone, so that what ends a judge takes no others with it."""
    timeout_s: Annotated[float, Bound(0.1, 60, unit="seconds")] = 5.0
    """How long the server may take for a call."""

    @property
    def called(self) -> str:
        """How this host is called."""
        return self.host or re.sub(r"[^A-Za-z0-9_.-]", "_", socket.gethostname()) or "host"

    def password(self, environ: Mapping[str, str] | None = None) -> str:
        """The server's password; empty without ``credential_env``. Raises :class:`~shadowlane.errors.ConfigError`."""
        return value_of("offload.credential_env", self.credential_env, environ) if self.credential_env else ""


def offload_problem(config: Config) -> str | None:
    """The first thing that is wrong, as ``field = value: why; remedy``, or ``None``."""
    offload, role = config.offload, config.worker.role
    if problem := _section_problem(offload):
        return f"offload.{problem}"
    if role == "all":
        return None
    if not offload.url:
        return f"worker.role = {role!r}: needs the server between the hosts; set offload.url"
    if config.limits.cap_mode == "reservoir":
        return (
            f"worker.role = {role!r}: the worker that chooses from windows must send the copies itself; use "
            'limits.cap_mode = "first"'
        )
    if role == "judge" and config.lane.worker != "external":
        return (
            "worker.role = 'judge': no gateway starts a judge; set lane.worker = \"external\" and start "
            "shadowlane worker"
        )
    return None


def _section_problem(offload: OffloadConfig) -> str | None:
    for field, shape in (("stream", _KEY), ("group", _KEY)):
        if not shape.match(getattr(offload, field)):
            return f"{field} = {getattr(offload, field)!r}: use 1 to 128 letters, digits, '_', '.', ':' or '-'"
    if offload.host and not _HOST.match(offload.host):
        return f"host = {offload.host!r}: use 1 to 128 letters, digits, '_', '.' or '-'"
    if problem := variable_problem("credential_env", offload.credential_env):
        return problem
    if offload.user and looks_like_key(offload.user):
        return "user: looks like a key, and is not shown; a password belongs into the variable of credential_env"
    if offload.user and not offload.credential_env:
        return f"user = {offload.user!r}: needs its password; name its variable in offload.credential_env"
    if offload.ca_file and not is_file(Path(offload.ca_file)):
        return f"ca_file = {offload.ca_file!r}: no such file"
    return _url_problem(offload) if offload.url else None


def _url_problem(offload: OffloadConfig) -> str | None:
    shown = f"url = {shown_url(offload.url)!r}"
    try:
        url = urlsplit(offload.url)
        host, port = url.hostname, url.port
    except ValueError:  # whose words quote what may be a password
        return f"{shown}: host or port cannot be read; {_URL_HELP}"
    if url.scheme not in ("redis", "rediss") or not host or port == 0:
        return f"{shown}: {_URL_HELP}"
    if url.username is not None or url.password is not None:
        return "url: holds a user name or password; use offload.user, and credential_env for the password"
    if url.query or url.fragment:
        return f"{shown}: a query or fragment has no meaning here; remove it"
    if url.path.strip("/") and not re.match(r"/[0-9]{1,4}/?\Z", url.path):
        return f"{shown}: behind the port stands the number of a database; {_URL_HELP}"
    if offload.ca_file and url.scheme != "rediss":
        return f"{shown}: offload.ca_file is for TLS; use rediss://, or remove it"
    return None


def server_of(offload: OffloadConfig) -> tuple[str, int, int, bool]:
    """Host, port, number of the database, and whether it speaks TLS."""
    url = urlsplit(offload.url)
    return url.hostname or "", url.port or _DEFAULT_PORT, int(url.path.strip("/") or 0), url.scheme == "rediss"
