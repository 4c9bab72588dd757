"""Files of this user alone: mode 0600 whatever the umask, never reached through a symbolic link.

Invariant: :func:`write_private` replaces a file at once. Who reads it, at any moment and after any kill, reads all of
the old content or all of the new one.
"""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["append_private", "is_file", "is_folder", "may_exist", "private_file", "write_private"]

_DRAFT = ".draft"
_STALE_S = 3600.0


def may_exist(path: Path) -> bool:
    """Whether something is there, or nobody can tell: a folder on the way is another user's. Who opens it then is told
    why. (``Path.exists`` raises in that case, or says no, by Python's version.)"""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return True


def is_file(path: Path) -> bool:
    """Whether a regular file is there, for this user."""
    return _has_mode(path, stat.S_ISREG)


def is_folder(path: Path) -> bool:
    """Whether a folder is there, for this user."""
    return _has_mode(path, stat.S_ISDIR)


def _has_mode(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def write_private(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put ``data`` into ``path``, in place of what was there. The folder must exist.

    ``durable``: on the disk before the old content goes, for what must outlive a power cut. A symbolic link at ``path``
    is replaced, not followed. Raises :class:`OSError` when that cannot be done; then the old content stays.
    """
    with private_file(path, durable=durable) as file:
        file.write(data)


@contextlib.contextmanager
def private_file(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """The same for what is made piece by piece: a file that takes ``path``'s name when all went well."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}{_DRAFT}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)  # the umask may have taken more
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    _remove_stale_drafts(path)


def _remove_stale_drafts(path: Path) -> None:
    """What a killed writer of this file left behind. Nobody writes to one for an hour: a younger draft may be alive."""
    with contextlib.suppress(OSError):
        for draft in path.parent.glob(f".{glob.escape(path.name)}.*{_DRAFT}"):
            if time.time() - draft.stat(follow_symlinks=False).st_mtime > _STALE_S:
                draft.unlink()


def append_private(path: str | os.PathLike[str]) -> int:
    """A descriptor that appends to ``path``, which is made when it is not there. The caller closes it.

    Raises :class:`OSError`, for a symbolic link too.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):  # somebody else's file that we may write: its mode is theirs
        os.fchmod(handle, 0o600)
    return handle
