"""The decorator ``@writes``: functions that change something do not run while a shadow copy is answered."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from .context import ShadowWriteError, is_shadow

__all__ = ["writes"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def writes(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def writes(*, instead: Callable[P, R]) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
@overload
def writes(*, instead: None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def writes(function: Callable[..., Any] | None = None, /, *, instead: Callable[..., Any] | None = None) -> Any:
    """Mark a function that writes: in a shadow it raises :class:`ShadowWriteError`, or ``instead`` runs.

    ::

        @writes
        def charge(order): ...

        @writes(instead=lambda order: Receipt.dry(order))
        async def charge(order): ...

    Works on functions, coroutine functions and (async) generator functions; a coroutine is checked when it runs, all
    others when they are called. ``instead`` gets the same arguments; beside a coroutine function it may be either
    kind, beside a plain function it must be plain. Raises TypeError at once when it is given something else.
    """
    if function is None:
        return functools.partial(_guarded, instead=instead)
    return _guarded(function, instead=instead)


def _guarded(function: Callable[..., Any], *, instead: Callable[..., Any] | None) -> Callable[..., Any]:
    if isinstance(function, (staticmethod, classmethod)) or not callable(function):
        raise TypeError("@writes marks functions; write it below @staticmethod, @classmethod or @property")
    name = f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    what = f"{name}() writes"
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def guarded_async(*args: Any, **kwargs: Any) -> Any:
            if not is_shadow():
                return await function(*args, **kwargs)
            if instead is None:
                raise ShadowWriteError(what)
            result = instead(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return guarded_async
    if instead is not None and inspect.iscoroutinefunction(instead):
        raise TypeError(f"@writes(instead=...): {name} is a plain function, so instead must be one too")

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not is_shadow():
            return function(*args, **kwargs)
        if instead is None:
            raise ShadowWriteError(what)
        return instead(*args, **kwargs)

    return guarded
