"""Every test of a transport runs over both."""

from __future__ import annotations

import pytest

from shadowlane.config import ShadowConfig


def send_over(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What sends the copies of every shadow that says nothing else."""
    monkeypatch.setattr(
        ShadowConfig, "runs_native", property(lambda shadow: chosen == "native" and not shadow.trust_env)
    )


@pytest.fixture(params=["native", "aiohttp"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both in turn; asked for with ``usefixtures``."""
    chosen: str = request.param
    send_over(chosen, monkeypatch)
    return chosen
