from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.captured import Captured, captured


@pytest.fixture
def into() -> Iterator[Captured]:
    """A lane that takes everything."""
    with captured() as made:
        yield made


@pytest.fixture
def half() -> Iterator[Captured]:
    """A lane that takes every other request and times the rest."""
    with captured(sampling={"ratio": 0.5, "seed": 1}) as made:
        yield made
