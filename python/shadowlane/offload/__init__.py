"""The stream between forwarding hosts and judges: what travels, and the server that keeps it.

Invariants: only sanitized copies are published; a copy that the server took is in the stream until it is judged or set
aside, and is counted once in each of these, however often it was published, delivered or acknowledged; nothing is ever
trimmed. What the steps do with it is :mod:`shadowlane.worker`'s.
"""

from __future__ import annotations

from .record import VERSION, Forwarded, RecordError, decode, encode
from .stream import Message, Stream, StreamState

__all__ = ["VERSION", "Forwarded", "Message", "RecordError", "Stream", "StreamState", "decode", "encode", "open_stream"]

from ..config import OffloadConfig


def open_stream(offload: OffloadConfig, *, consumer: str = "") -> Stream:
    """The stream that ``[offload]`` names; ``consumer``: as whom a judge takes from it. Connects with the first call.

    Raises :class:`~shadowlane.errors.MissingExtraError` without redis-py, and
    :class:`~shadowlane.errors.ConfigError` when the password's variable is not set.
    """
    from .redis import RedisStream  # only who offloads needs the client

    return RedisStream(offload, consumer=consumer)
