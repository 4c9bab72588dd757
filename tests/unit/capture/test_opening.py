"""One lane for all captures of a process that have one configuration, and what a bad one costs where."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.capture import opening
from shadowlane.capture.opening import Mirror
from tests.support.captured import Captured

ROOT = Path(__file__).parents[3]


def test_captures_of_one_configuration_share_a_lane(into: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_SHARED", {})
    into.lane.close()
    first, second = Mirror(into.config), Mirror(dict(into.config))
    assert first.lane is second.lane is not None
    other = Mirror({**into.config, "sampling": {"ratio": 0.5}})
    assert other.lane is not first.lane
    first.lane.close()
    again = Mirror(into.config)
    assert again.lane is not first.lane
    assert again.lane is not None
    assert not again.lane.closed
    for one in (again, other):
        assert one.lane is not None
        one.lane.close()


def test_a_file_is_read_once(into: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_SHARED", {})
    file = tmp_path / "lane.toml"
    lane = f'[lane]\ndirectory = "{into.directory}"\nworker = "external"\n'
    file.write_text(f'{lane}[shadows.candidate]\nurl = "http://127.0.0.1:9"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHADOWLANE_CONFIG", "lane.toml")
    first = Mirror()
    file.write_text("[no configuration any more")
    assert Mirror().lane is Mirror(file).lane is first.lane is not None
    first.lane.close()


def test_inside_of_a_request_a_known_lane_is_used_at_once(into: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is made for each request neither waits nor starts a thread."""
    monkeypatch.setattr(opening, "_SHARED", {str(ROOT / "x.toml"): into.lane})

    def handle(environ: Any) -> Mirror:
        return Mirror(ROOT / "x.toml")

    monkeypatch.setattr(opening.threading, "Thread", None)
    assert handle({"wsgi.version": (1, 0)}).lane is into.lane


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=100, cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip


def test_the_captures_load_no_library_and_nothing_heavy() -> None:
    code = """
        import sys
        import shadowlane.wsgi, shadowlane.httpx
        heavy = ("httpx", "httpx2", "aiohttp", "requests", "numpy", "asyncio.base_events", "shadowlane.worker")
        print([name for name in heavy if name in sys.modules])
    """
    assert run(code).stdout.strip() in ("[]", "['asyncio.base_events']")


@pytest.mark.parametrize(("module", "library", "extra"), [
    ("aiohttp", "aiohttp", "capture-aiohttp"),
    ("litellm", "litellm", "capture-litellm"),
    ("requests", "requests", "capture-requests"),
])  # fmt: skip
def test_a_missing_library_names_its_extra(module: str, library: str, extra: str) -> None:
    done = run(f"import sys; sys.modules[{library!r}] = None\nimport shadowlane.{module}")
    assert done.returncode == 1
    assert f"shadowlane[{extra}]" in done.stderr


def test_the_lane_is_closed_when_the_process_ends(into: Captured) -> None:
    into.lane.close()
    code = f"""
        from shadowlane.wsgi import ShadowMiddleware
        app = ShadowMiddleware(lambda environ, start: [], {into.config!r})
        assert app.lane.admit("POST", "/ask", [])
    """
    done = run(code)
    assert (done.returncode, done.stderr) == (0, "")
    status = _core.lane_status(str(into.directory))
    assert status["seen"] == 1
    assert status["open"] == 0


def test_a_forked_process_is_followed_where_no_hook_runs(into: Captured) -> None:
    """uWSGI forks in C: what ``os.fork`` would have called is done at the first request."""
    into.lane.close()
    code = f"""
        import ctypes, os, sys
        sys.modules["uwsgi"] = object()
        from shadowlane.wsgi import ShadowMiddleware
        from wsgiref.util import setup_testing_defaults

        def app(environ, start_response):
            start_response("200 OK", [])
            return [b"so"]

        served = ShadowMiddleware(app, {into.config!r})
        libc = ctypes.PyDLL(None)
        child = libc.fork()
        for _ in range(3 if child == 0 else 2):
            environ = {{"PATH_INFO": "/ask", "REQUEST_METHOD": "GET"}}
            setup_testing_defaults(environ)
            answer = served(environ, lambda *_: None)
            list(answer)
            if hasattr(answer, "close"):
                answer.close()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    done = run(code, PYTHONWARNINGS="ignore")
    assert (done.returncode, done.stderr) == (0, "")
    assert (into.status()["seen"], into.status()["mirrored"]) == (5, 5)
