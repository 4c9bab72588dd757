"""The pages that are made from the code: nothing is missing, and a field without a text is refused."""

from __future__ import annotations

import inspect
import sqlite3
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from shadowlane import core
from shadowlane.config import Config, ControlConfig, ShadowConfig, StoreConfig
from shadowlane.config.bounds import Bound
from shadowlane.config.limits import Section
from shadowlane.metrics.names import METRICS, NO_METRIC
from shadowlane.store import open_store
from tools import reference


class Told(Section, frozen=True):
    """``[told]``: a section whose fields have texts."""

    share: Annotated[float, Bound(0, 1, above=True)] = 0.5
    """A share."""
    way: Literal["one", "two"] = "one"
    """Which | way."""
    sizes: dict[str, int] = msgspec.field(default_factory=dict)
    """By name."""
    key: str | None = None
    """A key."""


class Untold(Section, frozen=True):
    """``[untold]``: a section with a field that says nothing."""

    known: int = 1
    """Known."""
    silent: int = 2


def test_every_section_and_field_of_the_configuration_is_on_the_page() -> None:
    page = reference.configuration_page()
    found = dict(reference.sections())
    assert {"[lane]", "[shadows.NAME]", "[shadows.NAME.retry]", "[control]", "[[sanitize.rules]]"} <= found.keys()
    assert set(found.values()) >= {type(value) for value in vars_of(Config) if isinstance(value, msgspec.Struct)}
    for header, section in found.items():
        body = page.split(f"## `{header}`\n", 1)[1].split("\n## ", 1)[0]
        shown = {line.split("`")[1] for line in body.splitlines() if line.startswith("| `")}
        wanted = {row.name for row in reference.fields(section)}
        assert shown == (wanted if section is not ControlConfig else {"url"}), header


def vars_of(section: type[msgspec.Struct]) -> list[object]:
    return [field.default for field in msgspec.structs.fields(section)]


def test_a_field_without_a_text_is_named() -> None:
    with pytest.raises(reference.Missing, match=r"Untold\.silent: no string under the field"):
        reference.fields(Untold)


def test_a_section_without_a_purpose_is_named() -> None:
    class Silent(Section, frozen=True):
        """Something"""

    with pytest.raises(reference.Missing, match="Silent: its docstring does not say"):
        reference._introduction(Silent)


def test_rows_say_type_range_default_and_text() -> None:
    share, way, sizes, key = reference.fields(Told)
    assert (share.type, share.default, share.text) == ("number, above 0 to 1", "`0.5`", "A share.")
    assert (way.type, way.default) == ('`"one"` or `"two"`', '`"one"`')
    assert (sizes.type, sizes.default) == ("table of whole number", "`{}`")
    assert (key.type, key.default) == ("text", "unset")
    assert reference._cell(way.text) == "Which \\| way."


def test_defaults_are_those_of_the_code() -> None:
    """A default on the page, read as TOML says it, is what an empty section has."""
    by_name = {row.name: row for row in reference.fields(ShadowConfig)}
    assert by_name["url"].default == "required"
    assert by_name["timeout_s"].default == f"`{ShadowConfig(url='http://a').timeout_s}`"
    assert by_name["max_response_bytes"].default.strip("`").replace("_", "") == str(4 * 1024 * 1024)


def test_every_public_name_of_the_core_is_described() -> None:
    page = reference.core_page()
    for name in core.__all__:
        body = page.split(f"## `{name}`\n", 1)[1].split("\n## ", 1)[0]
        assert str(inspect.getdoc(getattr(core, name))).splitlines()[0] in body
    assert "### `RateLimiter.try_acquire`" in page


def test_the_store_page_is_the_database(tmp_path: Path) -> None:
    page = reference.store_page()
    open_store(StoreConfig(url=f"sqlite:///{tmp_path / 's.db'}")).close()
    db = sqlite3.connect(tmp_path / "s.db")
    try:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert "pairs" in tables
        for table in tables:
            body = page.split(f"## `{table}`\n", 1)[1].split("\n## ", 1)[0]
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            assert [line.split("`")[1] for line in body.splitlines() if line.startswith("| `")] == columns
    finally:
        db.close()


def test_every_metric_is_on_the_page() -> None:
    page = reference.metrics_page()
    shown = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert shown == {*METRICS, *NO_METRIC}
    assert (
        "| `shadowlane_responses_total` | counter | `shadow`, `code` | The shadow's responses by HTTP status. |" in page
    )
