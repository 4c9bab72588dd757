"""What LiteLLM tells its callbacks becomes exchanges. LiteLLM itself is driven in ``tests/e2e/test_litellm.py``."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from shadowlane.capture.litellm import LoggedCalls
from shadowlane.types import FLAG_STREAMED, FLAG_TIMED
from tests.support.captured import LIMIT, Captured, captured

CHAT = [{"role": "user", "content": "how high is the deposit?"}]
ANSWER = {"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": "500 euros"}}]}


class Call:
    """LiteLLM's own object of a call, which tells the callback from its ``pre_call``."""

    def __init__(self, name: str = "c1", call_type: str = "acompletion", **details: Any) -> None:
        self.litellm_call_id = name
        self.details = {"litellm_call_id": name, "call_type": call_type, "litellm_params": {}, **details}

    def pre_call(self, logger: LoggedCalls, messages: Any = CHAT) -> None:
        logger.log_pre_api_call("small", messages, self.details)

    def succeeds(self, logger: LoggedCalls, answer: Any = None, after_s: float = 0.0, **more: Any) -> None:
        end = datetime.now() + timedelta(seconds=after_s)
        logger.log_success_event({**self.details, **more}, ANSWER if answer is None else answer, end, end)

    def fails(self, logger: LoggedCalls, error: BaseException) -> None:
        logger.log_failure_event({**self.details, "exception": error}, None, datetime.now(), datetime.now())


def proxied(path: str = "/v1/chat/completions", body: Any = None, **headers: str) -> dict[str, Any]:
    """``data`` of a request to the proxy, as its hooks get it."""
    own = {"metadata": {"user_api_key_hash": "of-nothing"}, "litellm_call_id": "c1"}
    said = {"model": "small", "messages": copy.deepcopy(CHAT)} if body is None else body
    fields = {"content-length": "71", "content-type": "application/json; charset=utf-8", **headers}
    request = {"url": f"http://proxy.example{path}", "method": "POST", "headers": fields, "body": {**said, **own}}
    return {"litellm_call_id": "c1", "proxy_server_request": request, **said}


def told(logger: LoggedCalls, data: dict[str, Any]) -> None:
    assert asyncio.run(logger.async_pre_call_hook(None, None, data, "acompletion")) is None


@pytest.fixture
def into() -> Iterator[Captured]:
    with captured() as made:
        yield made


@pytest.fixture
def logger(into: Captured) -> LoggedCalls:
    return LoggedCalls(into.lane)


def test_a_request_is_kept_as_it_was_before_anybody_changed_it(into: Captured, logger: LoggedCalls) -> None:
    data = proxied("/v1/chat/completions?a=%20b", **{"x-tenant": "acme"})
    told(logger, data)
    data["messages"][0]["content"] = "masked"
    data["proxy_server_request"]["body"]["messages"] = []
    call = Call(litellm_params={"proxy_server_request": data["proxy_server_request"]})
    call.pre_call(logger)
    call.succeeds(logger)
    [row] = into.rows()
    assert row["target"] == "/v1/chat/completions?a=%20b"
    assert json.loads(row["body"]) == {"model": "small", "messages": CHAT}
    assert json.loads(row["response_body"]) == ANSWER
    assert (row["status"], row["flags"]) == (200, FLAG_TIMED)
    assert into.accounted()


@pytest.mark.parametrize(
    ("call_type", "details", "target", "body"),
    [
        ("completion", {"optional_params": {"temperature": 0.5, "extra_body": {"top_k": 3}, "max_retries": 2}},
         "/v1/chat/completions", {"model": "small", "messages": CHAT, "temperature": 0.5, "top_k": 3}),
        ("aembedding", {"input": ["a", "b"]}, "/v1/embeddings", {"model": "small", "input": ["a", "b"]}),
        ("atext_completion", {"additional_args": {"complete_input_dict": {"prompt": "how high"}}},
         "/v1/completions", {"model": "small", "prompt": "how high"}),
        ("text_completion", {}, "/v1/completions", {"model": "small", "prompt": CHAT[0]["content"]}),
        ("aresponses", {"input": "how high", "optional_params": {"instructions": "be short", "user": None}},
         "/v1/responses", {"model": "small", "input": "how high", "instructions": "be short", "store": False}),
        ("arerank", {"optional_params": {"query": "q", "documents": ["a"]}},
         "/v1/rerank", {"model": "small", "query": "q", "documents": ["a"]}),
        ("anthropic_messages", {}, "/v1/messages", {"model": "small", "messages": CHAT}),
    ],
)  # fmt: skip
def test_a_call_of_the_sdk_becomes_the_request_that_asks_the_same(
    into: Captured, logger: LoggedCalls, call_type: str, details: dict[str, Any], target: str, body: dict[str, Any]
) -> None:
    call = Call(call_type=call_type, **details)
    call.pre_call(logger)
    call.succeeds(logger)
    [row] = into.rows()
    assert (row["target"], json.loads(row["body"])) == (target, body)
    assert into.accounted()


