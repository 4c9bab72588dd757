"""`shadowlane compare` as a user meets it: a file in; report, verdict, evidence, exit code out; nothing left behind."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, until

START = 1_767_225_600
DAY = 86_400
SECRET = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56"

Line = dict[str, Any]


def compare(*arguments: str | Path, folder: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "TMPDIR": str(folder), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "shadowlane", "compare", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=110,
        cwd=folder,
        env=environment,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def answers(n: int, change: Callable[[int, Line], Line] = lambda _, line: line, *, seed: int = 1) -> bytes:
    """``n`` exchanges over a day, both services in other words and at the same speed; ``change`` alters a line."""
    rng = random.Random(seed)
    lines = []
    for number in range(n):
        minutes = rng.randint(5, 60)
        line = {
            "id": f"x{number}",
            "time": START + number * DAY / n,
            "route": "POST /ask",
            "question": f"How long may a ride of tariff {number % 40} last?",
            "prod": {"text": f"A single ride may last {minutes} minutes. Every further quarter costs 0.50 EUR."},
            "shadow": {"text": f"A single ride may last {minutes} minutes; every further quarter costs 0.50 EUR."},
        }
        for arm in ("prod", "shadow"):
            line[arm]["latency_ms"] = 100 * rng.lognormvariate(0, 0.1) * (1 if arm == "prod" else 0.8)
        lines.append(json.dumps(change(number, line), ensure_ascii=False))
    return "\n".join(lines).encode() + b"\n"


@pytest.fixture(scope="module")
def equal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("compare") / "equal.jsonl"
    file.write_bytes(answers(2500))
    return file


def verdict(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return {rule["name"]: rule for rule in json.loads(done.stdout)["shadows"][0]["rules"]}


def test_a_service_as_good_as_prod_may_take_over(equal: Path, tmp_path: Path) -> None:
    done = compare(equal, "--gate", "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["decision"] == "GRADUATE"
    left_out = " ".join(found["shadows"][0]["not_judged"])
    for rule in ("sampling", "overhead", "accounting"):
        assert verdict(done)[rule]["status"] == "not judged"
        assert rule in left_out
    assert list(tmp_path.iterdir()) == [], "the temporary store is gone"


def fails(number: int, line: Line) -> Line:
    return {**line, "shadow": {"status": 503}} if number % 10 == 0 else line


def slower(_: int, line: Line) -> Line:
    return {**line, "shadow": {**line["shadow"], "latency_ms": 2 * line["prod"]["latency_ms"]}}


def off_topic(number: int, line: Line) -> Line:
    return {**line, "shadow": {**line["shadow"], "text": f"Bananas ripen in a paper bag, and kiwis do too ({number})."}}


@pytest.mark.parametrize(
    ("change", "rule"), [(fails, "shadow errors"), (slower, "P95 latency"), (off_topic, "mean ΔS")]
)
def test_a_worse_service_is_rejected_with_the_rule(change: Any, rule: str, tmp_path: Path) -> None:
    file = tmp_path / "worse.jsonl"
    file.write_bytes(answers(2500, change))
    done = compare(file, "--gate", "--json", folder=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["decision"] == "REJECT"
    assert verdict(done)[rule]["ok"] is False


def test_standard_input_and_gzip_give_the_same_report(equal: Path, tmp_path: Path) -> None:
    packed = tmp_path / "equal.jsonl.gz"
    packed.write_bytes(gzip.compress(equal.read_bytes()))
    reports = [
        json.loads(compare(equal, "--json", folder=tmp_path).stdout),
        json.loads(compare(packed, "--json", folder=tmp_path).stdout),
        json.loads(compare("-", "--json", folder=tmp_path, stdin=equal.read_bytes()).stdout),
    ]
    for report in reports:
        assert report["pairs"] == 2500
        for shadow in report["shadows"]:
            shadow.pop("url")
    assert reports[0]["shadows"] == reports[1]["shadows"] == reports[2]["shadows"]


def test_the_report_shows_the_groups_the_page_and_what_was_not_read(equal: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = compare("-", "--html", page, folder=tmp_path, stdin=answers(200, lambda _, line: {**line, "qestion": "x"}))
    assert (done.returncode, done.stderr) == (0, "")
    assert "200 pairs" in done.stdout
    assert "answers to 40 repeated questions" in done.stdout
    assert "qestion (200)" in done.stdout
    assert "<html" in page.read_text()
    assert "standard input" in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600


def with_control(number: int, line: Line) -> Line:
    return {**line, "control": line["prod"]} if number % 2 else line


def test_a_control_is_the_noise_floor(tmp_path: Path) -> None:
    done = compare("-", "--json", folder=tmp_path, stdin=answers(200, with_control))
    report = json.loads(done.stdout)
    assert [(arm["name"], arm["pairs"]) for arm in report["shadows"]] == [("shadow", 200), ("control", 100)]
    assert report["shadows"][0]["delta_s"][0]["floor_n"] == 100


def test_wrong_lines_are_named_before_anything_is_scored(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    lines = answers(300).splitlines()
    lines[16], lines[250] = b'{"id": 17', b'{"id": "x", "time": 1, "prod": "a"}'
    file.write_bytes(b"\n".join(lines))
    for given, stdin, named in ((file, b"", str(file)), ("-", file.read_bytes(), "standard input")):
        done = compare(given, "--gate", folder=tmp_path, stdin=stdin)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{named}:17: not a JSON object" in done.stderr
        assert "Traceback" not in done.stderr
    assert f"{file}:251: shadow: missing" in compare(file, folder=tmp_path).stderr


def test_two_lines_of_one_id_are_refused_however_far_apart(tmp_path: Path) -> None:
    for twin in (3, 1999):
        kept = tmp_path / "kept.db"
        data = answers(2000, lambda number, line, twin=twin: {**line, "id": "x1"} if number == twin else line)
        done = compare("-", "--store", kept, folder=tmp_path, stdin=data)
        assert done.returncode == 2
        assert f"standard input:{twin + 1}: id = 'x1'" in done.stderr
        assert not list(tmp_path.iterdir()), "half a file's pairs are no result"


def test_an_empty_file_and_a_missing_one_are_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"\n\n")
    for given, said in (("empty.jsonl", "no exchange"), ("none.jsonl", "No such file"), ("-", "no exchange")):
        done = compare(given, folder=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kept", [(), ("--store", "kept.db")], ids=["temporary", "named"])
def test_a_run_that_is_stopped_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, kept: tuple[str, ...]
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "shadowlane", "compare", "-", *kept],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment,
    )
    assert process.stdin is not None
    process.stdin.write(answers(600))  # two batches and a half: it waits for more
    process.stdin.flush()
    until(lambda: stored(tmp_path) >= 512, "two batches are stored")
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 3
    assert b"Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def stored(folder: Path) -> int:
    files = [*folder.glob("*/compare.db"), *folder.glob("kept.db")]
    if not files:
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"file:{files[0]}?mode=ro", uri=True)) as store:
            return int(store.execute("SELECT count(*) FROM pairs").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0


def test_one_pair_is_explained(equal: Path, tmp_path: Path) -> None:
    def flipped(number: int, line: Line) -> Line:
        shadow = {"text": "A single ride may last 99 minutes; every further quarter costs 0.50 EUR.", "status": 203}
        return {**line, "shadow": shadow} if number == 5 else line

    data = answers(20, flipped)
    for name in ("x5", "line-6"):
        done = compare("-", "--explain", name, folder=tmp_path, stdin=data)
        assert (done.returncode, done.stderr) == (0, "")
        for said in ("tariff 5", "CONTRADICT", "'99 minutes'", "prod 200, shadow 203"):
            assert said in done.stdout
    [arm] = json.loads(compare("-", "--explain", "x5", "--json", folder=tmp_path, stdin=data).stdout)["arms"]
    assert arm["fact_flip"] is True
    done = compare(equal, "--explain", "nobody", folder=tmp_path)
    assert done.returncode == 2
    assert "--explain = 'nobody'" in done.stderr


def test_what_is_secret_is_redacted_everywhere(tmp_path: Path) -> None:
    kept, page = tmp_path / "kept.db", tmp_path / "page.html"

    def planted(number: int, line: Line) -> Line:
        told = {"text": f"Your key is {SECRET} ({number})."}
        return {**line, "question": f"Is {SECRET} mine?", "prod": told, "shadow": told, "control": told}

    done = compare("-", "--store", kept, "--html", page, "--json", folder=tmp_path, stdin=answers(20, planted))
    assert done.returncode == 0, done.stderr
    explained = compare("-", "--explain", "x1", folder=tmp_path, stdin=answers(20, planted))
    for shown in (done.stdout, explained.stdout, page.read_text()):
        assert SECRET not in shown
        assert "Your key is" in shown
    assert SECRET.encode() not in kept.read_bytes()
    with sqlite3.connect(kept) as store:
        assert store.execute("SELECT count(*) FROM pairs").fetchone() == (40,)


def test_the_configuration_needs_no_services_and_its_sections_count(equal: Path, tmp_path: Path) -> None:
    config = tmp_path / "compare.toml"
    config.write_text('[score]\nembedder = "lexical"\n[gate]\nmin_pairs = 5000\n')
    done = compare(equal, "--config", config, "--gate", "--json", folder=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["decision"]) == (1, "HOLD")
    assert verdict(done)["pairs"]["ok"] is None
    config.write_text('[score]\nembeder = "lexical"\n')
    done = compare(equal, "--config", config, folder=tmp_path)
    assert done.returncode == 2
    assert "score.embeder" in done.stderr
    config.write_text('[shadows.a]\nurl = "http://127.0.0.1:1"\n[shadows.b]\nurl = "http://127.0.0.1:2"\n')
    done = compare(equal, "--config", config, folder=tmp_path)
    assert done.returncode == 2
    assert "a, b" in done.stderr
    done = compare("-", "--config", config, "--shadow", "b", "--json", folder=tmp_path, stdin=answers(3))
    assert [arm["name"] for arm in json.loads(done.stdout)["shadows"]] == ["b"]


def test_a_store_that_is_there_is_left_alone(equal: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.db"
    kept.write_bytes(b"mine")
    done = compare(equal, "--store", kept, folder=tmp_path)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert kept.read_bytes() == b"mine"
