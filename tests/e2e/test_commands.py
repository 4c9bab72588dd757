"""The command line as a user meets it: clear messages, the right exit codes, nothing lost when the disk is full."""

from __future__ import annotations

import json
import os
import resource
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from .conftest import ROOT, Process, World, until

NOWHERE = "http://127.0.0.1:9"


def test_a_lane_without_data_is_said_not_an_error(world: World) -> None:
    world.configure(NOWHERE)
    for command, said in (("status", "never started"), ("report", "no pairs stored yet")):
        done = world.cli(command)
        assert (done.returncode, done.stderr) == (0, "")
        assert said in done.stdout
    page = world.folder / "report.html"
    done = world.cli("report", "--json", "--html", str(page))
    assert done.returncode == 0
    assert json.loads(done.stdout)["pairs"] == 0
    assert "<html" in page.read_text()
    done = world.cli("gate")
    assert done.returncode == 1
    assert "HOLD" in done.stdout


@pytest.mark.parametrize("command", ["on", "off"])
def test_the_switch_of_a_lane_that_never_started_names_the_remedy(world: World, command: str) -> None:
    world.configure(NOWHERE)
    done = world.cli(command)
    assert done.returncode == 3
    assert "never started" in done.stderr
    assert "start its gateway first" in done.stderr


@pytest.mark.parametrize(
    ("sections", "field", "remedy"),
    [
        ({"lane": {"nmae": "x"}}, "lane.nmae", "unknown field"),
        ({"limits": {"qps": "5"}}, "limits.qps = '5'", "expected `float`"),
        ({"limits": {"qps": -1.0}}, "limits.qps = -1.0", "more than 0"),
        ({"sampling": {"ratio": 1.5}}, "sampling.ratio = 1.5", "at most 1"),
        ({"score": {"embedder": "word2vec"}}, "score.embedder = 'word2vec'", "wordllama"),
        ({"shadows__candidate": {"url": "ftp://x"}}, "shadows.candidate.url = 'ftp://x'", "http"),
        ({"store": {"url": "mysql://x"}}, "store.url = 'mysql://x'", "sqlite:///"),
        ({"routes": {"presets": ["openia"]}}, "openia", "openai"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_the_remedy(
    world: World, sections: dict[str, dict[str, object]], field: str, remedy: str
) -> None:
    world.configure(NOWHERE, **sections)  # type: ignore[arg-type]
    for command in ("status", "worker", "report"):
        done = world.cli(command)
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith("shadowlane: ")
        assert field in line
        assert remedy in line


def test_wrong_use_is_2_and_a_missing_file_is_named(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "shadowlane", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
        )

    assert run("nonsense").returncode == 2
    done = run("status", "--config", "missing.toml")
    assert done.returncode == 2
    assert "missing.toml: no such file" in done.stderr


@pytest.mark.parametrize(
    ("package", "extra", "sections"),
    [
        ("aiohttp", "worker", {"shadows__candidate": {"transport": "aiohttp"}}),
        ("wordllama", "semantic", {"score": {"embedder": "wordllama"}}),
    ],
)
def test_a_missing_extra_says_what_to_install(
    world: World, package: str, extra: str, sections: dict[str, dict[str, object]]
) -> None:
    """The package is made unimportable, as it is where the extra is not installed."""
    world.configure(NOWHERE, **sections)  # type: ignore[arg-type]
    world.lane.mkdir(mode=0o700)
    code = f"import sys; sys.modules[{package!r}] = None; from shadowlane.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "worker", "--config", str(world.config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
    )
    assert done.returncode == 2, done.stderr
    assert f"pip install 'shadowlane[{extra}]'" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_what_kept_the_worker_from_starting_is_shown_by_status_and_doctor(world: World) -> None:
    world.configure(NOWHERE, shadows__candidate={"credential_env": "SHADOWLANE_TEST_UNSET_KEY"})
    world.lane.mkdir(mode=0o700)
    done = world.cli("worker")
    assert done.returncode == 2
    assert "SHADOWLANE_TEST_UNSET_KEY" in done.stderr
    assert "SHADOWLANE_TEST_UNSET_KEY" in world.cli("status").stdout
    doctor = world.cli("doctor")
    assert doctor.returncode == 1
    assert "SHADOWLANE_TEST_UNSET_KEY" in doctor.stdout


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lane: lane.chmod(0o755), "chmod 700"),
        (lambda lane: (lane.rename(f"{lane}-real"), lane.symlink_to(f"{lane}-real")), "symbolic link"),
        (lambda lane: (lane.rmdir(), lane.write_text("")), "directory"),
    ],
)
def test_an_unsafe_directory_is_refused_by_gateway_and_worker(world: World, spoil, said: str) -> None:  # type: ignore[no-untyped-def]
    from shadowlane import Lane, LaneError

    world.configure(NOWHERE)
    world.lane.mkdir(mode=0o700)
    spoil(world.lane)
    try:
        with pytest.raises(LaneError, match=said):
            Lane.open(world.config)
        done = world.cli("worker")
        assert done.returncode == 3
        assert said in done.stderr
    finally:
        real = Path(f"{world.lane}-real")
        if real.exists():
            world.lane.unlink()
            real.rmdir()
        elif world.lane.is_file():
            world.lane.unlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into a read-only directory")
