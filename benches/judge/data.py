"""Readers of the public sets, in the formats that their authors publish. A folder may hold any of them.

SICK (Marelli et al. 2014): ``SICK*.txt``. PAWS (Zhang, Baldridge & He 2019): ``final/test.tsv``, ``paws*.tsv``, or any
``*.tsv`` whose first line names ``sentence1``, ``sentence2`` and ``label``; without it, four columns: number, two
sentences, label. PAWS-QQP's own script writes its sentences as Python bytes literals (``b'...'``): they are read as the
text that they hold. STS benchmark (Cer et al. 2017): ``sts-test.csv``, ``stsb-test.csv`` or ``.tsv`` as its authors
give it, or two sentences and a grade separated by commas. MRPC (Dolan & Brockett 2005): ``msr*para*.tsv``. Files may be
gzipped.
"""

from __future__ import annotations

import ast
import csv
import gzip
import itertools
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
    "SICK": ("SICK*.txt", "SICK*/SICK*.txt"),
    "MRPC": ("msr*para*.tsv", "msr*para*.txt"),
    "STS": ("sts*.csv", "sts*.tsv", "stsbenchmark/sts-*.csv"),
    "PAWS": ("*.tsv", "final/*.tsv", "paws/**/*.tsv", "PAWS/**/*.tsv"),
}


def load(folder: Path) -> Iterator[Labelled]:
    """Every known set in the folder. Raises ValueError with the file and line when one is not in its format."""
    taken: set[Path] = set()
    for kind, patterns in _PATTERNS.items():
        found = {file for pattern in patterns for end in ("", ".gz") for file in folder.glob(pattern + end)}
        for file in sorted(found - taken):
            if kind != "PAWS" or _paws(file):
                taken.add(file)
                yield _read(kind, file)


def _rows(file: Path) -> Iterator[list[str]]:
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8-sig", newline="") as lines:
        first = lines.readline()
        # STS-B comes as its authors' tab-separated file without a head; with one from GLUE, or separated by commas.
        comma = "\t" not in first and "," in first
        quoting = csv.QUOTE_MINIMAL if comma else csv.QUOTE_NONE
        yield from csv.reader(itertools.chain([first], lines), delimiter="," if comma else "\t", quoting=quoting)


_HEAD = {"sentence1", "sentence2", "label"}


def _paws(file: Path) -> bool:
    first = next(_rows(file), [])
    return set(first) >= _HEAD or (len(first) == 4 and first[3] in {"0", "1"})


def _said(text: str) -> str:
    """The text of a Python bytes literal, any other as it is."""
    if text[:2] in {"b'", 'b"'} and text[-1] == text[1]:
        return bytes(ast.literal_eval(text)).decode("utf-8", "replace")
    return text


def _read(kind: str, file: Path) -> Labelled:
    rows = list(_rows(file))
    if not rows:
        raise ValueError(f"{file}: is empty")
    names, body = rows[0], rows[1:]
    if (kind == "PAWS" and not set(names) >= _HEAD) or (kind == "STS" and len(names) == 3 and "score" not in names):
        body = rows

    def column(*known: str) -> int:
        for name in known:
            if name in names:
                return names.index(name)
        raise ValueError(f"{file}:1: none of the columns {', '.join(known)} in its first line")

    if kind == "SICK":
        columns = column("sentence_A"), column("sentence_B"), column("entailment_label", "entailment_judgment")
    elif kind == "PAWS" and body is rows:
        columns = 1, 2, 3
    elif kind == "PAWS" or (kind == "STS" and "sentence1" in names):
        columns = column("sentence1"), column("sentence2"), column("label", "score", "similarity_score")
    elif kind == "STS" and body is rows:
        columns = 0, 1, 2
    elif kind == "STS":
        body, columns = rows, (5, 6, 4)
    else:
        columns = 3, 4, 0
    for number, row in enumerate(body, start=len(rows) - len(body) + 1):
        if row and len(row) <= max(columns):
            raise ValueError(f"{file}:{number}: {len(row)} columns, and column {max(columns) + 1} is needed")
    a, b, labels = ([row[place] for row in body if row] for place in columns)
    if kind == "PAWS":
        a, b = [_said(text) for text in a], [_said(text) for text in b]
    return Labelled(kind, file.name, a, b, labels)
