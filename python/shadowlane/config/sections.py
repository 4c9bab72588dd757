"""The sections of a configuration, but for those about limits: each step reads its own.

No section knows how it is carried out; what is wrong with one beyond its types is said in :mod:`.checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from .bounds import DAY_S, SHARE, Bound
from .limits import Section
from .shadows import ShadowConfig
from .variables import value_of

__all__ = [
    "FieldConfig",
    "JudgeConfig",
    "LaneConfig",
    "PolicyConfig",
    "RoutesConfig",
    "RuleConfig",
    "SamplingConfig",
    "SanitizeConfig",
    "ScoreConfig",
    "StructureConfig",
]

EMBEDDERS = ("wordllama", "lexical", "sentence-transformers", "openai")
"""What ``score.embedder`` may start with; some take a model after a colon (see ``shadowlane.score.load_embedder``)."""


_RING_BYTES = Bound(65536, 1 << 30, remedy="use a power of two from 65536 to 1073741824")
_RATIO = SHARE._replace(remedy="use more than 0 and at most 1; to stop mirroring: shadowlane off")
_JUDGE_RATIO = SHARE._replace(remedy="use more than 0 and at most 1, or remove [judge]")
_SEED = Bound(0, (1 << 64) - 1, remedy="use a whole number from 0 to 2^64-1")
_MODEL_SEED = Bound(-(1 << 63), (1 << 63) - 1, remedy="use a whole number of 64 bits")
_TEMPERATURE = Bound(0, 2, remedy="use 0 to 2, or remove it to keep the request's own")
_TIMEOUT = Bound(0, 3600, above=True, unit="seconds")
_MONEY = Bound(0, 1e15, remedy="use 0 or more")


class LaneConfig(Section, frozen=True):
    """``[lane]``: the lane's name, its runtime directory, its worker and its sizes."""

    name: str = "default"
    """One lane has one runtime directory and one worker. Gateways that say the same name, as the same user, share
    it."""
    directory: str = ""
    """The runtime directory, in shared memory. Empty: the user's runtime directory, else ``/dev/shm``."""
    worker: Literal["auto", "external"] = "auto"
    """``auto``: the gateways start one and replace one that died. ``external``: you start ``shadowlane worker``
    yourself, with systemd or as a sidecar."""
    ring_bytes: Annotated[int, _RING_BYTES] = 16 * 1024 * 1024
    """Shared memory of each gateway process for copies that wait: a power of two. It must hold the traffic of the
    longest ``timeout_s``."""
    max_body_bytes: Annotated[int, Bound(1024, 1 << 28, unit="bytes")] = 1024 * 1024
    """A larger request is not mirrored; a larger response is kept cut, and flagged."""
    idle_exit_s: Annotated[float, Bound(0, 365 * DAY_S, unit="seconds")] = 5.0
    """A worker that was started by a gateway leaves when no gateway lives and all rings have been empty this long."""


class SamplingConfig(Section, frozen=True):
    """``[sampling]``: which share of the eligible requests is mirrored."""

    mode: Literal["ratio", "sticky"] = "ratio"
    """``ratio``: an exact share of the requests. ``sticky``: by ``key``, so that a user stays in or out."""
    ratio: Annotated[float, _RATIO] = 0.05
    """Share of the eligible requests that is mirrored, exact over all processes."""
    seed: Annotated[int | None, _SEED] = None
    """``None``: random for each lane. Give one to repeat a run."""
    key: str = ""
    """What makes a request somebody's: ``header:NAME``, ``cookie:NAME``, ``api_key`` (``authorization``, ``x-api-key``
    or ``api-key``), or ``json:/POINTER`` into the JSON request body (RFC 6901). A request without it is not mirrored.
    The body is not there at admission: with ``json:`` every eligible request is captured, its body read when prod has
    answered, and what is not in the sample goes no further (``sampled_out``); a header costs less."""


