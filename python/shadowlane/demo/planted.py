"""Secrets and personal data that the demonstration plants in its traffic, to show that they do not reach the shadow.

None of them is anybody's: the address lies in a reserved domain (RFC 2606), the card and the IBAN are the schemes'
own test numbers, and the tokens are put together here so that no scanner takes this file for a leak.
"""

from __future__ import annotations

__all__ = ["PLANTED", "find_planted"]

PLANTED: dict[str, str] = {
    "email": "rosa.linden@example.org",
    "github_token": "ghp_" + "R7kq2ZtN5vXw8Lm3Yb6Hc9Pd4Sf1Gj0aQeUi",
    "bearer": "demo-" + "9f2c7ab4e1d84c06b35f7781aa20c6e4",
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
}
"""By kind. ``bearer`` is sent in an ``authorization`` header, the others in questions and queries."""


def find_planted(text: str) -> list[str]:
    """The kinds of planted values that occur in ``text``."""
    return [kind for kind, value in PLANTED.items() if value in text]
