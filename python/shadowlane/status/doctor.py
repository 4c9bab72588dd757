"""``shadowlane doctor``: is everything in place, and if not, what to do. Each check is one line: ok, warn or fail.

Invariant: looks and connects only, makes no file, prints no credential. No request is sent to a shadow but the one that
``--try`` asks for (:mod:`.attempt`).
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..config import Config, ShadowConfig, load_config
from ..config.bounds import bounds_of
from ..config.errors import advised
from ..config.shadows import section_of
from ..config.shown import names_variable, shown_name, shown_url
from ..config.variables import value_of
from ..errors import ConfigError, ShadowlaneError
from ..gate.evidence import why_no_trial
from ..gate.targets import SCORE_RULES
from ..policy import acting_gets
from ..providers.refusals import doubled_prefix
from ..render.text import Line, count_line, print_json, print_lines
from .attempt import Attempt, attempt, attempt_checks
from .check import Check
from .collect import collect_status
from .fleet import fleet_checks, leader_checks
from .hosts import host_checks
from .lane import choice_of
from .machine import clock_checks, directory_checks, extras_checks, limit_checks, memory_checks, store_checks
from .render import process, size
from .routes import failing_route
from .sample import request_from
from .server import offload_checks

__all__ = ["Check", "check_config", "run_doctor"]

_CONNECT_S = 3.0
_STALE_S = 5.0
_AT_LEAST = {target.field for target in SCORE_RULES if target.missing} | {"retry_success"}
"""Targets of ``[gate]`` that a good share must reach: 1 asks for all."""
_TONE = {"ok": "good", "warn": "open", "fail": "bad"}


def run_doctor(
    config_path: str | os.PathLike[str],
    as_json: bool = False,
    *,
    try_source: str | None = None,
    shadow: str | None = None,
) -> int:
    """Print all checks. Returns 0 when none fails, 1 when one does, 2 when the configuration is wrong.

    With ``try_source`` one request is sent, too: that of a file, or when it is empty a preset's usual one; to
    ``shadow``, or the first one. Raises :class:`~shadowlane.errors.ConfigError` when there is no such request or
    shadow.
    """
    path = Path(config_path)
    code, tried = 0, None
    try:
        config = load_config(path)
    except ConfigError as error:
        checks = [Check("configuration", "fail", str(error), "correct it, then run shadowlane doctor again")]
        code = 2
    else:
        tried = _tried(config, try_source, shadow) if try_source is not None else None
        checks = [Check("configuration", "ok", f"{path}: {', '.join(config.arms())}"), *check_config(config)]
        checks += [] if tried is None else attempt_checks(tried)
        code = int(any(check.level == "fail" for check in checks))
    if as_json:
        data: dict[str, Any] = {"ok": code == 0, "checks": [asdict(check) for check in checks]}
        if tried is not None:
            data["try"] = asdict(tried)
        print_json(data)
    else:
        print_lines(_lines(checks))
    return code


def check_config(config: Config) -> list[Check]:
    """All checks of a configuration that is good by itself."""
    checks: list[Check] = []
    steps: tuple[Callable[[Config], Iterator[Check]], ...] = (
        directory_checks, memory_checks, limit_checks, extras_checks, _credentials, _shadows, _judge, _policy, _lane,
        store_checks, clock_checks, offload_checks, fleet_checks, _gate,
    )  # fmt: skip
    for step in steps:
        checks += step(config)
    return checks


def _tried(config: Config, source: str, shadow: str | None) -> Attempt:
    known = list(config.arms())
    name = known[0] if shadow is None else shadow
    if name not in known:
        why = advised(name, known, f"no such shadow in the configuration; known: {', '.join(known)}")
        raise ConfigError(f"--shadow = {name!r}: {why}")
    return attempt(config, name, request_from(config, name, source))


def _lines(checks: list[Check]) -> list[Line]:
    """What fails first, then what warns: on the first screen, whatever is well."""
    width = max(len(check.name) for check in checks)
    lines: list[Line] = []
    for check in sorted(checks, key=lambda check: list(_TONE).index(check.level), reverse=True):
        lines.append((f"{check.level:<4}  {check.name:<{width}}  {check.text}", _TONE[check.level]))
        if check.remedy:
            lines.append((f"      {'':<{width}}  -> {check.remedy}", ""))
    counts = {level: n for level in reversed(_TONE) if (n := sum(check.level == level for check in checks))}
    return [*lines, (count_line(counts), "")]


def _credentials(config: Config) -> Iterator[Check]:
    """Every variable that the configuration names, but for the judge's."""
    for name, arm in config.arms().items():
        where = f"{section_of(name)}."
        if arm.credential_env:
            yield _variable(f"credential {name}", arm.credential_env, partial(arm.credential, where=where))
        if arm.sign_key_env:
            yield _variable(f"signing key {name}", arm.sign_key_env, partial(arm.sign_key, where=where))
    embedder, hash_key = config.score.embedder_credential_env, config.sanitize.hash_key_env
    if embedder:
        read = partial(value_of, "score.embedder_credential_env", embedder)
        yield _variable("credential embedder", embedder, read)
    for position, alert in enumerate(config.alerts):
        where, named = f"alerts[{position}].", alert.routing_key_env or alert.secret_env
        if alert.url_env:
            yield _variable(f"alerts to {alert.called}", alert.url_env, partial(alert.address, where))
        if named:
            yield _variable(f"alerts' key {alert.called}", named, partial(alert.key, where))
    if config.offload.credential_env:
        yield _variable("credential offload", config.offload.credential_env, config.offload.password)
    if hash_key:
        yield _variable("hash key", hash_key, config.sanitize.rules_dict)


