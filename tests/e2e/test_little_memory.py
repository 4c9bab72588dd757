"""Shared memory that is full or small, and limits of the process: only mirroring is off, said once, and shown."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .conftest import Process, World, until

RING = 4 * 1024 * 1024


@pytest.fixture
def small(world: World) -> Iterator[World]:
    """The lane in a file system of its own, as a container's /dev/shm is."""
    mount = Path("/dev/shm") / f"shadowlane-mount-{secrets.token_hex(6)}"
    mount.mkdir()
    world.lane = mount / "lane"
    try:
        yield world
    finally:
        world.close()
        subprocess.run(["umount", "--lazy", str(mount)], check=False, capture_output=True)
        mount.rmdir()


def mount(world: World, size: str) -> None:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", str(world.lane.parent)],
        check=False,
        capture_output=True,
    )
    if done.returncode:
        pytest.skip("this user may not mount")


def gateway(world: World, limits: str = "true") -> str:
    port = world.ports.reserve()
    serve = f'{limits} && exec "$@"'
    arguments = [sys.executable, "-m", "uvicorn", "tests.support.gateway:mirrored", "--port", str(port)]
    process = Process(
        ["sh", "-c", serve, "sh", *arguments, "--log-level", "warning"],
        world.folder / "gateway.log",
        {"SHADOWLANE_CONFIG": str(world.config)},
    )
    world.processes.append(process)
    process.listening(port)
    return f"http://127.0.0.1:{port}"


def served(world: World, client: httpx.Client, url: str) -> str:
    """The gateway's log, when it has answered twenty users."""
    for number in range(20):
        answer = client.post(f"{url}/ask", json={"question": f"how {number}?"})
        assert answer.status_code == 200
    log = (world.folder / "gateway.log").read_text()
    assert log.lower().count("mirroring is off") == 1, log
    return log


@pytest.mark.parametrize(("size", "shown"), [("64k", "control.shm"), ("3m", "ring-1.shm")])
def test_a_small_file_system(small: World, client: httpx.Client, size: str, shown: str) -> None:
    mount(small, size)
    small.configure(small.shadow())
    assert shown in served(small, client, gateway(small))
    assert shown in small.cli("status").stdout
    doctor = small.cli("doctor")
    assert doctor.returncode == 1
    assert "room for 0 more" in doctor.stdout
    # When there is room, a gateway that starts mirrors, and what was is over.
    subprocess.run(["mount", "-o", "remount,size=64m", str(small.lane.parent)], check=True)
    url = gateway(small)
    seen = small.lane_status()["seen"]
    client.post(f"{url}/ask", json={"question": "and now?"})
    until(lambda: small.status()["shadows"]["candidate"]["answered"] == 1, "the copy is stored")
    status = small.status()
    assert status["gateway_error"] == ""
    assert status["seen"] == seen + 1
    assert status["accounting"]["holds"]


@pytest.mark.parametrize(
    ("blocks", "shown"), [(100, "control.shm"), (RING // 512 - 1, "ring-1.shm")], ids=["control file", "ring"]
)
def test_a_limit_of_the_size_of_files(world: World, client: httpx.Client, blocks: int, shown: str) -> None:
    world.configure(world.shadow())
    log = served(world, client, gateway(world, f"ulimit -f {blocks}"))
    assert shown in log
    assert shown in world.cli("status").stdout
    assert shown in world.cli("doctor").stdout


OPEN = """
import os, resource, sys
from shadowlane.asgi import ShadowMiddleware
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
spare = int(sys.argv[2])
taken = os.dup(0)
os.close(taken)
resource.setrlimit(resource.RLIMIT_NOFILE, (taken + spare, hard))
made = ShadowMiddleware(None, config=sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
off = made.error or (made.lane.ring_error if made.lane else "")
print(off or "on")
if made.lane: made.lane.close()
"""


@pytest.mark.parametrize("spare", [1, 2, 3, 4, 6])
def test_a_limit_of_descriptors(world: World, spare: int) -> None:
    """However many are left: mirroring is on, or off with its reason; nothing is raised."""
    world.configure("http://127.0.0.1:9", lane={"worker": "external"})
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(world.config), str(spare)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stderr
    if done.stdout.strip() == "on":
        assert done.stderr == ""
        assert world.status()["gateway_error"] == ""
    else:
        assert "Too many open files" in done.stdout or "os error 24" in done.stdout, done.stdout
        assert done.stderr.lower().count("mirroring is off") == 1, done.stderr
