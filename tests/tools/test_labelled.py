"""The formats of public labelled data that `make redact-bench DATA=folder` reads, with data of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benches.redact.labelled import Case, Spanned, kind_of, read_folder
from benches.redact.public import wilson

MAIL = Spanned("to a@b.example now", (("email", 3, 14),))


@pytest.mark.parametrize(
    "item",
    [
        {"full_text": MAIL.text, "spans": [{"entity_type": "EMAIL_ADDRESS", "start_position": 3, "end_position": 14}]},
        {"text": MAIL.text, "entities": [[3, 14, "EMAIL"]]},
        {"text": MAIL.text, "labels": [{"label": "e-mail", "start": 3, "end": 14}]},
        {"source_text": MAIL.text, "privacy_mask": [{"label": "EMAIL", "start": 3, "end": 14, "value": "a@b.example"}]},
        {"text": MAIL.text, "entities": ["EMAIL_ADDRESS"], "spans": [[3, 14]]},
    ],
)
@pytest.mark.parametrize("name", ["some.json", "some.jsonl"])
def test_spans_of_json(tmp_path: Path, item: dict[str, object], name: str) -> None:
    (tmp_path / name).write_text(json.dumps([item] if name == "some.json" else item), encoding="utf-8")
    [kept], passed = read_folder(tmp_path)
    assert (kept.name, kept.spanned, kept.cases, passed) == ("some", [MAIL], [], 0)


def test_tags_of_conll(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.conll").write_text("to O\n+44 B-PHONE\n20 I-PHONE\nJane B-PER\n\nhi O\n", encoding="utf-8")
    [kept], _ = read_folder(tmp_path)
    assert kept.spanned == [Spanned("to +44 20 Jane", (("phone", 3, 9), ("", 10, 14))), Spanned("hi", ())]


def test_cases_of_scanners(tmp_path: Path) -> None:
    files = {
        "a/pkg/detectors/x/x_test.go": 'tests := {{\n\t\t\tinput: `key = "abc"`,\n\t\t\twant:  []string{"abc"},\n'
        '\t\t},{\n\t\t\tinput: "n\\"o",\n\t\t\twant:  nil,\n\t\t}}',
        "b/config/rules/x.go": '\ttps := []string{\n\t\t"one", // why\n\t\t"two" + secrets.New(),\n\t}\n'
        "\tfps := []string{\n\t\t`three`,\n\t}\n",
        "c/tests/plugins/x_test.py": "CASES = [('p = 1', True), ('q', False, 3), ('r',)]",
        "d/rules/x.yml": "rules:\n- name: x\n  examples: [yes-it-is]\n  negative_examples: ['no-it-is-not']\n",
        "e.json": json.dumps([{"text": "t", "label": True, "values": ["t"]}]),
    }
    pytest.importorskip("yaml", reason="Nosey Parker's rules are YAML")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    sets, passed = read_folder(tmp_path)
    assert passed == 0
    assert {kept.name: kept.cases for kept in sets} == {
        "a": [Case('key = "abc"', True, ("abc",)), Case('n"o', False)],
        "b": [Case("one", True), Case("three", False)],
        "c": [Case("p = 1", True), Case("q", False)],
        "d": [Case("yes-it-is", True), Case("no-it-is-not", False)],
        "e": [Case("t", True, ("t",))],
    }


def test_what_is_in_no_format_is_passed_over_and_counted(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    (tmp_path / "other.json").write_text('{"name": "package"}', encoding="utf-8")
    (tmp_path / "readme.txt").write_text("hello", encoding="utf-8")
    assert read_folder(tmp_path) == ([], 1)
    assert kind_of("B-Street Address") == ""


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(9, 10)
    assert (round(low, 4), round(high, 4)) == (0.5958, 0.9821)
    assert wilson(0, 0) == (0.0, 1.0)
