"""Many threads over one lane, with a GIL or without one. Run by ``make free-threaded`` in a Python that has none."""

from __future__ import annotations

import sys
import sysconfig
import threading
from collections import Counter
from pathlib import Path

from shadowlane import Config, Lane, _core
from shadowlane.types import Copy

THREADS = 6
REQUESTS = 2000


def opened(folder: Path) -> Lane:
    return Lane.open(
        Config.from_dict(
            {
                "lane": {
                    "directory": str(folder / "lane"),
                    "worker": "external",
                    "ring_bytes": 1 << 20,
                    "max_body_bytes": 65536,
                },
                "sampling": {"ratio": 0.5, "seed": 3},
                "limits": {"qps": 1e6, "burst": 1_000_000},
                "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
            }
        )
    )


def test_the_extension_does_not_switch_the_gil_on() -> None:
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        # Then there is one GIL, and the test below shows that nothing relies on more than it.
        assert getattr(sys, "_is_gil_enabled", lambda: True)()
        return
    assert not sys._is_gil_enabled()  # type: ignore[attr-defined,unused-ignore]


def test_threads_admit_offer_and_drain_at_once(tmp_path: Path) -> None:
    lane = opened(tmp_path)
    directory = str(lane.directory)
    drainer = _core.Drainer(directory, allow_headers=())
    start = threading.Barrier(THREADS + 1)
    done = threading.Event()
    mirrored = [Counter[str]() for _ in range(THREADS)]
    drained: list[Copy] = []

    def produce(number: int) -> None:
        start.wait()
        for request in range(REQUESTS):
            ticket = lane.admit("GET", f"/{number}", [(b"accept", b"*/*")])
            if ticket is None:
                mirrored[number]["not taken"] += 1
            elif request % 50 == 49:
                lane.drop(ticket, "prod_failed")
                mirrored[number]["given back"] += 1
            else:
                body = [b"%d" % number * 100, b"-", b"%d" % number * (request % 300)]
                plain = [(b"content-type", b"text/plain")]
                kept = lane.offer(ticket, f"/{number}", [], b"", 200, plain, body, request, 0)
                mirrored[number]["mirrored" if kept else "full"] += 1

    def consume() -> None:
        start.wait()
        while True:
            last = done.is_set()
            rows = drainer.drain(100, 1 << 20)
            for row in rows:
                copy = Copy(**dict(zip(Copy.__struct_fields__, row, strict=True)))
                drained.append(copy)
                drainer.ack(copy.ring, copy.seq)
            if last and not rows:
                return

    producers = [threading.Thread(target=produce, args=(number,)) for number in range(THREADS)]
    consumer = threading.Thread(target=consume)
    for thread in [consumer, *producers]:
        thread.start()
    for thread in producers:
        thread.join()
    done.set()
    consumer.join()
    total = sum(mirrored, Counter[str]())
    status = lane.status()
    assert status["seen"] == THREADS * REQUESTS
    assert status["open"] == 0
    assert status["mirrored"] == total["mirrored"] == len(drained)
    # Exact over all threads: the sampler takes its half, whoever asks.
    assert abs(status["sampler"]["taken"] - THREADS * REQUESTS / 2) <= 2
    assert status["dropped"].get("sampled_out", 0) == total["not taken"]
    assert status["dropped"].get("prod_failed", 0) == total["given back"]
    assert status["dropped"].get("ring_full", 0) == total["full"]
    assert len({copy.shadow_id for copy in drained}) == len(drained), "an id was given twice"
    seen = Counter[str]()
    for copy in drained:
        number, request = copy.target.removeprefix("/"), copy.ttfb_ns
        assert copy.response_body.decode() == number * 100 + "-" + number * (request % 300)
        seen[number] += 1
    assert seen == Counter({str(number): count["mirrored"] for number, count in enumerate(mirrored)})
    drainer.close()
    lane.close()
