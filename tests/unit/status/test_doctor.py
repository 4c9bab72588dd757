"""What doctor says of shared memory and of targets that nobody can miss."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from shadowlane import _core
from shadowlane.config import Config
from shadowlane.status import doctor, machine
from shadowlane.status.check import Check

MIB = 1 << 20


def config(tmp_path: Path, ring: int = 16 * MIB, **sections: Any) -> Config:
    lane = {"directory": str(tmp_path / "lane"), "ring_bytes": ring, "max_body_bytes": ring // 4}
    return Config.from_dict({"shadows": {"a": {"url": "http://127.0.0.1:9"}}, "lane": lane, **sections})


def memory(config: Config, monkeypatch: pytest.MonkeyPatch, free: int) -> Check:
    class Info:
        f_bavail, f_frsize = free // 4096, 4096

    monkeypatch.setattr(os, "statvfs", lambda _: Info)
    return next(check for check in machine.memory_checks(config))


@pytest.mark.parametrize(
    ("free", "ring", "fits"),
    [(64 * MIB, 16 * MIB, 3), (16 * MIB, 16 * MIB, 0), (33 * MIB, 16 * MIB, 1), (256 * MIB, 64 * MIB, 3)],
)
def test_a_ring_is_larger_than_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, ring: int, fits: int
) -> None:
    assert f"room for {fits} more gateway processes" in memory(config(tmp_path, ring), monkeypatch, free).text


def test_as_many_fit_as_doctor_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a real lane's files are what doctor counts with."""
    lanes = [_core.Lane(str(tmp_path / "lane"), ring_bytes=MIB) for _ in range(1)]
    files = {file.name: file.stat() for file in (tmp_path / "lane").iterdir()}
    [ring] = [info for name, info in files.items() if name.startswith("ring-")]
    assert ring.st_size == _core.RING_HEAD_BYTES + MIB
    assert ring.st_blocks * 512 >= ring.st_size
    assert files["control.shm"].st_size == _core.CONTROL_BYTES
    made = sum(-(-info.st_size // 4096) * 4096 for info in files.values())
    with_one_more = memory(config(tmp_path, MIB), monkeypatch, ring.st_size)
    assert "room for 1 more" in with_one_more.text
    without = memory(config(tmp_path / "other", MIB), monkeypatch, made)
    assert "room for 0 more" in without.text  # the lane's small files are not there yet
    for lane in lanes:
        lane.close()


def test_a_limit_of_file_sizes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (MIB, MIB))
    check = memory(config(tmp_path), monkeypatch, 64 * MIB)
    assert check.level == "fail"
    assert "ulimit -f" in check.text


@pytest.mark.parametrize(
    ("gate", "warned"),
    [
        ({"shadow_error_rate": 1}, "gate.shadow_error_rate = 1 is 100 %"),
        ({"mean_delta_s": 1.0}, "gate.mean_delta_s = 1 is 100 %"),
        ({"convergence": 1, "citation_match": 1, "coverage": 1, "retry_success": 1}, ""),
        ({"p95_increase": 1, "token_increase": 1}, ""),
        ({}, ""),
    ],
)
def test_a_target_that_nobody_can_miss_is_said_to_be_one(tmp_path: Path, gate: dict[str, float], warned: str) -> None:
    checks = list(doctor._gate(config(tmp_path, gate=gate)))
    said = [check.text for check in checks if check.level == "warn"]
    assert [warned in text for text in said] == ([True] if warned else [])


def test_what_fails_comes_first_and_json_keeps_the_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shadowlane.toml"
    file.write_text(
        f'[lane]\ndirectory = "{tmp_path}/no/such/lane"\n[shadows.a]\nurl = "http://127.0.0.1:9"\n'
        "[gate]\nfact_flip_rate = 1\n"
    )
    assert doctor.run_doctor(file) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    levels = [line[:4].strip() for line in lines if line[:4].strip()]
    assert levels == sorted(levels, key=["fail", "warn", "ok"].index)
    assert last == f"fail {levels.count('fail')}, warn {levels.count('warn')}, ok {levels.count('ok')}"
    doctor.run_doctor(file, as_json=True)
    names = [check["name"] for check in json.loads(capsys.readouterr().out)["checks"]]
    assert names[:2] == ["configuration", "directory"]
