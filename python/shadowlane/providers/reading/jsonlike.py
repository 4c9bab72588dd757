"""Reading JSON that nobody promised: the lenient parser, and accessors that never raise.

Invariant: whatever the bytes, :func:`parse_json` returns a value or says why not, and no string it returns holds a lone
surrogate (those cannot be encoded as UTF-8, so the store and the embedders would fail on them later), unless the caller
asks for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = [
    "JsonMap",
    "as_count",
    "as_float",
    "as_list",
    "as_map",
    "as_str",
    "canonical",
    "complete_items",
    "first_count",
    "first_str",
    "parse_json",
    "parse_values",
    "resolve_pointer",
    "whole",
]

JsonMap = Mapping[str, Any]

_EMPTY: JsonMap = {}
_LONE_SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_BETWEEN = re.compile(r"[\s\x1e]*")
_NOT_AN_ITEM = re.compile(r"[\s,]*")
_BIG_COUNT = 1 << 53


def whole(text: str) -> str:
    """A text with its surrogates joined: halves that came in two pieces are one character, a lone one is U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def parse_json(data: bytes | str, *, halves: bool = False) -> tuple[Any, str]:
    """``(value, "")``, or ``(None, why)``.

    Strict JSON (RFC 8259) first; then what servers send in spite of it: NaN and infinities (read as strings), lone
    surrogates (as U+FFFD), control characters in strings, a byte order mark. Of duplicate names the last one counts.
    ``halves``: lone surrogates stay, for a caller that puts pieces together and then calls :func:`whole`.
    """
    try:
        return msgspec.json.decode(data), ""
    except RecursionError:
        return None, "JSON nested too deep"
    except (msgspec.DecodeError, UnicodeError):
        pass
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff").encode("utf-8", "replace").decode("utf-8")
    if not halves:
        text = _LONE_SURROGATE.sub(r"\\ufffd", text)
    try:
        return json.loads(text, strict=False, parse_constant=str), ""
    except RecursionError:
        return None, "JSON nested too deep"
    except json.JSONDecodeError as error:
        return None, f"not JSON: {error.msg} at character {error.pos} of {len(text)}"
    except ValueError as error:
        return None, f"not JSON: {error}"


def complete_items(text: str) -> list[Any]:
    """The items of a JSON array that ends too early, as far as they are whole."""
    decoder, items = json.JSONDecoder(strict=False, parse_constant=str), []
    at = text.find("[") + 1
    while at < len(text):
        at = _NOT_AN_ITEM.match(text, at).end()  # type: ignore[union-attr]
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        items.append(item)
    return items


def parse_values(text: str) -> tuple[list[Any], bool]:
    """JSON values one after the other (lines, records of RFC 7464, or nothing between), and whether a last one is cut.

    Lone surrogates stay. No values when something else stands between them.
    """
    values: list[Any] = []
    decoder = json.JSONDecoder(strict=False, parse_constant=str)
    text = text.removeprefix("\ufeff")
    at = _BETWEEN.match(text).end()  # type: ignore[union-attr]
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except RecursionError:
            return [], False
        except ValueError:
            cut = bool(values) and text[at] in '{["' and "\n" not in text[at:].strip()
            return (values, True) if cut else ([], False)
        values.append(value)
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
    return values, False


def canonical(value: Any) -> str:
    """One text for equal values: names sorted, no spaces."""
    try:
        return msgspec.json.encode(value, order="sorted").decode()
    except (OverflowError, TypeError, ValueError):
        # Integers beyond 64 bits, which msgspec does not write.
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def as_map(value: Any) -> JsonMap:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else _EMPTY


def as_list(value: Any) -> list[Any]:
    """``value`` if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def as_str(value: Any) -> str:
    """``value`` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def as_count(value: Any) -> int | None:
    """A count that JSON may spell 28 or 28.0; ``None`` when it is neither."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not 0 <= value <= _BIG_COUNT:  # also false for NaN
        return None
    return int(value)


def as_float(value: Any) -> float | None:
    """A finite number as a float; ``None`` when it is not one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= 1.7976931348623157e308 else None


def first_str(value: JsonMap, *names: str) -> str:
    """The first of ``names`` that holds a non-empty string; empty when none does."""
    for name in names:
        found = value.get(name)
        if isinstance(found, str) and found:
            return found
    return ""


def first_count(value: JsonMap, *names: str) -> int | None:
    """The first of ``names`` that holds a count."""
    for name in names:
        found = as_count(value.get(name))
        if found is not None:
            return found
    return None


def resolve_pointer(value: Any, pointer: str) -> tuple[bool, Any]:
    """``(True, what stands there)`` for a JSON pointer (RFC 6901 §4), or ``(False, None)``."""
    if pointer == "":
        return True, value
    if not pointer.startswith("/"):
        return False, None
    for raw in pointer[1:].split("/"):
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and token.isascii() and token.isdigit() and len(token) < 10:
            index = int(token)
            if index >= len(value):
                return False, None
            value = value[index]
        else:
            return False, None
    return True, value
