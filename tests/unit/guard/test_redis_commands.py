"""Reading the server's own word about its commands, in the shapes that servers and protocols give it."""

from __future__ import annotations

from typing import Any

import pytest

from shadowlane.guard.redis_commands import Command, CommandTable


def index(position: int) -> dict[str, Any]:
    return {"type": "index", "spec": {"index": position}}


def keys(last: int, step: int = 1, limit: int = 0) -> dict[str, Any]:
    return {"type": "range", "spec": {"lastkey": last, "keystep": step, "limit": limit}}


NUMKEYS = {"type": "keynum", "spec": {"keynumidx": 0, "firstkey": 1, "keystep": 1}}


def spec(flags: str, begin: dict[str, Any], find: dict[str, Any]) -> dict[str, Any]:
    return {"flags": flags.split(), "begin_search": begin, "find_keys": find}


def keyword(word: str, start: int) -> dict[str, Any]:
    return {"type": "keyword", "spec": {"keyword": word, "startfrom": start}}


def entry(name: str, flags: str, categories: str, *specs: Any, subs: list[Any] | None = None) -> list[Any]:
    return [name, -1, flags.split(), 0, 0, 0, categories.split(), [], list(specs), subs or []]


UNKNOWN = {"type": "unknown", "spec": {}}
REPLY = [
    entry("get", "readonly fast", "@read", spec("RO access", index(1), keys(0))),
    entry("set", "write denyoom", "@write", spec("RW access update variable_flags", index(1), keys(0))),
    entry("mset", "write", "@write", spec("OW update", index(1), keys(-1, 2))),
    entry("pfcount", "readonly", "@read", spec("RW access", index(1), keys(-1))),
    entry(
        "zunionstore",
        "write movablekeys",
        "@write",
        spec("OW update", index(1), keys(0)),
        spec("RO access", index(2), NUMKEYS),
    ),
    entry("xread", "readonly movablekeys", "@read", spec("RO access", keyword("STREAMS", 1), keys(-1, 1, 2))),
    entry(
        "sort", "write movablekeys", "@write @dangerous", spec("RO", index(1), keys(0)), spec("OW", UNKNOWN, UNKNOWN)
    ),
    entry("late", "write", "@write", spec("RW delete incomplete", keyword("KEYS", -2), keys(-1))),
    entry("eval", "noscript movablekeys", "@scripting", spec("RW access update", index(2), NUMKEYS)),
    entry("spublish", "pubsub", "@pubsub", spec("not_key", index(1), keys(0))),
    entry("ping", "fast", "@connection"),
    entry("multi", "noscript", "@transaction"),
    entry("subscribe", "pubsub", "@pubsub"),
    entry("publish", "pubsub", "@pubsub"),
    entry(
        "client",
        "",
        "@slow",
        subs=[entry("client|id", "noscript", "@connection"), entry("client|kill", "admin", "@admin @connection")],
    ),
]


def resp2(value: Any) -> Any:
    """The same reply as RESP2 sends it: bytes, and maps as flat lists."""
    if isinstance(value, dict):
        return [part for key, one in value.items() for part in (resp2(key), resp2(one))]
    if isinstance(value, list):
        return [resp2(one) for one in value]
    return value.encode() if isinstance(value, str) else value


def resp3(value: Any) -> Any:
    """And as RESP3 does: bytes, flags as sets."""
    if isinstance(value, dict):
        return {resp3(key): resp3(one) for key, one in value.items()}
    if isinstance(value, list):
        return (
            {one.encode() for one in value}
            if value and all(isinstance(one, str) for one in value)
            else [*map(resp3, value)]
        )
    return value.encode() if isinstance(value, str) else value


TABLES = pytest.mark.parametrize(
    "table",
    [CommandTable(REPLY), CommandTable(resp2(REPLY)), CommandTable(resp3(REPLY))],
    ids=["text", "resp2", "resp3"],
)


