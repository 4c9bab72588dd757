"""The sections of a configuration, but for those about limits: each step reads its own.

No section knows how it is carried out; what is wrong with one beyond its types is said in :mod:`.checks`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from ..errors import ConfigError
from ..tag import checked_key
from .limits import BreakerConfig, BudgetConfig, RetryConfig, Section

__all__ = [
    "ControlConfig",
    "FieldConfig",
    "GateConfig",
    "JudgeConfig",
    "LaneConfig",
    "PolicyConfig",
    "RoutesConfig",
    "RuleConfig",
    "SamplingConfig",
    "SanitizeConfig",
    "ScoreConfig",
    "ShadowConfig",
    "StoreConfig",
    "StructureConfig",
]

EMBEDDERS = ("wordllama", "lexical", "sentence-transformers", "openai")
"""What ``score.embedder`` may start with; some take a model after a colon (see ``shadowlane.score.load_embedder``)."""


class LaneConfig(Section, frozen=True):
    """``[lane]``: the lane's name, its runtime directory, its worker and its sizes."""

    name: str = "default"
    directory: str = ""
    worker: Literal["auto", "external"] = "auto"
    ring_bytes: int = 16 * 1024 * 1024
    max_body_bytes: int = 1024 * 1024
    idle_exit_s: float = 5.0
    """A worker that was started by a gateway leaves when no gateway lives and all rings have been empty this long."""


class SamplingConfig(Section, frozen=True):
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


class RoutesConfig(Section, frozen=True):
    """``[routes]``: what is a read, and what of it is mirrored. In patterns ``*`` is any text."""

    presets: tuple[str, ...] = ()
    """Sets of POST routes that only read, each with the judge of its bodies: ``openai``, ``sql:postgres``, ... (see
    ``rust/policy/src/preset_routes.rs``). What a preset does not list is a write."""
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


class PolicyConfig(Section, frozen=True):
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


class RuleConfig(Section, frozen=True):
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


class FieldConfig(Section, frozen=True):
    """``[[sanitize.fields]]``: what is done with fields of JSON bodies and forms, by path or by name."""

    action: Action
    path: str = ""
    """``$.messages[*].content``, ``$..email``: names, indices, ``*``, and ``..`` for any depth (RFC 9535)."""
    key: str = ""
    """Instead of a path: a name, wherever it stands."""
    kind: str = "field"


class SanitizeConfig(Section, frozen=True):
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


class StructureConfig(Section, frozen=True):
    """``[score.structure]``: how JSON answers are compared, place by place (``shadowlane.score.structure``)."""

    ignore: tuple[str, ...] = ()
    """Patterns of paths that are left out with all below: ``"/id"``, ``"/items/*/created"``, ``"/**/trace_id"``."""
    float_tolerance: float = 1e-6
    time_tolerance_s: float = 0.0
    unordered: dict[str, str] = msgspec.field(default_factory=dict)
    """Pattern of an array → the field that identifies its items, or ``""`` to match equal items wherever they stand."""


class ScoreConfig(Section, frozen=True):
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


class StoreConfig(Section, frozen=True):
    """``[store]``: where pairs are kept, and for how long."""

    url: str = "sqlite:///shadowlane.db"
    max_age_days: float = 30.0
    max_bytes: int = 4 * 1024**3
    keep_bodies: Literal["all", "reservoir", "none"] = "all"
    """Which rows keep bodies, headers and texts: ``all``; ``reservoir``, a uniform choice of ``exemplars`` for each
    shadow, route and ΔS band; or ``none``. Every row keeps its scores, hashes, times and statuses."""
    exemplars: int = 20


class GateConfig(Section, frozen=True):
    """``[gate]``: the targets of the verdict."""

    mean_delta_s: float = 0.45
    p95_increase: float = 0.03
    shadow_error_rate: float = 0.01
    sampling_tolerance: float = 0.02
    overhead_p99: float = 0.05
    """What mirroring may add to the gateway's own P99, as a share of it. ``inf``: not judged, for lanes in which
    nothing is left to compare with (``sampling.ratio = 1``, sticky sampling)."""
    window_hours: float = 24.0
    min_pairs: int = 100
    flip_rate: float = 0.0
    """Share of the answers to repeated questions at which the shadow's λ may flip where prod's does not; where a
    control runs, above the share at which the control's does. 0: not one."""


class JudgeConfig(Section, frozen=True):
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


class ShadowConfig(Section, frozen=True):
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
