"""What can be wrong with a configuration beyond the types of its fields and the ranges of its numbers (:mod:`.bounds`).

Each function gives the first problem as ``field = value: why; remedy``, or ``None``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from .. import _core
from ..errors import ConfigError
from ..files import is_file
from .alerts import alerts_problem
from .bounds import number_problem
from .errors import advised, meant
from .fleet import fleet_problem
from .gate import GATE_RULES
from .limits import PriceConfig, breaker_problem, budget_problem, limits_problem, retry_problem
from .offload import offload_problem
from .pins import pins_problem
from .sections import EMBEDDERS, ScoreConfig
from .serve import serve_problem
from .shadows import ShadowConfig, section_of
from .shown import looks_like_key, shown_url
from .store import server_problem
from .telemetry import telemetry_problem
from .variables import variable_problem

if TYPE_CHECKING:
    from . import Config

__all__ = ["problem_of"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")
_ROUTE = re.compile(r"[A-Z]+ [/*]\S*\Z")
_ROUTE_HELP = 'write METHOD and a path pattern, for example "POST /search"'
# A field name, or a cookie's name, is a token (RFC 9110 §5.6.2, RFC 6265 §4.1.1).
_KEY = re.compile(r"(?:(?:header|cookie):[!#$%&'*+.^_`|~0-9A-Za-z-]+|api_key|json:/(?:[^~]|~[01])*)\Z")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_PREFIX = re.compile(r"(?:[!-~]{1,32}[ :=]{0,2})?\Z")
_KEYS = '"header:x-user-id", "cookie:session" or "api_key"'


def problem_of(config: Config) -> str | None:
    """The first thing that is wrong beyond types, as ``field = value: why; remedy``, or ``None``."""
    checks = (
        number_problem, _lane_problem, _sampling_problem, _limits_problem, _prices_problem, _routes_problem,
        _policy_problem, _sanitize_problem, _score_problem, _store_problem, _shadows_problem, _gate_problem,
        _judge_problem, _pins_problem, _serve_problem, _telemetry_problem, _alerts_problem,
        offload_problem, _fleet_problem,
    )  # fmt: skip
    return next((problem for check in checks if (problem := check(config))), None)


def _bad(field: str, value: object, why: str) -> str:
    return f"{field} = {value!r}: {why}"


def _lane_problem(config: Config) -> str | None:
    lane = config.lane
    if not _NAME.match(lane.name):
        return _bad("lane.name", lane.name, "use 1 to 64 of a-z, 0-9, '_', '.', '-', starting with a letter or digit")
    if lane.directory and not Path(lane.directory).is_absolute():
        return _bad("lane.directory", lane.directory, "give an absolute path, or leave it empty")
    if lane.ring_bytes & (lane.ring_bytes - 1):
        return _bad("lane.ring_bytes", lane.ring_bytes, "use a power of two from 65536 to 1073741824")
    if lane.max_body_bytes > lane.ring_bytes // 4:
        return _bad(
            "lane.max_body_bytes",
            lane.max_body_bytes,
            f"use 1024 to a quarter of lane.ring_bytes ({lane.ring_bytes // 4}), so that whole exchanges fit",
        )
    return None


def _sampling_problem(config: Config) -> str | None:
    sampling = config.sampling
    if sampling.mode == "sticky" and not _KEY.match(sampling.key):
        return _bad("sampling.key", sampling.key, f'sticky sampling needs a key: {_KEYS}, or "json:/user"')
    if sampling.mode == "ratio" and sampling.key:
        return _bad("sampling.key", sampling.key, 'only sampling.mode = "sticky" uses a key; remove it')
    return None


def _limits_problem(config: Config) -> str | None:
    limits = config.limits
    if problem := limits_problem(limits):
        return f"limits.{problem}"
    for field, values in (("routes", limits.routes), ("weights", limits.weights)):
        for pattern in values:
            if not _ROUTE.match(pattern):
                return f"limits.{field} = {pattern!r}: {_ROUTE_HELP}"
    for pattern, weight in limits.weights.items():
        if weight > limits.burst:
            return (
                f"limits.weights.{pattern!r} = {weight!r}: use 1 to limits.burst ({limits.burst}), or it never passes"
            )
    key = limits.tenant_key
    if (key or limits.tenant_qps) and (not _KEY.match(key) or key.startswith("json:")):
        return f"limits.tenant_key = {key!r}: use {_KEYS}"
    return None


def _prices_problem(config: Config) -> str | None:
    return "prices.'': a price needs a model's name, or '*' for any" if "" in config.prices else None


def _serve_problem(config: Config) -> str | None:
    return serve_problem(config.serve)


def _telemetry_problem(config: Config) -> str | None:
    return telemetry_problem(config.telemetry)


def _alerts_problem(config: Config) -> str | None:
    return alerts_problem(config.alerts)


def _fleet_problem(config: Config) -> str | None:
    if config.fleet.on and config.sampling.mode == "sticky" and config.sampling.seed is None:
        return (
            "sampling.seed: the hosts of a fleet need the same, or a user is in on one host and out on another; set one"
        )
    if config.fleet.on and config.limits.cap_mode == "reservoir":
        return (
            "limits.cap_mode = 'reservoir': the hosts of a fleet cap what they admit, and a window's candidates are no "
            'copies yet; use limits.cap_mode = "first"'
        )
    return fleet_problem(config.fleet)


def _pins_problem(config: Config) -> str | None:
    return pins_problem(config.pins)


def _routes_problem(config: Config) -> str | None:
    for field, texts in (("presets", config.routes.presets), ("read", config.routes.read)):
        for text in texts:
            try:
                _core.Policy(read=(text,))
            except ConfigError as error:
                return _route_problem(f"routes.{field}", text, str(error))
    for pattern in config.routes.timed:
        if not _ROUTE.match(pattern):
            return _bad("routes.timed", pattern, _ROUTE_HELP)
    for field in ("include", "exclude"):
        for pattern in getattr(config.routes, field):
            if not re.match(r"[/*]\S*\Z", pattern):
                return _bad(f"routes.{field}", pattern, 'write a path pattern, for example "/v1/*"')
    return None


def _route_problem(field: str, text: str, said: str) -> str:
    """What the core said of one preset or route, under the field where it stands and with what was meant."""
    why = said.partition(": ")[2].removeprefix("= ")
    why = why.removeprefix(f'"{text}": ')
    _, _, preset = text.rpartition(" ")
    name, colon, dialect = preset.partition(":")
    if why.startswith("not METHOD"):
        guess = meant(name, _core.PRESET_NAMES) if " " not in text else ""
    elif name in _core.PRESET_NAMES and colon:
        guess = meant(dialect, why.partition("known: ")[2].split(", "))
        guess = guess.replace("did you mean ", f"did you mean {name}:", 1)
    else:
        guess = meant(name, _core.PRESET_NAMES)
    return _bad(field, text, f"{guess}{why}".strip())


def _policy_problem(config: Config) -> str | None:
    policy = config.policy
    if policy.tool_mode not in ("strip", "none", "stub"):
        why = advised(policy.tool_mode, ("strip", "none", "stub"), 'use "strip", "none" or "stub"')
        return _bad("policy.tool_mode", policy.tool_mode, why)
    if policy.stream not in ("keep", "on", "off"):
        why = advised(policy.stream, ("keep", "on", "off"), 'use "keep", "on" or "off"')
        return _bad("policy.stream", policy.stream, why)
    if "" in policy.keep_members:
        return _bad("policy.keep_members", "", "name a member of the request's body, or remove the entry")
    try:
        _core.Policy(acting_gets=policy.acting_gets)
    except ConfigError as error:
        return str(error)
    return None


def _store_problem(config: Config) -> str | None:
    store = config.store
    if store.on_server:
        return server_problem(store.of_lane(config.lane.name))
    for field in ("schema", "credential_env"):
        if getattr(store, field):
            return f"store.{field}: is for a store on PostgreSQL, and store.url names a file; remove it"
    try:
        _ = store.path
    except ConfigError as error:
        return str(error)
    return None


def _shadows_problem(config: Config) -> str | None:
    if not config.shadows:
        return 'shadows: empty; add a table [shadows.candidate] with url = "http://127.0.0.1:9001"'
    if "control" in config.shadows:
        return "shadows.control: the name is taken by the noise-floor arm; use the table [control]"
    for name, shadow in config.arms().items():
        where = section_of(name)
        if not _NAME.match(name):
            return _bad(where, name, "name a shadow with 1 to 64 of a-z, 0-9, '_', '.', '-'")
        if problem := _shadow_problem(shadow, config.prices):
            return f"{where}.{problem}"
    if config.control.direction != "forward":
        return "control.direction = 'reverse': the control is prod against itself; set it for a shadow"
    return None


def _gate_problem(config: Config) -> str | None:
    gate, known = config.gate, f"known: {', '.join(GATE_RULES)}"
    for name in gate.disable:
        if name not in GATE_RULES:
            why = advised(name, GATE_RULES, f"no rule of this name can be left out; {known}")
            return _bad("gate.disable", name, why)
    for name in gate.require:
        if name not in GATE_RULES:
            return _bad("gate.require", name, advised(name, GATE_RULES, f"no rule of this name; {known}"))
        if name in gate.disable:
            return _bad("gate.require", name, "gate.disable leaves it out; name it in one of them")
    return None


def _score_problem(config: Config) -> str | None:
    score = config.score
    if (kind := score.embedder.partition(":")[0]) not in EMBEDDERS:
        why = advised(kind, EMBEDDERS, f"unknown embedder; known: {', '.join(EMBEDDERS)}")
        return _bad("score.embedder", score.embedder, why)
    if problem := _embedder_problem(score):
        return problem
    structure = score.structure
    for field, patterns in (("ignore", structure.ignore), ("unordered", tuple(structure.unordered))):
        for pattern in patterns:
            if pattern and not pattern.startswith("/"):
                return (
                    f"score.structure.{field}: {pattern!r} is no path pattern; begin it with '/', like \"/items/*/id\""
                )
    return None


def _embedder_problem(score: ScoreConfig) -> str | None:
    kind, _, model = score.embedder.partition(":")
    if kind == "openai":
        if problem := _shadow_problem(score.embedder_service(), {}):
            return f"score.embedder_{problem}"
        if not model:
            return "score.embedder = 'openai:': the model is missing; write for example 'openai:text-embedding-3-small'"
    elif score.embedder_url or score.embedder_credential_env:
        field = "embedder_url" if score.embedder_url else "embedder_credential_env"
        return f"score.{field}: only score.embedder = 'openai:MODEL' uses it; remove it, or set the embedder"
    return None


def _sanitize_problem(config: Config) -> str | None:
    """What the core says of the rules: a bad pattern, path, kind or header is refused here, not at the first body."""
    sanitize = config.sanitize
    if problem := variable_problem("sanitize.hash_key_env", sanitize.hash_key_env):
        return problem
    if not all(map(_TOKEN.match, sanitize.allow_headers)):
        return "sanitize.allow_headers: holds what is not the name of a header, and is not shown; name headers alone"
    rules = msgspec.structs.replace(sanitize, hash_key_env="").rules_dict()
    try:
        _core.Redactor(rules)
    except ConfigError as error:
        named = re.search(r'"([a-z0-9_]+)"', str(error))
        guess = meant(named[1], _core.Redactor.kinds()) if named and "kind" in str(error) else ""
        return f"{error}{'; ' if guess else ''}{guess.strip()}"
    if sanitize.detector and not re.match(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z", sanitize.detector):
        return (
            f"sanitize.detector = {sanitize.detector!r}: write MODULE:FACTORY, "
            'for example "shadowlane.detect.presidio:detector"'
        )
    return None


def _judge_problem(config: Config) -> str | None:
    judge = config.judge
    if not judge.url:
        return None
    if problem := _shadow_problem(judge.service(), {}):
        return f"judge.{problem}"
    if not judge.model:
        return "judge.model: missing; name the model that judges"
    if judge.money_per_day and not (judge.price_input and judge.price_output):
        return "judge.money_per_day: a money limit needs judge.price_input and judge.price_output (a million tokens)"
    for name, arm in config.arms().items():
        if _origin(arm.url) == _origin(judge.url) and arm.model in ("", judge.model):
            known = f"model {arm.model!r}" if arm.model else "whatever model the requests name"
            return (
                f"judge.url = {judge.url!r}: the judge must not be one of the arms, and {name!r} is at the same "
                f"address with {known}; use another service, or a judge.model other than that arm's (and name the "
                "arm's model)"
            )
    return None


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454 §4)."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def _shadow_problem(shadow: ShadowConfig, prices: dict[str, PriceConfig]) -> str | None:
    shown = shown_url(shadow.url)
    try:
        url = urlsplit(shadow.url)
        host, _ = url.hostname, url.port
    except ValueError:  # whose words quote what may be a password
        return f"url = {shown!r}: host or port cannot be read; use http://HOST[:PORT][/PREFIX] or https://..."
    if url.scheme not in ("http", "https") or not host:
        return f"url = {shown!r}: use http://HOST[:PORT][/PREFIX] or https://..."
    if url.username is not None or url.password is not None:
        return "url: holds a user name or password; put the credential into an environment variable (credential_env)"
    if url.query or url.fragment:
        return f"url = {shown!r}: a query or fragment has no meaning here; remove it"
    if problem := _credential_problem(shadow):
        return problem
    if shadow.deadline_s is not None and shadow.deadline_s < shadow.timeout_s:
        return f"deadline_s = {shadow.deadline_s!r}: use timeout_s = {shadow.timeout_s!r} to 86400 seconds"
    if problem := breaker_problem(shadow.breaker):
        return f"breaker.{problem}"
    if problem := retry_problem(shadow.retry):
        return f"retry.{problem}"
    if problem := budget_problem(shadow.budget, prices):
        return f"budget.{problem}"
    if shadow.ca_file and not is_file(Path(shadow.ca_file)):
        return f"ca_file = {shadow.ca_file!r}: no such file"
    if shadow.trust_env and shadow.transport == "native":
        return 'transport = "native": knows no proxies, which trust_env asks for; use "auto", or remove trust_env'
    return None


def _credential_problem(shadow: ShadowConfig) -> str | None:
    """A key that stands in the file itself is refused, and not shown: the file is read by more people than a key."""
    for field in ("credential_env", "sign_key_env"):
        if problem := variable_problem(field, getattr(shadow, field)):
            return problem
    header, prefix = shadow.credential_header, shadow.credential_prefix
    own = "the key itself belongs into the variable that credential_env names"
    if not _TOKEN.match(header) or looks_like_key(header):
        return f"credential_header: not the name of a header, and not shown; use for example authorization; {own}"
    if not _PREFIX.match(prefix) or looks_like_key(prefix):
        return f"credential_prefix: more than a scheme, and not shown; use for example 'Bearer ', or ''; {own}"
    return None
