"""The live page in a real browser: it shows the lane, follows it, filters, takes marks, and runs nothing foreign."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from shadowlane.config import load_config
from shadowlane.store import open_store
from shadowlane.types import (
    Copy,
    JudgeVerdict,
    Outcome,
    Pair,
    Scores,
    StructureDifference,
    StubbedCall,
)
from tests.e2e.conftest import World, until
from tests.e2e.test_serve import process, serving
from tests.support.browser import Watched, chromium

ATTACKS = (
    '<img src=x onerror="window.owned=1">',
    '"><script>window.owned=1</script>',
    "'><svg onload=window.owned=1>",
    "javascript:window.owned=1//",
    "</textarea></title></pre><iframe srcdoc='<script>parent.owned=1</script>'>",
    "\u202e<b>\u2066 right to left\x1b[2J \x00",
    "{{constructor.constructor('window.owned=1')()}}",
)
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


def pair_of(number: int, *, shadow: str = "candidate", delta: float | None = 0.1, **fields: Any) -> Pair:
    """A pair like those of a chat service, some seconds old."""
    prod = fields.pop("prod_text", "The deposit is 500 euros, and it is paid back within two weeks.")
    text = fields.pop("shadow_text", "The deposit is 300 euros, and it is paid back within two weeks.")
    question = fields.pop("question", f"How high is the deposit of station {number}?")
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": question}]}).encode()
    scores = Scores(
        delta_s=delta, anchored=delta, embedder="lexical@1", state="convergent" if delta is not None else ""
    )
    pair = Pair(
        copy=Copy(
            shadow_id=f"0190a8f0-0000-7000-8000-{number:012x}",
            req_hash=f"{number:032x}",
            started_ns=time.time_ns() - 10**9 * (60 - number % 50),
            method="POST",
            target="/v1/chat/completions",
            headers=((b"content-type", b"application/json"),),
            body=body,
            status=200,
            response_headers=((b"content-type", b"application/json"),),
            response_body=answer(prod),
            ttfb_ns=10**7,
            duration_ns=2 * 10**8,
            tenant=f"tenant-{number % 2}",
        ),
        outcome=Outcome(
            shadow=shadow,
            status=200,
            headers=((b"content-type", b"application/json"),),
            body=answer(text),
            ttfb_ns=10**7,
            duration_ns=3 * 10**8,
            tries=1,
        ),
        scores=scores,
        prod_text=prod,
        shadow_text=text,
        prod_model="old",
        model="new",
    )
    return msgspec.structs.replace(pair, **fields)


def answer(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def save(world: World, pairs: list[Pair]) -> None:
    with open_store(load_config(world.config).store) as store:
        store.save(pairs)


def page_over(world: World, pairs: list[Pair], **sections: dict[str, Any]) -> str:
    """The page alone over a store with these pairs."""
    world.configure("http://127.0.0.1:9", lane={"worker": "external"}, **sections)
    save(world, pairs)
    return serving(world, "dashboard", "--listen", "127.0.0.1:0")


def shown(watched: Watched, path: str = "/") -> Any:
    """Go there, and wait until the figures are there too."""
    watched.page.goto(watched.url + path)
    if not path.startswith("/pairs"):
        watched.page.wait_for_selector("#verdict .decision", timeout=PATIENCE_MS)
    return watched.page


def test_the_page_loads_and_follows_its_lane(world: World, browser: Any) -> None:
    url = page_over(world, [pair_of(number) for number in range(30)])
    watched = Watched(browser, url)
    page = shown(watched)
    page.wait_for_selector(".live[data-state=live]", timeout=PATIENCE_MS)
    assert "HOLD" in page.inner_text("#verdict")
    assert page.locator("#list .rows > li").count() == 30
    assert page.locator(".chart canvas").count() == 3
    page.evaluate("window.still = 'the same page'")
    page.click("#flow ~ div details summary >> nth=0")
    save(world, [pair_of(100, delta=0.93, question="Where is the new one?")])
    page.wait_for_selector("#list >> text=Where is the new one?", timeout=PATIENCE_MS)
    assert page.inner_text("#list .rows > li >> nth=0").startswith("ΔS 0.930"), "the worst stands first"
    assert page.evaluate("window.still") == "the same page"
    watched.quiet()


def test_filters_are_in_the_address_and_in_the_form(world: World, browser: Any) -> None:
    pairs = [pair_of(number, delta=number / 20) for number in range(20)]
    failed = pair_of(50, delta=None, shadow_text="")
    pairs.append(msgspec.structs.replace(failed, outcome=Outcome(shadow="candidate", reason="deadline", duration_ns=5)))
    url = page_over(world, pairs)
    watched = Watched(browser, url)
    page = shown(watched)
    rows = page.locator("#list .rows > li")
    assert rows.count() == 21
    page.select_option("select[name=band]", "critical")
    page.select_option("select[name=tenant]", "tenant-1")
    page.click("text=Filter")
    page.wait_for_url("**tenant=tenant-1**")
    assert rows.count() == 4  # 13, 15, 17, 19
    assert page.input_value("select[name=band]") == "critical"
    again = Watched(browser, url)
    assert shown(again, page.url.removeprefix(url)).locator("#list .rows > li").count() == 4, "the address alone"
    for query, n in (("reason=deadline", 1), ("text=STATION+7%3F", 1), ("text=nowhere", 0), ("band=nonsense", 21)):
        assert shown(watched, f"/?{query}").locator("#list .rows > li").count() == n, query
    watched.quiet()


def test_a_pair_has_a_page_with_its_evidence_and_takes_a_mark(world: World, browser: Any) -> None:
    flip = msgspec.structs.replace(pair_of(1).scores, fact_flip=True, anchored=0.9)
    url = page_over(world, [pair_of(1, scores=flip), pair_of(2)])
    watched = Watched(browser, url)
    page = shown(watched)
    page.click("#list .rows a >> nth=0")
    page.wait_for_url("**/pairs/**")
    assert page.inner_text("mark.fact >> nth=0") == "500 euros"
    assert page.inner_text("mark.fact >> nth=1") == "300 euros"
    assert page.inner_text(".side.prod mark") == "500"
    assert "curl" in page.text_content("#curl")
    page.click("text=This is wrong")
    page.wait_for_selector("text=marked wrong")
    assert page.locator("button[aria-pressed=true]").inner_text() == "This is wrong"
    report = json.loads(world.cli("report", "--json").stdout)
    [candidate] = report["shadows"]
    assert candidate["marks"]["objected"]["marked"] == candidate["marks"]["objected"]["agreed"] == 1
    assert "1 marked pairs that they object to, 1 are wrong" in world.cli("report").stdout
    assert shown(watched, "/?mark=wrong").locator("#list .rows > li").count() == 1
    watched.quiet()


def attacked(number: int, text: str) -> Pair:
    """A pair that says this in every field of its own."""
    pair = pair_of(number, question=text, prod_text=f"{text} 500 euros", shadow_text=f"{text} 300 euros")
    headers = ((b"content-type", b"application/json"), (b"x-note", text.encode()), (text.encode(), b"1"))
    cited = {"snippet_id": text, "section_id": text, "source_url": text, "text": text}
    body = json.dumps(
        {
            "choices": [
                {
                    "message": {
                        "content": text,
                        "tool_calls": [{"id": text, "type": "function", "function": {"name": text, "arguments": text}}],
                    }
                }
            ],
            "citations": [cited],
        }
    ).encode()
    return Pair(
        copy=msgspec.structs.replace(
            pair.copy,
            shadow_id=f"{number}-{text}",
            req_hash=text,
            target=f"/{text}",
            method=text,
            headers=headers,
            response_headers=headers,
            response_body=body,
            tenant=text,
            why=text,
            preset=text,
            normalised=(text,),
            findings={text: 1},
            blocked="",
        ),
        outcome=msgspec.structs.replace(
            pair.outcome,
            detail=text,
            headers=headers,
            body=body,
            normalised=(text,),
            calls=(StubbedCall(name=text, arguments=text, by_prod=False),),
            usage={text: 1},
            rounds=2,
            round_ns=(1, 2),
        ),
        scores=msgspec.structs.replace(
            pair.scores,
            embedder=text,
            note=text,
            fact_flip=True,
            differences=(StructureDifference(text, text, "value", text, text),),
            judge=JudgeVerdict(verdict="different", why=text, model=text),
            citation_match=0.5,
        ),
        prod_text=pair.prod_text,
        shadow_text=pair.shadow_text,
        model_rev=text,
        index_hash=text,
        prod_index_hash=text,
        prod_model=text,
        model=text,
        finish=text,
        prod_finish=text,
        pins={text: text},
        rate_limit={text: text},
    )


def test_nothing_from_outside_runs_loads_or_leads_away(world: World, browser: Any) -> None:
    pairs = [attacked(number, text) for number, text in enumerate(ATTACKS)]
    more = [attacked(20 + number, text) for number, text in enumerate(ATTACKS)]
    failing = [
        msgspec.structs.replace(pair, outcome=Outcome(shadow="candidate", reason=text, detail=text, status=400))
        for pair, text in zip(more, ATTACKS, strict=True)
    ]
    url = page_over(world, [*pairs, *failing, *(attacked(40 + n, text) for n, text in enumerate(ATTACKS * 3))])
    watched = Watched(browser, url)
    page = shown(watched)
    links = page.eval_on_selector_all("#list .rows a", "all => all.map(one => one.getAttribute('href'))")
    assert len(links) == len(ATTACKS), "one of a question"
    asked = [httpx.QueryParams({name: text}) for text in ATTACKS for name in ("text", "route", "tenant", "shadow")]
    facts = 0
    for path in ["/", *links, *(f"/?{query}" for query in asked)]:
        page = shown(watched, path)
        facts += page.locator("mark.fact").count()
        for tag in (
            "img",
            "iframe",
            "object",
            "embed",
            "form[action^='http']",
            "svg[onload]",
            "[onerror]",
            "[style]:not(.uplot *)",
        ):
            assert page.locator(f"main {tag}").count() == 0, (path, tag)
        assert page.locator("script").count() == 2
        for href in page.eval_on_selector_all("[href]", "all => all.map(one => one.href)"):
            assert href.startswith((f"{url}/", "data:,")), href
    assert facts > 0, "spans of contradictions are looked at, too"
    text = shown(watched, links[0]).inner_text("main")
    assert any(attack[:20] in text for attack in ATTACKS), "as text it is there"
    watched.quiet()


def test_what_the_answers_carry(world: World, client: httpx.Client) -> None:
    url = page_over(world, [pair_of(1)])
    key = pair_of(1).copy.shadow_id
    for path in ("/", f"/pairs/{key}", "/login", "/pairs/nowhere"):
        answered = client.get(url + path)
        policy = answered.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert answered.headers["cache-control"] == "no-store"
        assert not re.search(r"<[^>]*\son\w+=|<script>|<style|\sstyle=", answered.text), "nothing is inline"
    for name in ("app.js", "uPlot.iife.min.js", "uPlot.min.css", "uPlot.LICENSE", "style.css"):
        assert client.get(f"{url}/assets/{name}").status_code == 200
    assert client.get(f"{url}/assets/../routes.py").status_code == 404
    marking = f"{url}/pairs/{key}/mark?shadow=candidate"
    refused = [
        ({"Origin": "http://evil.example"}, "fine", 403),
        ({"Origin": "null"}, "fine", 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, "fine", 403),
        ({"Origin": url}, "good", 400),
    ]
    for headers, mark, status in refused:
        assert client.post(marking, data={"mark": mark}, headers=headers).status_code == status, headers
    assert client.get(marking).status_code == 405
    assert client.post(f"{url}/pairs/nowhere/mark?shadow=candidate", data={"mark": "fine"}).status_code == 404
    assert client.post(marking, data={"mark": "fine"}, headers={"Origin": url}).status_code == 303


def test_a_token_is_asked_for_once_and_stands_in_no_address(world: World, browser: Any, client: httpx.Client) -> None:
    world.configure("http://127.0.0.1:9", lane={"worker": "external"}, serve={"token_env": "PAGE_TOKEN"})
    save(world, [pair_of(1)])
    url = serving(world, "dashboard", "--listen", "127.0.0.1:0", env={"PAGE_TOKEN": "tok<en>"})
    for path in ("/", "/pairs/1", "/events", "/assets/app.js", "/gate"):
        assert client.get(url + path).status_code == 401, path
    watched = Watched(browser, url)
    page = watched.page
    page.goto(url)
    page.fill("input[name=token]", "wrong")
    page.click("button")
    page.wait_for_selector("text=that is not the token")
    watched.said.clear()  # the browser itself says that the answer was 403
    page.fill("input[name=token]", "tok<en>")
    page.click("button")
    page.wait_for_selector("#list .rows > li", timeout=PATIENCE_MS)
    page.wait_for_selector(".live[data-state=live]", timeout=PATIENCE_MS)
    [cookie] = watched.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    for spelling in ("tok<en>", "tok&lt;en", "tok%3Cen"):
        assert spelling not in cookie["value"] + page.url + page.content()
    page.click("#list .rows a >> nth=0")
    page.click("text=This is fine")
    page.wait_for_selector("text=marked fine")
    watched.quiet()
    process_log = (world.folder / "dashboard.log").read_text()
    assert "tok<en>" not in process_log
    stolen = {"Cookie": f"shadowlane={cookie['value']}x"}
    assert client.get(f"{url}/gate", headers=stolen).status_code == 401


def test_streams_are_bounded_and_begin_where_the_reader_is(world: World, client: httpx.Client) -> None:
    from shadowlane.dashboard.live import MOST_STREAMS

    url = page_over(world, [pair_of(1)])
    seen = ""
    with client.stream("GET", f"{url}/events", timeout=60) as stream:
        for line in stream.iter_lines():
            if line.startswith("id: "):
                seen = line.removeprefix("id: ")
            if line.startswith("data: "):
                assert json.loads(line.removeprefix("data: "))["pairs"] == 1
                break
    assert seen
    with client.stream("GET", f"{url}/events", timeout=60, headers={"Last-Event-ID": seen}) as stream:
        ids = [line.removeprefix("id: ") for line in _lines(stream, 3) if line.startswith("id: ")]
    assert seen not in ids, "what was seen is not told again"
    held: list[httpx.Response] = []
    with contextlib.ExitStack() as opened:

        def full() -> bool:
            """Opens one more; those of before may not be counted out yet."""
            with contextlib.ExitStack() as this:
                one = this.enter_context(client.stream("GET", f"{url}/events", timeout=60))
                if one.status_code == 200:
                    held.append(one)
                    opened.push(this.pop_all())
            return len(held) == MOST_STREAMS

        until(full, "all streams are open")
        assert client.get(f"{url}/events").status_code == 503
        assert client.get(f"{url}/gate").status_code == 200, "release tools are still answered"


def _lines(stream: httpx.Response, most: int) -> list[str]:
    found = []
    for line in stream.iter_lines():
        found.append(line)
        if len(found) >= most:
            break
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_can_be_used_by_keyboard(world: World, browser: Any, theme: Any, width: int) -> None:
    pairs = [pair_of(number, delta=(number % 10) / 10) for number in range(40)]
    pairs += [
        msgspec.structs.replace(pair, outcome=msgspec.structs.replace(pair.outcome, shadow="control")) for pair in pairs
    ]
    other = [
        msgspec.structs.replace(pair, outcome=msgspec.structs.replace(pair.outcome, shadow="other"))
        for pair in pairs[:40]
    ]
    pairs += [*other, attacked(70, "x" * 400)]
    two = {"control": {"url": "http://127.0.0.1:9"}, "shadows__other": {"url": "http://127.0.0.1:9"}}
    url = page_over(world, pairs, **two)
    watched = Watched(browser, url, viewport={"width": width, "height": 900}, color_scheme=theme)
    for path in ("/", f"/pairs/{pairs[0].copy.shadow_id}", f"/pairs/{pairs[-1].copy.shadow_id}"):
        page = shown(watched, path)
        page.wait_for_load_state("load")
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
        if folder := os.environ.get("SHADOWLANE_SHOTS"):
            name = "page" if path == "/" else f"pair-{path[-1]}"
            page.screenshot(path=str(Path(folder) / f"{name}-{theme}-{width}.png"), full_page=True)
    page = shown(watched)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tables = page.locator("main table:not(.rules, .u-legend)")
    assert tables.count() == page.locator("main table:not(.rules, .u-legend) > caption").count() > 0
    assert page.locator("main svg[role=img] > title").count() == page.locator("main svg:not([aria-hidden])").count() > 0
    watched.quiet()


def test_a_worker_has_the_page_beside_its_work(world: World, browser: Any, client: httpx.Client) -> None:
    world.configure(world.shadow(), lane={"worker": "external"})
    url = serving(world, "worker", "--dashboard", "127.0.0.1:0")
    until(lambda: httpx.get(f"{url}/readyz", trust_env=False, timeout=60).status_code == 200, "the worker is ready")
    gateway = world.gateway()
    for number in range(5):
        assert client.post(f"{gateway}/ask", json={"question": f"how high is {number}?"}).status_code == 200
    world.settle(5)
    watched = Watched(browser, url)
    page = shown(watched)
    page.wait_for_selector("#flow >> text=adds up", timeout=PATIENCE_MS)
    page.click("#list .rows a >> nth=0")
    page.click("text=This is wrong")
    page.wait_for_selector("text=marked wrong")
    assert client.post(f"{gateway}/ask", json={"question": "and after that?"}).status_code == 200
    world.settle(6)
    watched.quiet()
    serving_process = world.processes[1]
    assert serving_process.stop(signal.SIGTERM) == 0, "an open page keeps no worker"


def test_one_address_serves_both(world: World) -> None:
    world.configure("http://127.0.0.1:9", lane={"worker": "external"})
    done = world.cli("worker", "--serve", "127.0.0.1:1", "--dashboard", "127.0.0.1:2")
    assert done.returncode == 2
    assert "one endpoint serves both" in done.stderr
    world.lane.mkdir(mode=0o700)
    served = process(world, "worker", "--serve", "127.0.0.1:0")
    until(lambda: "endpoint: listening" in served.log.read_text(), "the endpoint listens")
    address = re.findall(r"listening on ([0-9.:]+)", served.log.read_text())[0]
    assert httpx.get(f"http://{address}/", trust_env=False, timeout=60).status_code == 404, "no page unless asked for"
