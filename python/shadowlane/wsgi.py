"""``from shadowlane.wsgi import ShadowMiddleware``: the middleware for Flask, Django, any WSGI application."""

from .capture.wsgi import ShadowMiddleware

__all__ = ["ShadowMiddleware"]
