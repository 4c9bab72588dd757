"""What holds for all tests."""

from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("shadowlane", deadline=None)
settings.load_profile("shadowlane")

E2E = Path(__file__).parent / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever starts real processes is ``e2e``, without a word in each file."""
    for item in items:
        if E2E in item.path.parents:
            item.add_marker(pytest.mark.e2e)
