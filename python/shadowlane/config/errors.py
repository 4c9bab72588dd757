"""What msgspec says of a field's type, in the words of all our errors: the field first, its value, the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec
import msgspec.inspect

__all__ = ["advised", "meant", "readable"]

_PART = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<any>\.\.\.)\]")


def readable(message: str, data: Mapping[str, Any], kind: type[msgspec.Struct]) -> str:
    """One line for the validation error ``message`` that converting ``data`` to ``kind`` gave."""
    text, _, where = message.partition(" - at `")
    keys = _located(where.rstrip("`").removeprefix("$"), message, dict(data), kind)
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{_shown(key)}" for key in keys).removeprefix(".")
    unknown = re.search(r"unknown field `([^`]*)`", text)
    if unknown:
        field = f"{path}.{unknown[1]}" if path else unknown[1]
        guess = meant(unknown[1], _fields_at(kind, keys))
        remedy = f"{guess}Otherwise remove it" if guess else "remove it or correct its spelling"
        return f"{field}: unknown field; {remedy} (the configuration reference lists them all)"
    missing = re.search(r"missing required field `([^`]*)`", text)
    if missing:
        field = f"{path}.{missing[1]}" if path else missing[1]
        example = ', for example [shadows.candidate] with url = "http://127.0.0.1:9001"' if "shadows" in field else ""
        return f"{field}: missing; add it{example}"
    value: Any = data
    for key in keys:
        value = value[key]
    shown = f" = {value!r}" if not isinstance(value, Mapping) else ""
    return f"{path}{shown}: {text[:1].lower()}{text[1:]}; {_remedy(text, value, _choices_at(kind, keys))}"


def meant(text: str, known: Iterable[str]) -> str:
    """``did you mean X? `` for the known word that ``text`` is most likely a slip of; empty when none is near."""
    words = {word.lower(): word for word in known}
    lower = text.strip().lower()
    near = get_close_matches(lower, words, 1, cutoff=0.6)
    if not near and len(lower) >= 4:  # the beginning, the end or a part of one: "throttle", "latency"
        near = [word for word in words if word.startswith(lower) or word.endswith(lower)] or [
            word for word in words if len(word) >= 4 and word in lower
        ]
    return f"did you mean {words[near[0]]}? " if near else ""


def advised(text: str, known: Iterable[str], why: str) -> str:
    """``why``, a sentence without its capital, behind what was probably meant."""
    guess = meant(text, known)
    return f"{guess}{why[:1].upper()}{why[1:]}" if guess else why


def _remedy(text: str, value: Any, choices: list[str]) -> str:
    """What to write instead of a value of the wrong type."""
    if isinstance(value, str) and re.match(r"Expected `(float|int)", text):
        number = re.match(r"\s*([+-]?[0-9]+(?:\.[0-9]+)?)\s*(%?)", value)
        if number is None:
            return "write a number, without quotes"
        told = float(number[1]) / 100 if number[2] else float(number[1])
        return f"write a number without quotes: {told:.10g}"
    if choices:
        return advised(str(value), choices, f"use one of: {', '.join(choices)}")
    return "correct the value"


def _fields_at(kind: type[msgspec.Struct], keys: list[str | int]) -> list[str]:
    """The fields of the table that ``keys`` lead to; empty where that is no table of known fields."""
    at = _type_at(kind, keys)
    return [field.encode_name for field in at.fields] if isinstance(at, msgspec.inspect.StructType) else []


def _choices_at(kind: type[msgspec.Struct], keys: list[str | int]) -> list[str]:
    """The words that the field at ``keys`` can have; empty where it can have others."""
    at = _type_at(kind, keys)
    if isinstance(at, msgspec.inspect.UnionType):
        at = next((one for one in at.types if isinstance(one, msgspec.inspect.LiteralType)), at)
    return [str(one) for one in at.values] if isinstance(at, msgspec.inspect.LiteralType) else []


def _type_at(kind: type[msgspec.Struct], keys: list[str | int]) -> Any:
    at: Any = msgspec.inspect.type_info(kind)
    for key in keys:
        if isinstance(at, msgspec.inspect.StructType):
            at = next((field.type for field in at.fields if field.encode_name == key), None)
        elif isinstance(at, msgspec.inspect.DictType):
            at = at.value_type
        elif isinstance(at, msgspec.inspect.VarTupleType):
            at = at.item_type
    return at


def _shown(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else repr(key)


def _located(path: str, message: str, data: dict[str, Any], kind: type[msgspec.Struct]) -> list[str | int]:
    """The keys that lead to what is wrong. msgspec writes ``[...]`` for any key of a table: it is the one which gives
    the same message when the table holds nothing else."""
    keys: list[str | int] = []
    for part in _PART.finditer(path):
        table = _at(data, keys)
        if part["name"]:
            keys.append(part["name"])
        elif part["index"]:
            keys.append(int(part["index"]))
        else:
            found = next((key for key in table if _message(_only(data, keys, key), kind) == message), None)
            if found is None:
                break  # the key itself is wrong: the table is what can be named
            keys.append(found)
    return keys


def _at(data: Any, keys: list[str | int]) -> Any:
    for key in keys:
        data = data[key]
    return data


def _only(data: Any, keys: list[str | int], wanted: str) -> Any:
    """``data`` with nothing but ``wanted`` in the table that ``keys`` lead to."""
    if not keys:
        return {wanted: data[wanted]}
    first, *rest = keys
    inner = _only(data[first], rest, wanted)
    if isinstance(data, Mapping):
        return {**data, first: inner}
    return [inner if position == first else item for position, item in enumerate(data)]


def _message(data: Any, kind: type[msgspec.Struct]) -> str:
    try:
        msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return ""
