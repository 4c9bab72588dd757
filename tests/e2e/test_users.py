"""Gateway and worker as different users of one machine, as containers of one pod may have them: refused with a remedy;
as one user, whatever their groups: at work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.errors import LaneError
from tests.support.users import ENV, interpreter

from .conftest import until

GATEWAY, OTHER = 61001, 61002
GROUP, OTHER_GROUP = 61000, 61003
SERVE = """
import sys
from shadowlane import Lane
lane = Lane.open(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    ticket = lane.admit("GET", "/x", [])
    assert lane.offer(ticket, "/x", [], b"", 200, [(b"content-type", b"text/plain")], b"answer", 1000, 0)
    print("done", flush=True)
"""
PYTHON = interpreter()
pytestmark = [
    pytest.mark.skipif(not PYTHON, reason="needs root, and an interpreter that other users may run"),
    pytest.mark.timeout(900),  # many processes start, one after the other
]


class Place:
    """A lane's folder that everybody may enter, and its configuration."""

    def __init__(self, folder: Path, memory: Path) -> None:
        self.lane = memory / "lane"
        self.config = folder / "lane.toml"
        store = folder / "store"
        store.mkdir()
        os.chown(store, GATEWAY, GROUP)
        self.config.write_text(
            f'[lane]\ndirectory = "{self.lane}"\nworker = "external"\nring_bytes = 1048576\nmax_body_bytes = 65536\n'
            f'[store]\nurl = "sqlite:///{store}/pairs.db"\n[routes]\nread = ["GET /x"]\n[sampling]\nratio = 1.0\n'
            '[score]\nembedder = "lexical"\n[shadows.candidate]\nurl = "http://127.0.0.1:9"\n'
        )
        self.config.chmod(0o644)
        self.started: list[subprocess.Popen[str]] = []

    def start(self, user: int, group: int, *arguments: str) -> subprocess.Popen[str]:
        made = subprocess.Popen(
            [PYTHON, *arguments], user=user, group=group, extra_groups=[], umask=0, env=ENV, cwd="/", text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(made)
        return made

    def gateway(self) -> subprocess.Popen[str]:
        made = self.start(GATEWAY, GROUP, "-c", SERVE, str(self.config))
        assert made.stdout is not None
        assert made.stdout.readline() == "ready\n", made.communicate()[1]
        return made

    def command(self, user: int, group: int, *arguments: str) -> tuple[int, str, str]:
        made = self.start(user, group, "-m", "shadowlane", *arguments, "--config", str(self.config))
        out, err = made.communicate(timeout=300)
        return made.returncode, out, err

    def close(self) -> None:
        for one in self.started:
            if one.poll() is None:
                one.kill()
            one.communicate()


@pytest.fixture
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="shadowlane-users-"))
    memory = Path(tempfile.mkdtemp(prefix="shadowlane-users-", dir="/dev/shm"))
    folder.chmod(0o755)
    memory.chmod(0o1777)
    made = Place(folder, memory)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)
        shutil.rmtree(memory)


def test_a_worker_of_another_user_is_refused_with_the_remedy(place: Place) -> None:
    gateway = place.gateway()
    assert place.lane.stat().st_mode & 0o777 == 0o700
    for command in (["worker"], ["status"], ["gate"], ["report"], ["off"]):
        code, _, err = place.command(OTHER, GROUP, *command)
        assert code == 3, (command, err)
        said = " ".join(err.split())
        assert f"belongs to user {GATEWAY} and this process runs as {OTHER}" in said, (command, err)
        assert "the same runAsUser" in said
        assert "Traceback" not in err
    code, out, err = place.command(OTHER, GROUP, "doctor", "--json")
    assert (code, err) == (1, "")
    checks = {check["name"]: check for check in json.loads(out)["checks"]}
    assert checks["directory"]["level"] == checks["lane"]["level"] == checks["store"]["level"] == "fail"
    assert "whatever their groups" in checks["directory"]["remedy"]
    assert gateway.poll() is None


def test_one_user_in_two_groups_is_enough(place: Place) -> None:
    gateway = place.gateway()
    worker = place.start(GATEWAY, OTHER_GROUP, "-m", "shadowlane", "worker", "--config", str(place.config))
    assert gateway.stdin is not None
    assert gateway.stdout is not None
    for _ in range(3):
        gateway.stdin.write("\n")
        gateway.stdin.flush()
        assert gateway.stdout.readline() == "done\n"

    def stored() -> bool:
        assert worker.poll() is None, worker.communicate()[1]
        status = _status(place)
        return status is not None and status["acked"] == 3

    until(stored, "three copies are stored", 300.0)
    code, out, err = place.command(GATEWAY, OTHER_GROUP, "status", "--json")
    assert code == 0, err
    assert json.loads(out)["shadows"]["candidate"]["failed"] == {"connect_error": 3}


def _status(place: Place) -> dict[str, Any] | None:
    """As the user whose lane it is: the reader checks that."""
    code, out, _ = place.command(GATEWAY, GROUP, "status", "--json")
    status: dict[str, Any] = json.loads(out) if code == 0 else {}
    return status or None


def test_the_core_refuses_root_as_well(place: Place) -> None:
    """Root may read everything, and would leave files that the gateway's user cannot open."""
    place.gateway()
    with pytest.raises(LaneError, match=f"belongs to user {GATEWAY} and this process runs as 0"):
        _core.lane_status(str(place.lane))
