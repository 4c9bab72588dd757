"""Recall, precision and MB/s on public labelled data, beside Presidio and detect-secrets, with 95 % intervals.

A value counts as found when each of its letters and digits lies in a finding, of whatever kind: that is what does not
leak. A finding of a kind is right when it overlaps a labelled value of a kind that is looked for; one that overlaps a
label of no such kind (a name, an address) is neither. A case is caught when each of its secrets is found so; where its
data does not say which part is the secret, when anything is found in it, and the tables count these apart. A benign one
is flagged by any finding. Of these are counted apart: those where all findings are personal data (an address in a test
is one), those that hold what no text tells from a key, sixteen signs or more, at random, right behind a word for one,
and those that hold as many at random behind a prefix, as issuers give it. Patterns of this bench's own tell that,
whatever finds them; the share that is flagged is given of all and of the rest. Intervals are Wilson's. Speed is the
best of some rounds over the same texts for all, one tool after the other in each round. Of ``half`` 0 or 1 only the
texts are taken whose SHA-256 begins with an even or odd byte: who mends rules looks at one half and is measured on the
other.
"""

from __future__ import annotations

import collections
import hashlib
import math
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from shadowlane.core import Redactor

from . import rivals
from .labelled import Case, Set, Spanned, read_folder

__all__ = ["public"]

_MOST = 1500
"""Texts of a set that are looked at."""
_TIMED, _ROUNDS = 300, 3
"""Texts whose time is taken, and how often."""


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not of:
        return 0.0, 1.0
    z, share = 1.959964, hits / of
    middle, width = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - width) / (1 + z * z / of), (middle + width) / (1 + z * z / of)


def _ours() -> rivals.Find:
    redactor = Redactor()
    return lambda text: [(item.kind, item.start, item.end) for item in redactor.redact_text(text)[1]]


def _by_lines(find: rivals.Find) -> rivals.Find:
    def found(text: str) -> list[rivals.Span]:
        spans, at = [], 0
        for line in text.splitlines(keepends=True):
            spans += [(kind, start + at, end + at) for kind, start, end in find(line.rstrip("\n")) if start >= 0]
            at += len(line)
        return spans

    return found


def tools() -> dict[str, rivals.Find]:
    """Us, and the rivals that are installed; what is missing is said."""
    found = {"shadowlane": _ours()}
    known = {name: find for name, find, _ in rivals.all_of_them()}
    for name in ("presidio", "detect-secrets"):
        if name in known:
            found[name] = _by_lines(known[name]) if name == "detect-secrets" else known[name]
        else:
            print(f"{name} is not installed here, and left out; make redact-bench installs it")
    return found


def _covered(text: str, start: int, end: int, found: Iterable[rivals.Span]) -> bool:
    inside = {at for _, low, high in found for at in range(max(low, start), min(high, end))}
    return all(at in inside for at in range(start, min(end, len(text))) if text[at].isalnum())


def _share(hits: int, of: int) -> str:
    low, high = wilson(hits, of)
    return f"{hits}/{of} {hits / of:.3f} ({low:.3f} to {high:.3f})" if of else "-"


def _spanned(items: Sequence[Spanned], find: rivals.Find) -> dict[str, tuple[int, int, int, int]]:
    """By kind: found, labelled, right, findings."""
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0, 0])
    for text, spans in items:
        found = find(text)
        known = [span for span in spans if span[0]]
        for kind, start, end in known:
            counts[kind][1] += 1
            counts[kind][0] += _covered(text, start, end, found)
        for kind, start, end in found:
            over = [label for label, low, high in spans if low < end and high > start]
            counts[kind][3] += not over or any(over)
            counts[kind][2] += any(over)
    return {kind: (one[0], one[1], one[2], one[3]) for kind, one in counts.items()}


def _said(case: Case) -> list[str]:
    """The secrets of a case that stand in its text as they are said."""
    return [value for value in case.values if value and value in case.text]


def _caught(case: Case, found: Sequence[rivals.Span]) -> bool:
    starts = [(case.text.index(value), len(value)) for value in _said(case)]
    return all(_covered(case.text, start, start + length, found) for start, length in starts) and bool(found)


def _print_spanned(kept: Set, finds: dict[str, rivals.Find]) -> None:
    results = {name: _spanned(kept.spanned, find) for name, find in finds.items() if name != "detect-secrets"}
    labelled = {kind: one[1] for kind, one in results["shadowlane"].items() if one[1]}
    print(f"\n{kept.name}: {len(kept.spanned)} texts with spans")
    for kind in sorted(labelled, key=lambda kind: -labelled[kind]):
        for name, counts in results.items():
            found, of, right, findings = counts.get(kind, (0, labelled[kind], 0, 0))
            print(f"  {kind:16}{name:12} recall {_share(found, of):34} precision {_share(right, findings)}")
    for name, counts in results.items():
        false = {kind: one[3] - one[2] for kind, one in counts.items() if one[3] > one[2]}
        print(
            f"  findings that overlap no labelled value, {name}: {dict(sorted(false.items(), key=lambda one: -one[1]))}"
        )


