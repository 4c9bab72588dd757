"""The version stands in one place, and a release that says two is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import shadowlane
from tools.version import problem, version


def tree(folder: Path, number: str, changelog: str) -> Path:
    (folder / "Cargo.toml").write_text(f'[workspace.package]\nversion = "{number}"\n')
    (folder / "CHANGELOG.md").write_text(changelog)
    return folder


def test_the_package_says_what_the_workspace_says() -> None:
    assert shadowlane.__version__ == version()


def test_this_tree_can_be_released() -> None:
    assert problem(f"v{version()}") is None


@pytest.mark.parametrize(
    ("tag", "changelog", "why"),
    [
        ("v1.2.4", "## 1.2.3 - 2026-01-02\n", "Cargo.toml says 1.2.3"),
        ("1.2.3", "## 1.2.3 - 2026-01-02\n", "tag v1.2.3"),
        ("v1.2.3", "## Unreleased\n", "no section '## 1.2.3"),
        ("v1.2.3", "## 1.2.30 - 2026-01-02\n", "no section '## 1.2.3"),
        ("v1.2.3", "## 1.2.3\n", "no section '## 1.2.3"),
    ],
)
def test_what_does_not_agree_is_said(tmp_path: Path, tag: str, changelog: str, why: str) -> None:
    assert why in str(problem(tag, tree(tmp_path, "1.2.3", changelog)))


def test_a_dated_section_is_enough(tmp_path: Path) -> None:
    assert problem("v1.2.3", tree(tmp_path, "1.2.3", "## Unreleased\n\n## 1.2.3 - 2026-01-02\n")) is None
