"""``python -m tools.audit [--strict]``: known vulnerabilities, licences and sources of everything that we depend on.

What cannot be looked up (an advisory database that cannot be fetched) is skipped, with the reason, and counted as
skipped, never as good; with ``--strict``, as the nightly run has it, that fails too. Exit code 1 when anything failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

import tomllib

from tools.dependencies import ROOT, distributions, normal, vendored

_NO_DATABASE = "failed to fetch advisory database"
_NO_CONNECTION = re.compile(
    r"^(?:requests\.exceptions\.(?:ConnectionError|ProxyError|SSLError|\w*Timeout): "
    r"|ERROR:\S+:(?:Could not connect to|PyPI is not redirecting)).*",
    re.MULTILINE,
)
"""pip-audit's last words where it reached no advisories; all else that ends it is a fault to be seen."""
_PYTHON_ONLY = {"PSF-2.0", "MPL-2.0", "0BSD"}
"""Allowed beside what `deny.toml` allows: a distribution is installed beside ours, not linked into it."""
_EXCEPTIONS = {
    "protobuf": ("3-Clause BSD License", "BSD-3-Clause in its authors' words"),
    "psycopg": ("LGPL-3.0-only", "a driver that its user installs and we import; nothing of it is distributed"),
    "psycopg-binary": ("LGPL-3.0-only", "the compiled half of psycopg; nothing of it is distributed"),
}
"""Licences that one distribution may have, and why."""


class Result(NamedTuple):
    """What one check found."""

    name: str
    outcome: Literal["ok", "skipped", "FAILED"]
    lines: tuple[str, ...] = ()


def rust(check: str, deny: str) -> Result:
    """One of cargo-deny's checks."""
    command = [deny, "--all-features", "--log-level", "error", "check", check]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode == 0:
        return Result(f"crates: {check}", "ok")
    if check == "advisories" and any(_NO_DATABASE in line for line in said):
        why = next((line for line in said if line.startswith("fatal:")), said[0])
        return Result(f"crates: {check}", "skipped", (f"the advisory database cannot be fetched: {why}",))
    return Result(f"crates: {check}", "FAILED", tuple(said))


def vulnerabilities(pip_audit: str) -> Result:
    """What PyPI's advisories say of every distribution that is installed here."""
    name = "distributions: advisories"
    pins = sorted({f"{normal(one.metadata['Name'])}=={one.version}" for one in metadata.distributions()} - _own())
    with tempfile.TemporaryDirectory() as folder:
        wanted, found = Path(folder) / "pins.txt", Path(folder) / "found.json"
        wanted.write_text("\n".join(pins), encoding="utf-8")
        command = [pip_audit, "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
        command += ["--requirement", str(wanted), "--output", str(found)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not found.exists():
            return _without_advisories(name, done)
        entries = json.loads(found.read_text(encoding="utf-8"))["dependencies"]
    return judged(name, entries)


def _without_advisories(name: str, done: subprocess.CompletedProcess[str]) -> Result:
    if unreached := _NO_CONNECTION.search(done.stderr):
        return Result(name, "skipped", (f"the advisories cannot be fetched: {unreached[0][:300]}",))
    last = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
    return Result(name, "FAILED", (f"pip-audit ended with exit code {done.returncode}: {last[:300]}",))


def judged(name: str, entries: list[dict[str, object]]) -> Result:
    """The result of pip-audit's entries: one that it could not look up is not known to be good."""
    bad = [
        f"{entry['name']} {entry['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no release'}"
        for entry in entries
        for flaw in entry.get("vulns", ())  # type: ignore[attr-defined]
    ]
    unknown = [entry for entry in entries if "skip_reason" in entry]
    lines = (
        [f"{len(unknown)} of {len(entries)} not known to the index, such as: {unknown[0]['skip_reason']}"]
        if unknown
        else []
    )
    if bad:
        return Result(name, "FAILED", (*bad, *lines))
    return Result(name, "skipped" if unknown else "ok", tuple(lines))


def _own() -> set[str]:
    return {f"shadowlane=={one.version}" for one in metadata.distributions(name="shadowlane")}


def licences() -> Result:
    """Whether each distribution that users get has a licence that is allowed."""
    allowed = _PYTHON_ONLY | set(tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))["licenses"]["allow"])
    bad = []
    found, _ = distributions()
    for package in (*found.values(), *vendored().values()):
        excepted = package.name in _EXCEPTIONS and package.licence == _EXCEPTIONS[package.name][0]
        if not excepted and not permitted(package.licence, allowed):
            bad.append(f"{package.name} {package.version}: {package.licence or 'no licence given'}")
    return Result("distributions: licences", "FAILED" if bad else "ok", tuple(bad))


def permitted(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression is satisfied by allowed licences: every part of an AND, one of an OR."""
    expression = expression.strip()
    while expression.startswith("(") and _closes(expression) == len(expression) - 1:
        expression = expression[1:-1].strip()
    for word, combine in ((" OR ", any), (" AND ", all)):
        parts = _split(expression, word)
        if len(parts) > 1:
            return combine(permitted(part, allowed) for part in parts)
    return expression in allowed


def _closes(expression: str) -> int:
    depth = 0
    for position, sign in enumerate(expression):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return position
    return -1


def _split(expression: str, word: str) -> list[str]:
    """At a word that stands in no parenthesis."""
    parts, depth, start = [], 0, 0
    for found in re.finditer(rf"[()]|{word}", expression):
        if found[0] == word and depth == 0:
            parts.append(expression[start : found.start()])
            start = found.end()
        depth += (found[0] == "(") - (found[0] == ")")
    return [*parts, expression[start:]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strict", action="store_true", help="what is skipped fails")
    parser.add_argument("--deny", default=os.environ.get("CARGO_DENY", "cargo-deny"))
    parser.add_argument("--pip-audit", default=str(Path(sys.executable).parent / "pip-audit"))
    options = parser.parse_args()
    checks: list[Callable[[], Result]] = [
        *(lambda check=check: rust(check, options.deny) for check in ("bans", "licenses", "sources", "advisories")),  # type: ignore[misc]
        licences,
        lambda: vulnerabilities(options.pip_audit),
    ]
    results = [check() for check in checks]
    for result in results:
        print(f"{result.outcome:<8} {result.name}")
        for line in result.lines:
            print(f"         {line}")
    bad = {"FAILED", "skipped"} if options.strict else {"FAILED"}
    return int(any(result.outcome in bad for result in results))


if __name__ == "__main__":
    sys.exit(main())
