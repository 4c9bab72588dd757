"""The fleet demonstration's own rules: its client as a load balancer, and what it says where it cannot run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("httpx")

import httpx
from rich.console import Console

from shadowlane.demo import postgres
from shadowlane.demo.balance import Answered, spread
from shadowlane.demo.client import Meter
from shadowlane.demo.fleet import FleetOptions, run_fleet_demo
from shadowlane.demo.load import Shot
from shadowlane.errors import ConfigError

SHOTS = [Shot(kind="ask", method="POST", path="/ask", json={"n": n}) for n in range(4)]


def sent(*gateways: Callable[[httpx.Request], httpx.Response]) -> list[Answered]:
    async def beside() -> None:
        """Nothing else happens."""

    transports = [httpx.MockTransport(one) for one in gateways]
    urls = [f"http://gateway-{place}" for place in range(len(gateways))]
    with Meter(Console(quiet=True), len(SHOTS)) as meter:
        return asyncio.run(spread(urls, (0, 1), SHOTS, [0.0] * 4, meter, beside, transports=transports))


def fine(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200)


def refused(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def test_each_takes_its_turn() -> None:
    answers = sent(fine, fine)
    assert [answer.host for answer in answers] == [0, 1, 0, 1]
    assert {answer.status for answer in answers} == {200}


def test_who_takes_no_connection_is_passed_over() -> None:
    answers = sent(refused, fine)
    assert [(answer.host, answer.status, answer.turned_away) for answer in answers] == [(1, 200, 1), (1, 200, 0)] * 2


def test_what_a_gateway_may_have_taken_is_never_sent_again() -> None:
    asked = []

    def cut(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ReadError("reset")

    answers = sent(cut, fine)
    assert [(answer.host, answer.status) for answer in answers] == [(0, 0), (1, 200)] * 2
    assert answers[0].error == "ReadError: reset"
    assert len(asked) == 2


def test_where_nobody_answers_it_is_recorded() -> None:
    for answer in sent(refused, refused):
        assert (answer.host, answer.status, answer.turned_away) == (-1, 0, 2)
        assert answer.error


def test_what_happens_beside_is_waited_for_and_its_error_is_raised() -> None:
    async def beside() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("the gateway does not come back")

    transport = httpx.MockTransport(fine)
    with Meter(Console(quiet=True), 4) as meter:
        sending = spread(["http://g"], (0,), SHOTS, [0.0] * 4, meter, beside, transports=[transport])
        with pytest.raises(RuntimeError, match="come back"):
            asyncio.run(sending)


def test_without_a_server_it_says_what_to_install_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path / "none")
    with pytest.raises(postgres.NoServerError, match="apt-get install postgresql") as raised:
        run_fleet_demo(FleetOptions(5.0, 5.0, tmp_path / "out"))
    assert raised.value.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_the_newest_release_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for release in ("9.6", "15", "16"):
        (tmp_path / release / "bin").mkdir(parents=True)
        for name in ("initdb", "pg_isready", "postgres") if release != "16" else ("pg_isready",):
            (tmp_path / release / "bin" / name).touch()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    monkeypatch.setattr(postgres.os, "getuid", lambda: 1000)
    assert postgres.server_folder() == tmp_path / "15" / "bin", "16 has no server"


@pytest.mark.parametrize(("seconds", "qps", "field"), [(1.0, 5.0, "--seconds"), (9.0, 0.0, "--qps")])
def test_senseless_options_are_refused(tmp_path: Path, seconds: float, qps: float, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        run_fleet_demo(FleetOptions(seconds, qps, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
