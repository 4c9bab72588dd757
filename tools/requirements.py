"""Print the requirements of the build, the package and some of its extras, one a line: what `make build` installs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import tomllib


def requirements(extras: list[str]) -> list[str]:
    """Requirements of the named extras, with `shadowlane[...]` references followed."""
    data = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    project = data["project"]
    found: dict[str, None] = dict.fromkeys([*data["build-system"]["requires"], *project["dependencies"]])
    todo, done = list(extras), set()
    while todo:
        extra = todo.pop()
        if extra in done:
            continue
        done.add(extra)
        for requirement in project["optional-dependencies"][extra]:
            own = re.fullmatch(r"shadowlane\[([^]]*)]", requirement)
            if own:
                todo += [name.strip() for name in own[1].split(",")]
            else:
                found[requirement] = None
    return list(found)


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
