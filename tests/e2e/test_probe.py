"""``shadowlane probe`` as a user meets it: the worked example, kill -9 and again, exit codes, clear errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.chatserver import Got, Reply, chat, embeddings, serving

from .conftest import ROOT, Process, until

ITEM = {"id": "ride", "question": "How long?", "paraphrases": ["How long?", "What time?", "For how long?"]}


def cli(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shadowlane", "probe", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python"), **env},
        check=False,
    )


def gold(folder: Path, *items: dict[str, object]) -> str:
    path = folder / "gold.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in items or (ITEM,)))
    return str(path)


def test_the_worked_example_passes_the_shadow_and_says_what_is_broken(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shadowlane.demo.probe", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    good, bad = (done.stdout.split("$ shadowlane probe")[place] for place in (1, 2))
    assert "PASSED, 10 of 10 items accepted" in good
    assert "exit code 0" in good
    assert "NOT PASSED, 7 of 10 items accepted" in bad
    assert "exit code 1" in bad
    for item in ("payments-refunds", "payments-refunds-2", "payments-deposits"):
        assert f"NOT       {item} " in bad
    assert "coverage: payments/deposits cited by the shadow in 0 %, by prod in 100 % of the runs" in bad
    assert {path.name for path in tmp_path.iterdir()} >= {"probe-shadow.html", "probe-broken.html", "gold.jsonl"}
    assert not list(tmp_path.glob("*.state"))


def test_a_probe_that_is_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path, state = gold(tmp_path, *({**ITEM, "id": f"i{n}"} for n in range(5))), tmp_path / "gold.jsonl.probe-state"
    gate, asked = threading.Event(), threading.Semaphore(0)

    def answer(got: Got) -> Reply:
        if len(prod.requests) > 10 and not gate.is_set():
            asked.release()
            gate.wait(60)
        return chat("Forty-five minutes.")

    with serving(answer) as prod, serving(lambda got: chat("Forty-five minutes.")) as shadow:
        arguments = [path, "--prod", prod.url, "--shadow", shadow.url, "--qps", "0", "--concurrency", "1"]
        first = Process([sys.executable, "-m", "shadowlane", "probe", *arguments], tmp_path / "log")
        assert asked.acquire(timeout=60)
        until(lambda: state.read_bytes().count(b'"arm":"shadow"') == 30, "the shadow has answered everything")
        os.killpg(first.popen.pid, signal.SIGKILL)
        first.stop()
        gate.set()
        kept = state.read_bytes().count(b'"type":"run"')
        assert kept == 40
        before = len(prod.requests) + len(shadow.requests)
        done = cli(*arguments, "--json", cwd=tmp_path)
        again = len(prod.requests) + len(shadow.requests) - before
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert (verdict["ok"], verdict["accepted"]) == (True, 5)
    assert again == 60 - kept
    assert not state.exists()


def test_an_interrupted_probe_says_how_it_goes_on(tmp_path: Path) -> None:
    asked, gate = threading.Event(), threading.Event()

    def answer(got: Got) -> Reply:
        if len(prod.requests) > 3:
            asked.set()
            gate.wait(60)
        return chat("Forty-five minutes.")

    with serving(answer) as prod, serving(lambda got: chat("Forty-five minutes.")) as shadow:
        arguments = [
            "probe",
            gold(tmp_path),
            "--prod",
            prod.url,
            "--shadow",
            shadow.url,
            "--qps",
            "0",
            "--concurrency",
            "1",
        ]
        process = Process([sys.executable, "-m", "shadowlane", *arguments], tmp_path / "log")
        assert asked.wait(60)
        code = process.stop(signal.SIGINT)
        gate.set()
    assert code == 3
    told = (tmp_path / "log").read_text()
    assert "interrupted; " in told
    assert "run the same command again" in told
    assert "Traceback" not in told
    assert (tmp_path / "gold.jsonl.probe-state").exists()


def test_every_output_tells_the_same(tmp_path: Path) -> None:
    path = gold(tmp_path, ITEM, {**ITEM, "id": "other", "sections": ["a/b"]})

    def answer(got: Got) -> Reply:
        return chat(
            "Forty-five minutes.", citations=[{"snippet_id": "1", "section_id": "a/b", "source_url": "http://x"}]
        )

    with serving(answer) as prod, serving(lambda got: Reply({"error": {"message": "boom"}}, 500)) as shadow:
        done = cli(
            path,
            "--prod",
            prod.url,
            "--shadow",
            shadow.url,
            "--qps",
            "0",
            "--html",
            "p.html",
            "--junit",
            "p.xml",
            cwd=tmp_path,
        )
    assert done.returncode == 1, done.stderr
    assert "NOT PASSED, 0 of 2 items accepted" in done.stdout
    assert "6 of 6 runs collapsed: HTTP 500 ×6" in done.stdout
    assert "NOT PASSED" in (tmp_path / "p.html").read_text()
    [suite] = ElementTree.parse(tmp_path / "p.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "3", "0")
    assert (tmp_path / "p.html").stat().st_mode & 0o777 == 0o600


def test_answers_are_embedded_by_a_service_that_gets_them_sanitized(tmp_path: Path) -> None:
    same, other = "Forty-five minutes, says ann@example.org.", "Xylophone jazz buzzed."
    with (
        serving(lambda got: chat(same)) as prod,
        serving(lambda got: chat(other if got.body["seed"] == 2 else same)) as shadow,
        serving(embeddings) as embedder,
    ):
        base = [gold(tmp_path), "--prod", prod.url, "--shadow", shadow.url, "--qps", "0", "--json"]
        service = ["--embedder", "openai:letters", "--embedder-url", embedder.url + "/v1"]
        done = cli(*base, *service, "--embedder-credential-env", "PROBE_KEY", cwd=tmp_path, PROBE_KEY="sk-1")
        sent = [text for got in embedder.requests for text in got.body["input"]]
        keys = {got.headers["authorization"] for got in embedder.requests}
        paths = {got.path for got in embedder.requests}
        few = cli(*base, *service, "--embedder-tokens", "5", cwd=tmp_path)
        again = cli(*base, *service, cwd=tmp_path)
        asked = len(prod.requests)
    assert done.returncode == 1, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["embedder"] == "openai:letters@letters-1"
    deltas = {pair["seed"]: pair["delta_s"] for item in verdict["items"] for pair in item["pairs"]}
    assert deltas[1] == pytest.approx(0, abs=1e-6)
    assert deltas[2] > 0.5
    assert verdict["items"][0]["pairs"][0]["prod"] == same  # only what leaves is sanitized
    assert (keys, paths) == ({"Bearer sk-1"}, {"/v1/embeddings"})
    assert any(text.startswith("Forty-five minutes, says ") for text in sent)
    assert not any("ann@" in text for text in sent)
    assert few.returncode == 3
    [line] = few.stderr.strip().splitlines()
    assert "--embedder = 'openai:letters': its budget is used up (tokens_per_day); raise --embedder-tokens" in line
    assert "12 answers are kept in" in line
    assert again.returncode == 1, again.stderr
    assert json.loads(again.stdout)["accepted"] == verdict["accepted"]
    assert asked == 12  # the third run had all answers: 6 of the first, 6 of the second


def test_an_embedding_service_that_fails_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    refused = {"error": {"message": "wrong key sk-0"}}
    with (
        serving(lambda got: chat("Forty-five minutes.")) as service,
        serving(lambda got: Reply(refused, 401)) as embedder,
    ):
        base = [gold(tmp_path), "--prod", service.url, "--shadow", service.url]
        done = cli(*base, "--embedder", "openai:m", "--embedder-url", embedder.url, cwd=tmp_path)
        asked = len(service.requests)
    assert (done.returncode, asked) == (3, 0)
    [line] = done.stderr.strip().splitlines()
    assert line == ("shadowlane: --embedder = 'openai:m': HTTP 401; check --embedder-url and --embedder-credential-env")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--seeds", "1,x"], 2, "--seeds = '1,x'"),
        (["--qps", "-1"], 2, "--qps = -1.0"),
        (["--concurrency", "0"], 2, "--concurrency = 0"),
        (["--timeout", "0"], 2, "--timeout = 0.0"),
        (["--shadow", "ftp://x"], 2, "--shadow: url = 'ftp://x'"),
        (["--template", "{"], 2, "--template: not JSON"),
        (["--template", "@missing.json"], 2, "cannot be read"),
        (["--template", '{"q": 1}', "--path", "/ask"], 2, "{{question}}"),
        (["--html", "nowhere/p.html"], 2, "--html = 'nowhere/p.html'"),
        (["--embedder", "word2vec"], 2, "--embedder = 'word2vec': unknown embedder"),
        (["--embedder", "openai:m"], 2, "--embedder-url = '': use http://HOST"),
        (["--embedder", "openai:", "--embedder-url", "http://x"], 2, "--embedder = 'openai:': the model is missing"),
        (["--embedder-url", "http://x"], 2, "--embedder-url: only --embedder = 'openai:MODEL' uses it"),
        (
            ["--embedder", "openai:m", "--embedder-url", "http://x", "--embedder-credential-env", "NOT_SET_AT_ALL"],
            2,
            "--embedder-credential-env = 'NOT_SET_AT_ALL': the environment variable is not set; export it",
        ),
        (
            ["--embedder", "openai:m", "--embedder-url", "http://x", "--embedder-tokens", "0"],
            2,
            "--embedder-tokens = 0",
        ),
        (
            ["--embedder", "openai:m", "--embedder-url", "http://127.0.0.1:9"],
            3,
            "check --embedder-url and --embedder-credential-env",
        ),
        (["--prod-credential-env", "NOT_SET_AT_ALL"], 2, "--prod-credential-env = 'NOT_SET_AT_ALL'"),
        (["--paraphrases", "4", "--paraphrase-url", "http://x"], 2, "--paraphrase-model: missing"),
        (["--paraphrases", "5"], 2, "fewer than 5 wordings"),
        (["--min-accepted", "2"], 2, "--min-accepted = 2.0"),
        ([], 3, "--prod = 'http://127.0.0.1:9': gave no answer"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    base = [gold(tmp_path), "--prod", "http://127.0.0.1:9", "--shadow", "http://127.0.0.1:9", "--embedder", "lexical"]
    done = cli(*base, *arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("shadowlane: ")
    assert words in line


def test_wrong_lines_of_the_gold_file_are_named(tmp_path: Path) -> None:
    path = gold(tmp_path, ITEM, {"qestion": "typo"})
    done = cli(path, "--prod", "http://127.0.0.1:9", "--shadow", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{path}:2: " in done.stderr
    assert "unknown field `qestion`" in done.stderr
