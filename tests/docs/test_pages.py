"""The documentation's own facts: links lead somewhere, files that are named exist, every page is in the menu."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GENERATED = {DOCS / "reference" / f"{name}.md" for name in ("configuration", "core", "metrics", "store")}
WRITTEN = sorted({*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("examples/**/*.md")} - GENERATED)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:python|rust|tests|benches|tools|examples|docs)/[\w./-]+\.\w+)`")


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that lead to no file; what ``make docs`` makes counts as there."""
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    places = [(target, (page.parent / target).resolve()) for target in targets if target]
    return [target for target, place in places if not place.exists() and place not in GENERATED]


def missing_files(page: Path) -> list[str]:
    """Files of this tree that a page names and that are not there."""
    return [name for name in FILE.findall(page.read_text(encoding="utf-8")) if not (ROOT / name).exists()]


def in_menu(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for value in entry.values() if isinstance(entry, dict) else entry:
            yield from in_menu(value)


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    assert broken_links(page) == []
    assert missing_files(page) == []


def test_every_page_is_in_the_menu_and_nothing_else() -> None:
    site = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    pages = {*DOCS.rglob("*.md"), *GENERATED}
    assert set(in_menu(site["nav"])) == {str(page.relative_to(DOCS)) for page in pages}


def test_a_broken_page_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "[a](b.md) [c](https://example.org/x.md) [d](page.md#here) `python/shadowlane/nothing.py` `rust/x`\n"
    )
    assert broken_links(page) == ["b.md"]
    assert missing_files(page) == ["python/shadowlane/nothing.py"]
