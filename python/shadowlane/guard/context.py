"""Whether the work that runs now belongs to a shadow copy: one context variable.

Invariant: the mark follows the work and nothing else. A context variable is copied into tasks, ``asyncio.to_thread``
and callbacks by asyncio itself; a plain ``ThreadPoolExecutor`` or ``Thread`` starts with an empty context, so work
that is handed to one goes through :func:`carry` or :class:`ContextThreadPoolExecutor`, or it runs as prod's.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import msgspec

from ..errors import ShadowlaneError

__all__ = [
    "ContextThreadPoolExecutor",
    "Shadow",
    "ShadowWriteError",
    "cache_key",
    "carry",
    "current",
    "is_shadow",
    "refuse",
    "shadow_context",
]

P = ParamSpec("P")
R = TypeVar("R")
Key = TypeVar("Key", str, bytes)

_PREFIX = "shadow=true:"


class ShadowWriteError(ShadowlaneError):
    """A write was tried while a shadow copy was answered. ``what`` names it; values are never quoted.

    It is no ``PermissionError``: clients take OSErrors for broken connections, hide them in their own or try again.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"refused while a shadow copy is answered: {what}")
        self.what = what


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """The copy that is answered now. ``signed``: its tag carried the lane's signature."""

    id: str = ""
    req_hash: str = ""
    signed: bool = False


_current: contextvars.ContextVar[Shadow | None] = contextvars.ContextVar("shadowlane_shadow", default=None)


def current() -> Shadow | None:
    """The copy that this work belongs to, or ``None``."""
    return _current.get()


def is_shadow() -> bool:
    """Whether this work belongs to a shadow copy, so that it must not write."""
    return _current.get() is not None


@contextmanager
def shadow_context(shadow: Shadow | None) -> Iterator[None]:
    """Do the work of the block for ``shadow``; ``None``: as prod's.

    ``None`` is for work that outlives the copy that happened to start it, such as a pool that is made at first use.
    """
    token = _current.set(shadow)
    try:
        yield
    finally:
        _current.reset(token)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, to be called later or in another thread, with the mark that holds now."""
    shadow = _current.get()

    @functools.wraps(function)
    def marked(*args: P.args, **kwargs: P.kwargs) -> R:
        with shadow_context(shadow):
            return function(*args, **kwargs)

    return marked


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A thread pool whose work runs in a copy of the context that submitted it, as in ``asyncio.to_thread``."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Schedule ``fn(*args, **kwargs)`` in a copy of the caller's context."""
        return super().submit(contextvars.copy_context().run, functools.partial(fn, *args, **kwargs))


def cache_key(key: Key) -> Key:
    """``key`` with the segment ``shadow=true`` in front while a shadow copy is answered, else unchanged.

    So a shadow neither reads what prod cached nor writes where prod will read. A key that has the segment stays.
    """
    if not is_shadow():
        return key
    if isinstance(key, str):
        return key if key.startswith(_PREFIX) else _PREFIX + key
    prefix = _PREFIX.encode("ascii")
    return key if key.startswith(prefix) else prefix + key


def refuse(what: str) -> None:
    """Raise :class:`ShadowWriteError` if a shadow copy is answered now."""
    if _current.get() is not None:
        raise ShadowWriteError(what)
