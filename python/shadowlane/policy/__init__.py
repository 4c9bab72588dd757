"""The read-only policy: what a request, a statement, a document or a tool would do if it were sent again.

Invariant: what is not known to be a read is a write. The classifying is done by the compiled core; this file gives its
verdicts a type and takes Python's types. What text cannot show (a view or a GET handler that writes) stays outside.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from .. import _core
from ..config import Config

__all__ = [
    "Effect",
    "acting_gets",
    "classify_graphql",
    "classify_jsonrpc",
    "classify_request",
    "classify_sql",
    "classify_tool",
    "lane_policy",
    "normalise_llm_body",
    "stub_rounds",
]

Text = str | bytes
_INFERENCE = "inference"
"""The core's reason for an inference request whose normalised copy is a read."""


class Effect(msgspec.Struct, frozen=True):
    """Whether something only reads, and why. The reason holds names from the input, never its values."""

    kind: Literal["read", "write"]
    reason: str

    @property
    def is_read(self) -> bool:
        """Whether ``kind`` is ``"read"``."""
        return self.kind == "read"

    @property
    def is_inference(self) -> bool:
        """Whether it is a read as :func:`normalise_llm_body` leaves it, and only so: the body itself may act."""
        return self.is_read and self.reason == _INFERENCE


def classify_request(
    method: Text,
    target: Text,
    headers: Sequence[tuple[Text, Text]] | Mapping[str, str],
    body: Text | None,
    preset: str = "openai",
) -> Effect:
    """What an HTTP request does when it is sent once more (RFC 9110 §9.2.1, and what deployments add to it).

    ``target`` is the request target: path and query, or an absolute URL. ``body`` is decoded from
    ``content-encoding``. ``preset`` says which POST routes may be reads: ``openai``, ``anthropic``, ``ollama``,
    ``cohere``, ``mistral``, ``bedrock``, ``search``, ``graphql``, ``jsonrpc``, ``mcp``, or ``sql`` with a dialect
    (``sql:postgres``); with any other name every request is a write.

    For inference routes it is the copy after :func:`normalise_llm_body` that is classified: ``store: true`` is a read,
    because it is turned off; ``previous_response_id``, ``background`` and conversations cannot be, and are writes.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    kind, reason = _core.classify_request(
        _bytes(method),
        _bytes(target),
        [(_bytes(name), _bytes(value)) for name, value in pairs],
        _bytes(body or b""),
        preset,
    )
    return Effect(kind, reason)


def classify_sql(text: str, dialect: str = "ansi") -> Effect:
    """What one SQL statement does.

    ``dialect``: ``ansi``, ``generic``, ``postgres``, ``redshift``, ``mysql``, ``mariadb``, ``sqlite``, ``tsql``,
    ``snowflake``, ``bigquery``, ``duckdb``, ``oracle``, ``clickhouse``, ``databricks``, ``sparksql`` or ``hive``.
    Several statements, statements of the session (``SET``, ``BEGIN``), row locks, functions that are not known to be
    pure, and whatever cannot be parsed are writes.
    """
    return Effect(*_core.classify_sql(text, dialect))


def classify_graphql(document: str, operation_name: str | None = None) -> Effect:
    """What a GraphQL document does when the operation ``operation_name`` is run (GraphQL §6.1 GetOperation).

    Without a name the document must hold exactly one operation. Only a query is a read.
    """
    return Effect(*_core.classify_graphql(document, operation_name))


def classify_jsonrpc(body: Text, allow_tools: Iterable[str] = ()) -> Effect:
    """What a JSON-RPC 2.0 or MCP body does. A batch is a read only if every member is.

    ``tools/call`` is a read for the tools named in ``allow_tools``, exactly.
    """
    return Effect(*_core.classify_jsonrpc(_bytes(body), list(allow_tools)))


def classify_tool(definition: Mapping[str, Any]) -> Effect:
    """What calling a tool does, by its definition in the shape of MCP, OpenAI, Anthropic or Bedrock.

    A read needs ``readOnlyHint: true`` or a reading verb in the name, and no contradiction. A definition that is not
    JSON is a write.
    """
    try:
        text = json.dumps(definition)
    except (TypeError, ValueError, RecursionError):
        return Effect("write", "the definition is not JSON")
    return Effect(*_core.classify_tool_json(text.encode()))


def normalise_llm_body(
    preset: str,
    target: Text,
    body: bytes,
    *,
    tool_mode: Literal["strip", "none", "stub"] = "stub",
    stream: bool | None = None,
    model: str | None = None,
    temperature: float | None = None,
    seed: int | None = None,
) -> tuple[bytes, list[str]]:
    """The body that a shadow may get, and one short line for each change.

    State is turned off (``store: false``), tools that the provider carries out are removed, ``user`` and metadata are
    dropped; the options align the rest. Members that are not in the list of changes keep their bytes.

    Raises :class:`ValueError` if the body is not one unambiguous JSON object, or asks for state that cannot be turned
    off, or ``tool_mode`` is unknown.
    """
    return _core.normalise_llm_body(
        preset,
        _bytes(target),
        body,
        tool_mode=tool_mode,
        stream=stream,
        model=model,
        temperature=temperature,
        seed=seed,
    )


def lane_policy(config: Config) -> _core.Policy:
    """The policy of a lane, from ``[routes]`` and ``[policy]``: what the worker classifies every copy with."""
    routes, policy = config.routes, config.policy
    return _core.Policy(
        read=routes.read_patterns(),
        allow_tools=policy.allow_tools,
        read_only_hint=policy.read_only_hint,
        tool_mode=policy.tool_mode,
        stream={"keep": None, "on": True, "off": False}[policy.stream],
        temperature=policy.temperature,
        seed=policy.seed,
        acting_gets=policy.acting_gets,
        keep_members=policy.keep_members,
    )


def acting_gets(config: Config) -> tuple[str, ...]:
    """The names of GETs that are not mirrored: ``policy.acting_gets``, or the built-in list."""
    return _core.ACTING_GETS if config.policy.acting_gets is None else config.policy.acting_gets


def stub_rounds(config: Config) -> int:
    """How often a shadow's tool calls are answered; 0 unless ``policy.tool_mode`` is ``"stub"``."""
    return config.policy.stub_rounds if config.policy.tool_mode == "stub" else 0


def _bytes(text: Text) -> bytes:
    # Surrogates stand for bytes that were no text (PEP 383); the core classifies the bytes.
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
