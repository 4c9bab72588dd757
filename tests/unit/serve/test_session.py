"""Who logged in: a cookie that only we can make, that ends, and that ends with its token."""

from __future__ import annotations

import time

from shadowlane.serve.guarded import SESSION_S, Access


def test_a_session_opens_all_until_it_ends() -> None:
    access = Access("secret")
    session = access.session()
    assert "secret" not in session
    for path in ("/", "/pairs/1", "/gate", "/metrics"):
        assert access.opens("", path, session)
        assert not access.opens("", path, "")
    assert not access.opens("", "/", access.session(time.time() - SESSION_S - 1)), "it ended"
    assert access.opens("", "/", access.session(time.time() - SESSION_S + 60))


def test_nobody_else_makes_one() -> None:
    access = Access("secret", "gate")
    end, _, signed = access.session().partition(".")
    for forged in (
        f"{int(end) + 1}.{signed}",
        f"{end}.{signed[:-1]}{'0' if signed[-1] != '0' else '1'}",
        f"{end}.",
        end,
        signed,
        f".{signed}",
        f"{end}.{signed}.{signed}",
        f"{end}.\u00e4",
        Access("other").session(),
        Access("gate").session(),
        Access("").session(),
        "secret",
    ):
        assert not access.opens("", "/", forged), forged
    assert Access("").opens("", "/", "anything"), "no token is asked for"
