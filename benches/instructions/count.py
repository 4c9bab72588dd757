"""Counting with callgrind: one build, one run, one part of the dump for each call.

Invariant: a case's count is the middle one of its calls, so that the first call, which makes what is made once, and one
in which the drain looked at its directory, weigh nothing.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Counted", "NotCounted", "NotInstalled", "binary", "counted", "find_valgrind", "read_calls"]

ROOT = Path(__file__).resolve().parents[2]
_FUNCTION = "*::counted_call"
"""What callgrind counts: see ``rust/instructions/src/main.rs``."""
_TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)


class NotCounted(Exception):
    """A tool is missing, or said nothing that can be read: the message says what and the remedy."""


class NotInstalled(NotCounted):
    """There is nothing to count with here."""


class Counted(NamedTuple):
    """What one run counted, and what else decides about such counts."""

    key: dict[str, str]
    """``cpu`` (features that the program saw), ``rustc``, ``libc``, ``valgrind``."""
    counts: dict[str, int]
    """Case and instructions."""


def find_valgrind() -> str:
    """Where it is. Raises NotInstalled when it is nowhere."""
    found = shutil.which("valgrind")
    if found is None:
        raise NotInstalled("valgrind is not installed: apt-get install valgrind")
    return found


def binary() -> Path:
    """Build the program that is counted, in the release profile. Raises NotCounted when that fails."""
    command = ["cargo", "build", "--release", "--quiet", "-p", "shadowlane-instructions"]
    try:
        done = subprocess.run(command, cwd=ROOT, check=False)
    except OSError as error:
        raise NotCounted(f"cargo cannot be run: {error.strerror}") from None
    if done.returncode:
        raise NotCounted("shadowlane-instructions does not compile: see above")
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "shadowlane-instructions"


def counted(program: Path) -> Counted:
    """Run the program under callgrind. Raises NotInstalled without valgrind, NotCounted when
    the run failed."""
    valgrind = find_valgrind()
    with tempfile.TemporaryDirectory(prefix="shadowlane-instructions-") as folder:
        out = Path(folder) / "dump"
        run = subprocess.run(
            [
                valgrind,
                "--tool=callgrind",
                f"--toggle-collect={_FUNCTION}",
                f"--dump-after={_FUNCTION}",
                f"--callgrind-out-file={out}",
                str(program),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise NotCounted(f"the counted program failed: {run.stderr.strip()[-500:]}")
        first, *cases = run.stdout.splitlines()
        parts = [out.with_name(f"dump.{number}") for number in range(1, len(cases) + 1)]
        counts = read_calls(cases, [part.read_text() if part.exists() else "" for part in parts])
    key = {
        "cpu": first.removeprefix("cpu "),
        "rustc": _version("rustc"),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": _version(valgrind),
    }
    return Counted(key, counts)


def read_calls(cases: Sequence[str], parts: Sequence[str]) -> dict[str, int]:
    """The middle count of each case's calls, from the names in their order and the dump's parts in theirs.

    Raises NotCounted when a part has no total, or nothing was counted.
    """
    calls: dict[str, list[int]] = {}
    for number, (case, part) in enumerate(zip(cases, parts, strict=True), 1):
        total = _TOTALS.search(part)
        if total is None or not int(total[1]):
            raise NotCounted(f"part {number} of the dump ({case}) has no total: was {_FUNCTION} renamed or inlined?")
        calls.setdefault(case, []).append(int(total[1]))
    if not calls:
        raise NotCounted("the counted program named no case")
    return {case: statistics.median_low(values) for case, values in calls.items()}


def _version(command: str) -> str:
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+(?:\.\d+)?", said)
    return found[0] if found else said.strip()
