"""Sentence pairs of the kinds that SICK, PAWS and STS hold, made here from a small grammar, so that the bench runs
without any data.

Written by the same hands as the rules that they test: a figure here shows that nothing got worse, and no more. What a
figure is worth is seen on the public sets, which ``python -m benches.judge FOLDER`` reads.
"""

from __future__ import annotations

import itertools
import random

from .data import Labelled

__all__ = ["paws_like", "sick_like", "sts_like"]

# Who, what kind of thing that is, and with a detail.
_AGENTS = [
    ("man", "person", "tall"), ("woman", "person", "old"), ("boy", "child", "young"), ("girl", "child", "smiling"),
    ("dog", "animal", "brown"), ("cat", "animal", "small"), ("chef", "person", "busy"), ("monkey", "animal", "little"),
]  # fmt: skip
# -ing form, participle, thing, kind of thing, verb that excludes it (-ing form), where.
_DEEDS = [
    ("opening", "opened", "box", "container", "closing", "in a kitchen"),
    ("pushing", "pushed", "cart", "vehicle", "pulling", "on a street"),
    ("playing", "played", "guitar", "instrument", "", "on a stage"),
    ("cutting", "cut", "tomato", "vegetable", "", "on a table"),
    ("riding", "ridden", "horse", "animal", "", "in a field"),
    ("lifting", "lifted", "barbell", "weight", "dropping", "in a gym"),
    ("throwing", "thrown", "ball", "toy", "catching", "in a park"),
    ("folding", "folded", "letter", "paper", "unfolding", "at a desk"),
    ("filling", "filled", "bucket", "container", "emptying", "in a yard"),
    ("chasing", "chased", "rabbit", "animal", "", "through the grass"),
]
_LOOKS = [("empty", "full"), ("clean", "dirty"), ("big", "small"), ("wet", "dry"), ("old", "new"), ("open", "closed")]


def sick_like() -> Labelled:
    """Captions: contradictions by negation, antonyms and exchanged roles; entailments by voice, kind and detail."""
    rows: list[tuple[str, str, str]] = []
    for number, (agent, deed) in enumerate(itertools.product(_AGENTS, _DEEDS)):
        who, kind, detail = agent
        doing, done, thing, family, opposite, where = deed
        look, other_look = _LOOKS[number % len(_LOOKS)]
        plain = f"A {who} is {doing} a {thing}"
        full = f"A {detail} {who} is {doing} a {thing} {where}"
        against = [
            (plain, f"A {who} is not {doing} a {thing}"),
            (full, f"There is no {who} {doing} a {thing}"),
            (full, f"A {detail} {who} isn't {doing} a {thing} {where}"),
            (plain, f"Nobody is {doing} a {thing}"),
            (f"A {look} {thing} is being {done} by a {who}", f"A {other_look} {thing} is being {done} by a {who}"),
        ]
        if opposite:
            against.append((full, f"A {detail} {who} is {opposite} a {thing} {where}"))
        other = _AGENTS[(number + 3) % len(_AGENTS)][0]
        if other != who:
            against.append(
                (f"The {who} is following the {other} {where}", f"The {other} is following the {who} {where}")
            )
        same = [
            (plain, f"A {thing} is being {done} by a {who}"),
            (full, f"A {kind} is {doing} a {thing}"),
            (full, f"A {who} is {doing} a {thing} {where}"),
            (plain, f"A {who} is {doing} a {family}"),
            (full, f"A {detail} {who}, {where}, is {doing} a {thing}"),
            (full, f"There is a {detail} {who} {doing} a {thing} {where}"),
            (plain, f"The {who} is {doing} the {thing}"),
        ]
        rows += [(a, b, "CONTRADICTION") for a, b in against]
        rows += [(a, b, "ENTAILMENT") for a, b in same]
    return _labelled("SICK", "captions made here", rows)


_PEOPLE = [
    *("Ann Keller", "Tom Brandt", "Mary Osei", "Paul Novak"),
    *("Lena Fischer", "Omar Haddad", "Ruth Lindqvist", "Ivan Petrov"),
]
_CITIES = ["Oslo", "Lisbon", "Vienna", "Cairo", "Lima", "Quebec", "Turin", "Osaka"]
_FIELDS = ["chemistry", "music", "history", "physics", "medicine", "poetry"]
_FIRMS = ["Norvik", "Halden", "Corvus", "Pavona", "Brixen", "Solace"]


