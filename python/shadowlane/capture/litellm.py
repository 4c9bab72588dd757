"""What a callback of LiteLLM is told: its proxy mirrors what it answers, its SDK what it asks.

The hooks have LiteLLM's names and arguments; :class:`shadowlane.litellm.ShadowLogger` is the callback.

Invariants: nothing here waits, raises or logs, and nothing of LiteLLM's is changed; every hook gives back what makes
LiteLLM go on as without it. A request is encoded when LiteLLM hands it over, before a model is called and before later
callbacks change it; the answer is what LiteLLM logs of it. An exchange whose answer nobody hears of gives its ticket
back when LiteLLM's own object of the call dies.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time
import weakref
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec

from .._core import Timer
from ..types import FLAG_STREAMED, FLAG_TIMED
from .egress import Egress

if TYPE_CHECKING:
    import os

    from .._core import Ticket
    from ..config import Config
    from .lane import Lane

__all__ = ["LoggedCalls"]

_CHAT, _PROMPT, _INPUT, _PARAMETERS = "messages", "prompt", "input", ""
_CALLS = {
    "completion": ("/v1/chat/completions", _CHAT),
    "text_completion": ("/v1/completions", _PROMPT),
    "embedding": ("/v1/embeddings", _INPUT),
    "responses": ("/v1/responses", _INPUT),
    "moderation": ("/v1/moderations", _INPUT),
    "rerank": ("/v1/rerank", _PARAMETERS),
    "anthropic_messages": ("/v1/messages", _CHAT),
}
"""Calls of the SDK: the route by which the same is asked of a server, and the member that asks."""

_OWN = frozenset(("metadata", "proxy_server_request", "secret_fields", "api_key", "headers", "extra_headers"))
_OF_THE_CALL = frozenset(("extra_body", "extra_headers", "headers", "max_retries", "timeout", "api_key"))
_OF_THE_CONNECTION = frozenset(
    ("content-length", "content-encoding", "content-type", "transfer-encoding", "connection", "expect")
)
_REDACTED = b"redacted-by-litellm"
"""What LiteLLM puts in the stead of messages and answers where it is told to log none."""
_JSON = (b"content-type", b"application/json")
_MOST_HELD = 4096
_MOST_REMEMBERED = 4096


class _Held:
    """A call that is under way."""

    __slots__ = ("began_ns", "body", "entry", "headers", "owned", "owner", "proxied", "target", "wall_s")

    def __init__(self, entry: Ticket | Timer, target: str, *, proxied: bool) -> None:
        self.began_ns = time.perf_counter_ns()
        self.wall_s = time.time()
        self.entry = entry
        self.target = target
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.owner: weakref.ref[Any] | None = None
        """LiteLLM's object of this call; with :attr:`owned` that of the request, else that of the newest attempt."""
        self.owned = False
        self.proxied = proxied
        """Whether attempts below it may fail, and another one answers."""

    def until_ns(self, moment: object) -> int:
        """From the beginning to a moment of LiteLLM's (local time without zone), and not beyond now."""
        now = time.perf_counter_ns() - self.began_ns
        if not isinstance(moment, datetime):
            return now
        return max(1, min(now, int((moment.timestamp() - self.wall_s) * 1e9)))


