"""What a copy says was asked for is what ``requests`` sends."""

from __future__ import annotations

import pytest
import requests

from shadowlane.capture.requests import _target

URLS = (
    "http://host/a/b?x=1&y=/z",
    "http://host/a?x=http://other/b#part/c",
    "http://host/?x=/a",
    "http://host?x=/a",
    "http://host?x=1",
    "http://host#/a",
    "http://host",
    "http://user:word@host:8080/a%2Fb;c?",
    "HTTPS://[::1]:8080/%e4?q=%23",
    "/a?b=c",
    "",
)


@pytest.mark.parametrize("url", URLS)
def test_the_target_is_what_is_sent(url: str) -> None:
    request = requests.PreparedRequest()
    request.url = url  # as one who prepares by hand may put it
    assert _target(url) == request.path_url
