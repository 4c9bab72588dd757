"""``python -m benches.captures`` runs, and its table has every door."""

from __future__ import annotations

import sys

import pytest

from benches.captures import AIMS, DOORS, main, table


def test_a_short_run_measures_every_door(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["captures", "--rounds", "2", "--calls", "20"])
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")] == ["door", *DOORS]


@pytest.mark.parametrize("missing", [*AIMS])
def test_a_door_that_was_not_measured_twice_has_no_row(missing: str) -> None:
    one = {"figure_ns": 1500.0, "figure_ns_95": [1000.0, 2000.0], "rival_ns": 300.0}
    results = [{**one, "name": f"{door}, {kind}"} for door in ("ASGI", "WSGI") for kind in AIMS]
    kept = [result for result in results if result["name"] != f"WSGI, {missing}"]
    assert table(kept).splitlines()[2:] == ["| ASGI | 0.3 µs | 1.5 µs (1.0 to 2.0) | 1.5 µs (1.0 to 2.0) |"]
