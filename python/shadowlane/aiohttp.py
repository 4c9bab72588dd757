"""``from shadowlane.aiohttp import ShadowMiddleware``: what a client session of aiohttp asks."""

from .capture.aiohttp import ShadowMiddleware

__all__ = ["ShadowMiddleware"]
