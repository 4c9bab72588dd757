"""``from shadowlane.requests import ShadowAdapter``: what a session of requests asks."""

from .capture.requests import ShadowAdapter

__all__ = ["ShadowAdapter"]
