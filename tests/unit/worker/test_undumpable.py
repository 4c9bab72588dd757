"""The worker's memory: no core file, and nobody of the same user reads it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")

_SCRIPT = """
import ctypes
from shadowlane.worker.undumpable import forbid_dumps
get = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
before = get()
print(before, forbid_dumps(), get())
"""


def test_a_process_that_asked_is_not_dumpable() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    before, agreed, after = done.stdout.split()
    assert (agreed, after) == ("True", "0")
    assert before != after
