"""A text that makes the core panic, in an extension that was built for it (``make test-faults``)."""

from __future__ import annotations

import pytest

from shadowlane import _core
from shadowlane.errors import ShadowlaneError

__all__ = ["PROBE", "can_panic"]

PROBE = "shadowlane panic probe"


def _panics() -> bool:
    try:
        _core.Sanitizer().text(PROBE)
    except ShadowlaneError:
        return True
    return False


can_panic = pytest.mark.skipif(not _panics(), reason="the extension was built without the feature panic-probe")