def test_a_call_that_asks_nothing_that_is_known_is_counted(into: Captured, logger: LoggedCalls) -> None:
    for number, kind in enumerate(("aimage_generation", "atranscription", "a_call_of_tomorrow")):
        call = Call(f"c{number}", kind)
        call.pre_call(logger)
        call.succeeds(logger)
    assert into.rows() == []
    assert sum(into.dropped().values()) == 3
    assert into.accounted()


def test_an_attempt_of_the_proxy_that_fails_is_not_its_answer(into: Captured, logger: LoggedCalls) -> None:
    data = proxied()
    told(logger, data)
    call = Call(litellm_params={"proxy_server_request": data["proxy_server_request"]})
    for _ in range(2):
        call.pre_call(logger)
        call.fails(logger, RuntimeError("away"))
    call.pre_call(logger)
    call.succeeds(logger)
    assert len(into.rows()) == 1
    told(logger, data)
    call.fails(logger, RuntimeError("away"))
    asyncio.run(logger.async_post_call_failure_hook(data, RuntimeError("away"), None))
    assert into.rows() == []
    assert into.dropped() == {"prod_failed": 1}
    assert into.accounted()


@pytest.mark.parametrize(
    ("error", "reason"), [(RuntimeError(), "prod_failed"), (asyncio.CancelledError(), "client_disconnected")]
)
def test_a_call_of_the_sdk_that_fails(into: Captured, logger: LoggedCalls, error: BaseException, reason: str) -> None:
    call = Call()
    call.pre_call(logger)
    call.fails(logger, error)
    call.succeeds(logger)  # too late: its ticket is settled
    assert into.rows() == []
    assert into.dropped() == {reason: 1}
    assert into.accounted()


def test_what_took_how_long_is_what_litellm_says(into: Captured, logger: LoggedCalls) -> None:
    call = Call(stream=True)
    call.pre_call(logger)
    [held] = logger._calls.values()
    held.began_ns -= 5_000_000_000  # it began five seconds ago
    held.wall_s -= 5.0
    begun = datetime.fromtimestamp(held.wall_s)
    details = {**call.details, "completion_start_time": begun + timedelta(seconds=1)}
    logger.log_success_event(details, ANSWER, begun, begun + timedelta(seconds=2))
    [row] = into.rows()
    assert row["duration_ns"] == pytest.approx(2e9, rel=1e-3)
    assert row["ttfb_ns"] == pytest.approx(1e9, rel=1e-3)
    assert row["flags"] == FLAG_STREAMED | FLAG_TIMED


def test_a_clock_that_was_set_says_nothing_impossible(into: Captured, logger: LoggedCalls) -> None:
    for number, after_s in enumerate((-3600.0, 3600.0)):
        call = Call(f"c{number}")
        call.pre_call(logger)
        call.succeeds(logger, after_s=after_s)
    early, late = into.rows()
    assert early["duration_ns"] == 1
    assert 1 < late["duration_ns"] < 3600 * 10**9
    assert into.accounted()


@pytest.mark.parametrize("where", ["litellm_params", "metadata"])
def test_the_part_of_a_stream_that_a_user_left_is_no_answer(into: Captured, logger: LoggedCalls, where: str) -> None:
    call = Call(stream=True)
    call.pre_call(logger)
    left = {"client_disconnected": True}
    call.succeeds(logger, **{where: {"metadata": left} if where == "litellm_params" else left})
    assert into.dropped() == {"client_disconnected": 1}
    assert into.accounted()


def test_a_call_that_nobody_hears_of_again_gives_its_ticket_back(into: Captured, logger: LoggedCalls) -> None:
    call = Call()
    call.pre_call(logger)
    assert into.status()["open"] == 1
    del call
    gc.collect()
    assert into.dropped() == {"client_disconnected": 1}
    assert not logger._calls
    assert into.accounted()


