"""Every form of recorded traffic gives the same exchanges; a damaged record costs itself and is named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from shadowlane.errors import ConfigError, DataError
from shadowlane.sources import FORMS, Recorded, Source, Unusable
from tests.support.recorded import (
    MONKEYS,
    Asked,
    asked,
    batch,
    gor,
    har,
    json_lines,
    mitmproxy,
    otel,
    tnetstring,
    write_all,
)

TIMED = ("har", "gor", "mitmproxy", "otel")


def read(path: Path, form: str | None = None, **more: str) -> list[Recorded | Unusable]:
    return list(Source.of(str(path), form, **more).records())


def said(record: Recorded | Unusable) -> tuple[str, str]:
    """Question and answer of a chat exchange."""
    assert isinstance(record, Recorded)
    assert record.prod is not None
    question = json.loads(record.body)["messages"][-1]["content"]
    return question, json.loads(record.prod.body)["choices"][0]["message"]["content"]


def write(tmp_path: Path, data: bytes, name: str = "source") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_every_form_gives_the_same_exchanges_and_is_recognised(tmp_path: Path, packed: bool) -> None:
    exchanges = [*asked(5), Asked('Über "Ü" \\ 🐵?', "Ja:\n  1. 🙈", asked(6)[-1].at_ns)]
    wanted = [(one.question, one.answer) for one in exchanges]
    for form, path in write_all(tmp_path, exchanges).items():
        if packed:
            path.write_bytes(gzip.compress(path.read_bytes()))
        assert Source.of(str(path)).form == form
        records = read(path, answers=str(tmp_path / "answers") if form == "openai-batch" else "")
        assert [said(record) for record in records] == wanted, form
        where = [record.where for record in records]
        assert len(set(where)) == len(where)
        for record, one in zip(records, exchanges, strict=True):
            assert isinstance(record, Recorded)
            assert (record.method, record.target) == ("POST", "/v1/chat/completions")
            if form in TIMED:
                assert abs(record.started_ns - one.at_ns) < 2_000
        assert b"content-encoding" not in dict(records[0].headers)  # type: ignore[union-attr]


def test_times_of_answers_are_kept(tmp_path: Path) -> None:
    exchanges = asked(2)
    for data, head_ns in (
        (har(exchanges), 53_000_000),
        (gor(exchanges), 100_000_000),
        (mitmproxy(exchanges), 50_000_000),
    ):
        for record in read(write(tmp_path, data)):
            assert isinstance(record, Recorded)
            assert record.prod is not None
            assert abs(record.prod.duration_ns - 100_000_000) < 2_000
            assert abs(record.prod.ttfb_ns - head_ns) < 2_000


def test_a_replay_of_goreplays_has_both_answers(tmp_path: Path) -> None:
    records = read(write(tmp_path, gor(asked(3), replayed=("No.", "Perhaps."))))
    both = [
        json.loads(one.shadow.body)["choices"][0]["message"]["content"]
        for one in records
        if isinstance(one, Recorded) and one.shadow
    ]
    assert both == ["No.", "Perhaps.", "No."]


def damaged(records: list[Recorded | Unusable]) -> list[Unusable]:
    return [one for one in records if isinstance(one, Unusable)]


@pytest.mark.parametrize("cut", [b"1 nothing", b"", b"2 0 12 0\nHTTP/1.1 200 OK\r\n\r\n", b"\xff" * 100])
def test_gor_damage_costs_one_record(tmp_path: Path, cut: bytes) -> None:
    whole = gor(asked(4)).split(MONKEYS)
    records = read(write(tmp_path, MONKEYS.join([*whole[:4], cut, *whole[4:]])))
    assert len(records) - len(damaged(records)) == 4
    [one] = damaged(records)
    assert one.where.startswith("offset ")


def test_gor_that_ends_in_a_body_names_the_cut(tmp_path: Path) -> None:
    data = gor(asked(3))
    records = read(write(tmp_path, data[: -len(MONKEYS) - 9]))
    assert len(records) == 3
    [one] = damaged(records)
    assert "cut" in one.why


@pytest.mark.parametrize("end", [0.2, 0.5, 0.83, 0.999])
def test_har_that_is_cut_gives_what_is_before(tmp_path: Path, end: float) -> None:
    data = har(asked(6))
    records = read(write(tmp_path, data[: int(len(data) * end)]), "har")
    good = [one for one in records if isinstance(one, Recorded)]
    assert [said(one) for one in good] == [(one.question, one.answer) for one in asked(6)][: len(good)]
    assert len(damaged(records)) == 1


def test_har_damage_in_the_middle_costs_one_entry(tmp_path: Path) -> None:
    entries = json.loads(har(asked(4)))["log"]["entries"]
    texts = [json.dumps(entry) for entry in entries]
    texts[1] = texts[1][:300] + "\x00" + texts[1][320:]
    records = read(write(tmp_path, b'{"log": {"entries": [' + ", ".join(texts).encode() + b"]}}"))
    assert [said(one)[0] for one in records if isinstance(one, Recorded)] == [asked(4)[i].question for i in (0, 2, 3)]
    assert len(damaged(records)) == 1


@pytest.mark.parametrize("change", [{"request": 7}, {"request": {"method": "GET"}}, {"startedDateTime": "yesterday"}])
def test_a_har_entry_that_is_none_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    document = json.loads(har(asked(3)))
    document["log"]["entries"][1].update(change)
    records = read(write(tmp_path, json.dumps(document).encode()))
    [one] = damaged(records)
    assert (one.where, one.reason) == ("entry 2", "damaged")


def test_har_without_bodies_has_no_answer_of_prods(tmp_path: Path) -> None:
    document = json.loads(har(asked(3)))
    entries = document["log"]["entries"]
    del entries[0]["response"]["content"]["text"]
    entries[1]["response"]["status"] = 0
    entries[2]["request"]["url"] = "blob:https://gateway.example/1"
    first, second, third = read(write(tmp_path, json.dumps(document).encode()))
    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    assert (first.prod, second.prod) == (None, None)
    assert isinstance(third, Unusable)
    assert third.reason == "not_http"


def test_mitmproxy_damage_is_stepped_over(tmp_path: Path) -> None:
    flows = [mitmproxy([one]) for one in asked(5)]
    flows[1] = flows[1].replace(b"4:POST,", b"4:POST?")  # within its length
    flows[3] = b"x" + flows[3][1:]  # its length is none
    records = read(write(tmp_path, b"".join(flows)))
    assert [said(one)[0] for one in records if isinstance(one, Recorded)] == [asked(5)[i].question for i in (0, 2, 4)]
    assert [one.where for one in damaged(records)] == [f"offset {len(flows[0])}", f"offset {sum(map(len, flows[:3]))}"]


def test_flows_that_are_not_http_are_left_out_by_name(tmp_path: Path) -> None:
    data = mitmproxy(asked(1)) + tnetstring({"type": "tcp", "messages": []})
    _, other = read(write(tmp_path, data))
    assert isinstance(other, Unusable)
    assert other.reason == "not_http"


@pytest.mark.parametrize("line", [b"{", b"[1]", b'{"a": 1}', b'{"item": {}}', b"\xff\xfe", b'"text"'])
def test_a_damaged_line_is_named_by_its_number(tmp_path: Path, line: bytes) -> None:
    requests, _ = batch(asked(2))
    for form, data in (("openai-batch", requests), ("langsmith", json_lines([{"inputs": "a"}, {"inputs": "b"}]))):
        first, _, rest = data.partition(b"\n")
        records = read(write(tmp_path, first + b"\n" + line + b"\n" + rest), form)
        [one] = damaged(records)
        assert (one.where, len(records)) == ("line 2", 3)


def test_an_event_without_messages_is_counted_apart(tmp_path: Path) -> None:
    document = json.loads(otel(asked(2)))
    attributes = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][1]["attributes"]
    del attributes[1:]
    first, second = read(write(tmp_path, json_lines([document])))
    assert isinstance(first, Recorded)
    assert isinstance(second, Unusable)
    assert (second.where, second.reason) == ("line 1, event 2", "no_content")


def test_tool_calls_of_an_event_become_those_of_a_chat(tmp_path: Path) -> None:
    parts = [
        {"role": "user", "parts": [{"type": "text", "content": "Weather?"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "get", "arguments": {"at": "Bonn"}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rain"}]},
    ]
    attributes = [{"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps(parts)}}]
    event = {"eventName": "gen_ai.client.inference.operation.details", "timeUnixNano": "5", "attributes": attributes}
    [record] = read(write(tmp_path, json_lines([{"logRecords": [event]}])))
    assert isinstance(record, Recorded)
    messages = json.loads(record.body)["messages"]
    assert messages[1]["tool_calls"][0]["function"] == {"name": "get", "arguments": '{"at": "Bonn"}'}
    assert messages[2] == {"role": "tool", "tool_call_id": "c1", "content": "rain"}


def test_archived_items_are_left_out(tmp_path: Path) -> None:
    data = json_lines(
        [{"input": "a", "expectedOutput": "b", "status": "ARCHIVED"}, {"input": "a", "expectedOutput": "b"}]
    )
    first, second = read(write(tmp_path, data))
    assert isinstance(first, Unusable)
    assert first.reason == "archived"
    assert said(second) == ("a", "b")


def test_a_sample_beside_a_reference_is_the_second_answer(tmp_path: Path) -> None:
    line = {"item": {"input": "a", "expected": "prod's"}, "sample": {"output_text": "the model's"}}
    [record] = read(write(tmp_path, json_lines([line])))
    assert said(record) == ("a", "prod's")
    assert isinstance(record, Recorded)
    assert record.shadow is not None
    assert json.loads(record.shadow.body)["choices"][0]["message"]["content"] == "the model's"


LOG = b"""127.0.0.1 - - [28/Nov/2026:18:00:00 +0100] "GET /search?q=a%20b HTTP/1.1" 200 512 "-" "curl/8"
::1 - "a b" [28/Nov/2026:18:00:01 +0100] "POST /search HTTP/1.1" 200 - "-" "a \\"b\\" c"
garbage
10.0.0.1 - user [28/Nov/2026:18:00:02 +0000] "HEAD /x HTTP/2.0" 404 0
10.0.0.1 - - [28/Nov/2026:18:00:02 +0000] "\\x16\\x03\\x01" 400 0 "-" "-"
10.0.0.1 - - [31/Nov/2026:18:00:02 +0000] "GET / HTTP/1.1" 200 0 "-" "-"
"""


def test_an_access_log_gives_its_gets(tmp_path: Path) -> None:
    path = write(tmp_path, LOG)
    assert Source.of(str(path)).form == "access-log"
    records = read(path)
    good = [one for one in records if isinstance(one, Recorded)]
    assert [(one.method, one.target, one.started_ns // 10**9) for one in good] == [
        ("GET", "/search?q=a%20b", 1_795_885_200),
        ("HEAD", "/x", 1_795_888_802),
    ]
    assert all(one.prod is None for one in good)
    assert [(one.where, one.reason) for one in damaged(records)] == [
        ("line 2", "method"),
        ("line 3", "damaged"),
        ("line 5", "damaged"),
        ("line 6", "damaged"),
    ]


def test_a_gzip_that_is_cut_gives_what_is_before(tmp_path: Path) -> None:
    packed = gzip.compress(LOG * 20_000)
    records = read(write(tmp_path, packed[: len(packed) // 2]), "access-log")
    assert len(records) > 20_000
    assert "cannot be read on" in damaged(records)[-1].why


def test_what_is_not_recognised_is_refused_with_the_forms(tmp_path: Path) -> None:
    for data in (b"", b"\x00\x01", b"hello\n", b"[]", b'{"a": 1}'):
        with pytest.raises(DataError, match="--format"):
            Source.of(str(write(tmp_path, data)))
    with pytest.raises(ConfigError, match="known: store, har"):
        Source.of(str(write(tmp_path, b"x")), "pcap")
    with pytest.raises(DataError, match="cannot be read"):
        Source.of(str(tmp_path / "gone"))
    assert len(set(FORMS)) == len(FORMS)
