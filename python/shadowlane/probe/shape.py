"""What a question looks like as a request: the OpenAI chat shape, or a template of the user's.

Invariant: a question is data. It is put into the template's values after parsing, and into a path percent-encoded, so
that no question can change a request's structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from ..core import request_hash
from ..errors import ConfigError
from ..types import Copy

__all__ = ["Shape", "parse_template"]

_CHAT: dict[str, Any] = {
    "model": "{{model}}",
    "messages": [{"role": "user", "content": "{{question}}"}],
    "seed": "{{seed}}",
}
_MARKS = ("{{question}}", "{{seed}}", "{{model}}")


@dataclass(frozen=True, slots=True)
class Shape:
    """How to ask: ``{{question}}``, ``{{seed}}`` and ``{{model}}`` stand for their values in ``path`` and ``template``.

    An empty ``path`` is the OpenAI chat endpoint below the service's URL. ``template`` is the JSON body; ``None`` sends
    none (GET). A string that is only ``{{seed}}`` becomes a number; without a model, ``{{model}}`` and its field go.
    """

    method: str = "POST"
    path: str = ""
    template: Any = msgspec.UNSET

    def __post_init__(self) -> None:
        if self.path and not self.path.startswith("/"):
            raise ConfigError(f"--path = {self.path!r}: begin it with '/', like /ask")
        if self.method not in ("GET", "POST"):
            raise ConfigError(f"--method = {self.method!r}: use GET or POST")
        if "{{question}}" not in self.path and "{{question}}" not in repr(self.body_template()):
            raise ConfigError("neither --path nor --template holds {{question}}: each request would be the same")

    def body_template(self) -> Any:
        """The JSON body's template; ``None`` for a request without body."""
        if self.template is not msgspec.UNSET:
            return self.template
        return None if self.method == "GET" else _CHAT

    def request(self, service_url: str, question: str, seed: int, model: str, number: int) -> Copy:
        """The request as the worker's transport sends it. ``number`` tells requests of one run apart."""
        values: dict[str, Any] = {"{{question}}": question, "{{seed}}": seed, "{{model}}": model}
        target = self.path or _chat_path(service_url)
        for mark in _MARKS:
            target = target.replace(mark, quote(str(values[mark]), safe=""))
        filled = _filled(self.body_template(), values)
        body = b"" if filled is None else msgspec.json.encode(filled)
        headers = [(b"accept", b"application/json, text/event-stream;q=0.5, */*;q=0.1")]
        if body:
            headers.append((b"content-type", b"application/json"))
        return Copy(
            shadow_id=f"00000000-0000-7000-8000-{number:012x}",
            req_hash=request_hash(self.method, target, headers, body),
            started_ns=0,
            method=self.method,
            target=target,
            headers=tuple(headers),
            body=body,
        )


def parse_template(text: str) -> Any:
    """The JSON of ``--template``. Raises :class:`~shadowlane.errors.ConfigError`."""
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ConfigError(
            f'--template: not JSON ({error}); write the request\'s body, like \'{{"question": "{{{{question}}}}"}}\''
        ) from None


def _chat_path(service_url: str) -> str:
    return "/chat/completions" if urlsplit(service_url).path.rstrip("/").endswith("/v1") else "/v1/chat/completions"


def _filled(value: Any, values: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {
            name: _filled(inner, values)
            for name, inner in value.items()
            if not (inner == "{{model}}" and not values["{{model}}"])
        }
    if isinstance(value, list):
        return [_filled(inner, values) for inner in value]
    if not isinstance(value, str):
        return value
    if value in values:
        return values[value]
    # One pass over the template's own text: a question that holds a mark stays as it is.
    parts = value.split("{{question}}")
    for mark in ("{{seed}}", "{{model}}"):
        parts = [part.replace(mark, str(values[mark])) for part in parts]
    return str(values["{{question}}"]).join(parts)
