"""An unknown field's error names the field that was meant, at every depth, and guesses nothing far-fetched."""

from __future__ import annotations

from typing import Any

import pytest

from shadowlane.config import Config
from shadowlane.errors import ConfigError

SHADOW = {"url": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            {"shadows": {"a": SHADOW}, "sampling": {"ration": 0.5}},
            "sampling.ration: unknown field; did you mean ratio?",
        ),
        ({"shadows": {"a": {**SHADOW, "timeout": 3}}}, "shadows.a.timeout: unknown field; did you mean timeout_s?"),
        ({"shadows": {"a": {**SHADOW, "retry": {"atempts": 3}}}}, "did you mean attempts?"),
        ({"shadows": {"a": SHADOW}, "sample": {}}, "sample: unknown field; did you mean"),
        ({"shadows": {"a": SHADOW}, "lane": {"zzqq": 1}}, "lane.zzqq: unknown field; remove it"),
    ],
)
def test_the_error_names_what_was_meant(data: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_dict(data)
    assert said in str(error.value)