class RoutesConfig(Section, frozen=True):
    """``[routes]``: what is a read, and what of it is mirrored. In patterns ``*`` is any text.

    Probes, metrics, documentation and the like (``/healthz``, ``/metrics``, ``/docs``, ``/openapi.json``) are not
    mirrored, unless ``include`` or ``read`` names their path in full."""

    presets: tuple[str, ...] = ()
    """Sets of POST routes that only read, each with the parser of its bodies: ``openai``, ``sql:postgres``, ... (see
    ``rust/policy/src/preset_routes.rs``). A POST that no preset lists is a write. With an inference preset (``openai``,
    ``anthropic``, ``ollama``, ``cohere``, ``mistral``, ``bedrock``) GET and HEAD are mirrored only where ``read`` or
    ``include`` asks for them, or another preset lists the path."""
    read: tuple[str, ...] = ()
    """Further routes that only read: ``"POST /search"``, or with the preset that classifies the body, ``"POST /db
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
    acting_gets: tuple[str, ...] | None = None
    """GET and HEAD requests that act and are not mirrored, by name: ``"logout"`` is a segment of a path, ``"delete*"``
    a segment of up to three words that begins or ends with it, ``"stream.body="`` a parameter. Unset: the built-in
    list, which ``shadowlane doctor`` prints; ``[]`` is none. A GET that ``routes.read`` names in full, without a star,
    is mirrored whatever its path is called; its parameters count all the same."""
    keep_members: tuple[str, ...] = ()
    """Members of inference requests that stay on the copy although no preset knows them, by exact name. All others that
    are not known to ask for an answer and nothing else are removed and listed with the pair."""
    tool_mode: str = "stub"
    """Tool definitions on the copy. ``"strip"``: removed; ``"none"``: kept, their use forbidden; ``"stub"``: kept, and
    the shadow's calls answered with the results that prod got."""
    stub_rounds: Annotated[int, Bound(0, 16)] = 3
    """How often a shadow's calls are answered before its answer stands as it is."""
    stream: str = "keep"
    """Whether the shadow streams: as the request asked (``"keep"``), always (``"on"``), never (``"off"``)."""
    temperature: Annotated[float | None, _TEMPERATURE] = None
    """Sampling temperature of every copy; unset: the request's own."""
    seed: Annotated[int | None, _MODEL_SEED] = None
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
    confidence: Annotated[float, Bound(0, 1, share=True)] = 0.9
    """How sure a match is when its validator and context are satisfied."""
    action: Action | None = None
    """What is done with the value; unset: what ``sanitize.action`` and ``actions`` say."""


class FieldConfig(Section, frozen=True):
    """``[[sanitize.fields]]``: what is done with fields of JSON bodies and forms, by path or by name."""

    action: Action
    """What is done with the field's value."""
    path: str = ""
    """``$.messages[*].content``, ``$..email``: names, indices, ``*``, and ``..`` for any depth (RFC 9535)."""
    key: str = ""
    """Instead of a path: a name, wherever it stands."""
    kind: str = "field"
    """The kind that the label names."""


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
    """What is done with a value that is found, unless ``actions`` or a rule says otherwise."""
    format: Literal["label", "same"] = "label"
    """What stands in place of a number in JSON: ``label``, as a string; ``same``, a number of the same length with the
    digit 1 throughout, so that the body stays valid for its schema. Texts get labels always."""
    actions: dict[str, Action] = msgspec.field(default_factory=dict)
    """What is done with the values of a kind, where it is not ``action``."""
    disable: tuple[str, ...] = ()
    """Kinds that are not looked for."""
    min_confidence: Annotated[float, Bound(0, 1, share=True)] = 0.5
    """How sure a finding must be, from 0 to 1; a check digit or a word near the value makes it surer."""
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
            rules["hash_key"] = value_of("sanitize.hash_key_env", self.hash_key_env, environ)
        return rules


