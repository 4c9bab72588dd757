"""``[serve]``: the worker's HTTP endpoint.

Invariant: an address that passes here and lies beyond loopback has a field that names its token.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from ..errors import ConfigError
from .limits import Section
from .shown import shown_url
from .variables import value_of, variable_problem

__all__ = ["DEFAULT_LISTEN", "ServeConfig", "address_of", "is_loopback", "serve_problem"]

DEFAULT_LISTEN = "127.0.0.1:9797"
_CLEAN = re.compile(r"[!-~]{1,1024}\Z")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})\Z")


class ServeConfig(Section, frozen=True):
    """``[serve]``: the HTTP endpoint of the worker, for release tools, probes and monitoring."""

    listen: str = ""
    """``HOST:PORT``, for example ``127.0.0.1:9797``; port 0 is any free one, see ``shadowlane status``. Empty: off."""
    dashboard: bool = False
    """Whether the worker serves its live page (``/``) there, too."""
    token_env: str = ""
    """Name of the environment variable with the token that every request but ``/healthz`` and ``/readyz`` must carry
    (``Authorization: Bearer``, or ``Basic`` with it as the password). Required where ``listen`` is not loopback."""
    gate_token_env: str = ""
    """The same for a second token that opens ``/gate``, ``/gate/...`` and ``/scale`` alone: it may stand where more
    people read, such as in the URL of a webhook."""

    public_url: str = ""
    """Where people reach the endpoint, for example ``https://lane.example.org``: alerts link to it. Empty: no link."""

    def tokens(self) -> tuple[str, str]:
        """The token and the gate's token, empty where none is named. Raises
        :class:`~shadowlane.errors.ConfigError` when a variable is not set."""
        fields = (("serve.token_env", self.token_env), ("serve.gate_token_env", self.gate_token_env))
        whole, gate = (value_of(field, name) if name else "" for field, name in fields)
        return whole, gate


def address_of(listen: str, field: str = "serve.listen") -> tuple[str, int]:
    """Host (an IPv6 address without brackets) and port. Raises :class:`~shadowlane.errors.ConfigError`."""
    found = _ADDRESS.match(listen)
    if found is None or int(found[2]) > 65_535:
        raise ConfigError(f"{field} = {listen!r}: write HOST:PORT, for example {DEFAULT_LISTEN!r}")
    host = found[1].strip("[]")
    if found[1].startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ConfigError(f"{field} = {listen!r}: not an IPv6 address; write for example '[::1]:9797'") from None
    return host, int(found[2])


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's own loopback, by its name alone (RFC 6761 §6.3)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def serve_problem(serve: ServeConfig) -> str | None:
    """The first thing that is wrong, as ``field = value: why; remedy``, or ``None``."""
    for field in ("token_env", "gate_token_env"):
        if problem := variable_problem(field, getattr(serve, field)):
            return f"serve.{problem}"
    if serve.gate_token_env and not serve.token_env:
        return "serve.gate_token_env: opens a part of what serve.token_env opens; set that one, too"
    if problem := _public_problem(serve.public_url):
        return problem
    if not serve.listen:
        return None
    try:
        host, _ = address_of(serve.listen)
    except ConfigError as error:
        return str(error)
    if not serve.token_env and not is_loopback(host):
        return (
            f"serve.listen = {serve.listen!r}: beyond loopback everybody could read the lane; name the environment "
            "variable of a token in serve.token_env, or listen on 127.0.0.1"
        )
    return None


def _public_problem(url: str) -> str | None:
    if not url:
        return None
    remedy = "write http://HOST[:PORT][/PREFIX] or https://..., which needs nothing more to be opened"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"serve.public_url = {shown_url(url)!r}: host or port cannot be read; {remedy}"
    if parts.scheme not in ("http", "https") or not host or not _CLEAN.match(url):
        return f"serve.public_url = {shown_url(url)!r}: not an address for people; {remedy}"
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return (
            f"serve.public_url = {shown_url(url)!r}: holds a password, a query or a fragment, and alerts show it; "
            f"{remedy}"
        )
    return None
