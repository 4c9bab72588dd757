"""Configuration: one TOML file, or the same keys as a dict. Unknown fields are refused.

Everything is checked here, at start, with one error that names the field, the value and the remedy.
No section knows how it is carried out: the steps read their own section.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from . import _core
from .config_limits import (
    BreakerConfig,
    BudgetConfig,
    LimitsConfig,
    PriceConfig,
    RetryConfig,
    Section,
    breaker_problem,
    budget_problem,
    limits_problem,
    price_problem,
    retry_problem,
)
from .errors import ConfigError
from .tag import checked_key

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

__all__ = [
    "BreakerConfig",
    "BudgetConfig",
    "Config",
    "FieldConfig",
    "GateConfig",
    "JudgeConfig",
    "LaneConfig",
    "LimitsConfig",
    "PolicyConfig",
    "PriceConfig",
    "RetryConfig",
    "RoutesConfig",
    "RuleConfig",
    "SamplingConfig",
    "SanitizeConfig",
    "ScoreConfig",
    "ShadowConfig",
    "StoreConfig",
    "StructureConfig",
    "load_config",
]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")
_ROUTE = re.compile(r"[A-Z]+ [/*]\S*\Z")
_ROUTE_HELP = 'write METHOD and a path pattern, for example "POST /search"'
# A field name, or a cookie's name, is a token (RFC 9110 §5.6.2, RFC 6265 §4.1.1).
_KEY = re.compile(r"(?:(?:header|cookie):[!#$%&'*+.^_`|~0-9A-Za-z-]+|api_key|json:/(?:[^~]|~[01])*)\Z")
_KEYS = '"header:x-user-id", "cookie:session" or "api_key"'


_Section = Section

EMBEDDERS = ("wordllama", "lexical", "sentence-transformers", "openai")
"""What ``score.embedder`` may start with; some take a model after a colon (see ``shadowlane.score.load_embedder``)."""


class LaneConfig(_Section, frozen=True):
    """``[lane]``: the lane's name, its runtime directory, its worker and its sizes."""

    name: str = "default"
    directory: str = ""
    worker: Literal["auto", "external"] = "auto"
    ring_bytes: int = 16 * 1024 * 1024
    max_body_bytes: int = 1024 * 1024
    idle_exit_s: float = 5.0
    """A worker that was started by a gateway leaves when no gateway lives and all rings have been empty this long."""


class SamplingConfig(_Section, frozen=True):
    """``[sampling]``: which share of the eligible requests is mirrored."""

    mode: Literal["ratio", "sticky"] = "ratio"
    ratio: float = 0.05
    seed: int | None = None
    """``None``: random for each lane. Give one to repeat a run."""
    key: str = ""
    """What makes a request somebody's: ``header:NAME``, ``cookie:NAME``, ``api_key`` (``authorization``, ``x-api-key``
    or ``api-key``), or ``json:/POINTER`` into the JSON request body (RFC 6901). A request without it is not mirrored.
    The body is not there at admission: with ``json:`` every eligible request is captured, its body read when prod has
    answered, and what is not in the sample goes no further (``sampled_out``); a header costs less."""


class RoutesConfig(_Section, frozen=True):
    """``[routes]``: what is a read, and what of it is mirrored. In patterns ``*`` is any text."""

    presets: tuple[str, ...] = ()
    """Sets of POST routes that only read, each with the judge of its bodies: ``openai``, ``sql:postgres``, ... (see
    ``rust/core/src/policy/preset_routes.rs``). What a preset does not list is a write."""
    read: tuple[str, ...] = ()
    """Further routes that only read: ``"POST /search"``, or with the preset that judges the body, ``"POST /db
    sql:sqlite"``. Without one the body is still refused when it calls, mutates or stands for another method."""
    include: tuple[str, ...] = ()
    """Path patterns; when given, only these are mirrored."""
    exclude: tuple[str, ...] = ()
    """Path patterns that are never mirrored."""
    timed: tuple[str, ...] = ()
    """``METHOD /path`` patterns whose own overhead ``status`` shows, before those of ``limits.routes``, ``read`` and
    ``include``: 15 in all, everything else is one more."""

    def read_patterns(self) -> tuple[str, ...]:
        """Everything that is declared a read, presets first."""
        return self.presets + self.read


