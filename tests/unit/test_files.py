"""The one writer of private files: mode, links, kills and failures in the middle."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shadowlane.files import append_private, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_private(tmp_path / "a", b"one")
        os.close(append_private(tmp_path / "b"))
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == mode(tmp_path / "b") == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_an_open_file_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old and longer")
    path.chmod(0o644)
    with path.open("rb") as reader:
        write_private(path, b"new", durable=True)
        assert reader.read() == b"old and longer"
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)


def test_a_link_is_never_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"somebody else's")
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(target)
    write_private(tmp_path / "a", b"ours")
    with pytest.raises(OSError, match=re.escape(os.strerror(errno.ELOOP))):
        append_private(tmp_path / "b")
    assert target.read_bytes() == b"somebody else's"
    assert not (tmp_path / "a").is_symlink()


def test_a_failure_keeps_the_old_content_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_private(path, b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "full").touch()
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path / "folder", b"new")  # a folder cannot be replaced by a file
    with pytest.raises(FileNotFoundError):
        write_private(tmp_path / "nowhere" / "a", b"new")
    with pytest.raises(TypeError):
        write_private(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert {left.name for left in tmp_path.iterdir()} == {"a", "folder"}


_WRITER = """
import sys
from pathlib import Path
from shadowlane.files import write_private
for number in range(10**9):
    write_private(Path(sys.argv[1]), b"%d" % (number % 10) * 500_000)
    print(flush=True)
"""


def test_a_killed_writer_leaves_a_whole_file_and_its_draft_goes_in_time(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
            data = path.read_bytes()
            assert len(data) == 500_000
            assert len(set(data)) == 1
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    young, old = tmp_path / ".a.0123.draft", tmp_path / ".a.4567.draft"
    young.touch()
    old.touch()
    hours_ago = time.time() - 2 * 3600
    os.utime(old, (hours_ago, hours_ago))
    write_private(path, b"after")
    assert young.exists()
    assert not old.exists()


def test_appending_appends(tmp_path: Path) -> None:
    for word in (b"one ", b"two"):
        handle = append_private(tmp_path / "log")
        os.write(handle, word)
        os.close(handle)
    assert (tmp_path / "log").read_bytes() == b"one two"
