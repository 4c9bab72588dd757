"""The whole way of answers that are not whole: gateway, worker and shadow, to the rows of the store."""

from __future__ import annotations

import json

import httpx

from shadowlane.config import load_config
from shadowlane.store import open_store
from shadowlane.types import Pair
from tests.support.chatserver import Got, Reply, chat, serving
from tests.support.gateway import RULES

from .conftest import World


def candidate(got: Got) -> Reply:
    if "range" in got.headers and got.path != "/part?whole":
        part = RULES.encode()[:99]
        return Reply(part, 206, {"content-type": "text/plain", "content-range": f"bytes 0-98/{len(RULES)}"})
    if got.headers.get("if-none-match") == '"v1"':
        return Reply(b"", 304, {})
    return chat(RULES) if got.method == "POST" else Reply(RULES.encode(), 200, {"content-type": "text/plain"})


def rows(world: World) -> dict[str, Pair]:
    with open_store(load_config(world.config).store, read_only=True) as store:
        return {row.pair.copy.target: row.pair for row in store.iter_pairs(with_bodies=True)}


def test_parts_conditions_and_cut_streams(world: World, client: httpx.Client) -> None:
    with serving(candidate) as shadow:
        world.configure(shadow.url, score={"embedder": "wordllama"}, routes={"read": ["POST /half"]})
        url = world.gateway()
        half = RULES[: RULES.index("A lost") + 9]
        assert client.get(url + "/part", headers={"range": "bytes=0-98"}).status_code == 206
        assert client.get(url + "/part?whole", headers={"range": "bytes=0-98"}).status_code == 206
        assert client.get(url + "/cached", headers={"if-none-match": '"v1"'}).status_code == 304
        assert client.get(url + "/cached?other", headers={"if-none-match": '"v0"'}).status_code == 200
        assert client.post(url + "/half", content=json.dumps({"say": half})).status_code == 200
        world.settle(5)
    sent = {got.path: got.headers for got in shadow.requests}
    assert sent["/part"]["range"] == "bytes=0-98"
    assert sent["/cached"]["if-none-match"] == '"v1"'
    found = rows(world)
    assert found["/part"].scores.state == "convergent"
    assert found["/part?whole"].scores.delta_s is None
    assert "prod answered with HTTP 206, the shadow with HTTP 200" in found["/part?whole"].scores.note
    assert found["/cached"].scores.delta_s is None
    assert "HTTP 304" in found["/cached"].scores.note
    assert found["/cached?other"].scores.state == "convergent"
    cut = found["/half"]
    assert cut.prod_text == cut.shadow_text == RULES[: RULES.index(" A lost")]
    assert (cut.scores.state, cut.scores.fact_flip, cut.scores.unread) == ("convergent", False, "cut")
    report = world.cli("report")
    assert "another status than prod's: 206 → 200 1" in report.stdout