class PolicyConfig(_Section, frozen=True):
    """``[policy]``: which calls are reads, and how the copies of inference requests are aligned."""

    allow_tools: tuple[str, ...] = ()
    """MCP tools whose ``tools/call`` is a read, by exact name."""
    read_only_hint: bool = False
    """Believe a tool's own ``readOnlyHint``, as seen in prod's answer to ``tools/list`` at the same endpoint."""
    tool_mode: str = "stub"
    """Tool definitions on the copy. ``"strip"``: removed; ``"none"``: kept, their use forbidden; ``"stub"``: kept, and
    the shadow's calls answered with the results that prod got."""
    stub_rounds: int = 3
    """How often a shadow's calls are answered before its answer stands as it is."""
    stream: str = "keep"
    """Whether the shadow streams: as the request asked (``"keep"``), always (``"on"``), never (``"off"``)."""
    temperature: float | None = None
    """Sampling temperature of every copy; unset: the request's own."""
    seed: int | None = None
    """Sampling seed of every copy, where the API has one; unset: the request's own."""


Action = Literal["mask", "hash", "drop", "keep_last4"]
"""What is done with a redacted value: ``[EMAIL]``, ``[EMAIL:7f3a09c1d2e4]``, nothing, ``[PAYMENT_CARD:*1881]``."""


class RuleConfig(_Section, frozen=True):
    """``[[sanitize.rules]]``: a further form that is redacted."""

    kind: str
    """Name of the kind, a new one or a built-in one: ``a-z``, ``0-9``, ``_``."""
    pattern: str
    """A regular expression in the syntax of Rust's ``regex``; a group named ``value`` is the value, else the match."""
    validator: str = ""
    """A check that the value must pass, such as ``"luhn"`` or ``"entropy"``."""
    context: tuple[str, ...] = ()
    """Words of which one must stand within 80 bytes before the value."""
    confidence: float = 0.9
    action: Action | None = None


class FieldConfig(_Section, frozen=True):
    """``[[sanitize.fields]]``: what is done with fields of JSON bodies and forms, by path or by name."""

    action: Action
    path: str = ""
    """``$.messages[*].content``, ``$..email``: names, indices, ``*``, and ``..`` for any depth (RFC 9535)."""
    key: str = ""
    """Instead of a path: a name, wherever it stands."""
    kind: str = "field"


