"""What the image and the compose file promise, without a container engine: proxy and worker as user 10001, without any
capability, where nothing can be written but the lane's memory and the database's folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

from tests.e2e.conftest import until
from tests.support.chatserver import Reply, serving
from tests.support.users import ENV, interpreter

from .conftest import DEPLOY

PYTHON = interpreter()
USER = "10001"
MOUNTS = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=128m,uid=10001,gid=10001,mode=0700 lane "$1/lane"
mount --bind "$1/data" "$1/data"
mount -o remount,bind,ro /
if mountpoint -q /dev/shm; then mount -o remount,bind,ro /dev/shm; fi
if mountpoint -q /tmp; then mount -o remount,bind,ro /tmp; fi
echo ready
exec cat
"""


def _may_mount() -> bool:
    if shutil.which("unshare") is None or shutil.which("setpriv") is None or shutil.which("nsenter") is None:
        return False
    return subprocess.run(["unshare", "--mount", "mount", "--make-rprivate", "/"], check=False).returncode == 0


pytestmark = [
    pytest.mark.skipif(
        not PYTHON or not _may_mount(),
        reason="needs root, mount namespaces, and an interpreter that other users may run",
    ),
    pytest.mark.timeout(900),  # many processes start, one after the other
]


class Box:
    """A mount namespace in which all is read-only but two folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        (folder / "lane").mkdir()
        (folder / "data").mkdir(mode=0o700)
        os.chown(folder / "data", int(USER), int(USER))
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", MOUNTS, "sh", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == "ready\n"

    def start(self, log: IO[str], *arguments: str, **env: str) -> subprocess.Popen[str]:
        """As a container runs it."""
        within = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--wdns=/"]
        fence = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]
        fence += ["--bounding-set=-all", "--inh-caps=-all"]
        made = subprocess.Popen(
            [*within, *fence, PYTHON, *arguments],
            env={**ENV, "HOME": str(self.folder / "data"), **env},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        self.started.append(made)
        return made

    def close(self) -> None:
        for one in reversed(self.started):
            if one.poll() is None:
                one.kill()
            one.communicate()
        self.holder.communicate("")


@pytest.fixture
def box() -> Iterator[Box]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shadowlane-box-")))
        folder.chmod(0o755)
        made = Box(folder)
        stack.callback(made.close)
        yield made


def test_proxy_and_worker_need_nothing_else(box: Box) -> None:
    with (
        serving(lambda got: Reply({"answer": "30 euros"})) as prod,
        serving(lambda got: Reply({"answer": "30"})) as new,
    ):
        text = (DEPLOY / "compose" / "shadowlane.toml").read_text(encoding="utf-8")
        for before, after in (
            ('"/lane/', f'"{box.folder}/lane/'),
            ("postgresql://shadowlane@db:5432/shadowlane", f"sqlite:///{box.folder}/data/shadowlane.db"),
            ('credential_env = "DB_PASSWORD"\n', ""),
            ("http://candidate:9001", new.url),
            ("0.0.0.0:9797", "127.0.0.1:0"),
            ("ratio = 0.5", "ratio = 1.0"),
        ):
            assert text.count(before) == 1
            text = text.replace(before, after)
        config = box.folder / "shadowlane.toml"
        config.write_text(text, encoding="utf-8")
        config.chmod(0o644)
        command = ("-m", "shadowlane")
        ours = ("--config", str(config))
        secrets = {"LANE_KEY": "k" * 32, "LANE_TOKEN": "t" * 32}
        with (box.folder / "log").open("w+", encoding="utf-8") as log:

            def logged() -> str:
                return (box.folder / "log").read_text(encoding="utf-8")

            def check() -> int:
                return box.start(log, *command, "status", "--check", *ours).wait(300)

            assert box.start(log, "-c", f"open('{box.folder.parent}/x', 'w')").wait(300) == 1
            assert "Read-only file system" in logged()
            assert check() == 1, "no worker yet"
            listen = ("--upstream", prod.url, "--listen", "127.0.0.1:0", "--json")
            proxy = box.start(log, *command, "proxy", *listen, *ours)  # users need none of the secrets
            assert proxy.stdout is not None
            said = proxy.stdout.readline()
            assert said, logged()
            worker = box.start(log, *command, "worker", *ours, **secrets)
            with httpx.Client(timeout=60, trust_env=False) as client:
                for number in range(3):
                    asked = {"question": f"How high is deposit {number}?"}
                    answer = client.post(f"http://{json.loads(said)['listen']}/ask", json=asked)
                    assert answer.json() == {"answer": "30 euros"}

            def stored() -> bool:
                assert worker.poll() is None, logged()
                return len(new.requests) == 3

            until(stored, "three copies are sent", 300.0)
            until(lambda: check() == 0, "the check says that the worker is at work", 300.0)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(300) == 0, logged()
            assert check() == 1
            proxy.send_signal(signal.SIGTERM)
            assert proxy.wait(300) == 0, logged()
    assert (box.folder / "data" / "shadowlane.db").stat().st_uid == int(USER)
