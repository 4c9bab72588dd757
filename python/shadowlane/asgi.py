"""``from shadowlane.asgi import ShadowMiddleware``: the middleware for Starlette, FastAPI, Litestar, any ASGI app."""

from .capture.asgi import ShadowMiddleware

__all__ = ["ShadowMiddleware"]
