"""The worker process: what it leaves behind when it ends by something that is no ``Exception``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shadowlane.worker.state import last_error

CONFIG = """
[lane]
directory = "{folder}/lane"
[store]
url = "sqlite:///{folder}/pairs.db"
[score]
embedder = "lexical"
groups = false
[sanitize]
detector = "fragile:made"
[shadows.s]
url = "http://127.0.0.1:9"
"""
MODULE = """
class Panic(BaseException):
    pass
def made():
    raise {raised}
"""


@pytest.mark.e2e  # a real worker runs at idle priority: beside tests on every core it would starve
@pytest.mark.parametrize(
    ("raised", "says"),
    [
        ("Panic('index out of bounds')", "Panic: index out of bounds"),
        ("SystemExit(7)", "SystemExit: 7"),
        ("RuntimeError('no model')", "sanitize.detector = 'fragile:made': RuntimeError: no model"),
    ],
)
def test_whatever_ends_a_worker_is_left_for_status(tmp_path: Path, raised: str, says: str) -> None:
    (tmp_path / "fragile.py").write_text(MODULE.format(raised=raised))
    (tmp_path / "shadowlane.toml").write_text(CONFIG.format(folder=tmp_path))
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    command = [sys.executable, "-m", "shadowlane", "worker", "--config", str(tmp_path / "shadowlane.toml")]
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, timeout=60, check=False
    )
    assert ended.returncode != 0
    assert last_error(tmp_path / "lane").startswith(says)
    assert (tmp_path / "lane" / "worker.error").stat().st_mode & 0o777 == 0o600
