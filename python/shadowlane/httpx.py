"""``from shadowlane.httpx import ShadowTransport, AsyncShadowTransport``: what a client of httpx or httpx2 asks."""

from .capture.httpx import AsyncShadowTransport, ShadowTransport

__all__ = ["AsyncShadowTransport", "ShadowTransport"]
