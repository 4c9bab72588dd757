"""The examples run in the same world as the end-to-end tests."""

from tests.e2e.conftest import client, world

__all__ = ["client", "world"]
