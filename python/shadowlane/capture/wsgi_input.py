"""``wsgi.input`` as an application sees it, with what it reads kept.

Invariant: each call is one call of the server's own object, with the same arguments, and gives what that gave. Nothing
is read ahead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from .exchange import Exchange

__all__ = ["TeedInput"]

_HARMLESS = frozenset(("close", "closed", "readable", "writable", "seekable", "isatty", "flush", "mode", "name"))


class TeedInput:
    """Tells ``exchange`` what is read of ``source``. A way of reading that PEP 3333 does not know and that is not known
    here costs the copy."""

    __slots__ = ("_exchange", "_source")

    def __init__(self, source: Any, exchange: Exchange) -> None:
        self._source, self._exchange = source, exchange

    def read(self, *size: Any, **named: Any) -> Any:
        """PEP 3333, "Input and Error Streams". Servers give the size a name, which some callers use."""
        return self._kept(self._source.read, size, named)

    def readline(self, *size: Any, **named: Any) -> Any:
        """The same."""
        return self._kept(self._source.readline, size, named, line=True)

    def readlines(self, *hint: Any) -> Any:
        """The same."""
        lines = self._called(self._source.readlines, hint)
        self._exchange.sent(b"".join(lines))
        if not hint or not lines:
            self._exchange.sent_all()
        return lines

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        try:
            for line in self._source:
                exchange.sent(line)
                yield line
        except GeneratorExit:
            raise
        except BaseException:
            exchange.sender_left()
            raise
        exchange.sent_all()

    def __next__(self) -> bytes:
        try:
            line: bytes = self._called(self._source.__next__, ())
        except StopIteration:
            self._exchange.sent_all()
            raise
        self._exchange.sent(line)
        return line

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._source, name)
        if name in ("readinto", "readinto1"):
            return lambda buffer: self._into(found, buffer)
        if name == "read1":
            return lambda *size, **named: self._kept(found, size, named, line=True)
        if name in _HARMLESS or isinstance(found, (str, bytes, int, type(None))):
            return found
        if callable(found):  # to ask whether it is there is no reading
            return functools.partial(self._unseen, found)
        self._exchange.lost()
        return found

    def _unseen(self, function: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        self._exchange.lost()
        return function(*arguments, **more)

    def _kept(
        self, read: Callable[..., Any], size: tuple[Any, ...], named: dict[str, Any], *, line: bool = False
    ) -> Any:
        data = self._called(functools.partial(read, **named) if named else read, size)
        self._exchange.sent(data)
        wanted = size[0] if size else next(iter(named.values()), None)
        whole = wanted is None or (isinstance(wanted, int) and wanted < 0)  # read to its end; a line is not that
        if (whole and not line) or (not data and wanted != 0):
            self._exchange.sent_all()
        elif not line and isinstance(wanted, int) and len(data) < wanted:
            self._exchange.sender_left()  # unless more comes
        return data

    def _into(self, read: Callable[[Any], Any], buffer: Any) -> Any:
        count = self._called(read, (buffer,))
        if count:
            self._exchange.sent(bytes(memoryview(buffer).cast("B")[:count]))
        elif count == 0 and len(buffer):
            self._exchange.sent_all()
        return count

    def _called(self, read: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        try:
            return read(*arguments)
        except StopIteration:
            raise
        except BaseException:
            self._exchange.sender_left()
            raise