_BEHIND = re.compile(
    r"(?i:key|secret|token|passw\w*|pwd|auth|credential)\w*[\"'`\])]*\s{0,4}(?:(?:value|content)|:=|=>|[:=,]|\s)"
    r"\s{0,4}[=:]?\s{0,4}[\"'`(]*(?:(?i:bearer|basic|token)\s)?"
    r"(?P<value>[A-Za-z0-9_+/=.~#$%^&!*:@()-]{16,})"
)
"""What stands right behind a word for a secret, or behind the scheme of an authorization there."""
_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:AIza|(?:[A-Za-z][A-Za-z0-9]{1,9}[-_.])+)(?P<value>[A-Za-z0-9+/=_.-]{16,})"
    r"|eyJ(?P<jwt>[\w.-]{24,})"
)
"""What stands behind a prefix of an issuer's, or is signed and in three parts."""
_BITS = 3.0
"""Entropy of what is random, a character (Shannon): that of English words is less."""
_PERSONAL = frozenset(("email", "phone", "ip_address", "mac_address", "payment_card", "iban"))


def _entropy(text: str) -> float:
    counts = collections.Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


def _is_random(value: str) -> bool:
    return any(sign.isdigit() for sign in value) and any(sign.isalpha() for sign in value) and _entropy(value) >= _BITS


def _random(text: str) -> str:
    """Whether a text holds what is random behind a word for a secret, or behind a prefix."""
    at = 0
    while found := _BEHIND.search(text, at):
        if _is_random(found["value"]):
            return "random, under a key's name"
        # A name may itself stand where a value would.
        at = found.start() + 1
    behind = (found["value"] or found["jwt"] for found in _PREFIXED.finditer(text))
    return "random, behind a prefix" if any(_is_random(value) for value in behind) else ""


def _flagged(case: Case, found: Sequence[rivals.Span]) -> str:
    """Why a benign case is flagged: by nothing, by personal data, by what no text tells from a key, or wrongly."""
    if not found:
        return ""
    if all(kind in _PERSONAL for kind, _, _ in found):
        return "personal data"
    return _random(case.text) or "else"


def _print_cases(kept: Set, finds: dict[str, rivals.Find]) -> None:
    secrets = sum(case.secret for case in kept.cases)
    unsaid = sum(case.secret and not _said(case) for case in kept.cases)
    print(
        f"\n{kept.name}: {len(kept.cases)} cases, {secrets} of them secrets; "
        f"of {unsaid} no part is said to be the secret"
    )
    for name, find in finds.items():
        if name == "presidio":
            continue
        said = [(case.secret, _caught(case, find(case.text))) for case in kept.cases]
        caught, flagged = (sum(one for secret, one in said if secret is wanted) for wanted in (True, False))
        print(f"  {name:16} caught {_share(caught, secrets):34} benign flagged {_share(flagged, len(said) - secrets)}")
        benign = [case for case in kept.cases if not case.secret]
        why = collections.Counter(_flagged(case, find(case.text)) for case in benign)
        print(f"  {'':16} of the flagged: " + ", ".join(f"{count} {of}" for of, count in sorted(why.items()) if of))
        rest = [case for case in benign if not _random(case.text)]
        wrong = sum(bool(_flagged(case, find(case.text))) for case in rest)
        print(f"  {'':16} benign flagged of those without anything random: {_share(wrong, len(rest))}")


def _print_speed(kept: Set, finds: dict[str, rivals.Find]) -> None:
    texts = [item.text for item in (*kept.spanned, *kept.cases)][:_TIMED]
    size, best = sum(len(text.encode("utf-8", "replace")) for text in texts), dict.fromkeys(finds, math.inf)
    for _ in range(_ROUNDS):
        for name, find in finds.items():
            start = time.perf_counter()
            for text in texts:
                find(text)
            best[name] = min(best[name], time.perf_counter() - start)
    for name, seconds in best.items():
        rate = size / 1e6 / seconds
        print(f"  {name:16} {rate:.2f} MB/s on {len(texts)} texts of {size // len(texts)} bytes on average")


def _of_half(kept: Set, half: int | None) -> Set:
    def takes(text: str) -> bool:
        return half is None or hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] % 2 == half

    return Set(
        kept.name,
        [item for item in kept.spanned if takes(item.text)][:_MOST],
        [case for case in kept.cases if takes(case.text)][:_MOST],
    )


def public(folder: Path, half: int | None) -> None:
    """Print the tables for all that is readable in a folder."""
    sets, passed = read_folder(folder)
    if not sets:
        print(f"{folder}: no labelled data in a format that is read; see benches/redact/labelled.py")
        return
    finds = tools()
    for why, count in sorted(passed.items()):
        print(f"{count} {why}, and left out")
    for kept in (_of_half(one, half) for one in sets):
        if kept.spanned:
            _print_spanned(kept, finds)
        if kept.cases:
            _print_cases(kept, finds)
        if kept.spanned or kept.cases:
            _print_speed(kept, finds)
