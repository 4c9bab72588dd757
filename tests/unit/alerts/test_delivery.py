"""Sending to a real HTTP server: what is tried again and when, what is given up, and what a kill leaves behind."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from shadowlane.alerts.delivery import Delivery
from shadowlane.alerts.delivery import Receiver as Target
from shadowlane.alerts.findings import Finding, Reading
from shadowlane.alerts.incidents import step
from shadowlane.alerts.memory import Memory
from shadowlane.config import Config, ServeConfig
from tests.support.ports import reserved_port
from tests.support.receiver import Receiver, receiver

WRONG = Finding("candidate", "p95_latency", "P95 latency", "critical", 1.2, 1.03)
OTHER = Finding("candidate", "slope", "slope", "warning")
SECRET_PATH = "services/T0A1B2C3D/B4E5F6G7H/aBcD1234eFgH5678iJkL90mN"


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


class Told:
    """One receiver's entry over a clock of its own, as the worker works it."""

    def __init__(self, folder: Path, **alert: Any) -> None:
        self.now = 1_760_000_000.0
        fields = {"kind": "json", "rules": ["p95_latency", "slope"], "for": "1 of 1", **alert}
        self.config = Config.from_dict(
            {
                "shadows": {"candidate": {"url": "http://127.0.0.1:9"}},
                "store": {"url": f"sqlite:///{folder / 'pairs.db'}"},
                "alerts": [fields],
            }
        )
        self.begin()

    def begin(self) -> None:
        """As a worker that has just started."""
        self.memory = Memory(self.config, self.now)
        [self.post] = self.memory.posts.values()

    async def save(self) -> None:
        self.memory.write(self.memory.encoded())

    def find(self, *findings: Finding) -> None:
        """A minute passes, and this is found in it."""
        self.now += 60
        [alert] = self.config.alerts
        step(
            self.post,
            alert,
            Reading(findings),
            lane="default",
            source="h",
            minute=int(self.now // 60),
            now=self.now,
        )

    def send(self, tries: int = 1, draw: Callable[[], float] = lambda: 1.0) -> list[bool]:
        """Send what is due; for each look whether something was."""

        async def run() -> list[bool]:
            target = Target(self.config.alerts[0], 0)
            delivery = Delivery(target, self.post, self.save, serve=ServeConfig(), wall=lambda: self.now, draw=draw)
            try:
                return [await delivery.send_due() for _ in range(tries)]
            finally:
                await target.close()

        return asyncio.run(run())


def events(server: Receiver) -> list[str]:
    return [got.data["event"] for got in server.got]


def test_told_once_and_its_end_once(tmp_path: Path, server: Receiver) -> None:
    told = Told(tmp_path, url=f"{server.url}/hook")
    for found in ([WRONG], [WRONG], [], []):
        told.find(*found)
        told.send(3)
    assert events(server) == ["firing", "resolved"]
    assert {got.data["id"] for got in server.got} == {server.got[0].data["id"]}
    assert (server.got[0].target, server.got[0].headers["content-type"]) == ("/hook", "application/json")
    assert (told.post.sent, told.post.failed, told.post.firing) == (2, 0, 0)


def test_what_fails_is_tried_again_with_growing_pauses(tmp_path: Path, server: Receiver) -> None:
    told = Told(tmp_path, url=server.url)
    server.plan = [(500, {}, b"oops"), (502, {}, b""), None, (408, {}, b""), (200, {}, b"")]
    told.find(WRONG)
    for pause in (5.0, 10.0, 20.0, 40.0):
        assert told.send(2) == [True, False], "after a failure nothing goes before the pause is over"
        told.now += pause - 0.01
        assert told.send() == [False]
        told.now += 0.02
    assert told.send(2) == [True, False]
    assert events(server) == ["firing"] * 5
    assert (told.post.sent, told.post.failed, told.post.error, told.post.not_before) == (1, 4, "", 0.0)


def test_pauses_are_shortened_by_chance_and_bounded(tmp_path: Path, server: Receiver) -> None:
    told = Told(tmp_path, url=server.url)
    server.plan = [(503, {}, b"")] * 40
    told.find(WRONG)
    told.send(draw=lambda: 0.0)
    assert told.post.not_before - told.now == 2.5
    for _ in range(20):
        told.now = told.post.not_before
        told.send()
    assert told.post.not_before - told.now == 600.0


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_is_asked_for_is_kept(tmp_path: Path, server: Receiver, status: int, form: str) -> None:
    told = Told(tmp_path, url=server.url)
    told.find(WRONG, OTHER)
    value = "120" if form == "seconds" else formatdate(told.now + 120, usegmt=True)
    server.plan = [(status, {"retry-after": value}, b"")]
    assert told.send(2) == [True, False]
    told.now += 119
    assert told.send() == [False]
    told.now += 2
    assert told.send(3) == [True, True, False]
    assert (told.post.sent, told.post.failed) == (2, 1)


def test_a_no_is_asked_again_later_and_keeps_no_other_from_being_told(tmp_path: Path, server: Receiver) -> None:
    told = Told(tmp_path, url=server.url)
    server.plan = [(404, {}, b"no_service")]
    told.find(WRONG, OTHER)
    assert told.send(3) == [True, True, False]
    assert [got.data["rule"] for got in server.got] == ["p95_latency", "slope"]
    assert (told.post.sent, told.post.failed, len(told.post.waiting)) == (1, 1, 1)
    told.now += 599
    assert told.send() == [False]
    told.begin()
    assert told.send() == [True], "a new worker may have another configuration"
    assert (told.post.sent, told.post.waiting) == (2, {})


def test_a_url_where_nobody_is_is_counted_and_the_end_of_what_nobody_heard_is_not_told(tmp_path: Path) -> None:
    with reserved_port() as port:
        told = Told(tmp_path, url=f"http://127.0.0.1:{port}/hook")
        told.find(WRONG)
        told.send()
        assert (told.post.sent, told.post.failed, len(told.post.waiting)) == (0, 1, 1)
        assert told.post.error == f"cannot connect to http://127.0.0.1:{port}: Connection refused"
        told.find()
        assert told.post.waiting == {}


def test_what_may_have_been_heard_is_ended(tmp_path: Path, server: Receiver) -> None:
    told = Told(tmp_path, url=server.url)
    server.plan = [None]
    told.find(WRONG)
    told.send()
    told.find()
    told.send(2)
    assert events(server) == ["firing", "resolved"]


def test_a_redirect_is_not_followed(tmp_path: Path, server: Receiver) -> None:
    with receiver() as elsewhere:
        told = Told(tmp_path, url=server.url)
        server.plan = [(status, {"location": elsewhere.url}, b"") for status in (301, 302, 307, 308)]
        for _ in range(4):
            told.find(WRONG)
            told.now += 600
            told.send()
        assert (len(server.got), elsewhere.got, told.post.failed) == (4, [], 4)


def test_after_a_day_it_is_given_up(tmp_path: Path, server: Receiver) -> None:
    told = Told(tmp_path, url=server.url, repeat_h=0)
    server.plan = [(500, {}, b"")] * 3
    told.find(WRONG)
    told.send()
    told.now += 86_401
    told.send(2)
    assert (told.post.dropped, told.post.failed, told.post.waiting, len(server.got)) == (1, 1, {}, 1)
    told.find()
    assert told.send() == [False], "its beginning was never heard"


def test_it_is_on_the_disk_before_it_is_sent_and_its_end_before_the_next(tmp_path: Path, server: Receiver) -> None:
    told = Told(tmp_path, url=server.url)
    seen: list[tuple[int, list[bool], int]] = []

    def look() -> None:
        [kept] = Memory(told.config, told.now).posts.values()
        raw = told.memory.path.read_bytes()
        seen.append((kept.sent, [b'"sending":true' in raw], len(kept.waiting)))

    server.on_post = look
    told.find(WRONG, OTHER)
    told.send(2)
    assert seen == [(0, [True], 2), (1, [True], 1)]
    assert told.memory.path.stat().st_mode & 0o777 == 0o600


def test_a_killed_worker_tells_nothing_twice_and_the_end_once(tmp_path: Path, server: Receiver) -> None:
    told = Told(tmp_path, url=server.url)
    told.find(WRONG)
    told.send()
    told.begin()  # all that is left of the last one is the file
    told.find(WRONG)
    told.send(2)
    told.find()
    asyncio.run(told.save())
    told.begin()
    told.send(2)
    told.begin()
    told.find()
    told.send(2)
    assert events(server) == ["firing", "resolved"]


def test_no_error_shows_a_secret_that_the_receiver_repeats(
    tmp_path: Path, server: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url, key = f"{server.url}/{SECRET_PATH}", "R0UT1NGKEY0123456789abcdefABCDEF"
    monkeypatch.setenv("SLACK_WEBHOOK_URL", url)
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", key)
    slack = Told(tmp_path, kind="slack", url_env="SLACK_WEBHOOK_URL", name="s")
    server.plan = [(404, {}, f"no hook at {url} or /{SECRET_PATH}\x1b[2J".encode())] * 2
    slack.find(WRONG)
    slack.send()
    pagerduty = Told(tmp_path, kind="pagerduty", url=server.url, routing_key_env="PAGERDUTY_ROUTING_KEY", name="p")
    server.plan = [(400, {}, f'{{"errors": ["routing_key {key} is unknown"]}}'.encode())]
    pagerduty.find(WRONG)
    pagerduty.send()
    said = slack.post.error + pagerduty.post.error + caplog.text + slack.memory.path.read_text()
    assert server.got[0].target == f"/{SECRET_PATH}"
    assert slack.post.error.startswith("HTTP 404: no hook at …")
    assert "routing_key … is unknown" in pagerduty.post.error
    assert not [secret for secret in (SECRET_PATH, key, "\x1b") if secret in said]


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 99, "posts": {}}', b'{"posts": 7}', b"\xff"])
def test_a_file_that_cannot_be_read_is_begun_anew(tmp_path: Path, server: Receiver, content: bytes) -> None:
    told = Told(tmp_path, url=server.url)
    told.memory.path.write_bytes(content)
    told.begin()
    told.find(WRONG)
    told.send()
    assert events(server) == ["firing"]


def test_a_name_server_that_hangs_takes_no_thread_of_the_common_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer, names = threading.Event(), threading.Event(), []

    def hangs(*_: Any, **__: Any) -> Any:
        names.append(threading.current_thread().name)
        asked.set()
        answer.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    told = Told(tmp_path, url="http://alerts.example/hook")
    told.find(WRONG)

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        looking = ThreadPoolExecutor(1)
        target = Target(told.config.alerts[0], 0)
        delivery = Delivery(target, told.post, told.save, serve=ServeConfig(), wall=lambda: told.now)
        sending = asyncio.create_task(delivery.send_due())
        try:
            assert await asyncio.get_running_loop().run_in_executor(looking, asked.wait, 30)
            assert await asyncio.to_thread(lambda: "done") == "done"
            answer.set()
            assert await sending
        finally:
            answer.set()
            await target.close()

    asyncio.run(run())
    assert names[0].startswith("shadowlane-alerts")
    assert told.post.error == "cannot connect to http://alerts.example: Name or service not known"