class LoggedCalls(Egress):
    """The calls that are under way, from the first hook of each to its last."""

    def __init__(self, config: str | os.PathLike[str] | Config | Mapping[str, object] | Lane | None = None) -> None:
        self._calls: dict[int, _Held] = {}
        """By the hash of the call's name, which may be a client's and of any length."""
        self._asked: tuple[set[int], set[int]] = (set(), set())
        """Calls that the proxy told of, mirrored or not: the newer and the older ones."""
        self._serves = False
        super().__init__(config)

    def __copy__(self) -> LoggedCalls:
        return self

    def __deepcopy__(self, memo: object) -> LoggedCalls:
        return self

    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> None:
        """The proxy has taken a request, and nothing of it was changed yet by what stands after this callback."""
        if self.lane is None:
            return
        try:
            self._serves = True
            request, call = data.get("proxy_server_request"), data.get("litellm_call_id")
            if request and call:  # pass-through routes tell these only when they call
                self._remember(call)
                owner = data.get("litellm_logging_obj")
                self._begin_served(call, request, owner)
                if owner is not None and (held := self._calls.get(hash(call))) is not None:
                    held.owned = True
        except Exception:
            self.fault()

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        """A model is about to be called; in the proxy, perhaps not for the first time."""
        if self.lane is None:
            return
        try:
            call, params = kwargs["litellm_call_id"], kwargs.get("litellm_params") or {}
            owner = sys._getframe(1).f_locals.get("self")
            if getattr(owner, "litellm_call_id", None) != call:
                owner = None
            if (held := self._calls.get(hash(call))) is not None:
                if held.proxied and not held.owned:
                    self._watch(hash(call), held, owner)
                if held.proxied or (owner is not None and held.owner is not None and held.owner() is owner):
                    return  # another attempt of the same call
            request = params.get("proxy_server_request")
            if request:
                if not self._is_known(call) and not (params.get("metadata") or {}).get("is_silent_experiment"):
                    self._begin_served(call, request, owner)
            elif not self._serves and not _is_proxy():
                self._begin_asked(call, model, messages, kwargs, owner)
        except Exception:
            self.fault()

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The whole answer is there."""
        if self.lane is None:
            return
        held = None
        try:
            held = self._pop(kwargs)
            if held is not None:
                self._settle(held, kwargs, response_obj, end_time)
        except Exception:
            self.fault()
            if held is not None:
                self._drop(held, "unreadable")

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The same, of an asynchronous call."""
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call failed. The proxy may make another one for the same request."""
        try:
            held = self._calls.get(hash(kwargs.get("litellm_call_id")))
            if held is not None and not held.proxied and self._pop(kwargs) is held:
                self._drop(held, _why(kwargs.get("exception")))
        except Exception:
            self.fault()

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The same, of an asynchronous call."""
        self.log_failure_event(kwargs, response_obj, start_time, end_time)

    async def async_post_call_failure_hook(
        self, request_data: Any, original_exception: Any, user_api_key_dict: Any, traceback_str: Any = None
    ) -> None:
        """The proxy answers with an error."""
        try:
            if (held := self._pop(request_data)) is not None:
                self._drop(held, _why(original_exception))
        except Exception:
            self.fault()

    def _begin_served(self, call: str, request: Mapping[str, Any], owner: object) -> None:
        url = urlsplit(request["url"])
        headers = request.get("headers") or {}
        target = f"{url.path}?{url.query}" if url.query else url.path
        held = self._enter(request["method"], target, headers, proxied=True)
        if held is None:
            return
        body = request.get("body")
        kept = body.items() if isinstance(body, Mapping) else ()
        said = {name: value for name, value in kept if name not in _OWN and not name.startswith("litellm_")}
        if self._keep(held, headers, said):
            self._hold(call, held, owner)

    def _begin_asked(self, call: str, model: Any, messages: Any, kwargs: Mapping[str, Any], owner: object) -> None:
        kind = str(kwargs.get("call_type"))
        params = kwargs.get("optional_params") or {}
        path, asks = _CALLS.get(kind, _CALLS.get(kind.removeprefix("a"), (f"/litellm/{kind}", _PARAMETERS)))
        headers = {str(name).lower(): value for name, value in (params.get("extra_headers") or {}).items()}
        held = self._enter("POST", path, headers, proxied=False)
        if held is None:
            return
        question: dict[str, Any] = {"model": model}
        if asks == _PROMPT:
            question[asks] = _prompt(messages, kwargs)
        elif asks:
            question[asks] = messages if asks == _CHAT else kwargs.get("input")
        said = {name: value for name, value in params.items() if value is not None and name not in _OF_THE_CALL}
        if self._keep(held, headers, {**said, **(params.get("extra_body") or {}), **question}):
            self._hold(call, held, owner)

    def _enter(self, method: str, target: str, headers: Mapping[str, Any], *, proxied: bool) -> _Held | None:
        """Ask the lane; nothing: the call is neither mirrored nor timed, and this was all."""
        lane = self.lane
        if lane is None:
            return None
        facts = [_field(name, str(headers[name])) for name in self.reads if name in headers]
        path = unquote(target.partition("?")[0]) if method == "GET" else target
        entry = lane.begin(method, path, facts)
        return None if entry is None else _Held(entry, target, proxied=proxied)

    def _keep(self, held: _Held, headers: Mapping[str, Any], body: dict[str, Any]) -> bool:
        """Encode what was asked; whether the call is still to be followed."""
        if type(held.entry) is Timer:
            return True
        length = str(headers.get("content-length", ""))
        if length.isdecimal() and int(length) > self._limit:  # before the work
            self._drop(held, "request_too_large")
            return False
        try:
            fields = ((name.lower(), value) for name, value in headers.items() if isinstance(value, str))
            held.headers = [_field(*one) for one in fields if one[0] not in _OF_THE_CONNECTION]
            held.headers.append(_JSON)
            held.body = msgspec.json.encode(body, enc_hook=_plain)
        except Exception:
            self.fault()
            self._drop(held, "unreadable")
            return False
        if len(held.body) > self._limit:
            self._drop(held, "request_too_large")
            return False
        return True

    def _hold(self, call: str, held: _Held, owner: object) -> None:
        """Wait for the call's end."""
        key = hash(call)
        if self._calls.setdefault(key, held) is not held:
            # Two at a time under one name, which clients may choose: whose answer comes first is not known.
            self._drop(held, "unreadable")
            if (other := self._calls.pop(key, None)) is not None:
                self._drop(other, "unreadable")
            return
        self._watch(key, held, owner)
        if len(self._calls) > _MOST_HELD and (oldest := self._calls.pop(next(iter(self._calls)), None)) is not None:
            self._drop(oldest, "client_disconnected")

    def _watch(self, key: int, held: _Held, owner: object) -> None:
        if owner is not None:
            held.owner = weakref.ref(owner, functools.partial(self._abandoned, key, held))

    def _abandoned(self, key: int, held: _Held, _: object) -> None:
        """Nobody will hear of its answer: a stream that was not read to its end."""
        if self._calls.get(key) is held and self._calls.pop(key, None) is held:
            self._drop(held, "client_disconnected")

    def _settle(self, held: _Held, kwargs: Mapping[str, Any], response: Any, end_time: object) -> None:
        entry, lane = held.entry, self.lane
        if isinstance(entry, Timer):
            entry.stop()
            return
        if _was_left(kwargs):
            self._drop(held, "client_disconnected")
            return
        answer = _answer(response)
        if lane is None or answer is None or _REDACTED in answer or _REDACTED in held.body:
            self._drop(held, "unreadable")
            return
        duration = held.until_ns(end_time)
        streamed = bool(kwargs.get("stream"))
        first = min(duration, held.until_ns(kwargs.get("completion_start_time"))) if streamed else duration
        headers = [_JSON, (b"x-litellm-cache-hit", b"True")] if kwargs.get("cache_hit") else [_JSON]
        lane.offer(
            entry, held.target, held.headers, held.body, 200, headers, answer, first,
            FLAG_TIMED | (FLAG_STREAMED if streamed else 0), duration,
        )  # fmt: skip

    def _pop(self, kwargs: Mapping[str, Any]) -> _Held | None:
        call = kwargs.get("litellm_call_id") or getattr(kwargs.get("litellm_logging_obj"), "litellm_call_id", None)
        return self._calls.pop(hash(call), None) if call else None

    def _drop(self, held: _Held, reason: str) -> None:
        if self.lane is not None and not isinstance(held.entry, Timer):
            self.lane.drop(held.entry, reason)

    def _remember(self, call: str) -> None:
        newer = self._asked[0]
        if len(newer) >= _MOST_REMEMBERED:
            self._asked = set(), newer
        self._asked[0].add(hash(call))

    def _is_known(self, call: str) -> bool:
        newer, older = self._asked
        return hash(call) in newer or hash(call) in older


