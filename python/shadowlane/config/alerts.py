"""``[[alerts]]``: who is told when a rule is missed or the lane is not well.

Invariant: an entry that passes here holds no secret, since keys and secret URLs are named and not written, and has a
name of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from ..errors import ConfigError
from ..files import is_file
from .bounds import Bound
from .errors import advised
from .gate import GATE_RULES
from .limits import Section
from .shown import looks_like_key, shown_name, shown_url
from .variables import value_of, variable_problem

__all__ = ["ALERT_RULES", "HEALTH_RULES", "AlertConfig", "alerts_problem"]

HEALTH_RULES = ("drops", "breaker", "cap", "budget", "store", "errors")
"""What is watched of the lane itself."""
ALERT_RULES = ("rejects", "verdict", *GATE_RULES, "asked", "pairs", "accounting", *HEALTH_RULES)
"""What ``alerts.rules`` may name. ``rejects``: whichever rule it is for which a verdict is REJECT."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")
_FOR = re.compile(r"([0-9]{1,3}) of ([0-9]{1,3})\Z")
_MOST_MINUTES = 60
_PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}\Z")
_LEAST_SECRET = 16


class AlertConfig(Section, frozen=True):
    """``[[alerts]]``: one receiver of alerts, and what it is told. The worker sends them."""

    kind: Literal["json", "slack", "pagerduty", "alertmanager"]
    """Whose form the alert has: our own JSON, a Slack incoming webhook's, PagerDuty's Events API v2, Alertmanager's API
    v2."""
    name: str = ""
    """What ``status`` and ``shadowlane alert --test`` call it. Empty: its kind."""
    url: str = ""
    """Where it is sent. Alertmanager: its base, ``http://alertmanager:9093``. PagerDuty: empty for its service in the
    US, ``https://events.eu.pagerduty.com/v2/enqueue`` for that in the EU."""
    url_env: str = ""
    """Instead, the name of the environment variable with a URL that is a secret (Slack's), or holds a password."""
    routing_key_env: str = ""
    """PagerDuty: name of the environment variable with the integration key, 32 letters and digits."""
    secret_env: str = ""
    """``json``: name of the environment variable with the secret that signs each request (``X-Shadowlane-Signature``),
    at least 16 characters."""
    rules: tuple[str, ...] = ("rejects", "verdict", "store")
    """What is told: keys of the gate's rules (when not met); ``rejects``: any rule that rejects; ``verdict``: REJECT;
    of the lane ``drops``, ``breaker`` (open), ``cap`` and ``budget`` (reached), ``store`` (cannot be written),
    ``errors`` (of ours)."""
    for_: str = msgspec.field(default="2 of 3", name="for")
    """In how many of how many minutes it must be so, up to 60. It is over when it was in none of so many."""
    repeat_h: Annotated[float, Bound(0, 8760, remedy="use 0 (never) to 8760 hours")] = 24.0
    """How often it is told again while it lasts; 0: never. Alertmanager repeats by its own configuration."""
    ca_file: str = ""
    """A PEM bundle for a private certificate authority."""
    trust_env: bool = False
    """Use ``HTTP_PROXY`` and friends from the environment."""

    @property
    def called(self) -> str:
        """Its name, or its kind."""
        return self.name or self.kind

    @property
    def minutes(self) -> tuple[int, int]:
        """``n`` of ``m`` minutes."""
        found = _FOR.match(self.for_)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def address(self, where: str, environ: Mapping[str, str] | None = None) -> str:
        """The URL to post to. Raises :class:`~shadowlane.errors.ConfigError` for a variable that is unset or holds
        none; ``where`` stands before the field's name, such as ``alerts[0].``."""
        url = self.url
        if self.url_env:
            field = f"{where}url_env"
            url = value_of(field, self.url_env, environ)
            if _host(url) is None:
                raise ConfigError(
                    f"{field} = {shown_name(self.url_env)}: the variable holds no http:// or https:// URL; write it "
                    "there in full"
                )
        if self.kind == "alertmanager":
            return url if url.endswith("/api/v2/alerts") else f"{url.rstrip('/')}/api/v2/alerts"
        return url or _PAGERDUTY

    def key(self, where: str, environ: Mapping[str, str] | None = None) -> str:
        """PagerDuty's routing key, or the secret that signs; empty without one. Raises as :meth:`address`."""
        if self.kind == "pagerduty":
            key = value_of(f"{where}routing_key_env", self.routing_key_env, environ)
            if not _ROUTING_KEY.match(key):
                raise ConfigError(
                    f"{where}routing_key_env = {shown_name(self.routing_key_env)}: the variable holds no integration "
                    "key, which is 32 letters and digits; copy it from the service's Events API v2 integration"
                )
            return key
        if not self.secret_env:
            return ""
        secret = value_of(f"{where}secret_env", self.secret_env, environ)
        if len(secret) < _LEAST_SECRET:
            raise ConfigError(
                f"{where}secret_env = {shown_name(self.secret_env)}: the variable holds less than {_LEAST_SECRET} "
                "characters; use for example the output of: openssl rand -hex 32"
            )
        return secret


