"""What holds for all tests."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more of the machine than of the code. Where proptest's cases are fixed, so are these:
# a push is judged by the same cases as the one before, and the nightly run looks for new ones.
settings.register_profile("shadowlane", deadline=None, derandomize="PROPTEST_RNG_SEED" in os.environ)
settings.load_profile("shadowlane")

# A shell starts what it runs in the background with SIGINT ignored, and whatever a test starts inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said is tested apart from where its lines are cut (``tests/unit/render/test_wrap.py``)."""
    monkeypatch.setenv("COLUMNS", "4000")


PROCESSES = {Path(__file__).parent / "e2e", Path(__file__).parent / "examples"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever starts real processes is ``e2e``, without a word in each file."""
    for item in items:
        if not PROCESSES.isdisjoint(item.path.parents):
            item.add_marker(pytest.mark.e2e)
