"""The formats of public labelled data that `make redact-bench DATA=folder` reads, with data of our own."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from benches.redact import labelled
from benches.redact.labelled import Case, Set, Spanned, kind_of, read_folder
from benches.redact.public import _caught, _flagged, _print_speed, wilson
from benches.redact.rivals import Find, Span

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
    assert (kept.name, kept.spanned, kept.cases, passed) == ("some", [MAIL], [], {})


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
    assert passed == {"lines of Go's lists are no literal text": 1}
    assert {kept.name: kept.cases for kept in sets} == {
        "a": [Case('key = "abc"', True, ("abc",)), Case('n"o', False)],
        "b": [Case("one", True), Case("three", False)],
        "c": [Case("p = 1", True), Case("q", False)],
        "d": [Case("yes-it-is", True), Case("no-it-is-not", False)],
        "e": [Case("t", True, ("t",))],
    }


def test_what_is_in_no_format_is_passed_over_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("yaml", reason="Nosey Parker's rules are YAML")
    whole = gzip.compress(json.dumps([{"text": "t", "label": True}] * 99).encode())
    for name, data in {
        "broken.json": b"{",
        "other.json": b'{"name": "package"}',
        "readme.txt": b"hello",
        "cut.json.gz": whole[:-12],
        "bent.json.gz": whole[:14] + b"\xff\xff\xff" + whole[17:],
        "plain.json.gz": b"[]",
        "deep.json": b"[" * 2000,
        "x/rules/broken.yml": b"rules: [}",
        "x/rules/bare.yml": b"rules: [bare]",
        "x/rules/other.yml": b"- a",
        "x/plugins/broken_test.py": b"def (",
        "large.json": b"[" + b" " * 4096 + b"]",
        "some.json": b'[{"text": "t", "label": true}, {"text": "t"}, 7]',
        "y/detectors/x_test.go": b'input: "a\\x41", want: nil',
        "y/plugins/x_test.py": b"CASES = [(payload, True), ('p', 2), ('q', True)]",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(labelled, "_MOST_BYTES", 2048)
    sets, passed = read_folder(tmp_path)
    assert {kept.name: kept.cases for kept in sets} == {"some": [Case("t", True)], "y": [Case("q", True)]}
    assert passed == {
        "files cannot be read": 8,
        "files are larger than 0 MiB": 1,
        "files hold no text with labels": 3,
        "items have no form that is known": 2,
        "strings of Go cannot be read": 1,
        "tuples are no cases": 2,
    }
    assert kind_of("B-Street Address") == ""


def test_a_case_is_caught_when_all_of_its_secret_is() -> None:
    case = Case("token abc-def now", True, ("abc-def",))
    assert _caught(case, [("secret", 6, 13)])
    assert _caught(case, [("secret", 6, 9), ("phone", 10, 13)])
    assert not _caught(case, [("secret", 6, 12)])
    assert not _caught(case, [("secret", 0, 7)])
    assert _caught(Case("token abc", True), [("secret", 6, 7)])
    assert not _caught(Case("token abc", True), [])


def test_of_a_result_in_json_the_members_called_after_secrets_are_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "detectors" / "x_test.go"
    file.parent.mkdir()
    want = '[]string{`{"account":"shop","accountKey":"abc-def"}`, `plain`, `["a"]`}'
    file.write_text(f"input: `account shop, abc-def`,\n\t\t\twant: {want},\n")
    (kept,), _ = read_folder(tmp_path)
    assert kept.cases == [Case("account shop, abc-def", True, ("abc-def", "plain", '["a"]'))]


@pytest.mark.parametrize(
    ("text", "kinds", "why"),
    [
        ("api_key = 'q7Zt3LmP9xKd2VbN5wRy'", ("secret",), "random, under a key's name"),
        ("token: q7Zt3LmP9xKd2VbN5wRy", ("api_key", "email"), "random, under a key's name"),
        ("api_key = 'q7Zt3LmP9xKd2VbN5wRy'", (), ""),
        ("write to a@b.example", ("email", "ip_address"), "personal data"),
        ("api_key = 'aaaaaaaaaaaaaaaa1111'", ("secret",), "else"),
        ("key = 'the-name-of-a-long-thing'", ("secret",), "else"),
        ("the page q7Zt3LmP9xKd2VbN5wRy", ("api_key",), "else"),
    ],
)
def test_why_a_benign_case_is_flagged(text: str, kinds: tuple[str, ...], why: str) -> None:
    assert _flagged(Case(text, False), [(kind, 0, 1) for kind in kinds]) == why


def test_all_tools_are_timed_on_the_same_texts(capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, list[str]] = {"shadowlane": [], "presidio": []}

    def watching(texts: list[str]) -> Find:
        def find(text: str) -> list[Span]:
            texts.append(text)
            return []

        return find

    finds = {name: watching(texts) for name, texts in seen.items()}
    _print_speed(Set("some", [Spanned(f"text {number}", ()) for number in range(400)], []), finds)
    assert seen["shadowlane"] == seen["presidio"]
    assert len(set(seen["presidio"])) == 300
    assert "shadowlane" in capsys.readouterr().out


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(9, 10)
    assert (round(low, 4), round(high, 4)) == (0.5958, 0.9821)
    assert wilson(0, 0) == (0.0, 1.0)