def find(table: CommandTable, text: str) -> Command | None:
    return table.find([part.encode() for part in text.split()])


@TABLES
@pytest.mark.parametrize(
    ("text", "reads", "confinable"),
    [
        ("GET a", True, False),
        ("get a", True, False),
        ("SET a b", False, True),
        ("PFCOUNT a", False, False),
        ("ZUNIONSTORE a 1 b", False, True),
        ("XREAD STREAMS a 0", True, False),
        ("SORT a", False, False),
        ("LATE a", False, False),
        ("EVAL x 0", False, False),
        ("SPUBLISH a b", False, False),
        ("PUBLISH a b", False, False),
        ("SUBSCRIBE a", True, False),
        ("PING", True, False),
        ("MULTI", True, False),
        ("CLIENT ID", True, False),
        ("client id", True, False),
        ("CLIENT KILL", False, False),
    ],
)
def test_what_a_command_does(table: CommandTable, text: str, reads: bool, confinable: bool) -> None:
    command = find(table, text)
    assert command is not None
    assert (command.reads, command.confinable) == (reads, confinable)


@TABLES
@pytest.mark.parametrize("text", ["NEW a", "CLIENT NEW", "G\u00e4T a"])
def test_what_the_server_did_not_name_is_not_known(table: CommandTable, text: str) -> None:
    assert find(table, text) is None


@TABLES
@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("GET a", [1]),
        ("MSET a 1 b 2 c 3", [1, 3, 5]),
        ("ZUNIONSTORE to 2 a b WEIGHTS 1 2", [1, 3, 4]),
        ("ZUNIONSTORE to 0", [1]),
        ("XREAD COUNT 5 STREAMS a b c 0 0 0", [4, 5, 6]),
        ("XREAD COUNT 5 streams a 0", [4]),
        ("XREAD COUNT 5", []),
        ("SORT a BY x STORE b", [1]),
        ("LATE a b KEYS c d", [4, 5]),
        ("EVAL script 2 a b c", [3, 4]),
        ("SPUBLISH a b", []),
        ("PING", []),
    ],
)
def test_where_the_keys_are(table: CommandTable, text: str, positions: list[int]) -> None:
    command = find(table, text)
    assert command is not None
    assert command.key_positions([part.encode() for part in text.split()]) == positions


@TABLES
@pytest.mark.parametrize("text", ["GET", "EVAL script", "EVAL script x", "EVAL script 3 a b", "EVAL script -1 a"])
def test_arguments_that_do_not_fit_are_errors(table: CommandTable, text: str) -> None:
    command = find(table, text)
    assert command is not None
    with pytest.raises(ValueError, match=r"missing|wrong|invalid literal"):
        command.key_positions([part.encode() for part in text.split()])


def test_servers_before_7_say_only_positions() -> None:
    old = CommandTable(
        [
            [b"get", 2, [b"readonly"], 1, 1, 1, [b"@read"]],
            [b"mset", -3, [b"write"], 1, -1, 2, [b"@write"]],
            [b"eval", -3, [b"noscript", b"movablekeys"], 0, 0, 0, [b"@scripting"]],
            [b"zunionstore", -4, [b"write", b"movablekeys"], 1, 1, 1, [b"@write"]],
            [b"select", 2, [b"loading"], 0, 0, 0, [b"@connection"]],
        ]
    )
    for text, reads, confinable in (
        ("GET a", True, False),
        ("MSET a 1 b 2", False, True),
        ("EVAL x 0", False, False),
        ("ZUNIONSTORE a 1 b", False, False),
        ("SELECT 1", False, False),
    ):
        command = find(old, text)
        assert command is not None
        assert (command.reads, command.confinable) == (reads, confinable), text
    mset = find(old, "MSET a 1 b 2")
    assert mset is not None
    assert mset.key_positions([b"MSET", b"a", b"1", b"b", b"2"]) == [1, 3]
