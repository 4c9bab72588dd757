"""The gold file: what is read, and how what is wrong is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowlane.demo.corpus import load_sections
from shadowlane.demo.probe import gold_text
from shadowlane.errors import DataError
from shadowlane.probe.gold import read_gold


def write(folder: Path, *lines: str) -> Path:
    path = folder / "gold.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_items_come_in_order_with_ids_of_their_own(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "\ufeff" + json.dumps({"question": "Wie lange?", "paraphrases": ["a", "b"], "sections": ["x/y"]}),
        "",
        json.dumps({"question": "Why?", "id": "why"}),
    )
    items, data = read_gold(path)
    assert [(item.id, item.question) for item in items] == [("line-1", "Wie lange?"), ("why", "Why?")]
    assert (items[0].paraphrases, items[0].sections) == (("a", "b"), ("x/y",))
    assert data == path.read_bytes()


def test_every_wrong_line_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '{"question": "fine"}',
        '{"question": 5}',
        '{"qestion": "typo"}',
        "not json",
        '{"question": "q", "paraphrases": ["a", "  "]}',
        '{"question": "q", "id": "line-1"}',
        '{"question": ""}',
        '{"question": "q", "paraphrases": "one"}',
        "[1]",
    )
    with pytest.raises(DataError) as told:
        read_gold(path)
    lines = str(told.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:{number}" for number in range(2, 10)]
    for line, words in zip(
        lines,
        (
            "question: expected `str`, got `int`",
            "unknown field `qestion`",
            "not a JSON object",
            "paraphrases[1] is blank",
            "id = 'line-1' is the id of line 1 too",
            "length >= 1",
            "paraphrases: expected `array`",
            "expected `object`, got `array`",
        ),
        strict=True,
    ):
        assert words in line


def test_many_wrong_lines_are_counted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="and 5 lines more") as told:
        read_gold(write(tmp_path, *["{}"] * 25))
    assert len(str(told.value).splitlines()) == 21


def test_no_file_and_no_items_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read: No such file"):
        read_gold(tmp_path / "missing.jsonl")
    with pytest.raises(DataError, match="no item in it"):
        read_gold(write(tmp_path, "", "  "))
    (tmp_path / "bad.jsonl").write_bytes(b'{"question": "\xff"}\n')
    with pytest.raises(DataError, match=r"bad\.jsonl:1: "):
        read_gold(tmp_path / "bad.jsonl")


def test_the_gold_file_of_the_demo_fits_its_handbook(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text(gold_text())
    items, _ = read_gold(path)
    known = {section.section_id for section in load_sections()}
    assert {section for item in items for section in item.sections} <= known
    assert all(len(set(item.paraphrases)) == 3 for item in items)
    assert sum(item.sections[0].startswith("payments/") for item in items) == 3
