"""``shadowlane export``: each format holds the pairs that a plain look at the store gives; nothing is lost unsaid."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadowlane.cli import main
from shadowlane.config import load_config
from shadowlane.export.records import BODY_FIELDS, FIELDS
from shadowlane.export.wanted import moment
from shadowlane.store import PairFilter, SqliteStore, StoredPair, open_store
from shadowlane.types import JudgeVerdict, Pair
from tests.support.lanes import HOUR_NS, NOW_NS, failed, make_pairs, save
from tests.support.verdicts import altered

N = 600
Json = dict[str, Any]


def pairs_of_a_day() -> list[Pair]:
    """Pairs of two arms, with flips, failures, verdicts and tenants."""
    pairs = altered(make_pairs(N), fact_flip=lambda i: i % 50 == 3, prod_tokens=10, tokens=12)
    verdicts = ("same", "prod_better")
    judge = [JudgeVerdict(verdict=word, why="so", model="m@1") for word in verdicts]  # type: ignore[arg-type]
    pairs = altered(pairs, judge=lambda i: judge[i // 10 % 2] if i % 10 == 0 else None)
    pairs = altered(
        pairs, "copy", tenant=lambda i: f"t{i % 3}", target=lambda i: "/v1/chat/completions" if i % 4 else "/v1/other"
    )
    pairs = [failed(pair, "deadline") if i % 40 == 7 else pair for i, pair in enumerate(pairs)]
    return [*pairs, *make_pairs(100, shadow="control", first=N)]


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a lane that nobody runs, with rows and marks."""
    folder = tmp_path_factory.mktemp("lane")
    file = folder / "lane.toml"
    file.write_text(
        f'[lane]\nname = "shop"\ndirectory = "{folder / "lane"}"\n[store]\nurl = "sqlite:///{folder / "s.db"}"\n'
        '[shadows.candidate]\nurl = "http://127.0.0.1:9"\n[control]\nurl = "http://127.0.0.1:9"\n'
    )
    config, pairs = load_config(file), pairs_of_a_day()
    save(config, pairs)
    with open_store(config.store) as store:
        for i in range(0, N, 30):
            mark = "wrong" if i % 60 else "fine"
            assert store.save_mark(pairs[i].copy.shadow_id, "candidate", mark)  # type: ignore[arg-type]
    return file


def rows(lane: Path) -> list[StoredPair]:
    with open_store(load_config(lane).store, read_only=True) as store:
        return sorted(store.iter_pairs(with_bodies=True), key=lambda row: row.id)


def exported(lane: Path, *more: str) -> list[Json]:
    """The lines of a file that the command writes."""
    out = lane.with_name("out.jsonl")
    assert main(["export", "--config", str(lane), "--out", str(out), *more]) == 0
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_a_line_for_each_pair_with_every_field(lane: Path) -> None:
    stored, lines = rows(lane), exported(lane, "--bodies")
    assert len(lines) == len(stored) == N + 100
    names = [field.name for field in (*FIELDS, *BODY_FIELDS)]
    for row, line in zip(stored, lines, strict=True):
        assert list(line) == names
        copy, scores = row.pair.copy, row.pair.scores
        assert line["shadow_id"] == copy.shadow_id
        assert line["delta_s"] == scores.delta_s
        assert (line["band"], line["fact_flip"], line["mark"]) == (scores.band, scores.fact_flip, row.pair.mark)
        assert line["judge"] == (scores.judge.verdict if scores.judge else None)
        assert (line["prod_text"], line["shadow_text"]) == (row.pair.prod_text, row.pair.shadow_text)
        assert line["request_body"] == copy.body.decode()
        assert line["prod_body"] == copy.response_body.decode()
        assert abs(moment(line["started_at"]) - copy.started_ns) < 1000
    assert lines[0]["question"] == "How long may I keep a bicycle on one ride?"
    assert "prod_body" not in exported(lane)[0]


