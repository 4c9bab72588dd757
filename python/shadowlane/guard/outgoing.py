"""What a shadow's own HTTP calls may do, and the tag that they carry on: shared by the three client integrations.

Invariant: nothing is asked of a call outside a shadow. In one, it is a read (RFC 9110 §9.2.1, and no method override,
no upgrade: the policy classifies that), or the user has named it; and it carries the tag, so that the next service
knows.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..policy import classify_request
from ..tag import checked_key, sign
from .baggage import with_tag
from .context import ShadowWriteError, current
from .rerouting import names_target

__all__ = ["Outgoing"]

_RULE = re.compile(r"(?P<method>[A-Z]+) (?P<scheme>https?)://(?P<host>[^/?#@\s]+)(?P<path>/[^?#\s]*)\Z")
_SAFE = ("GET", "HEAD", "OPTIONS")
_PORTS = {"http": 80, "https": 443}


class Outgoing:
    """Classifies and tags outgoing calls.

    :param allow: calls that may be made although their method is not safe, as ``"METHOD scheme://host[:port]/path"``;
        ``*`` in the path stands for any text. Method override headers do not matter for a call that is named.
    :param key: a signing key for the next service (see :class:`shadowlane.guard.ShadowGuard`); the call's tag is signed
        with it. Give it only to clients that talk to your own services.

    Raises :class:`~shadowlane.errors.ConfigError` for a rule that cannot be read or a key that is too short.
    """

    def __init__(self, *, allow: Iterable[str] = (), key: str | bytes | None = None) -> None:
        self._rules: list[tuple[str, str, str, int, re.Pattern[str]]] = []
        for rule in (allow,) if isinstance(allow, str) else allow:
            found = _RULE.match(rule)
            origin = _origin(f"{found['scheme']}://{found['host']}") if found else None
            if found is None or origin is None:
                raise ConfigError(
                    f"allow = {rule!r}: write METHOD and a URL without query, for example "
                    '"POST http://vectors.internal:6333/collections/*/points/search"'
                )
            path = ".*".join(re.escape(part) for part in found["path"].split("*"))
            self._rules.append((found["method"], *origin, re.compile(path + r"\Z")))
        self._key = None if key is None else checked_key(key, "key")

    def prepare(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], set_header: Callable[[str, str], None]
    ) -> None:
        """Classify a call that is about to be sent, and give it the tag through ``set_header`` (which replaces).

        Raises :class:`ShadowWriteError` for a call that may write; outside a shadow it does nothing.
        """
        shadow = current()
        if shadow is None:
            return
        parts = urlsplit(url)
        path = parts.path or "/"
        if not self._allowed(method, url, path):
            reason = "its method is not safe"
            if method.upper() in _SAFE:
                target = path + (f"?{parts.query}" if parts.query else "")
                effect = classify_request(method, target, headers, None)
                reason = "" if effect.is_read else effect.reason
                elsewhere = next((name for name, _ in headers if names_target(name)), "")
                reason = reason or (f"its header {elsewhere.lower()} may name another target" if elsewhere else "")
            if reason:
                raise ShadowWriteError(f"{method} to {parts.hostname}: {reason}")
        shadow_id = shadow.id or str(uuid.uuid4())
        req_hash = shadow.req_hash or "-"
        carried = ",".join(value for name, value in headers if name.lower() == "baggage")
        tags = [("x-shadow", "1"), ("x-shadow-id", shadow_id), ("x-shadow-req-hash", req_hash)]
        if self._key is not None:
            tags += sign(self._key, method, path.encode(), parts.query.encode(), shadow_id, req_hash)
        for name, value in [*tags, ("baggage", with_tag(carried))]:
            set_header(name, value)

    def _allowed(self, method: str, url: str, path: str) -> bool:
        origin = _origin(url)
        # A path with dot segments or an encoded slash may mean another resource there than it says here.
        if origin is None or re.search(r"/\.{1,2}(/|\Z)|%2e|%2f|%5c|\\", path, re.IGNORECASE):
            return False
        return any(
            rule[0] == method.upper() and rule[1:4] == origin and rule[4].match(path) is not None
            for rule in self._rules
        )


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        return None
    if scheme not in _PORTS or not host:
        return None
    return scheme, host.rstrip("."), port or _PORTS[scheme]