def paws_like(seed: int = 7) -> Labelled:
    """Sentences made of the same words: two phrases exchanged (0), or a clause, an adverbial, a list or the voice moved
    and a word reworded (1)."""
    draw = random.Random(seed)
    rows: list[tuple[str, str, str]] = []
    for _ in range(60):
        p, q, r = draw.sample(_PEOPLE, 3)
        c, d = draw.sample(_CITIES, 2)
        f, g, h = draw.sample(_FIELDS, 3)
        m, n = draw.sample(_FIRMS, 2)
        year, later = draw.randrange(1900, 1960), draw.randrange(1961, 2020)
        rows += [(a, b, label) for a, b, label in [
            (f"In {year}, {p} moved from {c} to {d} and taught {f} there.",
             f"In {year}, {p} moved from {d} to {c} and taught {f} there.", "0"),
            (f"In {year}, {p} moved from {c} to {d} and taught {f} there.",
             f"{p} moved from {c} to {d} in {year}, and taught {f} there.", "1"),
            (f"{p} studied {f} under {q}, who later married {r}.",
             f"{q} studied {f} under {p}, who later married {r}.", "0"),
            (f"{p} studied {f} under {q}, who later married {r}.",
             f"{p} studied {f} with {q}, who married {r} later.", "1"),
            (f"The company {m} bought its rival {n} after the crisis of {year}.",
             f"The company {n} bought its rival {m} after the crisis of {year}.", "0"),
            (f"The company {m} bought its rival {n} after the crisis of {year}.",
             f"After the crisis of {year}, the company {m} bought its rival {n}.", "1"),
            (f"{p} wrote the words of the song and {q} composed the melody.",
             f"{q} wrote the words of the song and {p} composed the melody.", "0"),
            (f"{p} wrote the words of the song and {q} composed the melody.",
             f"The words of the song were written by {p}, and the melody was composed by {q}.", "1"),
            (f"The museum shows old maps and modern paintings from {c}.",
             f"The museum shows modern maps and old paintings from {c}.", "0"),
            (f"The museum shows old maps, modern paintings and letters from {c}.",
             f"The museum shows letters, modern paintings and old maps from {c}.", "1"),
            (f"The {c} office opened in {year} and the {d} office in {later}.",
             f"The {d} office opened in {year} and the {c} office in {later}.", "0"),
            (f"The {c} office opened in {year} and the {d} office in {later}.",
             f"The office in {c} opened in {year}, the one in {d} in {later}.", "1"),
            (f"{p}, {q} and {r} spoke about {f}, {g} and {h} in {c}.",
             f"{r}, {p} and {q} spoke about {h}, {f} and {g} in {c}.", "1"),
            (f"When prices rise quickly in {c}, people often leave for {d}.",
             f"People often leave {c} for {d} when prices rise quickly there.", "1"),
            (f"When prices rise in {c}, wages fall in {d}.", f"When prices rise in {d}, wages fall in {c}.", "0"),
            (f"{p} met {q} in {c} before the talks.", f"{q} met {p} in {c} before the talks.", "1"),
        ]]  # fmt: skip
    return _labelled("PAWS", "exchanged and moved phrases made here", rows)


def sts_like() -> Labelled:
    """Captions graded 0 to 5: the same in other words, a detail less, another thing, another deed, nothing shared."""
    rows: list[tuple[str, str, str]] = []
    pairs = list(itertools.product(_AGENTS, _DEEDS))
    for number, ((who, kind, detail), (doing, done, thing, family, _, where)) in enumerate(pairs):
        other, _, _ = _AGENTS[(number + 1) % len(_AGENTS)]
        far_who, far_deed = pairs[(number * 7 + 13) % len(pairs)]
        near_thing = _DEEDS[(number + 1) % len(_DEEDS)][2]
        full = f"A {detail} {who} is {doing} a {thing} {where}."
        rows += [
            (full, f"A {thing} is being {done} by a {detail} {who} {where}.", "5"),
            (full, f"A {who} is {doing} a {thing} {where}.", "4.2"),
            (full, f"A {kind} is {doing} a {family}.", "3.6"),
            (full, f"A {detail} {who} is {doing} a {near_thing} {where}.", "2.4"),
            (full, f"A {other} is {doing} a {thing} {where}.", "2.6"),
            (full, f"A {detail} {who} is standing {where}.", "1.8"),
        ]
        if far_who[0] != who and far_deed[2] != thing:
            rows.append((full, f"A {far_who[2]} {far_who[0]} is {far_deed[0]} a {far_deed[2]} {far_deed[5]}.", "0.2"))
    return _labelled("STS", "graded captions made here", rows)


def _labelled(kind: str, name: str, rows: list[tuple[str, str, str]]) -> Labelled:
    a, b, labels = ([row[column] for row in rows] for column in range(3))
    return Labelled(kind, name, a, b, labels)
