"""A shadow that is down, slow, broken or hostile: prod's answers stay byte-identical, and everything is counted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shadowlane.dispatch.arm import MOST_COPIES

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


# All modes over the transport that is taken by itself, and one of each kind over the other.
@pytest.mark.parametrize(
    ("mode", "transport"),
    [(mode, "auto") for mode in REASONS] + [(mode, "aiohttp") for mode in ("ok", "hang", "gzip_bomb", "refuse_tls")],
)
def test_prod_is_as_without_us_and_all_is_counted(
    world: World, client: httpx.Client, mode: str, transport: str
) -> None:
    shadow = world.nobody() if mode == "down" else world.shadow(mode)
    # A deadline that only the shadow that must meet it can miss, however slow the machine is.
    timeout_s = 1.0 if REASONS[mode] == "deadline" else 60.0
    own = {"timeout_s": timeout_s, "max_response_bytes": 65536, "transport": transport}
    world.configure(shadow, shadows__candidate=own)
    bare = exchange(client, world.gateway(app="app"))
    mirrored = exchange(client, world.gateway())
    assert mirrored == bare
    status = world.settle(13)
    assert status["limits"]["shadows"]["candidate"]["transport"] == ("native" if transport == "auto" else transport)
    candidate = status["shadows"]["candidate"]
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


def test_a_shadow_that_hangs_does_not_starve_another(world: World, client: httpx.Client) -> None:
    """Twice as many copies as one may hold: the one that answers gets all of them, while the other holds its share."""
    well, requests = world.shadow("ok"), 2 * MOST_COPIES
    hanging = world.shadow("hang")
    world.configure(hanging, shadows__candidate={"timeout_s": 600.0, "deadline_s": 1200.0}, shadows__well={"url": well})
    url = world.gateway()
    for number in range(requests):
        assert client.get(f"{url}/x?n={number}").status_code == 200

    def shadows() -> dict[str, Any]:
        shadows: dict[str, Any] = world.status()["shadows"]
        return shadows

    until(lambda: shadows()["well"]["answered"] == requests, "all copies to be answered by the shadow that is well")
    candidate = shadows()["candidate"]
    assert candidate["answered"] == 0
    # Sixteen calls are out and hang; the rest of its share waits; what waited longest has given way. It may hold two
    # batches more: those that came while the other was no more ahead than it.
    assert set(candidate["failed"]) == {"deadline"}
    assert MOST_COPIES <= candidate["in_flight"] < MOST_COPIES + 2 * 128
    world.processes[1].stop()
    settled = world.settle(requests)["shadows"]
    assert settled["well"] == {**settled["well"], "answered": requests, "failed": {}}
    assert sum(settled["candidate"]["failed"].values()) == requests
