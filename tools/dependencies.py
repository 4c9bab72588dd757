"""What the package depends on, Rust crates and Python distributions, as they are locked and installed here.

For the bill of materials (:mod:`tools.sbom`) and the audit (:mod:`tools.audit`). Invariant: the graphs are whole; a
distribution that is required, on any Python that we support, and not installed is an error, never a gap.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import tomllib
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
EXTENSION = "shadowlane-py"
"""The crate that becomes the extension module."""
NOT_FOR_USERS = ("dev", "docs", "demo")
"""Extras that no installed gateway or worker has."""
HOSTS = ("capture-litellm",)
"""Extras that name only the gateway which the capture is loaded into: it is there already, with a bill of its own, and
too large for the development environment."""


@dataclass(slots=True)
class Package:
    """One crate or distribution. ``needs`` are the purls (https://github.com/package-url/purl-spec) of others."""

    name: str
    version: str
    purl: str
    licence: str
    """An SPDX expression where its author gave one, else the author's words; empty: none given."""
    scope: str = "required"
    """CycloneDX: ``required``, ``optional`` (an extra asks for it), ``excluded`` (it only runs in the build)."""
    sha256: str = ""
    url: str = ""
    needs: set[str] = field(default_factory=set)


# ---- Rust


def host() -> str:
    """The target that wheels of this machine are built for."""
    said = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    return next(line.partition(": ")[2] for line in said.splitlines() if line.startswith("host: "))


def crates(target: str) -> dict[str, Package]:
    """The crates that the extension is made of for a target, by purl, the workspace's own included."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"cargo metadata failed:\n{done.stderr}")
    return _crates(json.loads(done.stdout), _checksums())


def _crates(data: dict[str, Any], checksums: dict[tuple[str, str], str]) -> dict[str, Package]:
    by_id = {package["id"]: package for package in data["packages"]}
    needs = {
        node["id"]: [dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        for node in data["resolve"]["nodes"]
    }
    macros = {key for key, one in by_id.items() if any("proc-macro" in target["kind"] for target in one["targets"])}
    first = next(key for key, package in by_id.items() if package["name"] == EXTENSION)
    linked = set(_reached([first], needs, stop=macros)) - macros
    found = {}
    for key in _reached([first], needs):
        package = by_id[key]
        found[_crate_purl(package)] = Package(
            name=package["name"],
            version=package["version"],
            purl=_crate_purl(package),
            licence=(package["license"] or "").replace("/", " OR "),
            scope="required" if key in linked else "excluded",
            sha256=checksums.get((package["name"], package["version"]), ""),
            url=package["repository"] or "",
            needs={_crate_purl(by_id[other]) for other in needs[key]},
        )
    return found


def _crate_purl(package: dict[str, Any]) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


def _reached(first: Iterable[str], needs: dict[str, list[str]], stop: Iterable[str] = ()) -> Iterator[str]:
    todo, seen, stop = list(first), set(), set(stop)
    while todo:
        key = todo.pop()
        if key in seen:
            continue
        seen.add(key)
        yield key
        if key not in stop:
            todo += needs[key]


def _checksums() -> dict[tuple[str, str], str]:
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    return {(one["name"], one["version"]): one.get("checksum", "") for one in lock["package"]}


# ---- Python


def project() -> dict[str, Any]:
    """The ``[project]`` table."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def distributions() -> tuple[dict[str, Package], dict[str, set[str]]]:
    """What users' installations need, on every Python that we support and with every extra for users but those of
    :data:`HOSTS`, by purl; and by ``""`` and each extra the purls that it asks for itself."""
    left_out = (*NOT_FOR_USERS, *HOSTS)
    extras = {name: some for name, some in project()["optional-dependencies"].items() if name not in left_out}
    asked: dict[str, set[str]] = {}
    found: dict[str, Package] = {}
    for extra, requirements in {"": project()["dependencies"], **extras}.items():
        asked[extra] = set()
        for text in requirements:
            requirement = Requirement(text)
            if requirement.name != "shadowlane" and _applies(requirement, ""):
                asked[extra].add(_add(requirement, found, "optional" if extra else "required"))
    return found, asked


def vendored() -> dict[str, Package]:
    """What lies in the package as a file of somebody else's, by purl; the version is what the file says."""
    file = ROOT / "python" / "shadowlane" / "dashboard" / "static" / "uPlot.iife.min.js"
    found = re.match(rb"/\*! https://github\.com/leeoniya/uPlot \(v([0-9.]+)\) \*/", file.read_bytes())
    licence = file.with_name("uPlot.LICENSE").read_text(encoding="utf-8")
    if found is None or not licence.startswith("The MIT License"):
        raise SystemExit(f"{file}: says no version, or its licence beside it is another one; vendor uPlot anew")
    number = found[1].decode()
    purl = f"pkg:npm/uplot@{number}"
    url = "https://github.com/leeoniya/uPlot"
    return {purl: Package("uplot", number, purl, "MIT", url=url)}


def _applies(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate({"extra": extra, "python_version": python, "python_full_version": f"{python}.0"})
        for python in pythons()
    )


@cache
def pythons() -> tuple[str, ...]:
    """The Pythons that we support, such as ``3.10``."""
    marked = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", one) for one in project()["classifiers"])
    return tuple(found[1] for found in marked if found)


def _add(requirement: Requirement, found: dict[str, Package], scope: str) -> str:
    """Puts the distribution and all that it needs into ``found``, unless it is there; its purl. What the package itself
    requires comes first, so that an extra finds it as required."""
    try:
        installed = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError:
        text = f"{requirement}: required, and not installed here; run this with the Python of `make build`"
        raise SystemExit(text) from None
    name = normal(installed.metadata["Name"])
    purl = f"pkg:pypi/{name}@{installed.version}"
    if purl not in found:
        found[purl] = Package(name, installed.version, purl, licence_of(installed), scope)
    package = found[purl]
    for text in installed.requires or ():
        other = Requirement(text)
        if any(_applies(other, extra) for extra in ("", *requirement.extras)):
            known = len(package.needs)
            theirs = _purl_of(other)
            package.needs.add(theirs)
            if len(package.needs) > known:
                _add(other, found, scope)
    return purl


def _purl_of(requirement: Requirement) -> str:
    try:
        installed = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError:
        raise SystemExit(f"{requirement}: required, and not installed here; run `make build` again") from None
    return f"pkg:pypi/{normal(installed.metadata['Name'])}@{installed.version}"


def normal(name: str) -> str:
    """The normalised name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


# Words of classifiers and of free text for the identifiers of https://spdx.org/licenses/.
_SPDX = {
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "MIT License": "MIT",
    "MIT": "MIT",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "PSF-2.0": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "The Unlicense (Unlicense)": "Unlicense",
}


_READ_BY_HAND = {"hnswlib": "Apache-2.0"}
"""Licences of distributions whose metadata has none: read in the LICENSE file of their sources."""


def licence_of(installed: metadata.Distribution) -> str:
    """The distribution's licence: ``License-Expression`` (PEP 639), else its classifiers, else its first words."""
    given = installed.metadata
    if expression := given.get("License-Expression"):
        return str(expression)
    marked = [one for one in given.get_all("Classifier") or () if one.startswith("License ::")]
    classifiers = [words for one in marked if (words := one.rpartition(" :: ")[2]) != "OSI Approved"]
    if classifiers:
        return " AND ".join(_SPDX.get(one, one) for one in classifiers)
    words = (given.get("License") or "").strip().partition("\n")[0].strip()
    return _SPDX.get(words, words) or _READ_BY_HAND.get(normal(given["Name"]), "")
