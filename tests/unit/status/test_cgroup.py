"""The memory that a container's limit leaves, read as both versions of control groups write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadowlane.status.cgroup import MemoryLimit, memory_limit

MIB = 1 << 20


def group(folder: Path, version: int, most: str, used: int, inactive: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    limit, usage, name = {
        2: ("memory.max", "memory.current", "inactive_file"),
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    }[version]
    (folder / limit).write_text(f"{most}\n")
    (folder / usage).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{name} {inactive}\nfile_dirty 0\n")


def read(tmp_path: Path, said: str) -> MemoryLimit | None:
    process = tmp_path / "cgroup"
    process.write_text(said)
    return memory_limit(process, tmp_path / "sys")


@pytest.mark.parametrize(
    ("version", "said", "below"), [(2, "0::{}\n", ""), (1, "8:pids:/\n5:cpu,memory:{}\n0::/\n", "memory")]
)
def test_the_group_with_least_room_counts(tmp_path: Path, version: int, said: str, below: str) -> None:
    top = tmp_path / "sys" / below
    group(top / "pod" / "container", version, str(512 * MIB), 300 * MIB, inactive=100 * MIB)
    group(top / "pod", version, str(600 * MIB), 500 * MIB)
    found = read(tmp_path, said.format("/pod/container"))
    assert found == MemoryLimit(600 * MIB, 100 * MIB)
    group(top / "pod", version, {2: "max", 1: str(2**63 - 4096)}[version], 500 * MIB)
    assert read(tmp_path, said.format("/pod/container")) == MemoryLimit(512 * MIB, 312 * MIB)


def test_a_path_of_the_hosts_is_the_group_at_the_top(tmp_path: Path) -> None:
    group(tmp_path / "sys", 2, str(64 * MIB), 70 * MIB)
    assert read(tmp_path, "0::/kubepods/burstable/pod1/c2\n") == MemoryLimit(64 * MIB, 0)


@pytest.mark.parametrize("said", ["", "0::/\n", "5:cpu:/x\n", "nonsense"])
def test_without_a_limit_there_is_none(tmp_path: Path, said: str) -> None:
    assert read(tmp_path, said) is None
    assert memory_limit(tmp_path / "nowhere", tmp_path) is None
