"""The state file of a run: what was asked and answered so far, so that a run that was killed goes on.

Invariants: an answer is in the file, whole, before it counts; a line that a kill cut off is left out and asked again;
a file of another gold file or of other requests is refused; one run at a time has the file. It holds answers:
mode 0600.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Literal

import msgspec

from ..errors import ConfigError, DataError, ShadowlaneError
from ..types import Citation

__all__ = ["Arm", "Run", "RunState", "Wordings"]

Arm = Literal["prod", "shadow"]

_FORMAT = 1


class Run(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """One question in one wording with one seed, at one service, and what came back."""

    item: str
    wording: int
    seed: int
    arm: Arm
    reason: str = ""
    """Why there is no answer: a reason of the transport; empty when there is one, with whatever status."""
    detail: str = ""
    status: int = 0
    text: str = ""
    citations: tuple[Citation, ...] = ()
    collapsed: bool = False
    """Empty, refused, cut off or an error."""
    why: str = ""
    """Why it collapsed."""
    seconds: float = 0.0
    model_rev: str = ""
    index_hash: str = ""

    @property
    def key(self) -> tuple[str, int, int, Arm]:
        return self.item, self.wording, self.seed, self.arm


class Wordings(msgspec.Struct, frozen=True, kw_only=True, tag="wordings"):
    """The wordings of an item that were asked for at an endpoint: a run that goes on must use the same."""

    item: str
    texts: tuple[str, ...]


class _Header(msgspec.Struct, frozen=True, tag="head"):
    format: int
    fingerprint: str


_DECODER = msgspec.json.Decoder(_Header | Run | Wordings)


class RunState:
    """The file, open and locked. ``fingerprint`` names the gold file and the requests.

    Raises :class:`~shadowlane.errors.DataError` when the file belongs to another probe, and
    :class:`~shadowlane.errors.ConfigError` when it cannot be opened or another run has it.
    """

    def __init__(self, path: Path, fingerprint: str, *, fresh: bool = False) -> None:
        self.path = path
        self.runs: dict[tuple[str, int, int, Arm], Run] = {}
        self.wordings: dict[str, tuple[str, ...]] = {}
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"--state = {str(path)!r}: cannot be opened: {error.strerror}; name a file in a folder of yours"
            ) from None
        try:
            self._lock()
            self._read(fingerprint, fresh)
        except BaseException:
            os.close(self._file)
            raise

    def add(self, record: Run | Wordings) -> None:
        """Keep a record. Raises :class:`~shadowlane.errors.ShadowlaneError` when the disk takes it not."""
        self._write(record)
        self._remember(record)

    def close(self, *, done: bool) -> None:
        """Let the file go; a run that is ``done`` needs it no longer."""
        if done:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
        os.close(self._file)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"--state = {str(self.path)!r}: another probe is using it; wait for it, or name another file"
            ) from None

    def _read(self, fingerprint: str, fresh: bool) -> None:
        with os.fdopen(os.dup(self._file), "rb") as file:
            lines = file.read().splitlines(keepends=True)
        if fresh and lines and self._head(lines[0]):
            lines = []  # only a probe's own file is ever emptied
        whole = 0
        header: _Header | None = None
        for line in lines:
            if not line.endswith(b"\n"):
                break  # cut by a kill
            try:
                record = _DECODER.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise DataError(
                    f"{self.path}: not the state of a probe ({error}); name another file with --state, or start over "
                    "with --fresh"
                ) from None
            if isinstance(record, _Header):
                header = record
            else:
                self._remember(record)
            whole += len(line)
        if header is None and whole:
            raise DataError(f"{self.path}: not the state of a probe; name another file with --state")
        if header is not None and (header.format, header.fingerprint) != (_FORMAT, fingerprint):
            raise DataError(
                f"{self.path}: was begun with another gold file, other services or other requests; start over with "
                "--fresh, or name another file with --state"
            )
        os.ftruncate(self._file, whole)
        os.lseek(self._file, 0, os.SEEK_END)
        if header is None:
            self._write(_Header(_FORMAT, fingerprint))

    @staticmethod
    def _head(line: bytes) -> bool:
        try:
            return isinstance(_DECODER.decode(line), _Header)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False

    def _remember(self, record: Run | Wordings) -> None:
        if isinstance(record, Wordings):
            self.wordings[record.item] = record.texts
        elif record.reason:
            self.runs.pop(record.key, None)  # no answer: a run that goes on asks again
        else:
            self.runs[record.key] = record

    def _write(self, record: _Header | Run | Wordings) -> None:
        line = msgspec.json.encode(record) + b"\n"
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            raise ShadowlaneError(f"{self.path}: cannot be written: {error.strerror}; free space, run again") from None
