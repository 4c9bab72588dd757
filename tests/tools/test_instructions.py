"""The instruction counts are read from callgrind's parts; what differs is named with both figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benches.instructions import __main__ as instructions
from benches.instructions.compare import differences, load, recorded, save
from benches.instructions.count import Counted, NotCounted, read_calls

_PART = "version: 1\npart: {number}\n\nevents: Ir\nfn=(1) a::counted_call\n12 34\n\ntotals: {total}\n"
_KEY = {"cpu": "x86_64 avx2", "rustc": "1.95.0", "libc": "glibc 2.36", "valgrind": "3.19.0"}


def _parts(*totals: int) -> list[str]:
    return [_PART.format(number=number, total=total) for number, total in enumerate(totals, 1)]


def test_a_case_counts_its_middle_call() -> None:
    """The first fills tables, one meets the look at the directory."""
    cases = ["admit"] * 5 + ["drain"] * 3
    assert read_calls(cases, _parts(900, 10, 10, 10, 10, 70, 71, 4000)) == {"admit": 10, "drain": 71}


@pytest.mark.parametrize("parts", [["no total here"], _parts(0)])
def test_a_part_without_a_count_is_an_error(parts: list[str]) -> None:
    with pytest.raises(NotCounted, match="part 1 of the dump \\(admit\\)"):
        read_calls(["admit"], parts)


def test_what_differs_is_named_with_both_figures() -> None:
    known = {"admit": 1000, "offer": 1000, "drain": 1000, "gone": 5}
    now = {"admit": 1030, "offer": 1031, "drain": 969, "new": 7}
    assert differences(known, now, 0.03) == [
        "drain: 969 instructions, 1,000 in the record: -3.1 %",
        "gone: 5 instructions in the record, not counted any more",
        "new: 7 instructions, none in the record",
        "offer: 1,031 instructions, 1,000 in the record: +3.1 %",
    ]


def test_a_record_holds_for_its_key_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "instructions.json"
    save(file, load(file), Counted(_KEY, {"admit": 1000}))
    assert instructions.compare(Counted(_KEY, {"admit": 1001}), file, 3.0) == 0
    assert instructions.compare(Counted(_KEY, {"admit": 2000}), file, 3.0) == 1
    assert "admit: 2,000 instructions, 1,000 in the record: +100.0 %" in capsys.readouterr().out
    for name in _KEY:
        other = {**_KEY, name: "another"}
        assert instructions.compare(Counted(other, {"admit": 2000}), file, 3.0) == 0
        assert "no record for this processor" in capsys.readouterr().out


def test_an_update_leaves_other_processors_alone(tmp_path: Path) -> None:
    file = tmp_path / "instructions.json"
    other = {**_KEY, "cpu": "aarch64"}
    for key, count in ((_KEY, 1), (other, 2), ({**_KEY, "rustc": "1.96.0"}, 3)):
        save(file, load(file), Counted(key, {"admit": count}))
    records = load(file)
    assert [recorded(records, key) for key in (_KEY, other)] == [None, {"admit": 2}]
    assert len(records) == 2


def test_the_record_in_the_repository_can_be_read() -> None:
    records = json.loads(instructions.RECORD.read_text())["records"]
    assert records
    for record in records:
        assert set(record) == {*_KEY, "counts"}
        assert all(count > 0 for count in record["counts"].values())


def test_without_valgrind_it_is_skipped_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert instructions.main([]) == 0
    assert capsys.readouterr().out == "instructions: skipped: valgrind is not installed: apt-get install valgrind\n"
