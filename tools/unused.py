"""Look for unused code with vulture (``[tool.vulture]`` in pyproject.toml); exit 1 when there is some.

Fields of records are left out: they are written in Python and read by the core, by JSON or by a user. Everything else
that nothing calls is reported, also what only a test calls.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import tomllib
from vulture import Vulture

ROOT = Path(__file__).parents[1]


def fields_of(path: Path) -> dict[str, set[int]]:
    """The fields of a file's classes, each with the lines on which it is declared."""
    found: dict[str, set[int]] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for item in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                found.setdefault(item.target.id, set()).add(item.lineno)
    return found


def unused(paths: list[str], ignore_names: list[str], min_confidence: int) -> Iterator[str]:
    """One line for each piece of unused code."""
    found = Vulture(ignore_names=ignore_names)
    found.scavenge(paths)
    for item in found.get_unused_code(min_confidence=min_confidence):
        lines = fields_of(Path(item.filename)).get(item.name, set())
        declared = item.first_lineno in lines if item.typ == "variable" else bool(lines) and item.typ == "attribute"
        if not declared:
            yield f"{item.filename}:{item.first_lineno}: {item.message}"


def main() -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["vulture"]
    paths = [str(ROOT / path) for path in settings["paths"]]
    lines = list(unused(paths, settings["ignore_names"], settings["min_confidence"]))
    for line in lines:
        print(line.replace(f"{ROOT}/", ""))
    if lines:
        print("remove it, or if it is called from outside, name it in [tool.vulture] of pyproject.toml")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
