"""A shadow that is down, slow, broken or hostile: prod's answers stay byte-identical, and everything is counted."""

from __future__ import annotations

import socket

import httpx
import pytest

from .conftest import World, until

REASONS = {
    "ok": "",
    "status_500": "",
    "redirect": "",
    "set_cookie": "",
    "hang": "deadline",
    "garbage": "transport_error",
    "close_mid_body": "transport_error",
    "endless": "response_too_large",
    "gzip_bomb": "response_too_large",
    "refuse_tls": "connect_error",
    "down": "connect_error",
}


def exchange(client: httpx.Client, url: str) -> list[tuple[int, bytes, list[tuple[bytes, bytes]]]]:
    answers = [client.get(f"{url}/x?n={number}") for number in range(6)]
    answers += [client.post(url + "/ask", json={"q": number}) for number in range(6)]
    answers.append(client.post(url + "/sse", json={"say": "one two three four"}))
    skip = {b"date"}
    return [(a.status_code, a.content, [h for h in a.headers.raw if h[0].lower() not in skip]) for a in answers]


@pytest.mark.parametrize("mode", REASONS)
def test_prod_is_as_without_us_and_all_is_counted(world: World, client: httpx.Client, mode: str) -> None:
    if mode == "down":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            shadow = f"http://127.0.0.1:{probe.getsockname()[1]}"
    else:
        shadow = world.shadow(mode)
    # A deadline that only the shadow that must meet it can miss, however slow the machine is.
    timeout_s = 1.0 if REASONS[mode] == "deadline" else 60.0
    world.configure(shadow, shadows__candidate={"timeout_s": timeout_s, "max_response_bytes": 65536})
    bare = exchange(client, world.gateway(app="app"))
    mirrored = exchange(client, world.gateway())
    assert mirrored == bare
    candidate = world.settle(13)["shadows"]["candidate"]
    reason = REASONS[mode]
    assert candidate["answered"] == (0 if reason else 13)
    assert candidate["failed"] == ({reason: 13} if reason else {})


def test_a_slow_shadow_never_slows_the_gateway_but_fills_the_ring(world: World, client: httpx.Client) -> None:
    world.configure(
        world.shadow("hang"), lane={"ring_bytes": 65536, "max_body_bytes": 16384}, shadows__candidate={"concurrency": 1}
    )
    url = world.gateway()
    body = "x" * 8000
    for _ in range(30):
        assert client.post(url + "/ask", json={"q": body}).status_code == 200
    until(lambda: world.lane_status()["seen"] == 30, "the last answer to be offered")
    status = world.lane_status()
    assert status["dropped"].get("ring_full", 0) > 0
    assert status["mirrored"] + sum(status["dropped"].values()) == 30
