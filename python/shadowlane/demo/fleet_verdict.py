"""The fleet demonstration's last part: the verdict, asked for on every host.

Invariant: hosts that share a store come to one verdict on the same pairs, or it is said that they do not.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..config import Config
from ..render.text import print_lines
from ..report.build import build_report
from ..report.command import run_gate, write_page
from ..report.html import render_page
from ..report.verdicts import gate_data, read_verdicts, reading
from ..status.collect import collect_status

__all__ = ["one_verdict"]


def one_verdict(configs: Sequence[Config], page: Path) -> list[str]:
    """Print the gate's output on the first host, and what each host says in a line; write the page. Returns what is
    not as it should be, in words."""
    first = configs[0]
    status = collect_status(first)
    with reading(first, status) as store:
        write_page(page, render_page(build_report(first, status, store)))
    print_lines([(f"$ {shlex.join(['shadowlane', 'gate'])}   # on {first.lane.name}", "")])
    run_gate(first)
    said: dict[str, tuple[str, float | None]] = {}
    for config in configs:
        status, verdicts = read_verdicts(config)
        data = gate_data(config.lane.name, status, verdicts)
        pairs = next((rule["figure"] for rule in data["rules"] if rule["key"] == "pairs"), None)
        said[config.lane.name] = (data["verdict"], pairs)
    print_lines([("", "")])
    for name, (verdict, pairs) in said.items():
        print_lines([(f"{name}: {verdict} on {'no' if pairs is None else f'{pairs:g}'} pairs", "")])
    if len(set(said.values())) == 1:
        return []
    return [f"the hosts do not come to one verdict: {said}"]
