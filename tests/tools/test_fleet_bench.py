"""``make fleet-bench``: what it makes of its rounds, and one host against a real server."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.support.servers import running_postgres

pytest.importorskip("psycopg")

from benches.fleet.__main__ import _shown, main
from benches.fleet.rows import BATCH, measure


def test_ratios_are_to_the_first_setting_of_the_same_round(capsys: pytest.CaptureFixture[str]) -> None:
    """A round in which the machine was twice as slow says the same of the ratio."""
    speeds = (100.0, 50.0, 100.0, 50.0)
    found = {
        1: [{"rate": one, "us": 8.0} for one in speeds],
        2: [{"rate": 1.5 * one, "us": us} for one, us in zip(speeds, (6.0, 8.0, 10.0, 8.0), strict=True)],
    }
    shown = _shown("hosts", found, "rate", ("us",), np.random.default_rng(1))
    assert shown["1"]["ratios"]["rate"] == {"ratio": 1.0, "low": 1.0, "high": 1.0}
    assert shown["2"]["ratios"]["rate"] == {"ratio": 1.5, "low": 1.5, "high": 1.5}
    assert shown["2"]["ratios"]["us"]["low"] < shown["2"]["ratios"]["us"]["ratio"] == 1.0
    assert shown["2"]["rate"] == 112.5
    assert "rate 112, 1.50 (1.50 to 1.50)   us 8, 1.00 (" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--rounds", "1"], ["--rows", "0"], ["--only", "rows,others"]])
def test_senseless_options_are_refused(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["benches.fleet", *arguments])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 2


@pytest.mark.slow
def test_hosts_write_what_they_say() -> None:
    import psycopg

    with running_postgres() as server:
        assert server._process is not None
        url = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
        found = measure(url, server._process.pid, "bench", 2, BATCH)
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT count(*), count(DISTINCT shadow_id) FROM bench.pairs").fetchone()
    assert rows == (4 * BATCH, 4 * BATCH), "two hosts, each with a batch that is not counted"
    assert found["rows_s"] > 0
    assert found["host_us"] > 0
    assert found["server_us"] >= 0
