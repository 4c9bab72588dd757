"""``python -m tools.sbom [--out FOLDER] [--target TRIPLE]``: the bill of materials that lies beside the wheels.

CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): the crates that the extension is made of, as `Cargo.lock` pins
them, the distributions that installations with all extras have, on every Python that we support, as they are installed
here, and the files of others that lie in the package. The wheel itself holds the crates once more (PEP 770, written by
maturin). Equal dependencies give an equal file: no time, no machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

from tools.dependencies import EXTENSION, Package, crates, distributions, host, project, vendored
from tools.version import version

_EXPRESSION = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*|\(.*\).*|.* (?:AND|OR) \(.*\)")


def bill(target: str) -> dict[str, Any]:
    """The document."""
    rust = crates(target)
    python, asked = distributions()
    number = version()
    itself = f"pkg:pypi/shadowlane@{number}"
    extension = next(purl for purl, crate in rust.items() if crate.name == EXTENSION)
    component = {
        "type": "application",
        "bom-ref": itself,
        "name": "shadowlane",
        "version": number,
        "description": project()["description"],
        "licenses": [{"expression": project()["license"]}],
        "purl": itself,
    }
    files = vendored()
    packages = {**rust, **python, **files}
    edges = {itself: {extension}.union(*asked.values(), files), **{purl: one.needs for purl, one in packages.items()}}
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component, "properties": [{"name": "shadowlane:target", "value": target}]},
        "components": [_component(packages[purl]) for purl in sorted(packages)],
        "dependencies": [{"ref": ref, "dependsOn": sorted(edges[ref])} for ref in sorted(edges)],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {**content, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}"}


def _component(package: Package) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "scope": package.scope,
        "purl": package.purl,
    }
    if package.licence:
        known = _EXPRESSION.fullmatch(package.licence)
        found["licenses"] = [{"expression": package.licence} if known else {"license": {"name": package.licence}}]
    if package.sha256:
        found["hashes"] = [{"alg": "SHA-256", "content": package.sha256}]
    if package.url:
        found["externalReferences"] = [{"type": "vcs", "url": package.url}]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("dist"))
    parser.add_argument("--target", default="")
    options = parser.parse_args()
    document = bill(options.target or host())
    options.out.mkdir(parents=True, exist_ok=True)
    named = f"-{options.target}" if options.target else ""
    file = options.out / f"shadowlane-{version()}{named}.cdx.json"
    file.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    kinds = {
        kind: sum(one["purl"].startswith(f"pkg:{kind}/") for one in document["components"])
        for kind in ("cargo", "pypi", "npm")
    }
    print(f"{file}: {kinds['cargo']} crates, {kinds['pypi']} Python distributions, {kinds['npm']} file of others")
    return 0


if __name__ == "__main__":
    sys.exit(main())