def test_a_read_only_store_directory_is_said(world: World) -> None:
    closed = world.folder / "closed"
    closed.mkdir(mode=0o500)
    world.configure(NOWHERE, store={"url": f"sqlite:///{closed}/pairs.db"})
    done = world.cli("worker")
    assert done.returncode == 3
    assert "closed" in done.stderr


def test_a_store_that_cannot_be_made_is_said(world: World) -> None:
    world.configure(NOWHERE, store={"url": "sqlite:////proc/pairs.db"})
    world.lane.mkdir(mode=0o700)
    done = world.cli("worker")
    assert done.returncode == 3
    assert "/proc/pairs.db" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_that_cannot_be_written_is_said(world: World) -> None:
    world.configure(NOWHERE)
    done = world.cli("report", "--html", "/proc/report.html")
    assert done.returncode == 3
    assert "/proc/report.html" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_loses_nothing(world: World, client: httpx.Client) -> None:
    """The worker's files may not grow (RLIMIT_FSIZE, as a quota does); when they may again, every pair is stored."""
    world.configure(world.shadow(), lane={"worker": "external"})
    url = world.gateway()
    worker = Process([sys.executable, "-m", "shadowlane", "worker", "--config", str(world.config)], world.folder / "w")
    world.processes.append(worker)
    client.get(url + "/first")
    until(lambda: world.status()["shadows"]["candidate"]["answered"] == 1, "the first pair to be stored")
    size = max(file.stat().st_size for file in world.folder.glob("pairs.db*"))
    limit = resource.prlimit(worker.popen.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.popen.pid, resource.RLIMIT_FSIZE, (size + 16384, limit[1]))
    for _ in range(60):
        noise = secrets.token_hex(8000)
        assert client.post(url + "/ask", json={"q": noise}).status_code == 200
    until(lambda: "cannot store, will try again" in worker.log.read_text(), "the store to refuse")
    assert world.status()["shadows"]["candidate"]["in_flight"] > 0
    resource.prlimit(worker.popen.pid, resource.RLIMIT_FSIZE, limit)
    status = world.settle(61)
    assert status["shadows"]["candidate"]["answered"] == 61
    assert "storing works again" in worker.log.read_text()


def test_what_the_lane_leaves_is_its_owners_alone(world: World, client: httpx.Client) -> None:
    world.configure(world.shadow())
    assert client.get(world.gateway() + "/page").status_code == 200
    world.settle(1)
    assert stat.S_IMODE(world.lane.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in world.lane.iterdir()}
    assert modes
    assert set(modes.values()) == {0o600}, modes
    for file in world.folder.glob("pairs.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_doctor_says_what_is_well(world: World) -> None:
    world.configure(world.shadow())
    done = world.cli("doctor")
    assert done.returncode == 0, done.stdout
    assert "fail" not in done.stdout
    # All is mirrored here, so there is no trial.
    assert (
        "it knows mirroring's own cost by the lane's calls alone; a trial cannot be judged: every eligible"
        in done.stdout
    )
    checks = json.loads(world.cli("doctor", "--json").stdout)
    assert {check["level"] for check in checks["checks"]} <= {"ok", "warn"}