Says = Callable[[StoredPair], bool]
FILTERS: dict[str, tuple[tuple[str, ...], Says]] = {
    "shadow": (("--shadow", "control"), lambda row: row.pair.outcome.shadow == "control"),
    "route": (("--route", "POST /v1/other"), lambda row: row.pair.copy.route == "POST /v1/other"),
    "tenant": (("--tenant", "t1"), lambda row: row.pair.copy.tenant == "t1"),
    "band": (("--band", "critical"), lambda row: row.pair.scores.band == "critical"),
    "unscored": (("--band", "unscored"), lambda row: row.pair.scores.band == "unscored"),
    "reason": (("--reason", "deadline"), lambda row: row.pair.outcome.reason == "deadline"),
    "answered": (("--reason", "answered"), lambda row: not row.pair.outcome.reason),
    "judge": (
        ("--verdict", "prod_better"),
        lambda row: row.pair.scores.judge is not None and row.pair.scores.judge.verdict == "prod_better",
    ),
    "objected": (
        ("--verdict", "objected"),
        lambda row: row.pair.scores.fact_flip or (row.pair.scores.delta_s or 0.0) > 0.45,
    ),
    "fact": (("--flip", "fact"), lambda row: row.pair.scores.fact_flip),
    "wrong": (("--mark", "wrong"), lambda row: row.pair.mark == "wrong"),
    "any mark": (("--mark", "any"), lambda row: row.pair.mark != ""),
    "two": (
        ("--mark", "fine", "--tenant", "t0"),
        lambda row: row.pair.mark == "fine" and row.pair.copy.tenant == "t0",
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_give_what_a_plain_look_gives(lane: Path, name: str) -> None:
    options, says = FILTERS[name]
    wanted = [row.id for row in rows(lane) if says(row)]
    assert 0 < len(wanted) < N + 100
    assert [line["id"] for line in exported(lane, *options)] == wanted


def test_times_are_bounds_of_when_the_exchange_began(lane: Path) -> None:
    since, until = "2025-10-09T00:00:00Z", "2025-10-09T04:00:00"
    wanted = [row.id for row in rows(lane) if moment(since) <= row.pair.copy.started_ns < moment(until)]
    assert 50 < len(wanted) < N
    assert [line["id"] for line in exported(lane, "--since", since, "--until", until)] == wanted
    assert [line["id"] for line in exported(lane, "--limit", "7")] == [row.id for row in rows(lane)][:7]


@pytest.mark.parametrize(
    ("text", "ago_h"), [("36h", 36), ("2d", 48), ("1h30m", 1.5), ("2025-10-09", None), ("2025-10-09T08:53:20Z", 0)]
)
def test_moments(text: str, ago_h: float | None) -> None:
    wanted = 1_759_968_000 * 10**9 if ago_h is None else NOW_NS - int(ago_h * HOUR_NS)
    assert moment(text, NOW_NS) == wanted


def test_parquet_holds_what_the_lines_hold(lane: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = lane.with_name("out.parquet")
    assert main(["export", "--config", str(lane), "--format", "parquet", "--out", str(out), "--bodies"]) == 0
    table = parquet.read_table(out)
    lines = exported(lane, "--bodies")
    assert table.column_names == list(lines[0])
    times = {field.name for field in FIELDS if field.kind == "time"}
    objects = {field.name for field in FIELDS if field.kind in ("texts", "counts")}
    for name in table.column_names:
        values = table[name].cast("int64").to_pylist() if name in times else table[name].to_pylist()
        if name in times:
            assert [abs(value - moment(line[name])) < 1000 for value, line in zip(values, lines, strict=True)]
        elif name in objects:
            assert [dict(value) for value in values] == [line[name] for line in lines]
        else:
            assert values == [line[name] for line in lines], name


def test_lines_of_the_evals_api(lane: Path) -> None:
    shape = pytest.importorskip("openai.types.evals.create_eval_jsonl_run_data_source_param").SourceFileContentContent
    lines = exported(lane, "--format", "openai-evals", "--shadow", "candidate")
    answered = [row for row in rows(lane) if not row.pair.outcome.reason and row.pair.outcome.shadow == "candidate"]
    assert len(lines) == len(answered)
    for row, line in zip(answered, lines, strict=True):
        assert set(line) <= shape.__required_keys__ | shape.__optional_keys__
        assert line["item"]["input"] == json.loads(row.pair.copy.body)
        assert (line["item"]["expected"], line["sample"]["output_text"]) == (row.pair.prod_text, row.pair.shadow_text)
        assert line["item"]["metadata"].get("mark", "") == row.pair.mark


def test_items_and_examples_of_data_sets_keep_their_identifiers(lane: Path) -> None:
    items = exported(lane, "--format", "langfuse", "--dataset", "regressions", "--mark", "wrong")
    again = exported(lane, "--format", "langfuse", "--mark", "any")
    examples = exported(lane, "--format", "langsmith", "--mark", "wrong")
    fields = {"datasetName", "input", "expectedOutput", "metadata", "id", "status"}
    assert all(set(item) <= fields and item["status"] == "ACTIVE" for item in items)
    assert {item["datasetName"] for item in items} == {"regressions"}
    assert {item["datasetName"] for item in again} == {"shop"}
    assert all(set(one) == {"id", "inputs", "outputs", "metadata"} for one in examples)
    assert len({one["id"] for one in again}) == len(again) > len(items)
    assert [one["id"] for one in examples] == [item["id"] for item in items]
    assert {item["id"] for item in items} < {item["id"] for item in again}
    assert {item["metadata"]["mark"] for item in items} == {"wrong"}
    assert examples[0]["outputs"] == {"answer": items[0]["expectedOutput"]}


def test_answers_of_both_sides_in_the_wfgy_envelope(lane: Path) -> None:
    lines = exported(lane, "--format", "wfgy")
    envelope = {"schema_version", "event", "ts", "trace_id", "mem_rev", "mem_hash"}
    assert all(envelope <= set(line) for line in lines)
    answers, packs = lines[:-2], lines[-2:]
    assert [line["dataset"] for line in packs] == ["shop/candidate", "shop/control"]
    stored = [row.pair for row in rows(lane) if not row.pair.outcome.reason]
    assert len(answers) == 2 * len(stored)
    for pair, (prod, shadow) in zip(stored, zip(answers[::2], answers[1::2], strict=True), strict=True):
        assert (prod["answer_text"], shadow["answer_text"]) == (pair.prod_text, pair.shadow_text)
        assert (prod["arm"], shadow["arm"]) == ("prod", pair.outcome.shadow)
        assert shadow["λ_observe"] == {"convergent": "→", "recursive": "<>"}[pair.scores.state]
    scores = [pair.scores for pair in stored if pair.outcome.shadow == "candidate"]
    assert packs[0]["ΔS_mean"] == pytest.approx(sum(one.delta_s or 0.0 for one in scores) / len(scores))
    assert packs[0]["λ_convergent_rate"] == pytest.approx(
        sum(one.state == "convergent" for one in scores) / len(scores)
    )


def test_what_has_no_line_is_counted_and_said(lane: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    command = ["export", "--config", str(lane), "--format", "langsmith", "--shadow", "candidate"]
    assert main([*command, "--out", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": out, "format": "langsmith", "pairs": N - 15, "left_out": 15}
    assert main(command) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == N - 15
    assert "15 pairs have no line as langsmith" in captured.err


def test_bodies_that_were_not_kept_are_none(tmp_path: Path) -> None:
    file = tmp_path / "lane.toml"
    file.write_text(
        f'[lane]\ndirectory = "{tmp_path / "l"}"\n[store]\nurl = "sqlite:///{tmp_path / "s.db"}"\n'
        'keep_bodies = "none"\n[shadows.candidate]\nurl = "http://127.0.0.1:9"\n'
    )
    save(load_config(file), make_pairs(3))
    assert {line["prod_text"] for line in exported(file)} == {None}
    assert exported(file, "--format", "openai-evals") == []


def test_a_line_cannot_drive_the_terminal_that_shows_it(lane: Path, tmp_path: Path) -> None:
    driver = "\x1b[2J \x9b31m \u202e\u2066 \x7f"
    [pair] = make_pairs(1)
    file = tmp_path / "lane.toml"
    file.write_text(lane.read_text().replace(str(lane.parent), str(tmp_path)))
    save(load_config(file), [msgspec.structs.replace(pair, shadow_text=driver)])
    [line] = exported(file)
    assert line["shadow_text"] == driver
    assert file.with_name("out.jsonl").read_text(encoding="utf-8").rstrip("\n").isprintable()


def test_the_file_appears_whole_and_is_the_owners(lane: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "pairs.jsonl"
    out.write_text("before")
    real = SqliteStore.walk

    def breaks(store: SqliteStore, wanted: PairFilter, **more: Any) -> Iterator[Any]:
        yield next(iter(real(store, wanted, **more)))
        assert out.read_text() == "before"
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "walk", breaks)
        assert main(["export", "--config", str(lane), "--out", str(out)]) == 3
    assert [file.name for file in tmp_path.iterdir()] == ["pairs.jsonl"]
    assert out.read_text() == "before"
    assert main(["export", "--config", str(lane), "--out", str(out)]) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert len(out.read_text().splitlines()) == N + 100


def test_a_worker_writes_on_meanwhile_and_its_log_shrinks(tmp_path: Path) -> None:
    file = tmp_path / "lane.toml"
    file.write_text(
        f'[lane]\ndirectory = "{tmp_path / "l"}"\n[store]\nurl = "sqlite:///{tmp_path / "s.db"}"\n'
        '[shadows.candidate]\nurl = "http://127.0.0.1:9"\n'
    )
    config = load_config(file)
    save(config, make_pairs(700))
    with open_store(config.store) as writer, open_store(config.store, read_only=True) as reader:
        walk = reader.walk(PairFilter(shadow="candidate"))
        first = next(walk)
        writer.save(make_pairs(300, first=1000))
        (busy, left, _) = writer._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert (busy, left) == (0, 0), "no read is open between two pieces"
        seen = [row.id for row in first.rows] + [row.id for piece in walk for row in piece.rows]
    assert seen == list(range(1, 701)), "each once, and none that came later"
    assert len(first.rows) < 700


def test_rows_that_retention_deletes_meanwhile_are_no_error(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "s.db", max_age_ns=HOUR_NS, max_bytes=1 << 30, clock_ns=lambda: NOW_NS) as store:
        store.save(make_pairs(700))
        walk = store.walk(PairFilter(shadow=""))
        first = next(walk)
        assert store.prune(NOW_NS + 48 * HOUR_NS) == 700
        assert [piece.rows for piece in walk if piece.rows] == []
        assert len(first.rows) == first.done < first.of == 700


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--shadow", "candidat"), 2, "did you mean candidate?"),
        (("--reason", "dedline"), 2, "did you mean deadline?"),
        (("--since", "1h", "--until", "2h"), 2, "nothing lies between them"),
        (("--format", "langsmith", "--bodies"), 2, "is for --format jsonl and parquet"),
        (("--dataset", "x"), 2, "is for --format langfuse"),
        (("--json",), 2, "add --out FILE"),
        (("--out", "/nowhere/at/all"), 3, "choose a folder that exists"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(
    lane: Path, options: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--config", str(lane), *options]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--since", "yesterday"), ("--limit", "0"), ("--format", "csv"), ("--mark", "bad")])
def test_an_option_that_is_none_is_refused(
    lane: Path, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["export", "--config", str(lane), *option])
    assert option[1] in capsys.readouterr().err


def test_parquet_without_its_package_names_the_extra(
    lane: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["export", "--config", str(lane), "--format", "parquet", "--out", str(lane) + ".p"]) == 2
    assert "shadowlane[parquet]" in capsys.readouterr().err


def test_a_lane_without_rows_yet_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lane.toml"
    file.write_text(
        f'[store]\nurl = "sqlite:///{tmp_path / "s.db"}"\n[shadows.candidate]\nurl = "http://127.0.0.1:9"\n'
    )
    assert main(["export", "--config", str(file)]) == 3
    assert "nothing stored yet" in capsys.readouterr().err
    assert not (tmp_path / "s.db").exists()