class SanitizeConfig(_Section, frozen=True):
    """``[sanitize]``: what is redacted, how, and what may pass. The compiled core checks it, at start."""

    allow_headers: tuple[str, ...] = ()
    """Further request and response headers that may pass. Credentials, cookies and idempotency keys never do."""
    secret_names: tuple[str, ...] = ()
    """Further names of JSON and form fields whose text is a secret whatever it looks like."""
    allow_values: tuple[str, ...] = ()
    """Values that are never redacted, such as the public support address."""
    allow_patterns: tuple[str, ...] = ()
    """Patterns of values that are never redacted; a pattern must match the whole value."""
    action: Action = "mask"
    actions: dict[str, Action] = msgspec.field(default_factory=dict)
    """What is done with the values of a kind, where it is not ``action``."""
    disable: tuple[str, ...] = ()
    """Kinds that are not looked for."""
    min_confidence: float = 0.5
    rules: tuple[RuleConfig, ...] = ()
    fields: tuple[FieldConfig, ...] = ()
    hash_key_env: str = ""
    """Name of the environment variable with the key of ``hash``, 64 hexadecimal digits; empty: random for the lane."""
    detector: str = ""
    """``"module:factory"`` of a detector of names and the like, run in the worker; empty: none."""
    hash_ignore: tuple[str, ...] = ()
    """JSON fields that ``req_hash`` leaves out: JSON pointers (RFC 6901), or names at the top of the body."""

    def rules_dict(self, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What :class:`shadowlane.core.Redactor` takes. Raises ConfigError when ``hash_key_env`` names no variable."""
        rules: dict[str, Any] = msgspec.to_builtins(self)
        for other in ("hash_ignore", "hash_key_env", "detector"):
            del rules[other]
        if self.hash_key_env:
            rules["hash_key"] = (os.environ if environ is None else environ).get(self.hash_key_env, "")
            if not rules["hash_key"]:
                raise ConfigError(
                    f"sanitize.hash_key_env = {self.hash_key_env!r}: the environment variable is not set; "
                    "export 64 hexadecimal digits (openssl rand -hex 32) for the worker, or remove the field"
                )
        return rules


class StructureConfig(_Section, frozen=True):
    """``[score.structure]``: how JSON answers are compared, place by place (``shadowlane.score.structure``)."""

    ignore: tuple[str, ...] = ()
    """Patterns of paths that are left out with all below: ``"/id"``, ``"/items/*/created"``, ``"/**/trace_id"``."""
    float_tolerance: float = 1e-6
    time_tolerance_s: float = 0.0
    unordered: dict[str, str] = msgspec.field(default_factory=dict)
    """Pattern of an array → the field that identifies its items, or ``""`` to match equal items wherever they stand."""


class ScoreConfig(_Section, frozen=True):
    """``[score]``: how answers are compared."""

    embedder: str = "wordllama"
    """``wordllama``, ``lexical``, ``sentence-transformers:MODEL``; ``openai:MODEL``: any OpenAI-compatible service."""
    embedder_url: str = ""
    """For ``openai:MODEL``: the base of the service, for example ``https://api.openai.com/v1``."""
    embedder_credential_env: str = ""
    """Name of the environment variable that holds the service's key."""
    embedder_timeout_s: float = 30.0
    embedder_tokens_per_day: float = 10_000_000.0
    """What the service may embed in any 24 hours; pairs beyond it are stored without ΔS."""
    embedder_ca_file: str = ""
    text_pointer: str = ""
    """JSON pointer (RFC 6901) to the answer's text, for plain JSON APIs; empty: recognise the shape."""
    citations_pointer: str = ""
    """JSON pointer to the array of citations; empty: look for ``citations``."""
    groups: bool = True
    """Group live requests into paraphrases, and read λ within each group. Needs hnswlib (the ``semantic`` extra)."""
    group_threshold: float = 0.7
    """The least cosine of a request to its group's first one."""
    group_capacity: int = 4096
    """The most groups held at a time; the one not seen for longest goes first."""
    group_window: int = 6
    """The answers of each arm that a group keeps: three paraphrases, two runs each."""
    structure: StructureConfig = StructureConfig()


class StoreConfig(_Section, frozen=True):
    """``[store]``: where pairs are kept, and for how long."""

    url: str = "sqlite:///shadowlane.db"
    max_age_days: float = 30.0
    max_bytes: int = 4 * 1024**3
    keep_bodies: Literal["all", "reservoir", "none"] = "all"
    """Which rows keep bodies, headers and texts: ``all``; ``reservoir``, a uniform choice of ``exemplars`` for each
    shadow, route and ΔS band; or ``none``. Every row keeps its scores, hashes, times and statuses."""
    exemplars: int = 20


class GateConfig(_Section, frozen=True):
    """``[gate]``: the targets of the verdict."""

    mean_delta_s: float = 0.45
    p95_increase: float = 0.03
    shadow_error_rate: float = 0.01
    sampling_tolerance: float = 0.02
    overhead_p99: float = 0.05
    window_hours: float = 24.0
    min_pairs: int = 100
    flip_rate: float = 0.0
    """Share of the answers to repeated questions at which the shadow's λ may flip where prod's does not; where a
    control runs, above the share at which the control's does. 0: not one."""


class JudgeConfig(_Section, frozen=True):
    """``[judge]``: an optional language model that judges pairs which the scores leave in doubt. Empty url: none."""

    url: str = ""
    """Base of an OpenAI-compatible service, for example ``https://api.openai.com/v1``."""
    model: str = ""
    credential_env: str = ""
    credential_header: str = "authorization"
    credential_prefix: str = "Bearer "
    ratio: float = 0.1
    """Share of the pairs in doubt that is judged."""
    orders: Literal["both", "random"] = "both"
    """``both``: each pair is asked twice, with the answers exchanged, and both must agree. ``random``: once, by the
    seed."""
    seed: int = 0
    timeout_s: float = 60.0
    concurrency: int = 2
    price_input: float = 0.0
    """Money for a million tokens that go in."""
    price_output: float = 0.0
    """Money for a million tokens that come out."""
    money_per_day: float = 0.0
    """What the judge may cost in any 24 hours, in the prices' currency. 0: not limited by money."""
    tokens_per_day: float = 1_000_000.0
    ca_file: str = ""


class ShadowConfig(_Section, frozen=True):
    """``[shadows.NAME]``: one shadow service."""

    url: str
    credential_env: str = ""
    """Name of the environment variable that holds the shadow's own credential."""
    credential_header: str = "authorization"
    credential_prefix: str = "Bearer "
    sign_key_env: str = ""
    """Name of the environment variable that holds the key with which the tag is signed (RFC 9421, hmac-sha256)."""
    ratio: float = 1.0
    """Share of the mirrored traffic that this shadow gets."""
    sample: Literal["independent", "identical"] = "independent"
    """With a ``ratio`` below 1: drawn for itself, or the same copies as every other shadow that says ``identical``
    (those of a smaller ratio are among those of a larger one)."""
    qps: float = 0.0
    """The most copies a second that this shadow gets, under the lane's cap; 0: no cap of its own."""
    burst: int = 0
    """Copies that may come at once under ``qps``; 0: what comes in one second."""
    timeout_s: float = 30.0
    """How long a call may take, from the moment it has one of ``concurrency`` places to the answer's last byte."""
    deadline_s: float | None = None
    """How long a copy may take in all, waiting for a place and retries included; unset: 300, or a longer
    ``timeout_s``."""
    concurrency: int = 16
    min_qps: float = 0.1
    """As far down the rate adapts to a provider's refusals, in copies a second."""
    breaker: BreakerConfig = BreakerConfig()
    retry: RetryConfig = RetryConfig()
    budget: BudgetConfig = BudgetConfig()
    model: str = ""
    """Rewrite of the request's ``model`` field; empty: left as it is."""
    model_rev: str = ""
    index_hash: str = ""
    max_response_bytes: int = 4 * 1024 * 1024
    ca_file: str = ""
    """A PEM bundle for a private certificate authority. Verification cannot be switched off."""
    trust_env: bool = False
    """Use ``HTTP_PROXY`` and friends from the environment."""

    def deadline(self) -> float:
        """Seconds from a copy's arrival at this shadow to the end of its answer."""
        return max(300.0, self.timeout_s) if self.deadline_s is None else self.deadline_s

    def salt(self, name: str) -> str:
        """The salt of its sample: equal salts take the same copies."""
        return "" if self.sample == "identical" else name

    def credential(self, environ: Mapping[str, str] | None = None) -> tuple[bytes, bytes] | None:
        """The header that authenticates at the shadow, or ``None``. Raises ConfigError when the variable is unset."""
        if not self.credential_env:
            return None
        value = (os.environ if environ is None else environ).get(self.credential_env, "")
        if not value:
            raise ConfigError(
                f"credential_env = {self.credential_env!r}: the environment variable is not set; "
                "export it for the worker, or remove the field"
            )
        return self.credential_header.lower().encode("latin-1"), (self.credential_prefix + value).encode("latin-1")

    def sign_key(self, environ: Mapping[str, str] | None = None) -> bytes | None:
        """The key that signs the tag, or ``None``. Raises ConfigError when the variable is unset or too short."""
        if not self.sign_key_env:
            return None
        value = (os.environ if environ is None else environ).get(self.sign_key_env, "")
        if not value:
            raise ConfigError(
                f"sign_key_env = {self.sign_key_env!r}: the environment variable is not set; "
                "export it for the worker, or remove the field"
            )
        return checked_key(value, f"sign_key_env = {self.sign_key_env!r}")


class ControlConfig(ShadowConfig, frozen=True):
    """``[control]``: an optional second copy of prod, for the noise floor. An empty ``url`` means none."""

    url: str = ""


class Config(_Section, frozen=True):
    """A whole configuration. Build it with :func:`load_config` or :meth:`from_dict`, which check it."""

    shadows: dict[str, ShadowConfig]
    lane: LaneConfig = LaneConfig()
    sampling: SamplingConfig = SamplingConfig()
    limits: LimitsConfig = LimitsConfig()
    routes: RoutesConfig = RoutesConfig()
    policy: PolicyConfig = PolicyConfig()
    sanitize: SanitizeConfig = SanitizeConfig()
    score: ScoreConfig = ScoreConfig()
    store: StoreConfig = StoreConfig()
    gate: GateConfig = GateConfig()
    control: ControlConfig = ControlConfig()
    prices: dict[str, PriceConfig] = msgspec.field(default_factory=dict)
    """By model: the exact name, else the longest beginning of it, else ``*``."""
    judge: JudgeConfig = JudgeConfig()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Config:
        """A checked configuration from the TOML file's keys. Raises :class:`~shadowlane.errors.ConfigError`."""
        return _checked(dict(data), origin="configuration")

    def to_dict(self) -> dict[str, Any]:
        """The same keys, as plain values that TOML and JSON can hold: what is unset is left out."""
        plain: dict[str, Any] = _without_unset(msgspec.to_builtins(self))
        return plain

    def arms(self) -> dict[str, ShadowConfig]:
        """Every service that gets copies, by name: the shadows, and ``control`` when one is configured."""
        arms: dict[str, ShadowConfig] = dict(self.shadows)
        if self.control.url:
            arms["control"] = self.control
        return arms


def _without_unset(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_unset(item) for key, item in value.items() if item is not None}


def load_config(path: str | os.PathLike[str]) -> Config:
    """Read and check a TOML file (https://toml.io/en/v1.0.0).

    Raises :class:`~shadowlane.errors.ConfigError` with the field, its value and the remedy.
    """
    file = Path(path)
    try:
        with file.open("rb") as handle:
            data = tomllib.load(handle)
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file; write one (see the README), or pass --config PATH") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML: {error}") from None
    return _checked(data, origin=str(file), base=file.resolve().parent)


