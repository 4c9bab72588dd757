"""The version of a release: it stands once, in Cargo.toml, and the changelog has a dated section of it.

``python tools/version.py`` prints it; ``--tag v1.2.3`` also fails (exit 1) when the tag or the changelog says another.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import tomllib

ROOT = Path(__file__).parents[1]


def version(root: Path = ROOT) -> str:
    """The workspace's version."""
    data = tomllib.loads((root / "Cargo.toml").read_text(encoding="utf-8"))
    return str(data["workspace"]["package"]["version"])


def problem(tag: str, root: Path = ROOT) -> str | None:
    """What keeps ``tag`` from being released, or ``None``."""
    found = version(root)
    if tag != f"v{found}":
        return f"tag {tag}: Cargo.toml says {found}; tag v{found}, or change workspace.package.version"
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(found)} - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        return f"CHANGELOG.md: no section '## {found} - YYYY-MM-DD'; date what is unreleased"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", help="the tag to check")
    options = parser.parse_args()
    found = problem(options.tag) if options.tag else None
    print(found or version(), file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
