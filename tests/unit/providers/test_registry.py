"""What all providers together know: no two claim one thing, and each one's part is used."""

from __future__ import annotations

from collections import Counter

import pytest

from shadowlane.providers.reading.draft import Draft
from shadowlane.providers.registry import PROVIDERS, SHAPES, USAGE
from tests.support.answers import WHOLE
from tests.support.applications import APPLICATIONS


def test_names_and_shapes_are_there_once() -> None:
    assert len({provider.name for provider in PROVIDERS}) == len(PROVIDERS)
    assert max(Counter(SHAPES).values()) == 1


@pytest.mark.parametrize("kind", ["input", "output", "total"])
def test_every_provider_counts_in_its_own_names(kind: str) -> None:
    for provider in PROVIDERS:
        for name in getattr(provider.usage, kind):
            draft = Draft(USAGE)
            draft.count_tokens({name: 7})
            assert draft.usage == {f"{kind}_tokens": 7}, (provider.name, name)


def test_every_shape_reads_one_of_the_answers() -> None:
    bodies = [part for _, body, _ in [*WHOLE, *APPLICATIONS] for part in (body if isinstance(body, list) else [body])]
    bodies = [body for body in bodies if isinstance(body, dict)]
    unread = [
        shape.read.__module__
        for shape in SHAPES
        if not any(next((one for one in SHAPES if one.matches(body)), None) is shape for body in bodies)
    ]
    assert unread == []