def _checked(data: dict[str, Any], *, origin: str, base: Path | None = None) -> Config:
    try:
        config = msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {_readable(str(error), data)}") from None
    problem = _problem(config)
    if problem:
        raise ConfigError(f"{origin}: {problem}")
    if base is not None:
        config = _anchored(config, base)
    return config


def _anchored(config: Config, base: Path) -> Config:
    """Relative store paths are relative to the configuration file, so that every command finds the same database."""
    prefix = "sqlite:///"
    url = config.store.url
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        absolute = prefix + str(base / url[len(prefix) :])
        config = msgspec.structs.replace(config, store=msgspec.structs.replace(config.store, url=absolute))
    return config


def _readable(message: str, data: Any) -> str:
    """msgspec's message with the field first, the value, and what to do."""
    text, _, where = message.partition(" - at `")
    path = where.rstrip("`").lstrip("$").lstrip(".")
    unknown = re.search(r"unknown field `([^`]*)`", text)
    if unknown:
        field = f"{path}.{unknown[1]}" if path else unknown[1]
        return f"{field}: unknown field; remove it or correct its spelling (the README lists every field)"
    missing = re.search(r"missing required field `([^`]*)`", text)
    if missing:
        field = f"{path}.{missing[1]}" if path else missing[1]
        example = ', for example [shadows.candidate] with url = "http://127.0.0.1:9001"' if "shadows" in field else ""
        return f"{field}: missing; add it{example}"
    value = data
    for part in path.replace("[...]", "").split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    shown = f" = {value!r}" if value is not None and not isinstance(value, Mapping) else ""
    return f"{path}{shown}: {text[:1].lower()}{text[1:]}; correct the value"


def _problem(config: Config) -> str | None:
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
    from .core import Redactor  # the extension; configuration alone does not need it before this

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