class StructureConfig(Section, frozen=True):
    """``[score.structure]``: how JSON answers are compared, value by value (``shadowlane.score.structure``)."""

    ignore: tuple[str, ...] = ()
    """Patterns of paths that are left out with all below: ``"/id"``, ``"/items/*/created"``, ``"/**/trace_id"``."""
    float_tolerance: Annotated[float, Bound(0, 1e15)] = 1e-6
    """Two numbers of which one is not whole are equal when they differ by no more than this, or than this share of
    the larger one."""
    time_tolerance_s: Annotated[float, Bound(0, 1e15, unit="seconds")] = 0.0
    """Times that differ by no more than this many seconds are equal."""
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
    embedder_timeout_s: Annotated[float, _TIMEOUT] = 30.0
    """How long one call to the embedding service may take."""
    embedder_tokens_per_day: Annotated[float, Bound(0, 1e15, above=True)] = 10_000_000.0
    """What the service may embed in any 24 hours; pairs beyond it are stored without ΔS."""
    embedder_ca_file: str = ""
    """A PEM bundle for the service's private certificate authority."""
    text_pointer: str = ""
    """JSON pointer (RFC 6901) to the answer's text, for plain JSON APIs; empty: recognise the shape."""
    citations_pointer: str = ""
    """JSON pointer to the array of citations; empty: look for ``citations``."""
    groups: bool = True
    """Group live requests into paraphrases, and read λ within each group."""
    group_threshold: Annotated[float, SHARE] = 0.7
    """The least cosine of a request to its group's first one."""
    group_capacity: Annotated[int, Bound(1, 1_000_000)] = 4096
    """The most groups held at a time; the one not seen for longest goes first."""
    group_index: Literal["exact", "hnsw"] = "exact"
    """How a request's group is found: ``exact``, in a time that grows with the groups; ``hnsw``, for hundreds of
    thousands: may miss a group, needs hnswlib (the ``groups`` extra) and so a C++ compiler to install."""
    group_window: Annotated[int, Bound(2, 100)] = 6
    """The answers of each arm that a group keeps: three paraphrases, two runs each."""
    structure: StructureConfig = StructureConfig()

    def embedder_service(self) -> ShadowConfig:
        """The embedding service as what a transport opens: one call at a time."""
        return ShadowConfig(
            url=self.embedder_url,
            timeout_s=self.embedder_timeout_s,
            concurrency=1,
            ca_file=self.embedder_ca_file,
            credential_env=self.embedder_credential_env,
        )


class JudgeConfig(Section, frozen=True):
    """``[judge]``: an optional language model that judges pairs which the scores leave in doubt. Empty url: none."""

    url: str = ""
    """Base of an OpenAI-compatible service, for example ``https://api.openai.com/v1``."""
    model: str = ""
    """The model that judges; required with a url."""
    credential_env: str = ""
    """Name of the environment variable that holds the service's key."""
    credential_header: str = "authorization"
    """The header that carries it."""
    credential_prefix: str = "Bearer "
    """What stands before the key in that header."""
    ratio: Annotated[float, _JUDGE_RATIO] = 0.1
    """Share of the pairs in doubt that is judged; of those that seem sure, a tenth of it."""
    orders: Literal["both", "random"] = "both"
    """``both``: each pair is asked twice, with the answers exchanged, and both must agree. ``random``: once, by the
    seed."""
    seed: Annotated[int, _SEED] = 0
    """Chooses which pairs are asked and, with ``random``, in which order."""
    timeout_s: Annotated[float, _TIMEOUT] = 60.0
    """How long one call may take."""
    concurrency: Annotated[int, Bound(1, 4096)] = 2
    """Calls that are out at a time."""
    price_input: Annotated[float, _MONEY] = 0.0
    """Money for a million tokens that go in."""
    price_output: Annotated[float, _MONEY] = 0.0
    """Money for a million tokens that come out."""
    money_per_day: Annotated[float, _MONEY] = 0.0
    """What the judge may cost in any 24 hours, in the prices' currency. 0: not limited by money."""
    tokens_per_day: Annotated[float, Bound(0, 1e15, above=True)] = 1_000_000.0
    """What the judge may use in any 24 hours."""
    ca_file: str = ""
    """A PEM bundle for the service's private certificate authority."""

    def service(self) -> ShadowConfig:
        """The judging model's service as what a transport opens."""
        return ShadowConfig(
            url=self.url,
            timeout_s=self.timeout_s,
            concurrency=self.concurrency,
            ca_file=self.ca_file,
            credential_env=self.credential_env,
            credential_header=self.credential_header,
            credential_prefix=self.credential_prefix,
        )