def _is_proxy() -> bool:
    """Whether this process serves LiteLLM's proxy: what it asks without a request of a user's is its own matter."""
    return getattr(sys.modules.get("litellm.proxy.proxy_server"), "llm_router", None) is not None


def _was_left(kwargs: Mapping[str, Any]) -> bool:
    """Whether the proxy's user left a stream: LiteLLM accounts for the part that was sent as for an answer."""
    params = kwargs.get("litellm_params") or {}
    return any(bool((one or {}).get("client_disconnected")) for one in (params.get("metadata"), kwargs.get("metadata")))


def _prompt(messages: Any, kwargs: Mapping[str, Any]) -> Any:
    sent = (kwargs.get("additional_args") or {}).get("complete_input_dict")
    if isinstance(sent, Mapping) and "prompt" in sent:
        return sent["prompt"]
    return [one["content"] for one in messages] if len(messages) > 1 else messages[0]["content"]


def _answer(response: Any) -> bytes | None:
    """What was answered, as JSON; nothing when LiteLLM has no whole answer."""
    inner = getattr(response, "response", None)  # of the event that ends a stream of the responses API
    if hasattr(inner, "model_dump_json"):
        response = inner
    if hasattr(response, "model_dump_json"):
        text: str = response.model_dump_json(exclude_none=True, warnings=False)
        return text.encode()
    if not isinstance(response, Mapping) or not response:
        return None
    passed = response.get("response") if len(response) == 1 else None
    return passed.encode() if isinstance(passed, str) else msgspec.json.encode(response, enc_hook=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(exclude_none=True)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _why(error: object) -> str:
    return "client_disconnected" if isinstance(error, (asyncio.CancelledError, GeneratorExit)) else "prod_failed"


def _field(name: str, value: str) -> tuple[bytes, bytes]:
    return name.encode("latin-1", "replace"), value.encode("latin-1", "replace")
