"""The worked example of a fleet, short: real gateways, workers and PostgreSQL, two of them killed, every equation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shadowlane.demo.postgres import NoServerError, server_folder

pytest.importorskip("wordllama")
pytest.importorskip("psycopg")


@pytest.mark.timeout(600)
def test_a_fleet_keeps_its_accounts_through_kills(tmp_path: Path) -> None:
    try:
        server_folder()
    except NoServerError as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "shadowlane.demo.fleet", "--out", str(tmp_path / "out")]
    with (tmp_path / "said").open("w+", encoding="utf-8") as said:
        process = subprocess.Popen([*command, "--seconds", "6", "--qps", "15"], stdout=said, stderr=said)
        code = process.wait(540)
        said.seek(0)
        text = said.read()
    assert code == 0, text
    assert text.count("\nholds ") == 3 * 6 + 2, text
    assert "BROKEN" not in text
    assert text.count("kill -9") == 2, text
    assert "$ shadowlane gate" in text
    assert (tmp_path / "out" / "report.html").is_file()
    assert list(Path("/dev/shm").glob(f"shadowlane-demo-{process.pid}-*")) == [], "lanes"
