"""The overhead matrix measures the cells that it names, against servers that are there, and writes what it found."""

from __future__ import annotations

import asyncio
import gzip
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benches.overhead import __main__ as matrix
from benches.overhead.arrivals import offsets, recorded, stretch
from benches.overhead.cells import BASE, VALUES, cells, quick_cells
from benches.overhead.client import Client
from benches.overhead.gateway import Application
from benches.overhead.measure import Plan, _generator
from benches.overhead.table import HEADINGS, drawing, markdown, row
from shadowlane.demo.processes import DemoError


def test_one_thing_at_a_time_is_another() -> None:
    every = cells()
    assert every[0] == replace(BASE, same=True)
    assert every[1] == BASE
    assert len(every) == len(set(every)) == 2 + sum(len(values) - 1 for values in VALUES.values())
    for cell in every[2:]:
        assert sum(getattr(cell, name) != getattr(BASE, name) for name in VALUES) == 1
    assert [cell.name() for cell in every[:3]] == ["A/A", "base", "16 KiB"]
    assert set(quick_cells()) <= set(every)
    assert quick_cells()[0].same


def test_named_fields_are_crossed() -> None:
    every = cells(["kib", "shadow"])
    crossed = {(cell.kib, cell.shadow) for cell in every}
    assert crossed == {(kib, shadow) for kib in VALUES["kib"] for shadow in VALUES["shadow"]}
    assert len(every) == len(set(every))
    assert "128 KiB, shadow dead" in {cell.name() for cell in every}
    with pytest.raises(ValueError, match="cross: 'size' is none of kib, answer"):
        cells(["size"])


def test_recorded_arrivals_keep_their_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "azure_llm_arrivals.csv.gz"
    stamps = [f"2023-11-16 18:15:{second:02}.{7 * second:07}" for second in (46, 40, 41, 52)]
    with gzip.open(file, "wt") as out:
        out.write("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(f"{stamp},1,2\n" for stamp in stamps))
    times = recorded(file)
    assert np.allclose(times, [0, 1, 6, 12], atol=1e-3)
    due = stretch(times, 1.0, 3.0, np.random.default_rng(1))
    assert np.allclose(due, [0, 1 / 12, 6 / 12], atol=1e-3)
    monkeypatch.setenv("SHADOWLANE_DATA", str(tmp_path))
    with pytest.raises(DemoError, match="4 recorded arrivals, 11 needed"):
        offsets("azure", 1.0, 10.0, np.random.default_rng(1))
    monkeypatch.setenv("SHADOWLANE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DemoError, match="SHADOWLANE_DATA names no folder"):
        offsets("azure", 1.0, 1.0, np.random.default_rng(1))


def test_late_sends_are_those_over_a_millisecond() -> None:
    said = _generator([0.0, 0.0005, 0.0011, 0.2])
    assert said["late_share"] == 0.5
    assert said["max_ms"] == 200.0


@pytest.mark.parametrize(("kib", "answer"), [(1, "json"), (1, "sse"), (16, "sse"), (128, "json"), (128, "sse")])
def test_an_answer_has_its_size_and_form(kib: int, answer: str) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Application(kib=kib, answer=answer, upstream_ms=0)({"type": "http"}, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    assert 0.85 * kib * 1024 <= len(body) <= 1.05 * kib * 1024
    assert [bool(message.get("more_body")) for message in sent[1:]] == [True] * (len(sent) - 2) + [False]
    if answer == "sse":
        *events, done, nothing = body.decode().split("\n\n")
        assert (done, nothing) == ("data: [DONE]", "")
        assert all(json.loads(event.removeprefix("data: "))["choices"] for event in events)
    else:
        assert json.loads(body)["answer"]


@pytest.mark.parametrize("cut", [1, 7, 64, 10_000])
def test_the_client_reads_chunked_answers_to_their_end(cut: int) -> None:
    """However the bytes come in; and the connection is used again."""
    chunks = b"5\r\ndata:\r\n2\r\n\r\n\r\n" + b"f\r\n" + b"x" * 15 + b"\r\n0\r\n\r\n"
    plain = b"HTTP/1.1 503 No\r\ncontent-length: 3\r\n\r\nabc"
    answers = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, plain] * 2

    async def run() -> tuple[list[int], int]:
        connections = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            for answer in answers:
                await reader.readuntil(b"{}")
                for at in range(0, len(answer), cut):
                    writer.write(answer[at : at + cut])
                    await writer.drain()
                    await asyncio.sleep(0)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "/ask", b"{}")
        statuses = [await client.post() for _ in answers]
        client.close()
        server.close()
        return statuses, connections

    assert asyncio.run(run()) == ([200, 503, 200, 503], 1)


def _line(name: str, ratio: float) -> dict[str, Any]:
    interval = {"ratio": ratio, "low": ratio - 0.01, "high": ratio + 0.02}
    own = {"p99": {"added_share": 0.02, "share_interval": [-0.01, None]}}
    return {
        "name": name,
        "off": {"p50_ms": 20.0, "p99_ms": 25.0},
        "ratios": {"p50": interval, "p95": interval, "p99": interval},
        "generator": {"late_share": 0.012, "p99_ms": 1.5, "max_ms": 9.0},
        "status": own,
        "lane": {"dropped": {"disabled": 500, "sampled_out": 3, "ring_full": 7}},
    }


def test_table_and_drawing_hold_every_cell() -> None:
    lines = [_line("base", 1.01), _line("<b>", 0.99), {"name": "granian", "skipped": "it is not there"}]
    assert row(lines[0])[2:] == [*["1.010 (1.000 to 1.030)"] * 3, "1.2 %, 1.5 ms", "1.020 (0.990 to ?)", "ring_full 7"]
    page = markdown(lines, "a machine")
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(lines)
    assert {line.count("|") for line in table} == {len(HEADINGS) + 1}
    assert "not measured: it is not there" in page
    image = ElementTree.fromstring(drawing(lines))
    assert image.tag == "{http://www.w3.org/2000/svg}svg"
    words = [text.text for text in image.iter("{http://www.w3.org/2000/svg}text")]
    assert {"base", "<b>", "1.010", "0.990"} <= set(words)
    assert "granian" not in words
    dots = [float(dot.attrib["cx"]) for dot in image.iter("{http://www.w3.org/2000/svg}circle")]
    assert dots[0] > dots[1]


@pytest.mark.e2e
@pytest.mark.parametrize("shadow", ["healthy", "refusing"])
def test_a_cell_is_measured_with_real_processes(tmp_path: Path, shadow: str) -> None:
    cell = replace(BASE, shadow=shadow, answer="sse", upstream_ms=0, ratio=0.5)
    plan = Plan(seconds=2.0, rate=60.0, block=0.5, discard=0.0, warm_up=0.5)
    [line] = matrix.run([cell], plan, np.random.default_rng(5))
    assert "skipped" not in line, line
    assert line["on"]["count"] + line["off"]["count"] > 60
    assert line["pairs"] == 2
    assert line["ratios"]["p50"]["ratio"] > 0
    assert 0 < line["lane"]["mirrored"] < line["lane"]["seen"]
    assert line["status"]["taken"] > 0
    assert line["status"]["not_taken"] > 0
    assert line["lane"]["dropped"]["disabled"] > 0, "the switch was off in half of the blocks"
    matrix.write(tmp_path, [line], plan, 5)
    assert {file.name for file in tmp_path.iterdir()} == {"overhead.json", "overhead.md", "overhead.svg"}
    assert json.loads((tmp_path / "overhead.json").read_text())["cells"][0]["cell"]["shadow"] == shadow