def _variable(name: str, variable: str, read: Callable[[], object]) -> Check:
    """Whether a variable that the configuration names is set to something that can be used."""
    try:
        read()
    except ConfigError as error:
        text, _, _ = str(error).partition("; ")
        return Check(name, "fail", text, str(error).removeprefix(f"{text}; "))
    return Check(name, "ok", f"{shown_name(variable)} is set" if names_variable(variable) else "its variable is set")


def _shadows(config: Config) -> Iterator[Check]:
    for name, arm in config.arms().items():
        yield _reach(f"shadow {name}", arm)
        version = doubled_prefix(arm.url)
        if version and config.routes.presets:
            text = f"{shown_url(arm.url)}: ends in {version}, and the request's path, {version}/..., is put behind it"
            yield Check(f"url {name}", "warn", text, f"leave {version} out of the url")


def _judge(config: Config) -> Iterator[Check]:
    judge = config.judge
    if not judge.url:
        return
    service = judge.service()
    if judge.credential_env:
        yield _variable("credential judge", judge.credential_env, partial(service.credential, where="judge."))
    yield _reach("judge", service)


def _reach(name: str, arm: ShadowConfig) -> Check:
    url = urlsplit(arm.url)
    host, tls = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if tls else 80)
    proxies = [
        key for key in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY") if os.environ.get(key) or os.environ.get(key.lower())
    ]
    if arm.trust_env and proxies:
        return Check(
            name,
            "warn",
            f"{shown_url(arm.url)}: goes through a proxy ({', '.join(proxies)}), not tried",
            "try it with curl",
        )
    start = time.monotonic()
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_S) as plain:
            if tls:
                context = ssl.create_default_context(cafile=arm.ca_file or None)
                with context.wrap_socket(plain, server_hostname=host):
                    pass
    except ssl.SSLCertVerificationError as error:
        text = f"{shown_url(arm.url)}: its certificate is not trusted: {error.verify_message}"
        return Check(name, "fail", text, "set ca_file to the authority's PEM bundle, or correct the host name")
    except ssl.SSLError as error:
        text = f"{shown_url(arm.url)}: no TLS: {error.reason or error}"
        return Check(name, "fail", text, "use http:// if it is plain, or correct the port")
    except OSError as error:
        text = f"{shown_url(arm.url)}: cannot connect: {error.strerror or error}"
        return Check(name, "fail", text, "start the shadow, or correct the url; users are not affected meanwhile")
    took = 1000 * (time.monotonic() - start)
    return Check(
        name, "ok", f"{shown_url(arm.url)}: {'TLS' if tls else 'TCP'} connection in {took:.0f} ms (no request sent)"
    )


