"""The worked example of ``shadowlane probe``: ``python -m shadowlane.demo.probe [--out FOLDER]``.

Starts the demonstration's prod, its shadow, and the shadow broken on purpose (its index was built without the chapter
on payments), probes both with the gold file that comes with the package, and ends by itself.

Invariant: the exit code is 0 only when the first probe passes, and the second does not, and names exactly the items of
the missing chapter, each for the section that it does not cite any more.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import ShadowlaneError
from ..render.text import print_error, print_lines
from .processes import Child, start

__all__ = ["gold_text", "run_probe_demo"]

_UP_S = 90.0
_SERVICES = (("prod", "prod"), ("shadow", "shadow"), ("broken", "broken"))
_MISSING = "payments"


def gold_text() -> str:
    """The gold file: ten questions of the handbook that the shadow is known to answer well."""
    return (resources.files(__package__) / "gold.jsonl").read_text(encoding="utf-8")


def run_probe_demo(out: Path) -> int:
    """Both probes; the pages go into ``out``. Returns the exit code."""
    out.mkdir(parents=True, exist_ok=True)
    gold = out / "gold.jsonl"
    gold.write_text(gold_text(), encoding="utf-8")
    children: dict[str, Child] = {}
    try:
        for name, role in _SERVICES:
            children[name] = start(name, "shadowlane.demo.service", ["--role", role], out / f"{name}.log")
        for child in children.values():
            child.wait_until_up(_UP_S)
        codes = {
            name: _probe(out, gold, children["prod"].url, name, children[name].url) for name in ("shadow", "broken")
        }
    finally:
        for child in children.values():
            child.stop()
    return _verdict(out, codes)


def _probe(out: Path, gold: Path, prod: str, name: str, url: str) -> int:
    arguments = ["probe", str(gold), "--prod", prod, "--shadow", url, "--path", "/ask"]
    arguments += ["--template", '{"question": "{{question}}", "seed": "{{seed}}"}', "--qps", "0", "--fresh"]
    arguments += ["--html", str(out / f"probe-{name}.html"), "--junit", str(out / f"probe-{name}.xml")]
    arguments += ["--state", str(out / f"probe-{name}.state")]
    print_lines([("", ""), (f"$ shadowlane {shlex.join(arguments)}", "")])
    code = subprocess.run([sys.executable, "-m", "shadowlane", *arguments], check=False).returncode  # noqa: S603
    print_lines([(f"exit code {code}", "")])
    return code


def _verdict(out: Path, codes: dict[str, int]) -> int:
    wanted = {item["id"] for item in _items() if item["sections"][0].startswith(f"{_MISSING}/")}
    blamed = _blamed(out / "probe-broken.xml")
    good = codes == {"shadow": 0, "broken": 1} and blamed == wanted
    if good:
        outcome = f"the probe passes the shadow, and says of the broken one that it misses {', '.join(sorted(wanted))}"
    else:
        outcome = f"not as expected: exit codes {codes}; missed by the broken one: {sorted(blamed)}"
    pages = f"pages: {out}/probe-shadow.html, {out}/probe-broken.html"
    print_lines([("", ""), (outcome, ""), (pages, "")])
    return 0 if good else 1


def _items() -> list[dict[str, Any]]:
    return [json.loads(line) for line in gold_text().splitlines()]


def _blamed(file: Path) -> set[str]:
    """The items whose failure names the coverage of their section."""
    from xml.etree import ElementTree

    cases = ElementTree.parse(file).iter("testcase")  # noqa: S314 - written by ourselves a moment ago
    return {
        case.get("name", "")
        for case in cases
        if (failure := case.find("failure")) is not None and "coverage" in failure.get("message", "")
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shadowlane.demo.probe", description=__doc__)
    parser.add_argument("--out", type=Path, default=None, help="folder for gold file, pages and logs")
    options = parser.parse_args()
    try:
        if options.out is not None:
            return run_probe_demo(options.out)
        with tempfile.TemporaryDirectory(prefix="shadowlane-probe-") as folder:
            return run_probe_demo(Path(folder))
    except ShadowlaneError as error:
        print_error(str(error), "probe demo")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
