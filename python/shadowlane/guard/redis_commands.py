"""What each Redis command does and where its keys are, by the server's own word: the reply to ``COMMAND``.

Invariants: a command is a read only if the server flags it ``readonly``, none of its key specifications writes (so
PFCOUNT, which may rewrite its key, is not one) and it runs no script (``EVAL_RO`` may call what is no write and acts,
such as ``SLOWLOG RESET``). What the table does not know is a write. What changes the connection itself (SELECT, MULTI,
AUTH, CLIENT REPLY) is none either: the connection goes back to a pool that prod draws from. Modules' commands are in
the table with the flags that the module registered.

Reply format: https://redis.io/docs/latest/commands/command/, key specifications:
https://redis.io/docs/latest/develop/reference/key-specs/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["SUBSCRIBE", "TRANSACTION", "Command", "CommandTable"]

# They ask the server or the connection for its state, and no flag says so.
_HARMLESS = frozenset(
    {
        *("time", "info", "role", "lastsave", "wait", "ping", "echo", "unwatch"),
        *("client|id", "client|info", "client|getname", "client|getredir", "client|trackinginfo"),
    }
)
TRANSACTION = frozenset({"multi", "exec"})
"""Reads where they come as a whole, in one batch: see :func:`shadowlane.guard.redis.fence`."""
SUBSCRIBE = frozenset({"subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe"})
"""Reads on a connection that is kept for them, as redis-py's PubSub does."""
_WRITING_SPECS = frozenset({"RW", "OW", "RM"})
_HARD_CATEGORIES = frozenset({"@dangerous", "@admin", "@scripting"})


class Command(msgspec.Struct, frozen=True):
    """One command, or one subcommand with its container's name in front (``config|get``)."""

    name: str
    reads: bool
    """It only reads, or changes nothing but its own connection."""
    confinable: bool
    """It writes, but to its keys alone, and all of them can be found."""
    specs: tuple[Mapping[str, Any], ...] = ()

    def key_positions(self, arguments: Sequence[bytes]) -> list[int]:
        """The indexes of keys in ``arguments`` (the command's name included), as far as the server describes them.

        Raises ValueError when the arguments do not have the shape that the specification needs.
        """
        positions: set[int] = set()
        for spec in self.specs:
            if "not_key" not in spec["flags"]:
                positions.update(_positions(spec, arguments))
        if any(not 0 < position < len(arguments) for position in positions):
            raise ValueError("a key is missing")
        return sorted(positions)


class CommandTable:
    """The server's commands. ``reply`` is the raw reply to ``COMMAND`` (RESP2 or RESP3, bytes or text)."""

    def __init__(self, reply: Iterable[Any]) -> None:
        self._commands: dict[str, Command] = {}
        self._containers: set[str] = set()
        for entry in reply:
            self._add(entry)

    def find(self, arguments: Sequence[bytes]) -> Command | None:
        """The command that ``arguments`` is, ``None`` when the server did not name it."""
        name = arguments[0].decode("latin-1").lower()
        if name in self._containers and len(arguments) > 1:
            return self._commands.get(f"{name}|{arguments[1].decode('latin-1').lower()}")
        return self._commands.get(name)

    def _add(self, entry: Sequence[Any]) -> None:
        name, _, flags, first, last, step = entry[:6]
        text = _text(name).lower()
        categories = {_text(one) for one in entry[6]} if len(entry) > 6 else set()
        specs = tuple(_plain(spec) for spec in entry[8]) if len(entry) > 8 else ()
        marks = {_text(flag) for flag in flags}
        if not specs and first and "movablekeys" not in marks:
            specs = (_by_position(int(first), int(last), int(step)),)  # before Redis 7
        writes_keys = any(_WRITING_SPECS & set(spec["flags"]) for spec in specs)
        hard = bool(categories & _HARD_CATEGORIES)
        complete = bool(specs) and not any(
            "incomplete" in spec["flags"] or "unknown" in (spec["begin_search"]["type"], spec["find_keys"]["type"])
            for spec in specs
        )
        own = text in _HARMLESS or text in TRANSACTION or text in SUBSCRIBE or text.startswith("pubsub|")
        scripts = "@scripting" in categories or text.startswith(("eval", "fcall"))
        reads = ("readonly" in marks and not writes_keys and not scripts and "may_replicate" not in marks) or (
            "write" not in marks and own
        )
        confinable = not reads and "write" in marks and complete and not hard
        self._commands[text] = Command(text, reads, confinable, specs)
        if len(entry) > 9 and entry[9]:
            self._containers.add(text)
            for sub in entry[9]:
                self._add(sub)


def _by_position(first: int, last: int, step: int) -> dict[str, Any]:
    return {
        "flags": (),
        "begin_search": {"type": "index", "spec": {"index": first}},
        "find_keys": {
            "type": "range",
            "spec": {"lastkey": last - first if last >= 0 else last, "keystep": step, "limit": 0},
        },
    }


def _positions(spec: Mapping[str, Any], arguments: Sequence[bytes]) -> Iterator[int]:
    search, find = spec["begin_search"], spec["find_keys"]
    count = len(arguments)
    if search["type"] == "index":
        begin = int(search["spec"]["index"])
    elif search["type"] == "keyword":
        found = _keyword(search["spec"]["keyword"], int(search["spec"]["startfrom"]), arguments)
        if found is None:
            return
        begin = found + 1
    else:
        return
    if find["type"] == "range":
        last, step, limit = (int(find["spec"][name]) for name in ("lastkey", "keystep", "limit"))
        if last >= 0:
            end = begin + last
        elif last == -1 and limit > 1:
            end = begin + (count - begin) // limit - 1
        else:
            end = count + last
        yield from range(begin, end + 1, step)
    elif find["type"] == "keynum":
        index, first, step = (int(find["spec"][name]) for name in ("keynumidx", "firstkey", "keystep"))
        if begin + index >= count:
            raise ValueError("the number of keys is missing")
        number = int(arguments[begin + index])
        if number < 0 or begin + first + number * step > count:
            raise ValueError("the number of keys is wrong")
        yield from range(begin + first, begin + first + number * step, step)


def _keyword(word: str, start: int, arguments: Sequence[bytes]) -> int | None:
    order = range(start, len(arguments)) if start >= 0 else range(len(arguments) + start, 0, -1)
    return next((position for position in order if arguments[position].upper() == word.encode("latin-1").upper()), None)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    """A reply's map as a dict with text keys; RESP2 sends maps as flat lists."""
    if isinstance(value, Mapping):
        return {_text(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = list(value)
        if items and _text(items[0]) in ("notes", "flags", "type", "index", "keyword", "lastkey", "keynumidx"):
            return {_text(key): _plain(one) for key, one in zip(items[::2], items[1::2], strict=True)}
        return tuple(_text(one) for one in items)
    return _text(value) if isinstance(value, bytes) else value
