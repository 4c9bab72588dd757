"""Full jitter: bounds, growth, and what is tried again at all."""

from __future__ import annotations

import pytest

from shadowlane.limits import Retry
from shadowlane.types import Outcome

BROKEN = Outcome(shadow="s", reason="connect_error")


def test_the_wait_is_a_share_of_a_bound_that_doubles_up_to_its_most() -> None:
    draws = iter([0.0, 0.5, 0.999, 0.5, 0.5])
    retry = Retry(6, base_s=0.2, max_s=1.0, draw=lambda: next(draws))
    waits = [retry.wait_s(BROKEN, tries) for tries in range(1, 6)]
    assert waits == pytest.approx([0.0, 0.2, 0.999 * 0.8, 0.5, 0.5])
    assert retry.wait_s(BROKEN, 6) is None


def test_retries_are_off_by_default() -> None:
    assert Retry().wait_s(BROKEN, 1) is None


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        (Outcome(shadow="s", reason="connect_error"), True),
        (Outcome(shadow="s", reason="transport_error"), True),
        (Outcome(shadow="s", reason="deadline"), False),
        (Outcome(shadow="s", reason="response_too_large", status=200), False),
        (Outcome(shadow="s", reason="budget"), False),
        (Outcome(shadow="s", status=200), False),
        (Outcome(shadow="s", status=404), False),
        (Outcome(shadow="s", status=500), False),
        (Outcome(shadow="s", status=501), False),
        (Outcome(shadow="s", status=408), True),
        (Outcome(shadow="s", status=429), True),
        (Outcome(shadow="s", status=502), True),
        (Outcome(shadow="s", status=503), True),
        (Outcome(shadow="s", status=504), True),
        (Outcome(shadow="s", status=529), True),
    ],
)
def test_what_is_tried_again(outcome: Outcome, again: bool) -> None:
    assert (Retry(2).wait_s(outcome, 1) is not None) is again


def test_numbers_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="attempts = 0"):
        Retry(0)
    with pytest.raises(ValueError, match=r"base_s = 2\.0"):
        Retry(2, base_s=2.0, max_s=1.0)
