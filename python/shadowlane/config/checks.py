"""What can be wrong with a configuration beyond the types of its fields.

Each function gives the first problem as ``field = value: why; remedy``, or ``None``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from .. import _core
from ..errors import ConfigError
from .limits import (
    LimitsConfig,
    PriceConfig,
    breaker_problem,
    budget_problem,
    limits_problem,
    price_problem,
    retry_problem,
)
from .sections import EMBEDDERS, JudgeConfig, SanitizeConfig, ScoreConfig, ShadowConfig

if TYPE_CHECKING:
    from . import Config

__all__ = ["problem_of"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")
_ROUTE = re.compile(r"[A-Z]+ [/*]\S*\Z")
_ROUTE_HELP = 'write METHOD and a path pattern, for example "POST /search"'
# A field name, or a cookie's name, is a token (RFC 9110 §5.6.2, RFC 6265 §4.1.1).
_KEY = re.compile(r"(?:(?:header|cookie):[!#$%&'*+.^_`|~0-9A-Za-z-]+|api_key|json:/(?:[^~]|~[01])*)\Z")
_KEYS = '"header:x-user-id", "cookie:session" or "api_key"'


def problem_of(config: Config) -> str | None:
    """The first thing that is wrong beyond types, as ``field = value: why; remedy``, or ``None``."""

    def bad(field: str, value: object, why: str) -> str:
        return f"{field} = {value!r}: {why}"

    lane, sampling, limits = config.lane, config.sampling, config.limits
    if not _NAME.match(lane.name):
        return bad("lane.name", lane.name, "use 1 to 64 of a-z, 0-9, '_', '.', '-', starting with a letter or digit")
    if lane.directory and not Path(lane.directory).is_absolute():
        return bad("lane.directory", lane.directory, "give an absolute path, or leave it empty")
    if not 65536 <= lane.ring_bytes <= 1 << 30 or lane.ring_bytes & (lane.ring_bytes - 1):
        return bad("lane.ring_bytes", lane.ring_bytes, "use a power of two from 65536 to 1073741824")
    if not 1024 <= lane.max_body_bytes <= lane.ring_bytes // 4:
        return bad(
            "lane.max_body_bytes",
            lane.max_body_bytes,
            f"use 1024 to a quarter of lane.ring_bytes ({lane.ring_bytes // 4}), so that whole exchanges fit",
        )
    if not (math.isfinite(lane.idle_exit_s) and lane.idle_exit_s >= 0):
        return bad("lane.idle_exit_s", lane.idle_exit_s, "use seconds, 0 or more")
    if not 0 < sampling.ratio <= 1:
        return bad("sampling.ratio", sampling.ratio, "use more than 0 and at most 1; to stop mirroring: shadowlane off")
    if sampling.seed is not None and not 0 <= sampling.seed < 1 << 64:
        return bad("sampling.seed", sampling.seed, "use a whole number from 0 to 2^64-1")
    if sampling.mode == "sticky" and not _KEY.match(sampling.key):
        return bad("sampling.key", sampling.key, f'sticky sampling needs a key: {_KEYS}, or "json:/user"')
    if sampling.mode == "ratio" and sampling.key:
        return bad("sampling.key", sampling.key, 'only sampling.mode = "sticky" uses a key; remove it')
    if problem := limits_problem(limits):
        return f"limits.{problem}"
    if problem := _caps_problem(limits):
        return problem
    for model, price in config.prices.items():
        if problem := price_problem(model, price):
            return f"prices.{model}.{problem}" if model else f"prices.{problem}"
    try:
        _core.Policy(read=config.routes.read_patterns())
    except ConfigError as error:
        return str(error)
    for pattern in config.routes.timed:
        if not _ROUTE.match(pattern):
            return bad("routes.timed", pattern, _ROUTE_HELP)
    for field in ("include", "exclude"):
        for pattern in getattr(config.routes, field):
            if not re.match(r"[/*]\S*\Z", pattern):
                return bad(f"routes.{field}", pattern, 'write a path pattern, for example "/v1/*"')
    policy = config.policy
    if policy.tool_mode not in ("strip", "none", "stub"):
        return bad("policy.tool_mode", policy.tool_mode, 'use "strip", "none" or "stub"')
    if policy.stream not in ("keep", "on", "off"):
        return bad("policy.stream", policy.stream, 'use "keep", "on" or "off"')
    if not 0 <= policy.stub_rounds <= 16:
        return bad("policy.stub_rounds", policy.stub_rounds, "use 0 to 16")
    if policy.temperature is not None and not 0 <= policy.temperature <= 2:
        return bad("policy.temperature", policy.temperature, "use 0 to 2, or remove it to keep the request's own")
    if policy.seed is not None and not -(1 << 63) <= policy.seed < 1 << 63:
        return bad("policy.seed", policy.seed, "use a whole number of 64 bits")
    problem = _sanitize_problem(config.sanitize)
    if problem:
        return problem
    if config.score.embedder.partition(":")[0] not in EMBEDDERS:
        return bad("score.embedder", config.score.embedder, f"unknown embedder; known: {', '.join(EMBEDDERS)}")
    problem = _score_problem(config.score)
    if problem:
        return problem
    store = config.store
    if not store.url.startswith("sqlite:///") or len(store.url) <= len("sqlite:///"):
        return bad("store.url", store.url, "use sqlite:///relative.db or sqlite:////absolute.db")
    if store.max_age_days <= 0:
        return bad("store.max_age_days", store.max_age_days, "use more than 0")
    if store.max_bytes < 1 << 20:
        return bad("store.max_bytes", store.max_bytes, "use 1048576 or more")
    if not 1 <= store.exemplars <= 10_000:
        return bad("store.exemplars", store.exemplars, "use 1 to 10000")
    if not config.shadows:
        return 'shadows: empty; add a table [shadows.candidate] with url = "http://127.0.0.1:9001"'
    if "control" in config.shadows:
        return "shadows.control: the name is taken by the noise-floor arm; use the table [control]"
    for name, shadow in config.arms().items():
        where = "control" if name == "control" else f"shadows.{name}"
        if not _NAME.match(name):
            return bad(where, name, "name a shadow with 1 to 64 of a-z, 0-9, '_', '.', '-'")
        if problem := _shadow_problem(shadow, config.prices):
            return f"{where}.{problem}"
    if not 0 <= config.gate.flip_rate < 1:
        return bad("gate.flip_rate", config.gate.flip_rate, "use a share from 0 to less than 1")
    if not config.gate.overhead_p99 > 0:
        return bad("gate.overhead_p99", config.gate.overhead_p99, "use a share of more than 0, or inf to leave it out")
    return _judge_problem(config.judge, config.arms()) if config.judge.url else None


def _score_problem(score: ScoreConfig) -> str | None:
    kind, _, model = score.embedder.partition(":")
    if kind == "openai":
        shape = ShadowConfig(url=score.embedder_url, timeout_s=score.embedder_timeout_s, ca_file=score.embedder_ca_file)
        if problem := _shadow_problem(shape, {}):
            return f"score.embedder_{problem}"
        if not model:
            return "score.embedder = 'openai:': the model is missing; write for example 'openai:text-embedding-3-small'"
        if not (math.isfinite(score.embedder_tokens_per_day) and score.embedder_tokens_per_day > 0):
            return f"score.embedder_tokens_per_day = {score.embedder_tokens_per_day!r}: use a number of more than 0"
    elif score.embedder_url or score.embedder_credential_env:
        field = "embedder_url" if score.embedder_url else "embedder_credential_env"
        return f"score.{field}: only score.embedder = 'openai:MODEL' uses it; remove it, or set the embedder"
    if not 0 < score.group_threshold <= 1:
        return f"score.group_threshold = {score.group_threshold!r}: use a cosine of more than 0 and at most 1"
    if not 1 <= score.group_capacity <= 1_000_000:
        return f"score.group_capacity = {score.group_capacity!r}: use 1 to 1000000"
    if not 2 <= score.group_window <= 100:
        return f"score.group_window = {score.group_window!r}: use 2 to 100"
    structure = score.structure
    for field in ("float_tolerance", "time_tolerance_s"):
        value = getattr(structure, field)
        if not (math.isfinite(value) and value >= 0):
            return f"score.structure.{field} = {value!r}: use 0 or more"
    for field, patterns in (("ignore", structure.ignore), ("unordered", tuple(structure.unordered))):
        for pattern in patterns:
            if pattern and not pattern.startswith("/"):
                return (
                    f"score.structure.{field}: {pattern!r} is no path pattern; begin it with '/', like \"/items/*/id\""
                )
    return None


def _sanitize_problem(sanitize: SanitizeConfig) -> str | None:
    """What the core says of the rules: a bad pattern, path, kind or header is refused here, not at the first body."""
    from ..core import Redactor  # the extension; configuration alone does not need it before this

    rules = msgspec.structs.replace(sanitize, hash_key_env="").rules_dict()
    try:
        Redactor(rules)
    except ConfigError as error:
        return str(error)
    if sanitize.detector and not re.match(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z", sanitize.detector):
        return (
            f"sanitize.detector = {sanitize.detector!r}: write MODULE:FACTORY, "
            'for example "shadowlane.detect.presidio:detector"'
        )
    return None


def _caps_problem(limits: LimitsConfig) -> str | None:
    for field, values in (("routes", limits.routes), ("weights", limits.weights)):
        for pattern in values:
            if not _ROUTE.match(pattern):
                return f"limits.{field} = {pattern!r}: {_ROUTE_HELP}"
    for pattern, qps in limits.routes.items():
        if not 0 < qps <= 1e6:
            return f"limits.routes.{pattern!r} = {qps!r}: use more than 0 and at most 1000000 requests a second"
    for pattern, weight in limits.weights.items():
        if not 1 <= weight <= limits.burst:
            return (
                f"limits.weights.{pattern!r} = {weight!r}: use 1 to limits.burst ({limits.burst}), or it never passes"
            )
    if not 0 <= limits.tenant_qps <= 1e6:
        return f"limits.tenant_qps = {limits.tenant_qps!r}: use 0 (no cap) to 1000000 requests a second"
    key = limits.tenant_key
    if (key or limits.tenant_qps) and (not _KEY.match(key) or key.startswith("json:")):
        return f"limits.tenant_key = {key!r}: use {_KEYS}"
    return None


def _judge_problem(judge: JudgeConfig, arms: Mapping[str, ShadowConfig]) -> str | None:
    shape = ShadowConfig(url=judge.url, timeout_s=judge.timeout_s, concurrency=judge.concurrency, ca_file=judge.ca_file)
    problem = _shadow_problem(shape, {})
    if problem:
        return f"judge.{problem}"
    if not judge.model:
        return "judge.model: missing; name the model that judges"
    if not 0 < judge.ratio <= 1:
        return f"judge.ratio = {judge.ratio!r}: use more than 0 and at most 1, or remove [judge]"
    for field in ("price_input", "price_output", "money_per_day"):
        value = getattr(judge, field)
        if not (math.isfinite(value) and value >= 0):
            return f"judge.{field} = {value!r}: use 0 or more"
    if not (math.isfinite(judge.tokens_per_day) and judge.tokens_per_day > 0):
        return f"judge.tokens_per_day = {judge.tokens_per_day!r}: use a number of more than 0"
    if judge.money_per_day and not (judge.price_input and judge.price_output):
        return "judge.money_per_day: a money limit needs judge.price_input and judge.price_output (a million tokens)"
    for name, arm in arms.items():
        if _origin(arm.url) == _origin(judge.url) and arm.model in ("", judge.model):
            known = f"model {arm.model!r}" if arm.model else "whatever model the requests name"
            return (
                f"judge.url = {judge.url!r}: the judge must not be one of the arms, and {name!r} is at the same place "
                f"with {known}; use another service, or a judge.model other than that arm's (and name the arm's model)"
            )
    return None


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454 §4)."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def _shadow_problem(shadow: ShadowConfig, prices: dict[str, PriceConfig]) -> str | None:
    try:
        url = urlsplit(shadow.url)
        host, _ = url.hostname, url.port
    except ValueError as error:
        return f"url = {shadow.url!r}: {error}"
    if url.scheme not in ("http", "https") or not host:
        return f"url = {shadow.url!r}: use http://HOST[:PORT][/PREFIX] or https://..."
    if url.username is not None or url.password is not None:
        return "url: holds a user name or password; put the credential into an environment variable (credential_env)"
    if url.query or url.fragment:
        return f"url = {shadow.url!r}: a query or fragment has no meaning here; remove it"
    if not 0 < shadow.ratio <= 1:
        return f"ratio = {shadow.ratio!r}: use more than 0 and at most 1, or remove the shadow"
    if not 0 <= shadow.qps <= 1e6:
        return f"qps = {shadow.qps!r}: use 0 (no cap of its own) to 1000000 copies a second"
    if not 0 <= shadow.burst <= 1_000_000:
        return f"burst = {shadow.burst!r}: use 0 (what comes in one second) to 1000000"
    if not 0 < shadow.timeout_s <= 3600:
        return f"timeout_s = {shadow.timeout_s!r}: use more than 0 and at most 3600 seconds"
    if shadow.deadline_s is not None and not shadow.timeout_s <= shadow.deadline_s <= 86_400:
        return f"deadline_s = {shadow.deadline_s!r}: use timeout_s = {shadow.timeout_s!r} to 86400 seconds"
    if not 0 < shadow.min_qps < math.inf:
        return f"min_qps = {shadow.min_qps!r}: use more than 0"
    if problem := breaker_problem(shadow.breaker):
        return f"breaker.{problem}"
    if problem := retry_problem(shadow.retry):
        return f"retry.{problem}"
    if problem := budget_problem(shadow.budget, prices):
        return f"budget.{problem}"
    if not 1 <= shadow.concurrency <= 4096:
        return f"concurrency = {shadow.concurrency!r}: use 1 to 4096"
    if not 1024 <= shadow.max_response_bytes <= 1 << 30:
        return f"max_response_bytes = {shadow.max_response_bytes!r}: use 1024 to 1073741824"
    if shadow.ca_file and not Path(shadow.ca_file).is_file():
        return f"ca_file = {shadow.ca_file!r}: no such file"
    return None
