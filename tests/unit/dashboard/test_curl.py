"""A copied command sends what is stored and does nothing else, whatever the request holds: run by a real shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadowlane.dashboard.curl import as_curl
from shadowlane.types import Copy

URL = "http://127.0.0.1:9001"


def copy_of(body: bytes = b"", target: str = "/ask", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Copy:
    return Copy(
        shadow_id="id", req_hash="h", started_ns=1, method="POST", target=target, headers=headers, body=body, status=200
    )


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A curl that says what it was given."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "curl"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, select, sys\n"
        "given = sys.stdin.buffer.read() if '@-' in sys.argv else b''\n"
        "print(json.dumps([[os.fsencode(a).hex() for a in sys.argv[1:]], given.hex()]))\n"
    )
    program.chmod(0o755)
    return folder


def run(fake: Path, command: str, cwd: Path) -> tuple[list[bytes], bytes]:
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        cwd=cwd,
        env={"PATH": f"{fake}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    arguments, given = json.loads(done.stdout)
    return [bytes.fromhex(one) for one in arguments], bytes.fromhex(given)


ATTACKS = [
    b"'; touch owned; echo '",
    b'"$(touch owned)`touch owned`"\\',
    b"@/etc/passwd",
    b"line\nline\r\n",
    b"\x00\xff\x80",
    b"-o owned",
    "\u202eabc\u2066 \u00e4".encode(),
    b"%s%n$1 *?[a] {x,y} ~ !!",
    json.dumps({"q": 'it\'s "here"'}).encode(),
]


@pytest.mark.parametrize("body", ATTACKS)
def test_any_body_arrives_and_nothing_else_runs(body: bytes, fake: Path, tmp_path: Path) -> None:
    check(body, fake, tmp_path)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(min_size=1, max_size=40) | st.text(min_size=1).map(lambda t: t.encode("utf-8", "replace")))
def test_random_bodies(body: bytes, fake: Path, tmp_path: Path) -> None:
    check(body, fake, tmp_path)


def check(body: bytes, fake: Path, cwd: Path) -> None:
    command = as_curl(copy_of(body), URL)
    assert all(c.isprintable() or c == "\n" for c in command), "what is shown is what is copied"
    arguments, given_body = run(fake, command, cwd)
    if b"--data-raw" in arguments:
        sent = arguments[arguments.index(b"--data-raw") + 1]
    else:
        assert arguments[arguments.index(b"--data-binary") + 1] == b"@-"
        sent = given_body
    assert sent == body


def test_targets_and_headers_are_one_argument_each(fake: Path, tmp_path: Path) -> None:
    headers = (
        (b"content-type", b"application/json; x='$(touch owned)'"),
        (b"@file", b"/etc/passwd"),
        (b"x y", b"no name"),
        (b"authorization", b"Bearer secret"),
        (b"cookie", b"a=b"),
        (b"content-length", b"7"),
        (b"x-note", b"\xe4\x1b[2J"),
    )
    arguments, _ = run(fake, as_curl(copy_of(b"{}", "/a?q='$(touch owned)'&r[]=1", headers), URL), tmp_path)
    assert arguments[arguments.index(b"--url") + 1] == b"http://127.0.0.1:9001/a?q='$(touch owned)'&r[]=1"
    sent = [arguments[index + 1] for index, one in enumerate(arguments) if one == b"--header"]
    assert sent[0] == headers[0][0] + b": " + headers[0][1]
    assert [one.partition(b":")[0] for one in sent] == [b"content-type", b"x-note"]
    assert list(tmp_path.iterdir()) == []
