"""Capture: how an exchange is seen from each kind of gateway. Wraps the request, never changes it."""
