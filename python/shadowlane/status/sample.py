"""The one request of ``shadowlane doctor --try``: a file's, or a small one of the preset that the lane mirrors.

Invariant: nothing is guessed where it matters: without a preset that has a usual request the user names one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..config import Config
from ..errors import ConfigError

__all__ = ["Request", "request_from"]

_MOST_BYTES = 64 * 1024 * 1024
_ASK = "Answer with the one word: ready"
_TURNS = [{"role": "user", "content": _ASK}]
_BEDROCK_TURNS = [{"role": "user", "content": [{"text": _ASK}]}]

_USUAL: dict[str, tuple[str, str, dict[str, Any]]] = {
    "openai": ("/v1/chat/completions", "gpt-4o-mini", {"messages": _TURNS}),
    "mistral": ("/v1/chat/completions", "mistral-small-latest", {"messages": _TURNS}),
    "anthropic": ("/v1/messages", "claude-haiku-4-5", {"max_tokens": 32, "messages": _TURNS}),
    "ollama": ("/api/chat", "llama3.2", {"messages": _TURNS, "stream": False}),
    "cohere": ("/v2/chat", "command-r7b-12-2024", {"messages": _TURNS}),
    "bedrock": ("/model/{model}/converse", "amazon.nova-micro-v1:0", {"messages": _BEDROCK_TURNS}),
    "search": ("/_search", "", {"query": {"match_all": {}}, "size": 1}),
    "graphql": ("/graphql", "", {"query": "{ __typename }"}),
    "mcp": ("/mcp", "", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
}
"""By preset: path, the model that is asked for when the shadow has none of its own, and the body without it."""
_GENERATE, _GEMINI_MODEL = ":generateContent", "gemini-2.5-flash"
_HEADERS = {"anthropic": {"anthropic-version": "2023-06-01"}, "mcp": {"accept": "application/json, text/event-stream"}}
_EXAMPLE = '{"method": "POST", "path": "/ask", "body": {"question": "..."}}'


class Request(NamedTuple):
    """A request as a user of the gateway sends it."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    note: str = ""
    """What was taken because nothing said otherwise."""


def request_from(config: Config, shadow: str, source: str = "") -> Request:
    """The request of a file (``-``: standard input), or the usual one of the lane's first preset.

    A file holds one JSON object: ``method`` (GET without a body, else POST), ``path`` with its query, ``headers`` and
    ``body``, a JSON value or a text; an object without ``path`` is itself the body of the preset's usual request.

    Raises :class:`~shadowlane.errors.ConfigError` when the file cannot be used or there is no usual request.
    """
    if not source:
        return _usual(config, shadow)
    data = _read(source)
    if "path" not in data:
        usual = _usual(config, shadow, why=f"--try {source}: has no path, and ")
        return usual._replace(body=_body(data)[0], note="")
    unknown = sorted(data.keys() - {"method", "path", "headers", "body"})
    if unknown:
        raise ConfigError(f"--try {source}: unknown field {unknown[0]!r}; use method, path, headers, body: {_EXAMPLE}")
    method, path, headers = data.get("method"), data["path"], data.get("headers", {})
    if not isinstance(path, str) or not path.startswith("/"):
        raise ConfigError(f"--try {source}: path = {path!r}: begin with /, as in {_EXAMPLE}")
    if not (method is None or isinstance(method, str)) or not isinstance(headers, Mapping):
        raise ConfigError(f"--try {source}: method is a text and headers an object of texts, as in {_EXAMPLE}")
    body, kind = _body(data["body"]) if data.get("body") is not None else (b"", "")
    named = {str(name).lower(): str(value) for name, value in headers.items()}
    given = {"host": "gateway", **({"content-type": kind} if kind else {}), **named}
    return Request((method or ("POST" if body else "GET")).upper(), path, _pairs(given), body)


def _read(source: str) -> dict[str, Any]:
    try:
        if source == "-":
            content = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"--try {source}: cannot be read: {error.strerror}; name a file with {_EXAMPLE}") from None
    try:
        data = json.loads(content) if len(content) <= _MOST_BYTES else None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--try {source}: not JSON: {error}; write one object, as in {_EXAMPLE}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"--try {source}: not one JSON object of at most 64 MiB; write for example {_EXAMPLE}")
    return data


def _usual(config: Config, shadow: str, why: str = "") -> Request:
    preset, path = _preset(config)
    if not preset:
        got = _gemini(config) or _plain_get(config)
        if got is not None and not why:
            return got
        raise ConfigError(
            f"{why or '--try: '}no preset of [routes] has a usual request; name a file with one that your users send: "
            f"--try FILE, with {_EXAMPLE}"
        )
    usual_path, usual_model, body = _USUAL[preset]
    arm = config.arms()[shadow]
    model = arm.model or usual_model
    target = (path or usual_path).replace("{model}", model)
    if usual_model and "{model}" not in usual_path:
        body = {"model": model, **body}
    note = "" if arm.model or not usual_model else f"asks for the model {model}, since no model is set for {shadow}"
    data, kind = _body(body)
    return Request(
        "POST", target, _pairs({"host": "gateway", "content-type": kind, **_HEADERS.get(preset, {})}), data, note
    )


def _preset(config: Config) -> tuple[str, str]:
    """The first preset with a usual request, and the path that ``routes.read`` gives it; empty: its usual one."""
    for pattern in config.routes.read:
        words = pattern.split()
        if len(words) == 3 and words[0].upper() == "POST" and "*" not in words[1] and words[2] in _USUAL:
            return words[2], words[1]
    return next(((preset, "") for preset in config.routes.presets if preset in _USUAL), ("", ""))


def _gemini(config: Config) -> Request | None:
    """Gemini's usual request, where ``routes.read`` names its route: its model stands in the path."""
    for pattern in config.routes.read:
        method, _, path = pattern.partition(" ")
        if method.upper() == "POST" and path.endswith(_GENERATE):
            data, kind = _body({"contents": [{"role": "user", "parts": [{"text": _ASK}]}]})
            note = f"asks for the model {_GEMINI_MODEL}" if "*" in path else ""
            target = path.replace("*", _GEMINI_MODEL)
            return Request("POST", target, _pairs({"host": "gateway", "content-type": kind}), data, note)
    return None


def _plain_get(config: Config) -> Request | None:
    """The first GET that the configuration names in full."""
    reads = [words[1] for words in map(str.split, config.routes.read) if len(words) == 2 and words[0].upper() == "GET"]
    path = next((path for path in (*reads, *config.routes.include) if path.startswith("/") and "*" not in path), "")
    return Request("GET", path, _pairs({"host": "gateway"}), b"") if path else None


def _body(value: Any) -> tuple[bytes, str]:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass"), "text/plain; charset=utf-8"
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"), "application/json"


def _pairs(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode("utf-8"), value.encode("utf-8")) for name, value in headers.items())
