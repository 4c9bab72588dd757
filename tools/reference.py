"""Write the pages of the site that are made from the code: configuration, compiled core, the store's schema, metrics.

``python tools/reference.py FOLDER`` writes ``configuration.md``, ``core.md``, ``metrics.md`` and ``store.md`` there.
Invariant: every field of every section has a text, taken from the string under it in ``shadowlane/config``; one without
is an error, not a gap.
"""

from __future__ import annotations

import ast
import inspect
import sqlite3
import sys
import tempfile
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from shadowlane import core
from shadowlane.config import Config, StoreConfig
from shadowlane.config.bounds import Bound, bounds_of
from shadowlane.metrics.names import METRICS, NO_METRIC
from shadowlane.store import open_store

__all__ = ["Field", "Missing", "configuration_page", "core_page", "metrics_page", "sections", "store_page"]

HEADER = "<!-- Made by tools/reference.py; edit the strings under the fields instead. -->\n"


class Missing(Exception):
    """A field or section without a text."""


class Field(msgspec.Struct, frozen=True):
    """One row of the reference."""

    name: str
    type: str
    default: str
    text: str


def sections(root: type[msgspec.Struct] = Config) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Every section with its TOML header, from the top down: ``("[lane]", LaneConfig)``, ..."""
    todo: list[tuple[str, type[msgspec.Struct], bool]] = [("", root, False)]
    seen: set[type] = set()
    while todo:
        path, section, many = todo.pop(0)
        if section in seen:  # the breaker of [control] is that of a shadow
            continue
        seen.add(section)
        if path:
            yield (f"[[{path}]]" if many else f"[{path}]"), section
        for field in msgspec.structs.fields(section):
            inner, kind = _struct_in(field.type)
            if inner is not None:
                name = f"{path}.{field.name}".lstrip(".")
                if kind == "dict":
                    name += ".MODEL" if inner.__name__ == "PriceConfig" else ".NAME"
                todo.append((name, inner, kind == "tuple"))


def _struct_in(annotation: Any) -> tuple[type[msgspec.Struct] | None, str]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation, "one"
    for argument in typing.get_args(annotation):
        if isinstance(argument, type) and issubclass(argument, msgspec.Struct):
            return argument, getattr(typing.get_origin(annotation), "__name__", "one")
    return None, ""


def texts(section: type) -> dict[str, str]:
    """The string under each field, those of base classes included."""
    found: dict[str, str] = {}
    for base in reversed(section.__mro__):
        if base is object or base.__module__.partition(".")[0] == "msgspec":
            continue
        [tree] = ast.parse(inspect.getsource(base)).body
        assert isinstance(tree, ast.ClassDef)
        for statement, following in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                text = following.value if isinstance(following, ast.Expr) else None
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    found[statement.target.id] = " ".join(text.value.split())
    return found


def fields(section: type[msgspec.Struct]) -> list[Field]:
    """The rows of one section. Raises :class:`Missing` for a field without a text; sections in it are left out."""
    said = texts(section)
    rows = []
    for field in msgspec.structs.fields(section):
        if _struct_in(field.type)[0] is not None:
            continue
        if not said.get(field.name):
            raise Missing(f"{section.__module__}.{section.__name__}.{field.name}: no string under the field")
        kind = _type(field.type) + _range(bounds_of(section).get(field.name))
        rows.append(Field(field.encode_name, kind, _default(field), said[field.name]))
    return rows


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{_toml(value)}`" for value in arguments)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(argument) for argument in arguments if argument is not type(None))
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"table of {_type(arguments[1])}"
    return {str: "text", int: "whole number", float: "number", bool: "yes or no"}[annotation]


def _range(bound: Bound | None) -> str:
    if bound is None:
        return ""
    low, high = (f"{value:,.16g}" for value in (bound.least, bound.most))
    return f", {'above' if bound.above else 'from'} {low} {'to below' if bound.below else 'to'} {high}"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return "unset" if value is None else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f"{value:,}".replace(",", "_") if isinstance(value, int) and value >= 10_000 else str(value)


def configuration_page() -> str:
    """The whole configuration as Markdown. Raises :class:`Missing`."""
    parts = [
        HEADER,
        "# Configuration\n",
        "One TOML file, or the same keys through `shadowlane.Config.from_dict({...})`. Everything is checked at start;",
        "a field that is not known is refused. Relative paths are relative to the file.\n",
    ]
    named: dict[type, str] = {}
    for header, section in sections():
        rows = fields(section)
        parts.append(f"## `{header}`\n")
        parts.append(_introduction(section) + "\n")
        parent = section.__mro__[1]
        if parent in named:
            rows = [row for row in rows if row not in fields(parent)]
            parts.append(f"The fields are those of `{named[parent]}`, but for:\n")
        named[section] = header
        if rows:
            parts += ["| field | type | default | meaning |", "|---|---|---|---|"]
            parts += [f"| `{row.name}` | {row.type} | {row.default} | {_cell(row.text)} |" for row in rows]
            parts.append("")
    return "\n".join(parts)


def _introduction(section: type) -> str:
    text = " ".join((section.__doc__ or "").split())
    _, colon, rest = text.partition(": ")
    if not colon:
        raise Missing(f"{section.__module__}.{section.__name__}: its docstring does not say what the section is for")
    return _sphinx(rest[:1].upper() + rest[1:])


def _cell(text: str) -> str:
    return _sphinx(text).replace("|", "\\|")


def _sphinx(text: str) -> str:
    """Roles and double back quotes of docstrings as Markdown."""
    for role in ("class", "func", "mod", "meth"):
        text = text.replace(f":{role}:`~", "`").replace(f":{role}:`", "`")
    return text.replace("``", "`")


def core_page() -> str:
    """The public names of the extension with their docstrings, as Markdown. Raises :class:`Missing` for one without."""
    parts = [HEADER, "# The compiled core\n", "`shadowlane.core`: what is written in Rust, in its own words.\n"]
    for name in core.__all__:
        thing = getattr(core, name)
        parts += _documented(f"## `{name}`", name, thing)
        if isinstance(thing, type):
            for method, value in vars(thing).items():
                if not method.startswith("_"):
                    parts += _documented(f"### `{name}.{method}`", f"{name}.{method}", value)
    return "\n".join(parts)


def _documented(heading: str, name: str, thing: Any) -> list[str]:
    text = inspect.getdoc(thing)
    if not text:
        raise Missing(f"shadowlane.core.{name}: no docstring")
    signature = getattr(thing, "__text_signature__", None)
    called = [f"```python\n{name}{signature}\n```\n"] if signature and not isinstance(thing, type) else []
    return [heading + "\n", *called, _sphinx(text) + "\n"]


def metrics_page() -> str:
    """Every metric that is exposed, and the numbers of ``status --json`` that are none, as Markdown."""
    parts = [
        HEADER,
        "# Metrics\n",
        "What `/metrics` exposes ([how to use it](../operate/prometheus.md)). All have the label `lane` as well. A",
        "histogram's `_bucket`, `_sum` and `_count` are of the same kind.\n",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    for one in METRICS.values():
        labels = ", ".join(f"`{label}`" for label in one.labels)
        parts.append(f"| `{one.name}` | {one.kind} | {labels} | {_cell(one.text)} |")
    parts += ["", "Numbers of `shadowlane status --json` that are no metric:\n", "| number | why |", "|---|---|"]
    parts += [f"| `{path}` | {_cell(why)} |" for path, why in NO_METRIC.items()]
    return "\n".join([*parts, ""])


def store_page() -> str:
    """Tables, columns and indexes of a new database, with its version, as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new.db"
        open_store(StoreConfig(url=f"sqlite:///{path}")).close()
        connection = sqlite3.connect(path)
        try:
            return _store_page(connection)
        finally:
            connection.close()


def _store_page(db: sqlite3.Connection) -> str:
    [version] = db.execute("PRAGMA user_version").fetchone()
    parts = [HEADER, "# The store's schema\n", f"Version {version}, read from a new database.\n"]
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    for (table,) in db.execute(names).fetchall():
        parts += [f"## `{table}`\n", "| column | type | null | key |", "|---|---|---|---|"]
        for _, name, kind, required, _, key in db.execute(f"PRAGMA table_info({table})"):
            parts.append(f"| `{name}` | {kind} | {'' if required or key else 'yes'} | {key or ''} |")
        indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", (table,))
        parts.append("")
        parts += [f"- index `{name}`: `{sql.split(' ON ', 1)[1]}`" for name, sql in indexes if sql]
        parts.append("")
    return "\n".join(parts)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "configuration": configuration_page(),
        "core": core_page(),
        "metrics": metrics_page(),
        "store": store_page(),
    }
    for name, page in pages.items():
        (folder / f"{name}.md").write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
