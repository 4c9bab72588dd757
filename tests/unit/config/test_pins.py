"""``[pins]``: short and long forms, what is refused, and the header that may then pass."""

from __future__ import annotations

from typing import Any

import pytest

from shadowlane.config import Config, PinConfig
from shadowlane.errors import ConfigError


def config(**pins: Any) -> Config:
    return Config.from_dict({"shadows": {"candidate": {"url": "http://127.0.0.1:1"}}, "pins": pins})


def test_a_text_is_short_for_what_is_read() -> None:
    found = config(build="header:X-Build", prompt={"read": "body:/prompt_ver", "of": "prod", "expected": "7"})
    assert found.pins["build"] == PinConfig(read="header:X-Build")
    assert found.pins["prompt"].expected == "7"
    assert found.sanitize.allow_headers == ("x-build",)
    assert Config.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("pins", "says"),
    [
        ({"build": "x-build"}, "pins.build.read = 'x-build': write header:NAME or body:/POINTER"),
        ({"build": "body:prompt"}, "pins.build.read"),
        ({"build": "header:"}, "pins.build.read"),
        ({"key": "header:Authorization"}, "pins.key.read = 'header:Authorization'"),
        ({"key": "header:set-cookie"}, "pins.key.read"),
        ({"Build Number": "header:x-build"}, "pins = 'Build Number'"),
        ({"model_rev": "header:x-build"}, "pins.model_rev"),
        ({"build": {"read": "header:x-build", "expect": "1"}}, "did you mean expected?"),
        ({"build": {"read": "header:x-build", "of": "both"}}, "pins.build.of"),
        ({"build": 7}, "pins.build"),
    ],
)
def test_what_cannot_be_read_is_refused(pins: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        config(**pins)
    assert says in str(error.value)
