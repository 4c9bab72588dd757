"""What `shadowlane export` wrote is read back as what the store gives; a damaged record costs itself and is named."""

from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadowlane.cli import main
from shadowlane.export.records import BODY_FIELDS, FIELDS, record
from shadowlane.sources import Recorded, Source, Unusable, open_stored, stored_record
from shadowlane.sources.http1 import WRITTEN_ANEW
from shadowlane.store import StoredPair
from shadowlane.types import Copy, Outcome, Pair
from tests.support.lanes import config_at, failed, make_pairs, save

Json = dict[str, Any]
ALL = (*FIELDS, *BODY_FIELDS)
EXCHANGE = {
    "shadow_id", "shadow", "started_at", "method", "target", "route", "question", "prod_status", "status", "reason",
    "prod_ttfb_ns", "prod_ns", "shadow_ttfb_ns", "shadow_ns", "request_headers", "request_body", "prod_headers",
    "prod_body",
    "shadow_headers", "shadow_body",
}  # fmt: skip
"""What a row has of the exchange itself; the rest was found out by a scorer, which the rows of this test never met."""

names = st.from_regex(rb"[a-z][a-z-]{0,8}", fullmatch=True).filter(lambda name: name not in WRITTEN_ANEW)
values = st.binary(max_size=12).map(lambda value: value.replace(b"\n", b"").replace(b"\r", b""))
headers = st.lists(st.tuples(names, values), max_size=3).map(tuple)
bodies = st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
times = st.integers(0, 10**12)


@st.composite
def rows(draw: st.DrawFn) -> StoredPair:
    copy = Copy(
        shadow_id=str(uuid.UUID(int=draw(st.integers(0, (1 << 128) - 1)))),
        req_hash="0" * 32,
        started_ns=draw(st.integers(1, 2 * 10**9)) * 10**9 + draw(st.integers(0, 999_999)) * 1000,
        method=draw(st.sampled_from(["GET", "POST", "HEAD"])),
        target="/" + draw(st.text(alphabet="ab/?=%20&", max_size=12)),
        headers=draw(headers),
        body=draw(bodies),
        status=draw(st.sampled_from([0, 200, 404, 503])),
        response_headers=draw(headers),
        response_body=draw(bodies),
        ttfb_ns=draw(times),
        duration_ns=draw(times),
    )
    outcome = Outcome(
        shadow="candidate",
        reason=draw(st.sampled_from(["", "", "deadline"])),
        status=draw(st.sampled_from([200, 500])),
        headers=draw(headers),
        body=draw(bodies),
        ttfb_ns=draw(times),
        duration_ns=draw(times),
    )
    return StoredPair(id=1, stored_ns=1, pair=Pair(copy=copy, outcome=outcome), bodies=draw(st.booleans()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some=st.lists(rows(), min_size=1, max_size=5, unique_by=lambda row: row.pair.copy.shadow_id))
def test_an_export_is_what_the_store_was(tmp_path: Path, some: list[StoredPair]) -> None:
    """The law: a line with its bodies is read as the row is, whatever bytes it has."""
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(b"".join(json.dumps(record(row, ALL)).encode() + b"\n" for row in some))
    for row, found in zip(some, Source.of(str(file), shadow="candidate").records(), strict=True):
        wanted = stored_record(row)
        if isinstance(wanted, Unusable):
            assert isinstance(found, Unusable)
            assert (found.reason, found.where.startswith("line")) == ("bodies_gone", True)
        else:
            assert msgspec.structs.replace(found, where=wanted.where) == wanted


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lane with two arms' rows, some of them failed."""
    folder = tmp_path_factory.mktemp("lane")
    pairs = [failed(pair, "deadline") if i % 9 == 4 else pair for i, pair in enumerate(make_pairs(40))]
    save(config_at(folder), [*pairs, *make_pairs(40, shadow="control")])
    file = folder / "lane.toml"
    file.write_text(
        f'[lane]\ndirectory = "{folder / "lane"}"\n[store]\nurl = "sqlite:///{folder / "shadowlane.db"}"\n'
        '[score]\nembedder = "lexical"\n'
        '[shadows.candidate]\nurl = "http://127.0.0.1:9"\n[control]\nurl = "http://127.0.0.1:9"\n'
    )
    return file


def exported(lane: Path, out: Path, *more: str) -> Path:
    assert main(["export", "--config", str(lane), "--out", str(out), *more]) == 0
    return out


def read(path: Path, **more: str) -> list[Recorded | Unusable]:
    return list(Source.of(str(path), **more).records())


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_both_formats_are_recognised_and_give_each_exchange_once(lane: Path, tmp_path: Path, form: str) -> None:
    file = exported(lane, tmp_path / "pairs", "--bodies", "--format", form)
    assert Source.of(str(file)).form == ("parquet" if form == "parquet" else "export")
    found = read(file, shadow="candidate")
    assert len(found) == 80
    others = [one for one in found if isinstance(one, Unusable)]
    assert {one.reason for one in others} == {"other_shadow"}
    with open_stored(str(lane.with_name("shadowlane.db"))) as store:
        stored = [row for row in store.iter_pairs(with_bodies=True) if row.pair.outcome.shadow == "candidate"]
    wanted = sorted((stored_record(row) for row in stored), key=lambda one: one.id)  # type: ignore[union-attr]
    exchanges = sorted((one for one in found if isinstance(one, Recorded)), key=lambda one: one.id)
    assert len(exchanges) == len(others) == 40
    for one, want in zip(exchanges, wanted, strict=True):
        assert isinstance(want, Recorded)
        moved = abs(one.started_ns - want.started_ns)
        assert moved < 1000 if form == "jsonl" else moved == 0
        assert msgspec.structs.replace(one, where="", started_ns=0) == msgspec.structs.replace(
            want, where="", started_ns=0
        )


def test_without_bodies_the_answers_are_texts(lane: Path, tmp_path: Path) -> None:
    file = exported(lane, tmp_path / "pairs.jsonl", "--shadow", "candidate")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line, one in zip(lines, read(file), strict=True):
        assert isinstance(one, Recorded)
        assert one.prod is not None
        assert one.prod.body.decode() == line["prod_text"]
        assert one.body.decode() == line["request_body"]
        if not line["reason"]:
            assert one.shadow is not None
            assert one.shadow.body.decode() == line["shadow_text"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"shadow_id": "x"}, "not a UUID"),
        ({"prod_status": "200"}, "prod_status = '200'"),
        ({"prod_ns": -1}, "prod_ns = -1"),
        ({"started_at": "yesterday"}, "started_at = 'yesterday'"),
        ({"request_body": "data:application/octet-stream;base64,?"}, "not base64"),
        ({"prod_headers": "no colon"}, "NAME: VALUE"),
        ({"shadow_headers": "a: €"}, "not a field of HTTP"),
        ({"request_body": 7}, "request_body = 7"),
        (None, "not a record of an export"),
    ],
)
def test_a_damaged_record_is_named_by_its_line(lane: Path, tmp_path: Path, change: Json | None, says: str) -> None:
    file = exported(lane, tmp_path / "pairs.jsonl", "--bodies", "--shadow", "candidate")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[2] = {"a": 1} if change is None else {**lines[2], **change}
    file.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in lines).encode()))
    found = read(file)
    assert len(found) == len(lines)
    [damaged] = [one for one in found if isinstance(one, Unusable)]
    assert (damaged.where, damaged.reason) == ("line 3", "damaged")
    assert says in damaged.why


