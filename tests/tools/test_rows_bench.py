"""``python -m benches.rows`` runs, and prints what each command took."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benches.rows import packing
from benches.rows.__main__ import main

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_short_run_measures_each_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["rows", "--rows", "300", "--bodies", "64", "--folder", str(tmp_path)])
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" a row ")[1] for line in lines[:2]] == [
        "with bodies (64 rows)",
        "without bodies, indexes with it (300 rows)",
    ]
    # The newest rows are not packed yet.
    packed = re.fullmatch(r"(\d+) blocks of (\d+) rows: [\d.]+ bytes a row, .* s at most for one", lines[2])
    assert packed is not None
    assert int(packed[1]) > 0
    assert 200 < int(packed[2]) <= 300
    assert re.fullmatch(r"\d+ folds of [\d.]+ MB: [\d.]+ s of processor, [\d.]+ s at most for a piece", lines[3])
    found = [
        re.fullmatch(r"(\w+) --json +300 rows +([\d.]+) s +([\d.]+) s of processor +(\d+) MiB .*", line)
        for line in lines[4:]
    ]
    assert [one[1] for one in found if one] == ["gate", "report", "status"]
    assert all(one and float(one[3]) > 0 and int(one[4]) > 10 for one in found)
    assert list(tmp_path.iterdir()) == []


def test_rows_that_were_kept_are_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["rows", "--rows", "200", "--bodies", "64", "--keep", str(tmp_path), "--no-blocks"]
    monkeypatch.setattr(sys, "argv", given)
    assert main() == 0
    assert "200 rows" in capsys.readouterr().out
    assert main() == 0
    assert "bytes a row" not in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [*given, "--rows", "300"])
    with pytest.raises(SystemExit):
        main()
    assert f"{tmp_path} holds 200 rows" in capsys.readouterr().err


def test_packing_is_measured_three_ways(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["packing", "--rows", "8", "--rounds", "1"])
    assert packing.main() == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.endswith("bytes a row as they are")
    assert all(re.search(r" [\d,]+ bytes a row +[\d.]+ µs of processor a row$", line) for line in lines)
    assert len(lines) == 3
