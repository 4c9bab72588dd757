"""`shadowlane replay` and `import` as a user meets them: recorded traffic in; accounts, rows and a verdict out."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shadowlane.cli import main
from tests.support.chatserver import ChatServer, Got, Reply, chat, serving
from tests.support.recorded import asked, gor, har, json_lines, mitmproxy, write_all

from .conftest import ROOT, until

KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56"
CONFIG = """
[shadows.candidate]
url = "{url}"
[routes]
presets = ["openai"]
[score]
embedder = "lexical"
[limits]
qps = {qps}
burst = {burst}
[store]
url = "sqlite:///lane.db"
{more}
"""


def said(got: Got) -> str:
    return str(got.body["messages"][-1]["content"])


def command(folder: Path, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "shadowlane", *map(str, arguments)]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "python"), "TMPDIR": str(folder), "COLUMNS": "300"}


def run(folder: Path, *arguments: str | Path, code: int = 0) -> str:
    """The command in this process: starting an interpreter for each would take most of the time."""
    told = io.StringIO()
    with _inside(folder), contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        done = main([*map(str, arguments)])
    assert done == code, told.getvalue()
    return told.getvalue()


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def account(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)["account"]
    assert found["holds"], found
    assert found["read"] == found["sent"] + sum(found["skipped"].values())
    return found


def rows(path: Path, columns: str = "count(*)") -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as db:
        return db.execute(f"SELECT {columns} FROM pairs ORDER BY started_ns, id").fetchall()


@pytest.fixture
def shadow() -> Iterator[ChatServer]:
    with serving(lambda got: chat(f"A ride may last {said(got).split()[-2]} minutes.")) as server:
        yield server


def configured(folder: Path, url: str, *, qps: float = 1000, burst: int = 1000, more: str = "") -> Path:
    path = folder / "lane.toml"
    path.write_text(CONFIG.format(url=url, qps=qps, burst=burst, more=more), encoding="utf-8")
    return path


def test_every_form_is_sent_and_compared_with_the_recorded_answer(tmp_path: Path, shadow: ChatServer) -> None:
    config = configured(tmp_path, shadow.url)
    exchanges = asked(4)
    for form, path in write_all(tmp_path, exchanges).items():
        shadow.requests.clear()
        more = ["--answers", tmp_path / "answers"] if form == "openai-batch" else []
        given = ("--shadow", "candidate", "--config", config, "--speed", "max", "--store", f"{form}.db", "--json")
        found = account(run(tmp_path, "replay", path, *given, *more))
        assert (found["read"], found["answered"]) == (4, 4), form
        assert sorted(map(said, shadow.requests)) == [one.question for one in exchanges]
        stored = rows(tmp_path / f"{form}.db", "prod_status, status, delta_s, flags, reason")
        assert all(row[0] == row[1] == 200 and 0 < row[2] < 1 and row[3] & 16 and not row[4] for row in stored), form


def test_the_way_is_that_of_a_copy(tmp_path: Path, shadow: ChatServer) -> None:
    """Routes, policy, loop guard and redaction; each record is in one count."""
    document = json.loads(har(asked(9)))
    entries = document["log"]["entries"]
    entries[0]["request"]["url"] = "https://gateway.example/v1/files"
    entries[1]["request"]["method"] = "DELETE"
    entries[2]["request"]["headers"].append({"name": "X-Shadow", "value": "1"})
    secret = {"model": "m", "messages": [{"role": "user", "content": f"my key is {KEY} lasts 7 x"}]}
    entries[3]["request"]["postData"]["text"] = json.dumps(secret)
    entries[3]["request"]["headers"].append({"name": "Authorization", "value": f"Bearer {KEY}"})
    entries[4]["request"]["postData"]["text"] = "{"
    entries[5]["response"]["content"].pop("text")
    entries[6]["request"] = None
    (tmp_path / "traffic.har").write_text(json.dumps(document), encoding="utf-8")
    config = configured(tmp_path, shadow.url)
    given = ("--config", config, "--speed", "max", "--json")
    found = account(run(tmp_path, "replay", "traffic.har", *given))
    assert found["skipped"] == {
        "damaged": 1,
        "loop": 1,
        "method": 1,
        "no_prod_answer": 1,
        "route": 1,
        "write_intent": 1,
    }
    assert found["damaged"] == ["entry 7: request = None: an object is expected"]
    assert found["sent"] == 3
    assert KEY not in json.dumps([(got.headers, got.body) for got in shadow.requests])
    assert KEY.encode() not in (tmp_path / "lane-replay.db").read_bytes()
    # What it found is there for report and gate, and not in the lane's own database.
    assert not (tmp_path / "lane.db").exists()
    again = account(run(tmp_path, "report", "--store", "lane-replay.db", "--config", config, "--json"))
    assert {**again, "damaged": found["damaged"]} == found
    text = run(tmp_path, "gate", "--store", "lane-replay.db", "--config", config, code=1)
    assert "read 9 = sent 3 + skipped 6" in text
    assert "HOLD" in text


def test_a_killed_replay_goes_on_and_sends_nothing_twice(tmp_path: Path) -> None:
    count = 60
    (tmp_path / "traffic.gor").write_bytes(gor(asked(count)))
    with serving(lambda got: chat("A ride may last long.")) as shadow:
        config = configured(tmp_path, shadow.url, qps=30, burst=1)
        given = ("replay", "traffic.gor", "--config", config, "--speed", "max", "--store", "r.db", "--json")
        process = subprocess.Popen(
            command(tmp_path, *given), cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL
        )
        try:
            stored = tmp_path / "r.db"
            until(lambda: stored.exists() and _count(stored) >= 5, "the first rows")
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        before = _count(stored)
        assert before < count
        for left in tmp_path.glob("shadowlane-replay-*"):  # a killed process leaves its folder
            subprocess.run(["rm", "-r", str(left)], check=True)
        found = account(run(tmp_path, *given))
        assert (found["read"], found["answered"]) == (count, count)
        assert before <= found["resumed"] < count
        assert _count(stored) == count
        sent = Counter(map(said, shadow.requests))
        # What was out when the process died, or answered and not yet stored, is asked again: no more than that.
        assert set(sent) == {one.question for one in asked(count)}
        assert len(shadow.requests) - count <= count - before
        # It is finished, so the same command is refused, until all is asked for anew.
        assert "--fresh" in run(tmp_path, *given, code=2)
        assert account(run(tmp_path, *given, "--fresh"))["resumed"] == 0


def _count(path: Path) -> int:
    try:
        return int(rows(path)[0][0])
    except sqlite3.Error:
        return 0


def test_an_interrupted_replay_says_how_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "traffic.gor").write_bytes(gor(asked(500)))
    with serving(lambda got: chat("A ride may last long.")) as shadow:
        config = configured(tmp_path, shadow.url, qps=20, burst=1)
        given = ("replay", "traffic.gor", "--config", config, "--speed", "max", "--store", "r.db")
        process = subprocess.Popen(
            command(tmp_path, *given), cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE, text=True
        )
        try:
            until(lambda: shadow.requests, "the first request")
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 3
    assert "run the same command again" in error
    assert not list(tmp_path.glob("shadowlane-replay-*"))


def test_it_keeps_the_recorded_pace_or_a_multiple_of_it(tmp_path: Path) -> None:
    (tmp_path / "traffic.gor").write_bytes(gor(asked(5, apart_ns=2 * 10**9)))
    came: list[float] = []

    def answer(got: Got) -> Reply:
        came.append(time.monotonic())
        return chat("A ride may last long.")

    with serving(answer) as shadow:
        config = configured(tmp_path, shadow.url)
        began = time.monotonic()
        run(tmp_path, "replay", "traffic.gor", "--config", config, "--speed", "4", "--json")
    # Eight recorded seconds at four times the pace: no less than two, whatever else the machine does.
    assert max(came) - began > 1.9


def test_it_is_never_faster_than_the_cap(tmp_path: Path) -> None:
    (tmp_path / "traffic.gor").write_bytes(gor(asked(30, apart_ns=1)))
    came: list[float] = []

    def answer(got: Got) -> Reply:
        came.append(time.monotonic())
        return chat("A ride may last long.")

    with serving(answer) as shadow:
        config = configured(tmp_path, shadow.url, qps=10, burst=1)
        began = time.monotonic()
        run(tmp_path, "replay", "traffic.gor", "--config", config, "--speed", "max", "--json")
    assert len(came) == 30
    assert max(came) - began > 2.8


def test_a_shadow_that_is_not_there_ends_it_and_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "traffic.har").write_bytes(har(asked(6)))
    with serving(lambda got: chat("x")) as gone:
        url = gone.url
    config = configured(tmp_path, url)
    given = ("replay", "traffic.har", "--config", config, "--speed", "max", "--store", "r.db", "--json")
    text = run(tmp_path, *given, code=3)
    assert "gave no answer" in text
    assert _count(tmp_path / "r.db") == 0


def test_a_budget_that_is_used_up_ends_it_and_the_rest_is_sent_later(tmp_path: Path) -> None:
    (tmp_path / "traffic.har").write_bytes(har(asked(12)))
    with serving(
        lambda got: chat("x", usage={"prompt_tokens": 50, "completion_tokens": 50, "total_tokens": 100})
    ) as shadow:
        more = "[shadows.candidate.budget]\ntokens_per_hour = 300\n"
        config = configured(tmp_path, shadow.url, qps=5, burst=1, more=more)
        given = ("replay", "traffic.har", "--config", config, "--speed", "max", "--store", "r.db", "--json")
        text = run(tmp_path, *given, code=3)
        assert "its budget is used up" in text
        first = _count(tmp_path / "r.db")
        assert 3 <= first < 12
        configured(tmp_path, shadow.url)
        found = account(run(tmp_path, *given))
        assert (found["answered"], found["resumed"]) == (12, first)


def test_a_lanes_own_store_is_replayed_and_one_exchange_of_it(tmp_path: Path, shadow: ChatServer) -> None:
    config = configured(tmp_path, shadow.url)
    (tmp_path / "traffic.flows").write_bytes(mitmproxy(asked(5)))
    run(tmp_path, "replay", "traffic.flows", "--config", config, "--speed", "max", "--store", "first.db", "--json")
    found = account(
        run(tmp_path, "replay", "first.db", "--config", config, "--speed", "max", "--store", "second.db", "--json")
    )
    assert (found["read"], found["answered"]) == (5, 5)
    name, hashed = rows(tmp_path / "first.db", "shadow_id, req_hash")[2]
    assert hashed in [row[0] for row in rows(tmp_path / "second.db", "req_hash")]
    shadow.requests.clear()
    text = run(tmp_path, "replay", "first.db", "--one", name, "--config", config)
    assert [said(got) for got in shadow.requests] == [asked(5)[2].question]
    assert asked(5)[2].answer in text
    assert "then       candidate: HTTP 200" in text
    assert "still      the same answer as then, word for word" in text
    assert "prod then 100 ms" in text
    data = json.loads(run(tmp_path, "replay", "first.db", "--one", name, "--config", config, "--json"))
    assert data["arms"][0]["prod_text"] == asked(5)[2].answer
    assert data["same_words"]
    assert "no exchange" in run(tmp_path, "replay", "first.db", "--one", "nobody", "--config", config, code=2)


def test_one_exchange_as_one_on_call_asks_for_it(tmp_path: Path) -> None:
    """In the lane's folder without its configuration named; of an import; at a shadow that says something else now, and
    at one that is gone."""
    said_now = ["A ride may last 5 minutes."]
    with serving(lambda got: chat(said_now[0])) as shadow:
        config = configured(tmp_path, shadow.url)
        (tmp_path / "traffic.gor").write_bytes(gor(asked(3), replayed=(said_now[0],)))
        run(tmp_path, "import", "traffic.gor", "--config", config, "--store", "imported.db", "--json")
        name = rows(tmp_path / "imported.db", "shadow_id")[1][0]
        given = ("replay", "imported.db", "--one", name)
        assert "still      the same answer" in run(tmp_path, *given, "--config", config)
        said_now[0] = "A ride may last 9 minutes."
        text = run(tmp_path, *given, "--config", config)
        assert "it said    A ride may last 5 minutes." in text
        assert "candidate  A ride may last 9 minutes." in text
        config.rename(tmp_path / "shadowlane.toml")
        assert "9 minutes" in run(tmp_path, *given)
        assert "leave --gate, --speed out" in run(tmp_path, *given, "--gate", "--speed", "max", code=2)
    text = run(tmp_path, *given, code=1)
    assert f"prod       {asked(3)[1].answer}" in text
    assert "no answer  candidate: connect_error" in text
    assert "contradiction" not in text
    (tmp_path / "shadowlane.toml").rename(tmp_path / "lane.toml")
    shown = run(tmp_path, "replay", "--one", name, "--shadow", "http://127.0.0.1:1", code=2)
    assert "whose exchange is it?" in " ".join(shown.split())


def test_a_log_needs_a_control_which_answers_in_prods_stead(tmp_path: Path) -> None:
    line = '127.0.0.1 - - [28/Nov/2026:18:00:00 +0000] "GET /search?q=rides HTTP/1.1" 200 9 "-" "-"\n'
    (tmp_path / "access.log").write_text(line * 3, encoding="ascii")
    given = ("replay", "access.log", "--speed", "max")
    with serving(lambda got: chat("It is 5 minutes.")) as shadow, serving(lambda got: chat("It is 9 minutes.")) as prod:
        config = configured(tmp_path, shadow.url)
        config.write_text(config.read_text().replace('presets = ["openai"]', 'include = ["/search"]'))
        found = account(run(tmp_path, *given, "--config", config, "--store", "a.db", "--json"))
        assert found["skipped"] == {"no_prod_answer": 3}
        config.write_text(config.read_text() + f'[control]\nurl = "{prod.url}"\n')
        text = run(tmp_path, *given, "--config", config, "--store", "b.db")
    assert "read 3 = sent 3" in text
    assert "[control] answered in prod's stead in 3 copies" in text
    by_arm = rows(tmp_path / "b.db", "shadow, prod_status, fact_flip, delta_s = 0")
    assert sorted(by_arm) == [("candidate", 200, 1, 0)] * 3 + [("control", 200, 0, 1)] * 3


def test_import_scores_what_has_both_answers_and_sends_nothing(tmp_path: Path) -> None:
    (tmp_path / "traffic.gor").write_bytes(
        gor(asked(20), replayed=("A ride may last 5 minutes.", "A ride may last 6 minutes."))
    )
    found = account(run(tmp_path, "import", "traffic.gor", "--json"))
    assert (found["read"], found["answered"], found["skipped"]) == (20, 20, {})
    text = run(tmp_path, "import", "traffic.gor", code=2)
    assert "--fresh" in text
    assert "20 answered" in run(tmp_path, "import", "traffic.gor", "--fresh")


def test_import_of_what_compare_reads_says_what_compare_says(tmp_path: Path) -> None:
    lines = [
        {
            "id": f"x{i}",
            "time": 1_767_225_600 + i,
            "question": f"How long is tariff {i}?",
            "prod": {"text": f"It is {i} minutes.", "latency_ms": 100},
            "shadow": {"text": f"It is {i + 1} minutes.", "latency_ms": 90},
        }
        for i in range(20)
    ]
    (tmp_path / "answers.jsonl").write_bytes(json_lines(lines))
    imported = json.loads(run(tmp_path, "import", "answers.jsonl", "--json"))
    compared = json.loads(run(tmp_path, "compare", "answers.jsonl", "--json"))
    for field in ("delta_s", "fact_flips", "latency"):
        assert imported["shadows"][0][field] == compared["shadows"][0][field]


def test_what_was_imported_without_a_configuration_is_looked_at_without_one(tmp_path: Path) -> None:
    (tmp_path / "traffic.gor").write_bytes(
        gor(asked(20), replayed=("A ride may last 5 minutes.", "A ride may last 6 minutes."))
    )
    run(tmp_path, "import", "traffic.gor", "--store", "imported.db")
    report = json.loads(run(tmp_path, "report", "--store", "imported.db", "--json"))
    run(tmp_path, "export", "--store", "imported.db", "--out", "pairs.jsonl")
    exported = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert len(exported) == report["shadows"][0]["pairs"] == 20
    assert {line["shadow_text"] for line in exported} == {f"A ride may last {n} minutes." for n in (5, 6)}
    assert "20 items" in run(tmp_path, "gold", "--store", "imported.db", "--out", "gold.jsonl")
    assert "HOLD" in run(tmp_path, "gate", "--store", "imported.db", code=1)
    assert "no such file" in run(tmp_path, "export", code=2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("replay",), "--shadow: missing"),
        (("replay", "--shadow", "http://127.0.0.1:1"), "SOURCE: missing"),
        (("replay", "gone.har", "--shadow", "http://127.0.0.1:1"), "cannot be read"),
        (("replay", "a.har", "--shadow", "candidate"), "a name needs --config"),
        (("replay", "a.har", "--shadow", "http://127.0.0.1:1", "--speed", "0"), "--speed = '0'"),
        (("replay", "a.har", "--shadow", "http://127.0.0.1:1", "--format", "pcap"), "known: store"),
        (("replay", "-", "--shadow", "http://127.0.0.1:1"), "--format: missing"),
        (("replay", "a.har", "--shadow", "http://127.0.0.1:1", "--path", "x"), "begin it with /"),
        (("replay", "a.har", "--shadow", "candidat", "--config", "lane.toml"), "did you mean candidate?"),
        (("replay", "a.har", "--config", "lane.toml", "--store", "lane.db"), "the lane's own"),
        (("import", "a.har", "--shadow", "control"), "not a shadow's name"),
    ],
)
def test_what_is_wrong_is_said_before_a_request(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "a.har").write_bytes(har(asked(1)))
    configured(tmp_path, "http://127.0.0.1:1")
    assert says in run(tmp_path, *arguments, code=2)