def test_calls_that_end_without_a_word_are_bounded(
    into: Captured, logger: LoggedCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shadowlane.capture.litellm._MOST_HELD", 3)
    calls = [Call(f"c{number}") for number in range(5)]
    for call in calls:
        call.pre_call(logger)
    assert list(logger._calls) == [hash(name) for name in ("c2", "c3", "c4")]
    for call in calls:
        call.succeeds(logger)
    assert len(into.rows()) == 3
    assert into.dropped() == {"client_disconnected": 2}
    assert into.accounted()


def test_two_calls_of_one_name_are_not_taken_for_each_other(into: Captured, logger: LoggedCalls) -> None:
    first, second = Call(), Call()
    first.pre_call(logger)
    second.pre_call(logger)
    second.succeeds(logger)
    first.succeeds(logger)
    assert into.rows() == []
    assert into.dropped() == {"unreadable": 2}
    assert into.accounted()


@pytest.mark.parametrize(
    "answer", [{"response": "redacted-by-litellm"}, {"choices": [{"text": "redacted-by-litellm"}]}, {}, "a text", 7]
)
def test_an_answer_that_litellm_keeps_to_itself_is_counted(into: Captured, logger: LoggedCalls, answer: object) -> None:
    call = Call()
    call.pre_call(logger)
    call.succeeds(logger, answer)
    assert into.rows() == []
    assert into.dropped() == {"unreadable": 1}
    assert into.accounted()


def test_an_attempt_of_the_same_call_is_no_second_call(into: Captured, logger: LoggedCalls) -> None:
    """Some providers' code says twice that it is about to call, as where a token is fetched first."""
    call = Call()
    call.pre_call(logger)
    call.pre_call(logger)
    call.succeeds(logger)
    assert len(into.rows()) == 1
    assert into.accounted()


def test_a_request_outlives_the_object_of_its_first_attempt(into: Captured, logger: LoggedCalls) -> None:
    """Of rerank and others the proxy's hook knows no object of the request: each attempt has one of its own."""
    data = proxied()
    told(logger, data)
    params = {"proxy_server_request": data["proxy_server_request"]}
    first, second = Call(litellm_params=params), Call(litellm_params=params)
    first.pre_call(logger)
    second.pre_call(logger)
    del first
    gc.collect()
    second.succeeds(logger)
    assert len(into.rows()) == 1
    told(logger, data)
    second.pre_call(logger)
    del second
    gc.collect()
    assert into.dropped() == {"client_disconnected": 1}
    assert into.accounted()


def test_a_body_that_is_said_to_be_large_is_not_encoded(into: Captured, logger: LoggedCalls) -> None:
    unreadable = {"model": "small", "messages": [object()]}
    told(logger, proxied(body=unreadable, **{"content-length": str(LIMIT + 1)}))
    assert into.dropped() == {"request_too_large": 1}
    assert into.accounted()  # nothing failed


def test_a_pass_through_route_is_known_by_its_own_path(into: Captured, logger: LoggedCalls) -> None:
    told(logger, {"messages": CHAT})  # all that its hook is told
    request = proxied("/ask/through", {"question": "how high?"})["proxy_server_request"]
    call = Call(call_type="pass_through_endpoint", litellm_params={"proxy_server_request": request})
    call.pre_call(logger)
    call.succeeds(logger, {"response": '{"answer": "500 euros"}'})
    [row] = into.rows()
    assert (row["target"], json.loads(row["body"])) == ("/ask/through", {"question": "how high?"})
    assert row["response_body"] == b'{"answer": "500 euros"}'
    assert into.accounted()


def test_what_the_proxy_asks_for_itself_is_no_users_request(into: Captured, logger: LoggedCalls) -> None:
    data = proxied()
    told(logger, data)
    request = data["proxy_server_request"]
    health = Call("health")
    silent = Call("s1", litellm_params={"proxy_server_request": request, "metadata": {"is_silent_experiment": True}})
    for call in (health, silent):
        call.pre_call(logger)
        call.succeeds(logger)
    Call().succeeds(logger)
    assert len(into.rows()) == 1
    assert into.status()["seen"] == 1


def test_a_copy_and_a_large_request_are_not_mirrored(into: Captured, logger: LoggedCalls) -> None:
    told(logger, proxied(**{"x-shadow": "1;id=1"}))
    told(logger, proxied(body={"model": "small", "messages": [{"role": "user", "content": "w" * LIMIT}]}))
    assert into.dropped() == {"loop": 1, "request_too_large": 1}
    assert into.accounted()


def test_a_fault_of_ours_is_counted_and_nothing_is_raised(into: Captured, logger: LoggedCalls) -> None:
    call = Call(optional_params={"tool": object()})  # what is no JSON
    call.pre_call(logger)
    call.succeeds(logger)
    logger.log_pre_api_call("small", CHAT, {})
    for broken in ({"proxy_server_request": {"url": 5}, "litellm_call_id": "c1"}, None, []):
        asyncio.run(logger.async_pre_call_hook(None, None, broken, ""))
    logger.log_success_event({"litellm_call_id": [1]}, ANSWER, None, None)  # what has no hash
    assert into.status()["faults"] == 6
    assert into.dropped() == {"unreadable": 1}


def test_without_a_lane_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with captured() as closed:
        logger = LoggedCalls(closed.lane)
    logger.lane = None
    told(logger, proxied())
    call = Call()
    call.pre_call(logger)
    call.succeeds(logger)
    call.fails(logger, RuntimeError())
    assert copy.deepcopy(logger) is logger


def test_some_that_are_not_mirrored_are_timed() -> None:
    """For the trial of what mirroring adds: both groups end with LiteLLM's word of success."""
    with captured(sampling={"ratio": 0.5}) as into:
        logger = LoggedCalls(into.lane)
        for number in range(200):
            call = Call(f"c{number}")
            call.pre_call(logger)
            call.succeeds(logger)
        into.rows()
        [(taken, others)] = into.times().values()
        assert (taken, others) == (into.status()["mirrored"], into.dropped()["sampled_out"])