def alerts_problem(alerts: Sequence[AlertConfig]) -> str | None:
    """The first thing that is wrong, as ``field = value: why; remedy``, or ``None``."""
    taken: dict[str, int] = {}
    for position, alert in enumerate(alerts):
        where = f"alerts[{position}]"
        for check in (_name_problem, _secret_problem, _url_problem, _rules_problem):
            if problem := check(alert):
                return f"{where}.{problem}"
        if alert.called in taken:
            first = taken[alert.called]
            return f"{where}.name = {alert.name!r}: alerts[{first}] has this name, too; give each one its own"
        taken[alert.called] = position
    return None


def _name_problem(alert: AlertConfig) -> str | None:
    if alert.name and not _NAME.match(alert.name):
        return f"name = {alert.name!r}: use 1 to 64 of a-z, 0-9, '_', '.', '-', starting with a letter or digit"
    return None


def _secret_problem(alert: AlertConfig) -> str | None:
    for field in ("url_env", "routing_key_env", "secret_env"):
        if problem := variable_problem(field, getattr(alert, field)):
            return problem
    if alert.kind == "pagerduty" and not alert.routing_key_env:
        return "routing_key_env: missing; name the environment variable that holds the integration key"
    if alert.routing_key_env and alert.kind != "pagerduty":
        return f'routing_key_env: only kind = "pagerduty" has one; remove it (this is {alert.kind!r})'
    if alert.secret_env and alert.kind != "json":
        return f'secret_env: only kind = "json" is signed; remove it (this is {alert.kind!r})'
    return None


def _url_problem(alert: AlertConfig) -> str | None:
    if alert.url and alert.url_env:
        return "url_env: url is given, too; keep one of them"
    if not alert.url:
        if alert.url_env or alert.kind == "pagerduty":
            return None
        return "url: missing; give it, or name the environment variable that holds it in url_env"
    host = _host(alert.url)
    if host is None:
        return f"url = {shown_url(alert.url)!r}: use http://HOST[:PORT][/PATH] or https://..."
    parts = urlsplit(alert.url)
    secret = parts.username is not None or parts.password is not None or parts.query or parts.fragment
    if secret or host == "hooks.slack.com" or any(map(looks_like_key, parts.path.split("/"))):
        return (
            f"url: the address at {host} is a secret, or holds one, and this file is read by more people; put it into "
            "an environment variable and name that in url_env"
        )
    if alert.ca_file and not is_file(Path(alert.ca_file)):
        return f"ca_file = {alert.ca_file!r}: no such file"
    return None


def _rules_problem(alert: AlertConfig) -> str | None:
    for rule in alert.rules:
        if rule not in ALERT_RULES:
            why = advised(rule, ALERT_RULES, f"no rule of this name; known: {', '.join(ALERT_RULES)}")
            return f"rules = {rule!r}: {why}"
    if not alert.rules:
        return "rules = []: nothing would ever be told; name rules, or remove the field for the usual ones"
    n, m = alert.minutes
    if not 1 <= n <= m <= _MOST_MINUTES:
        return (
            f'for = {alert.for_!r}: write "N of M", N minutes of M, from "1 of 1" to "60 of 60", for example "2 of 3"'
        )
    return None


def _host(url: str) -> str | None:
    """The host of an http or https URL; ``None`` when it is none."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return host if parts.scheme in ("http", "https") and host else None
