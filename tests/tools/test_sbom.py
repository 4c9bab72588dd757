"""The bill of materials names all that the package is made of and needs, and nothing that only developers have."""

from __future__ import annotations

import json
import shutil
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import tomllib
from packaging.requirements import Requirement

from tools import sbom
from tools.audit import Result, judged, licences, permitted, vulnerabilities
from tools.dependencies import EXTENSION, HOSTS, ROOT, Package, _applies, _crates, distributions, host, vendored
from tools.wheel_check import check_bill, check_files

needs_cargo = pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo and rustc are not installed")


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    return sbom.bill(host())


@needs_cargo
def test_it_is_a_graph_without_holes(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    refs = [one["bom-ref"] for one in bill["components"]]
    itself = bill["metadata"]["component"]["bom-ref"]
    assert len(set(refs)) == len(refs)
    edges = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    assert set(edges) == {itself, *refs}
    reached, todo = set(), [itself]
    while todo:
        ref = todo.pop()
        if ref not in reached:
            reached.add(ref)
            todo += edges[ref]
    assert reached == {itself, *refs}


@needs_cargo
def test_crates_are_those_of_the_lock_file_with_their_checksums(bill: dict[str, Any]) -> None:
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    locked = {(one["name"], one["version"]): one.get("checksum") for one in lock["package"]}
    crates = [one for one in bill["components"] if one["purl"].startswith("pkg:cargo/")]
    names = {one["name"] for one in crates}
    assert {EXTENSION, "shadowlane-redact", "pyo3", "regex", "memmap2", "sqlparser"} <= names
    assert not names & {"loom", "proptest", "criterion"}  # tests alone need them
    for one in crates:
        checksum = locked[one["name"], one["version"]]
        assert [part["content"] for part in one.get("hashes", ())] == ([checksum] if checksum else [])
        assert one["licenses"]
    scopes = {one["name"]: one["scope"] for one in crates}
    assert (scopes["regex"], scopes["pyo3-macros"]) == ("required", "excluded")


@needs_cargo
def test_distributions_are_those_that_are_installed(bill: dict[str, Any]) -> None:
    found = {one["name"]: one for one in bill["components"] if one["purl"].startswith("pkg:pypi/")}
    assert {"msgspec", "numpy", "xxhash", "aiohttp", "yarl", "h11", "psycopg"} <= set(found)
    assert {"tomli", "async-timeout", "exceptiongroup"} <= set(found)  # Python 3.10 alone needs them
    assert not set(found) & {"pytest", "mypy", "ruff", "maturin", "starlette", "zensical"}
    for name, one in found.items():
        assert one["version"] == metadata.version(name)
        assert one["licenses"], name
    assert (found["numpy"]["scope"], found["aiohttp"]["scope"]) == ("required", "optional")


@needs_cargo
def test_equal_dependencies_give_an_equal_file(bill: dict[str, Any]) -> None:
    again = sbom.bill(host())
    assert again == bill
    assert json.dumps(again) == json.dumps(bill)
    assert str(ROOT) not in json.dumps(bill)


def test_what_a_macro_needs_only_runs_in_the_build() -> None:
    def package(name: str, kind: str = "lib") -> dict[str, Any]:
        return {
            "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0", "repository": None,
            "targets": [{"kind": [kind]}],
        }  # fmt: skip

    def node(name: str, **deps: str | None) -> dict[str, Any]:
        return {"id": name, "deps": [{"pkg": key, "dep_kinds": [{"kind": kind}]} for key, kind in deps.items()]}

    data = {
        "packages": [package(EXTENSION), package("a"), package("m", "proc-macro"), package("syn"), package("t")],
        "resolve": {
            "nodes": [
                node(EXTENSION, a=None, m=None, t="dev"), node("a"), node("m", syn=None, a=None), node("syn"),
                node("t"),
            ]
        },
    }  # fmt: skip
    found = {one.name: one for one in _crates(data, {("a", "1.0.0"): "ab"}).values()}
    assert {name: one.scope for name, one in found.items()} == {
        EXTENSION: "required",
        "a": "required",
        "m": "excluded",
        "syn": "excluded",
    }
    assert (found["a"].sha256, found["a"].licence) == ("ab", "MIT OR Apache-2.0")


def test_every_extra_of_users_is_in_it() -> None:
    _, asked = distributions()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(asked) == {"", *extras} - {"dev", "docs", "demo", *HOSTS}
    # An extra that names more than the gateway which it is loaded into has no excuse.
    assert all(len(extras[name]) == 1 for name in HOSTS)


@pytest.mark.parametrize(
    ("text", "extra", "applies"),
    [
        ("a", "", True),
        ("a; python_version < '3.11'", "", True),
        ("a; python_full_version < '3.11.3'", "", True),
        ("a; python_version >= '3.14'", "", True),
        ("a; python_version < '3.10'", "", False),
        ("a; python_version >= '4'", "", False),
        ("a; python_version < '3.11' and sys_platform == 'win32'", "", False),
        ("a; python_version < '3.11' and extra == 'b'", "", False),
        ("a; python_version < '3.11' and extra == 'b'", "b", True),
    ],
)
def test_what_any_supported_python_needs_is_needed(text: str, extra: str, applies: bool) -> None:
    assert _applies(Requirement(text), extra) is applies


@pytest.mark.parametrize(
    ("expression", "good"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND ISC", True),
        ("MIT AND (GPL-3.0-only OR ISC)", True),
        ("MIT AND (GPL-3.0-only AND ISC)", False),
        ("(MIT) OR (GPL-3.0-only)", True),
        ("(MIT OR ISC) AND (GPL-3.0-only)", False),
        ("Some words of an author", False),
    ],
)
def test_a_licence_is_allowed_as_a_whole(expression: str, good: bool) -> None:
    assert permitted(expression, {"MIT", "ISC"}) is good


def test_the_licences_of_what_users_get_are_allowed() -> None:
    assert licences() == Result("distributions: licences", "ok")


@pytest.mark.parametrize(
    ("name", "licence", "good"),
    [
        ("a", "", False),
        ("psycopg", "", False),
        ("psycopg", "LGPL-3.0-only", True),
        ("psycopg", "GPL-3.0-only", False),
        ("a", "LGPL-3.0-only", False),
        ("a", "MIT", True),
    ],
)
def test_a_distribution_needs_a_licence(name: str, licence: str, good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Package(name, "1.0", f"pkg:pypi/{name}@1.0", licence)
    monkeypatch.setattr("tools.audit.distributions", lambda: ({one.purl: one}, {}))
    assert licences().outcome == ("ok" if good else "FAILED")


def test_what_could_not_be_looked_up_is_not_called_good() -> None:
    good = {"name": "a", "version": "1", "vulns": []}
    unknown = {"name": "b", "skip_reason": "not found"}
    bad = {"name": "c", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
    assert judged("x", [good]).outcome == "ok"
    assert judged("x", [good, unknown]).outcome == "skipped"
    failed = judged("x", [good, unknown, bad])
    assert failed.outcome == "FAILED"
    assert failed.lines[0] == "c 1: PYSEC-1, fixed in 2"


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (
            "Traceback (most recent call last):\n"
            "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='pypi.org', port=443): Max retries exceeded",
            "skipped",
        ),
        ("requests.exceptions.ProxyError: HTTPSConnectionPool(host='pypi.org', port=443)", "skipped"),
        ("requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='pypi.org', port=443)", "skipped"),
        (
            "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed\n"
            "ERROR:pip_audit._cli:Tip: your network may be blocking this service.",
            "skipped",
        ),
        (
            "ERROR:pip_audit._cli:requirement file pins.txt contains invalid specifier at line 1: ConnectionError",
            "FAILED",
        ),
        ("pip-audit: error: unrecognized arguments: --disable-pip", "FAILED"),
        ("Traceback (most recent call last):\nModuleNotFoundError: No module named 'cyclonedx'", "FAILED"),
        ("", "FAILED"),
    ],
)
def test_only_a_connection_that_fails_is_skipped(words: str, outcome: str, tmp_path: Path) -> None:
    said, program = tmp_path / "said.txt", tmp_path / "pip-audit"
    said.write_text(words)
    program.write_text(f"#!/bin/sh\ncat '{said}' >&2\nexit 3\n")
    program.chmod(0o700)
    found = vulnerabilities(str(program))
    assert found.outcome == outcome
    assert found.lines


@needs_cargo
def test_a_wheel_whose_own_bill_lacks_a_crate_is_refused(bill: dict[str, Any], tmp_path: Path) -> None:
    crates = [one for one in bill["components"] if one["purl"].startswith("pkg:cargo/")]

    def wheel(parts: list[dict[str, Any]] | None) -> Path:
        file = tmp_path / f"shadowlane-{len(parts or ())}.whl"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("shadowlane/__init__.py", "")
            if parts is not None:
                name = "shadowlane-0.dist-info/sboms/shadowlane-py.cyclonedx.json"
                archive.writestr(name, json.dumps({"components": parts}))
        return file

    check_bill(wheel(crates))
    with pytest.raises(SystemExit, match=r"lacks everything"):
        check_bill(wheel(None))
    lost = crates.pop()
    with pytest.raises(SystemExit, match=f"lacks .*{lost['name']} {lost['version']}"):
        check_bill(wheel(crates))


def test_files_of_others_are_named_with_version_and_licence() -> None:
    ((purl, one),) = vendored().items()
    assert (purl, one.licence) == (f"pkg:npm/uplot@{one.version}", "MIT")
    page = (ROOT / "docs" / "parts" / "dashboard.md").read_text(encoding="utf-8")
    assert f"uPlot](https://github.com/leeoniya/uPlot) {one.version} (MIT" in page


@needs_cargo
def test_the_bill_has_the_files_of_others(bill: dict[str, Any]) -> None:
    assert [one["name"] for one in bill["components"] if one["purl"].startswith("pkg:npm/")] == ["uplot"]


def test_a_wheel_without_the_page_is_refused(tmp_path: Path) -> None:
    static = "shadowlane/dashboard/static"
    files = [path for path in (ROOT / "python").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for name, left_out in (("whole", ""), ("lacking", f"{static}/app.js")):
        wheel = tmp_path / f"{name}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path in files:
                inside = path.relative_to(ROOT / "python").as_posix()
                if inside != left_out and path.suffix != ".so":
                    archive.write(path, inside)
        if left_out:
            with pytest.raises(SystemExit, match=f"lacking.whl: lacks {left_out}"):
                check_files(wheel)
        else:
            check_files(wheel)
