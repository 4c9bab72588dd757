"""``from shadowlane.asgi import ShadowMiddleware``: the middleware for Starlette, FastAPI, Litestar and any ASGI app."""

from .capture.asgi import ShadowMiddleware

__all__ = ["ShadowMiddleware"]
