"""Keeps the memory of the worker from other processes of the same user, and from core files.

Invariant: asked before a ring is mapped, because what was dumped before cannot be taken back. Linux only (``prctl(2)``,
``PR_SET_DUMPABLE``); elsewhere, and where the call is forbidden, the worker runs on and says so once.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys

__all__ = ["forbid_dumps"]

log = logging.getLogger("shadowlane.worker")

_PR_SET_DUMPABLE = 4


def forbid_dumps() -> bool:
    """Make this process one that leaves no core file and that only a privileged process can attach to or read.

    Returns whether the kernel agreed. ``/proc/PID/mem``, ``maps`` and ``environ`` belong to root from then on;
    ``stat`` and ``status`` can be read as before.
    """
    why = "no prctl(2) on this system"
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0:
            return True
        why = os.strerror(ctypes.get_errno())
    log.warning("worker %d: its memory can be dumped by this user: %s", os.getpid(), why)
    return False
