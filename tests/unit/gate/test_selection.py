"""Which pairs count: as sent, as failed."""

from __future__ import annotations

import pytest

from shadowlane.gate.selection import failed_copies, sent
from tests.support.lanes import MS, columns


@pytest.mark.parametrize(
    ("reason", "status", "prod_status", "was_sent", "was_failed"),
    [
        ("", 200, 200, True, False),
        ("", 404, 404, True, False),
        ("", 404, 200, True, True),
        ("", 429, 200, True, True),
        ("", 500, 200, True, True),
        ("", 503, 500, True, True),
        ("deadline", 0, 200, True, True),
        ("connect_error", 0, 200, True, True),
        ("transport_error", 0, 200, True, True),
        ("response_too_large", 200, 200, True, True),
        ("breaker_open", 0, 200, True, True),
        ("sampled_out", 0, 200, False, False),
        ("write_intent", 0, 200, False, False),
        ("provider_limit", 0, 200, False, False),
        ("budget", 0, 200, False, False),
        ("cap", 0, 200, False, False),
        ("reservoir", 0, 200, False, False),
    ],
)
def test_what_counts_as_sent_and_as_failed(
    reason: str, status: int, prod_status: int, was_sent: bool, was_failed: bool
) -> None:
    row = columns(1, reason=[reason], status=[status], prod_status=[prod_status])
    assert (bool(sent(row)[0]), bool(failed_copies(row)[0])) == (was_sent, was_failed)


def test_a_copy_that_never_got_a_slot_was_not_sent() -> None:
    waited = columns(2, reason=["deadline", "deadline"], status=[0, 0], shadow_ns=[0, 10 * MS])
    assert sent(waited).tolist() == [False, True]
    assert failed_copies(waited).tolist() == [False, True]
