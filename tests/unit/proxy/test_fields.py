"""Which fields travel on, and who is said to have asked."""

from __future__ import annotations

import pytest

pytest.importorskip("multidict", reason="extra proxy")

from shadowlane.proxy.fields import forwarded


@pytest.mark.parametrize(
    ("before", "chain"),
    [
        ([], b"10.0.0.9"),
        ([b"1.1.1.1"], b"1.1.1.1, 10.0.0.9"),
        ([b"made-up", b"1.1.1.1"], b"made-up, 1.1.1.1, 10.0.0.9"),
        ([b"", b"1.1.1.1, 2.2.2.2", b" 3.3.3.3 "], b"1.1.1.1, 2.2.2.2, 3.3.3.3, 10.0.0.9"),
    ],
)
def test_whom_proxies_before_have_named_stays(before: list[bytes], chain: bytes) -> None:
    """Also in several fields: a user writes the first one, and the balancer that is trusted the next."""
    sent = [(b"host", b"a"), *((b"X-Forwarded-For", value) for value in before), (b"x-a", b"1")]
    found = forwarded(tuple(sent), "10.0.0.9", "http")
    assert [value for name, value in found if name.lower() == b"x-forwarded-for"] == [chain]
    assert [name for name, _ in found][:2] == [b"host", b"x-a"]
