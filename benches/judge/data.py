"""Readers of the public sets, in the formats that their authors publish. A folder may hold any of them.

SICK (Marelli et al. 2014): ``SICK*.txt``. PAWS (Zhang, Baldridge & He 2019): ``final/test.tsv`` or ``paws*.tsv``.
STS benchmark (Cer et al. 2017): ``sts-test.csv``, ``sts-dev.csv``. MRPC (Dolan & Brockett 2005): ``msr*para*.tsv``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Labelled", "load"]


@dataclass(frozen=True)
class Labelled:
    """One file of sentence pairs: ``labels`` are texts (SICK), ``0``/``1`` (PAWS, MRPC) or grades 0 to 5 (STS)."""

    kind: str
    name: str
    a: list[str]
    b: list[str]
    labels: list[str]


_PATTERNS = {
    "SICK": ("SICK*.txt",),
    "PAWS": ("final/*.tsv", "paws*.tsv", "PAWS*.tsv", "paws/**/*.tsv"),
    "STS": ("sts-*.csv", "stsbenchmark/sts-*.csv"),
    "MRPC": ("msr*para*.tsv", "msr*para*.txt"),
}


def load(folder: Path) -> Iterator[Labelled]:
    """Every known set in the folder. Raises ValueError with the file and line when one is not in its format."""
    for kind, patterns in _PATTERNS.items():
        for file in sorted({file for pattern in patterns for file in folder.glob(pattern)}):
            yield _read(kind, file)


def _read(kind: str, file: Path) -> Labelled:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    if kind == "STS":
        body, columns = rows, (5, 6, 4)
    elif kind == "SICK":
        names = rows[0]
        label = "entailment_label" if "entailment_label" in names else "entailment_judgment"
        body, columns = rows[1:], (names.index("sentence_A"), names.index("sentence_B"), names.index(label))
    elif kind == "PAWS":
        names = rows[0]
        body, columns = rows[1:], (names.index("sentence1"), names.index("sentence2"), names.index("label"))
    else:
        body, columns = rows[1:], (3, 4, 0)
    for number, row in enumerate(body, start=len(rows) - len(body) + 1):
        if row and len(row) <= max(columns):
            raise ValueError(f"{file}:{number}: {len(row)} columns, and column {max(columns) + 1} is needed")
    a, b, labels = ([row[column] for row in body if row] for column in columns)
    return Labelled(kind, file.name, a, b, labels)
