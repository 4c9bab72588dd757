"""After adoption: the new service serves, the old one is shadowed as the baseline; two real services, both ways round.

The same two services are asked the same questions, once before adoption and once after it. What the gate says of the
new one must be the same both times, and what report, gate, endpoint and page show must name who is who.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.chatserver import ChatServer, Got, Reply, chat, serving

from .conftest import World, until
from .test_proxy import start
from .test_serve import serving as listening

pytestmark = pytest.mark.timeout(900)  # the first test waits for both lanes
N = 240
SAID = "the baseline: prod, which serves, is the candidate (direction = reverse)"
GATE = {"warmup_pairs": 0, "window_hours": 1000.0}
NOT_THEIRS = {"p95_latency", "p99_latency", "ttfb", "overhead", "sampling", "accounting", "slot_wait", "every_hour"}
"""Rules on what was measured by a clock, or on the lane: two runs differ in it."""


def number(got: Got) -> int:
    return int(got.body["messages"][-1]["content"].split()[-1].rstrip("?"))


def old(got: Got) -> Reply:
    asked = number(got)
    return chat(f"A ride of tariff {asked} lasts {10 + asked} minutes.", usage={"prompt_tokens": 9, "total_tokens": 19})


def new(got: Got) -> Reply:
    """Refuses each third question, contradicts each fifth, and takes twice the tokens."""
    asked = number(got)
    usage = {"prompt_tokens": 9, "completion_tokens": 29, "total_tokens": 38}
    if asked % 3 == 0:
        return chat("I'm sorry, but I can't help with that.", usage=usage)
    minutes = 10 + asked + 7 * (asked % 5 == 0)
    return chat(f"A ride of tariff {asked} lasts {minutes} minutes.", usage=usage)


class Ran(NamedTuple):
    """A lane with its pairs stored, and what ``gate --json`` says of it."""

    world: World
    gate: dict[str, Any]

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        [shadow] = self.gate["shadows"]
        return {rule["key"]: rule for rule in shadow["rules"]}


def ran(folder: Path, prod: ChatServer, shadow: ChatServer, direction: str) -> Ran:
    world = World(folder)
    candidate = {"url": shadow.url, "direction": direction, "timeout_s": 60.0}
    world.configure(shadow.url, routes={"presets": ["openai"]}, gate=GATE, shadows__candidate=candidate)
    address, _ = start(world, prod.url)
    with httpx.Client(timeout=60, trust_env=False) as client:
        for asked in range(N):
            body = {"model": "m", "messages": [{"role": "user", "content": f"How long is tariff {asked}?"}]}
            assert client.post(f"http://{address}/v1/chat/completions", json=body).status_code == 200
    assert world.settle(N)["shadows"]["candidate"]["answered"] == N
    return Ran(world, json.loads(world.cli("gate", "--json").stdout))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ran, Ran]]:
    """Before adoption, and after it."""
    made: list[Ran] = []
    with serving(old) as before, serving(new) as after:
        try:
            for prod, shadow, direction in ((before, after, "forward"), (after, before, "reverse")):
                made.append(ran(tmp_path_factory.mktemp(direction), prod, shadow, direction))
            yield made[0], made[1]
        finally:
            for one in made:
                one.world.close()


def test_the_new_service_is_judged_alike_before_and_after(both: tuple[Ran, Ran]) -> None:
    before, after = (one.rules for one in both)
    for key in ("refused", "contradicted_facts", "tokens"):
        assert before[key]["status"] == after[key]["status"] == "not met", (before[key], after[key])
    assert before.keys() == after.keys()
    for key in before.keys() - NOT_THEIRS:
        assert after[key]["status"] == before[key]["status"], (before[key], after[key])
        assert after[key]["figure"] == pytest.approx(before[key]["figure"]), (before[key], after[key])


def test_report_gate_and_endpoint_say_who_is_who(both: tuple[Ran, Ran]) -> None:
    wide = {"COLUMNS": "300"}
    for one, told in zip(both, (False, True), strict=True):
        page = one.world.folder / "r.html"
        said = [one.world.cli("gate", env=wide).stdout, one.world.cli("report", "--html", str(page), env=wide).stdout]
        said.append(html.unescape(page.read_text(encoding="utf-8")))
        assert [SAID in text for text in said] == [told] * 3
        [shadow] = one.gate["shadows"]
        assert (shadow["direction"], shadow["notes"]) == (("reverse", [SAID]) if told else ("forward", []))
        assert ("candidate (the baseline: prod is the candidate)" in one.gate["reason"]) is told
    refused = both[1].rules["refused"]["evidence"]
    assert "prod's less the shadow's own" in refused


def test_the_page_says_who_is_who(both: tuple[Ran, Ran]) -> None:
    for one, told in zip(both, (False, True), strict=True):
        page = listening(one.world, "dashboard", "--listen", "127.0.0.1:0")
        with httpx.Client(timeout=60, trust_env=False) as client:

            def shown(client: httpx.Client = client, page: str = page) -> str:
                text = html.unescape(client.get(f"{page}/?shadow=candidate").text)
                return text if "Arms side by side" in text else ""

            text = until(shown, "the figures are there")
            assert (SAID in text, "candidate (the baseline)" in text) == (told, told)
            hook = client.post(f"{page}/gate/promote")
            assert hook.status_code == 409
            assert ("(the baseline: prod is the candidate)" in hook.text) is told