def test_a_parquet_file_that_is_cut_says_so(lane: Path, tmp_path: Path) -> None:
    file = exported(lane, tmp_path / "pairs.parquet", "--format", "parquet")
    file.write_bytes(file.read_bytes()[:-500])
    [one] = read(file)
    assert isinstance(one, Unusable)
    assert "cannot be read on" in one.why


def test_export_import_export_gives_equal_rows(lane: Path, tmp_path: Path) -> None:
    """The law, over a whole store: what was asked, answered and found is what it was."""
    first = exported(lane, tmp_path / "first.jsonl", "--bodies", "--shadow", "candidate", "--reason", "answered")
    common = ["--config", str(lane), "--shadow", "candidate"]
    again: list[list[Json]] = []
    for number, source in enumerate((first, tmp_path / "1.jsonl")):
        database, out = tmp_path / f"{number}.db", tmp_path / f"{number + 1}.jsonl"
        assert main(["import", str(source), *common, "--store", str(database), "--json"]) == 0
        exported(lane, out, "--bodies", "--store", str(database))
        again.append([json.loads(line) for line in out.read_text().splitlines()])
    # The first time the rows are scored anew; from then on they are the same in every field.
    stored = [json.loads(line) for line in first.read_text().splitlines()]
    assert [{name: line[name] for name in EXCHANGE} for line in again[0]] == [
        {name: line[name] for name in EXCHANGE} for line in stored
    ]
    assert [{**line, "stored_at": ""} for line in again[1]] == [{**line, "stored_at": ""} for line in again[0]]