def _lane(config: Config) -> Iterator[Check]:
    try:
        status = collect_status(config)
    except ShadowlaneError as error:
        yield Check("lane", "fail", str(error), "see the check of the directory")
        return
    if status["gateway_error"]:
        text = f"a gateway could not open the lane and mirrors nothing: {status['gateway_error']}"
        yield Check("gateway", "fail", text, "correct that and start the gateway again; its users are served")
    if not status["started"]:
        yield Check("lane", "ok", "never started; it starts with the first gateway process")
        return
    if status["enabled"]:
        yield Check("lane", "ok", f"mirroring is on; {status['seen']} requests seen, {status['mirrored']} mirrored")
    else:
        yield Check("lane", "warn", "mirroring is switched off", "shadowlane on")
    if status["ringless"] or status["ring_error"]:
        text = f"{status['ringless']} gateway processes have no ring and mirror nothing: {status['ring_error']}"
        yield Check("rings", "fail", text, "see the check of the shared memory, then start the gateway again")
    else:
        yield Check("rings", "ok", f"{sum(ring['alive'] for ring in status['rings'])} gateway processes have one")
    for text in status["older"]:
        remedy = "restart the gateways that still run the other release; the rest goes by itself"
        yield Check("other release", "warn", text, remedy)
    if status["unread"]:
        yield Check("other release", "warn", f"lost: {status['unread']}", "next time stop the old gateways first")
    yield _worker(status, config)
    yield from leader_checks(status["leaders"])
    yield from host_checks(status["hosts"])
    yield from _copies(status)
    accounting = status["accounting"]
    if accounting["holds"]:
        yield Check("accounting", "ok", accounting["lines"][0])
    else:
        text = "; ".join(accounting["lines"])
        yield Check(
            "accounting", "fail", text, "was the store replaced while the lane lived? If not, report it as a bug"
        )


def _copies(status: dict[str, Any]) -> Iterator[Check]:
    for name, shadow in status["shadows"].items():
        bad = failing_route(shadow["routes"])
        if bad is not None:
            text = f"{bad['failed']} of {bad['copies']} copies of {bad['route']} failed"
            text += f"; they are {100 * bad['share']:.0f} % of all copies"
            said = next((one["text"] for one in shadow["refusals"] if one["route"] == bad["route"]), "")
            remedy = said or "see shadowlane status; leave the route out with routes.exclude, if it is not the shadow's"
            yield Check(f"copies {name}", "warn", text, remedy)


def _worker(status: dict[str, Any], config: Config) -> Check:
    worker, waiting = status["worker"], sum(ring["used"] for ring in status["rings"])
    gateways = sum(ring["alive"] for ring in status["rings"])
    if status["worker_error"]:
        log = Path(status["directory"]) / "worker.log"
        return Check(
            "worker", "fail", f"the last one failed: {status['worker_error']}", f"correct that; its log: {log}"
        )
    if worker["alive"]:
        age = worker["heartbeat_age_s"]
        if age is not None and age > _STALE_S:
            text = f"{process(worker)} has not reported itself for {age:.0f} s"
            where = f"kill {worker['pid']}" if worker["same_namespace"] else "restart the container that it runs in"
            return Check("worker", "fail", text, f"{where}; its successor loses nothing")
        return Check("worker", "ok", f"{process(worker)} is at work")
    if not gateways and not waiting:
        return Check("worker", "ok", "none is running, and nothing waits for it")
    text = f"none is running; {gateways} gateway processes, {size(waiting)} waiting in the rings"
    start = "shadowlane worker" if config.lane.worker == "external" else "see worker.log in the lane's directory"
    return Check("worker", "fail", text, start)


def _policy(config: Config) -> Iterator[Check]:
    """Which GETs are taken for acts, since a list that nobody sees surprises the first time it matters."""
    names = acting_gets(config)
    whose = "built-in list" if config.policy.acting_gets is None else "policy.acting_gets"
    text = f"not mirrored, because they act ({whose}): {', '.join(names)}" if names else "all are mirrored"
    yield Check("GET requests", "ok", text)


def _gate(config: Config) -> Iterator[Check]:
    """What this configuration can never show should not be found out after a day of waiting."""
    for field, bound in bounds_of(type(config.gate)).items():
        value = getattr(config.gate, field)
        if bound.share and field not in _AT_LEAST and not field.endswith("_increase") and value == 1:
            text = f"gate.{field} = 1 is 100 %: no shadow can miss it"
            yield Check("gate", "warn", text, "for 1 % use 0.01; to leave the rule out, name it in gate.disable")
    why = why_no_trial({"choice": choice_of(config), "ratio": config.sampling.ratio})
    if why and "overhead" not in config.gate.disable:
        what, _, remedy = why.partition("; ")
        yield Check("gate", "warn", f"it knows mirroring's own cost by the lane's calls alone; a trial {what}", remedy)
    else:
        yield Check("gate", "ok", "every rule can be judged")
