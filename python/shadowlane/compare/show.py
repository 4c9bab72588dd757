"""The results of a file on the terminal: the report, the verdict, one exchange's evidence.

Invariant: no style carries meaning of its own; text from the file never drives the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..render.text import Line, printable

__all__ = ["explained_lines", "unread_line"]

_DIFFERENCES = 12


def unread_line(unread: Mapping[str, int]) -> list[Line]:
    """Which fields of the file nobody reads: one of them may be a misspelt one."""
    if not unread:
        return []
    names = ", ".join(f"{printable(name)} ({count})" for name, count in sorted(unread.items()))
    return [(f"fields that were not read, with their lines: {names}", "open")]


def explained_lines(data: Mapping[str, Any]) -> list[Line]:
    """One exchange's evidence, for a person."""
    at = f"line {data['line']}, " if "line" in data else ""
    lines: list[Line] = [(printable(f"{data['id']}, {at}{data['method']} {data['target']}"), "title")]
    if data["question"]:
        lines += _wrapped("question", data["question"])
    for position, arm in enumerate(data["arms"]):
        lines += [("", ""), *_arm(arm, with_prod=position == 0)]
    return lines


def _arm(arm: Mapping[str, Any], *, with_prod: bool) -> list[Line]:
    name = arm["name"]
    lines = _wrapped("prod", arm["prod_text"] or "(no text)") if with_prod else []
    lines += _wrapped(name, arm["shadow_text"] or "(no text)")
    if arm["status"]["prod"] != arm["status"]["shadow"]:
        lines.append((f"  HTTP       prod {arm['status']['prod']}, {name} {arm['status']['shadow']}", "open"))
    if arm["delta_s"] is None:
        lines.append(("  ΔS         none", "open"))
    else:
        anchored = "" if arm["anchored"] is None else f", anchored {arm['anchored']:.3f}"
        lines.append((f"  ΔS         {arm['delta_s']:.3f}{anchored}  ({arm['embedder']})", ""))
    if arm["state"]:
        lines.append((f"  λ          {arm['state']}", ""))
    lines.append((f"  facts      {'CONTRADICT' if arm['fact_flip'] else 'no contradiction found'}", ""))
    for found in arm["evidence"]:
        text = f"{found['kind']} ({found['component']}): prod {found['text_a']!r}, {name} {found['text_b']!r}"
        lines += _wrapped("", text)
    lines += _citation_lines(arm, name)
    for difference in (arm["differences"] or ())[:_DIFFERENCES]:
        path, _, kind, prod, shadow = difference
        lines += _wrapped("structure", f"{path} ({kind}): prod {prod or '-'}, {name} {shadow or '-'}")
    if arm["note"]:
        lines += _wrapped("note", arm["note"])
    return lines


def _citation_lines(arm: Mapping[str, Any], name: str) -> list[Line]:
    if arm["citation_match"] is None:
        return []
    lines: list[Line] = [(f"  citations  {100 * arm['citation_match']:.0f} % of prod's found again", "")]
    for who, side in (("prod", "prod"), (name, "shadow")):
        lines += _wrapped("", f"{who} cites {'; '.join(arm['citations'][side]) or 'nothing'}")
    return lines


def _wrapped(label: str, text: str) -> list[Line]:
    return [(f"  {label:<9}  {printable(' '.join(text.split()))}", "")]
