"""Phoenix's CSV means what the same examples mean in JSON; a row that is none costs itself and is named."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadowlane.sources import Recorded, Source, Unusable
from tests.support.recorded import asked, json_lines

Json = dict[str, Any]


def written(columns: list[str], rows: list[list[Any]], quoting: Any = csv.QUOTE_MINIMAL) -> bytes:
    """As pandas writes a data frame: what is no text by ``str``, nothing for what is not there."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=quoting)
    writer.writerow(columns)
    writer.writerows([["" if value is None else value for value in row] for row in rows])
    return out.getvalue().encode()


def read(tmp_path: Path, data: bytes, form: str | None = None) -> list[Recorded | Unusable]:
    path = tmp_path / "source"
    path.write_bytes(data)
    return list(Source.of(str(path), form).records())


def same(one: list[Recorded | Unusable], other: list[Recorded | Unusable]) -> bool:
    """But for their positions."""
    return [msgspec.structs.replace(x, where="") for x in one] == [msgspec.structs.replace(x, where="") for x in other]


@pytest.mark.parametrize("packed", [False, True])
def test_a_data_sets_download_is_recognised_and_read(tmp_path: Path, packed: bool) -> None:
    exchanges = asked(5)
    columns = ["example_id", "input_question", "input_context", "output_answer", "metadata_topic"]
    rows = [[f"e{i}", one.question, None, one.answer, "x"] for i, one in enumerate(exchanges)]
    data = written(columns, rows)
    found = read(tmp_path, gzip.compress(data) if packed else data)
    lines = [
        {"id": f"e{i}", "input": {"question": one.question}, "output": {"answer": one.answer}}
        for i, one in enumerate(exchanges)
    ]
    assert same(found, read(tmp_path, json_lines(lines), "phoenix"))
    assert [one.where for one in found] == [f"line {number}" for number in range(2, 7)]


def test_messages_are_pythons_or_json(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": 'It\'s "so".'}, {"role": "user", "content": "Why?\nReally?"}]
    answer = [{"role": "assistant", "content": "Because."}]
    lines = [{"input": {"messages": messages}, "output": {"messages": answer}}] * 2
    columns = ["example_id", "input_messages", "output_messages"]
    rows = [["a", messages, answer], ["b", json.dumps(messages), json.dumps(answer)]]
    found = read(tmp_path, written(columns, rows))
    wanted = read(tmp_path, json_lines(lines), "phoenix")
    assert [one.body for one in found if isinstance(one, Recorded)] == [
        one.body for one in wanted if isinstance(one, Recorded)
    ]
    assert [one.prod for one in found if isinstance(one, Recorded)] == [
        one.prod for one in wanted if isinstance(one, Recorded)
    ]
    assert json.loads(found[0].body)["messages"] == messages  # type: ignore[union-attr]


def test_spans_of_a_data_frame(tmp_path: Path) -> None:
    columns = ["context.span_id", "name", "start_time", "attributes.input.value", "attributes.output.value"]
    rows = [["s1", "llm", "2026-11-28 18:00:00+00:00", "How long?", "45 minutes."], ["s2", "llm", None, "Why?", None]]
    first, second = read(tmp_path, written(columns, rows))
    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    assert (first.id, first.started_ns // 10**9, second.id, second.prod) == ("s1", 1_795_888_800, "s2", None)
    assert json.loads(first.body)["messages"] == [{"role": "user", "content": "How long?"}]


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=20).filter(
    lambda text: text[:1] not in "{[" and text.strip() == text
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_whatever_the_texts_are_they_come_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    """Quotes, commas, line ends and signs of every kind."""
    columns = ["input_question", "output_answer"]
    found = read(tmp_path, written(columns, [list(row) for row in rows], csv.QUOTE_ALL), "phoenix")
    pairs = [
        (
            json.loads(one.body)["messages"][0]["content"],
            json.loads(one.prod.body)["choices"][0]["message"]["content"],
        )
        for one in found
        if isinstance(one, Recorded) and one.prod
    ]
    assert pairs == rows


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"only one field", "1 fields where the first line names 3"),
        (b'"a"b,c,d', "not CSV"),
        (b",,", "nothing that was asked"),
        (b"x,,y", "nothing that was asked"),
    ],
)
def test_a_damaged_row_is_named_by_its_line(tmp_path: Path, line: bytes, says: str) -> None:
    before, after = b'e1,"one\nmore","yes"\n', b"e3,three,yes\n"
    data = b"example_id,input_question,output_answer\n" + before + line + b"\n" + after
    found = read(tmp_path, data)
    assert len(found) == 3
    [damaged] = [one for one in found if isinstance(one, Unusable)]
    assert damaged.where == "line 4"
    assert says in damaged.why


def test_a_file_that_is_cut_gives_what_is_before(tmp_path: Path) -> None:
    rows = [[f"e{i}", f"question {i * 7919}", f"answer {i * 104729}"] for i in range(5000)]
    packed = gzip.compress(written(["example_id", "input_question", "output_answer"], rows))
    found = read(tmp_path, packed[: len(packed) // 2], "phoenix")
    assert len(found) > 100
    last = found[-1]
    assert isinstance(last, Unusable)
    assert "cannot be read on" in last.why


def test_what_is_expected_is_no_part_of_what_is_asked(tmp_path: Path) -> None:
    """Phoenix's download for OpenAI evals has the answer beside the messages."""
    messages = [{"role": "user", "content": "How long?"}]
    lines = [{"messages": messages, "ideal": "45 minutes."}, {"messages": messages, "ideal": ""}]
    lines += [{"messages": [], "ideal": ""}]
    first, second, third = read(tmp_path, json_lines(lines))
    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    assert json.loads(first.body) == {"model": "default", "messages": messages}
    assert first.prod is not None
    assert second.prod is None
    assert isinstance(third, Unusable)
