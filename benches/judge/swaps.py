"""Answers with one fact swapped, and the same answers in other words: made here, so that the bench needs no data.

In the templates ``[kind:said|swapped]`` marks a fact and what takes its place. Each swap changes one fact, nothing
else.
The judge was corrected after misses on this very set: its figures here show that nothing got worse, and no more.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Swap", "paraphrases", "swapped_in", "swaps"]

_MARK = re.compile(r"\[(\w+):([^|\]]*)\|([^\]]*)\]")


@dataclass(frozen=True)
class Swap:
    """Two answers that differ in one fact of this kind."""

    kind: str
    a: str
    b: str


# Each entry: the answer with its facts marked, and true paraphrases of it as it stands.
_ANSWERS: list[tuple[str, list[str]]] = [
    (
        "You can return an unopened item within [number:30|45] days of delivery for a full refund. Opened items "
        "[modal:may|must] be exchanged for store credit. The refund is paid to the original card within "
        "[number:five|nine] business days. Return shipping costs [money:$6.95|$9.65] unless the item is "
        "defective, and [name:Mara Ellison|Jonas Whitfield] at the service desk handles every case that was "
        "opened before [date:March 5, 2024|March 15, 2024].",
        [
            "Unopened items can be returned for a full refund within thirty days of delivery. If an item was "
            "opened, it may be exchanged for store credit. We pay the refund back to the card you used within 5 "
            "business days. Unless the item is defective, return shipping is $6.95. Cases opened before "
            "2024-03-05 are handled by Mara Ellison at the service desk.",
        ],
    ),
    (
        "The trail to the summit is [number:12.4|14.2] [unit:km|miles] long and climbs [number:860|680] m. Most "
        "hikers need about [number:six|four] hours. Dogs [modal:must|may] be kept on a leash. Water is available "
        "at [name:Halden|Brixen] hut, which is [antonym:open|closed] from [date:June|August] to October, and the "
        "last bus leaves the car park at [time:18:30|19:30].",
        [
            "The summit trail has a length of 12.4 km with 860 m of climbing, and most hikers need around 6 "
            "hours. Keep dogs on a leash: they must not run free. You get water at Halden hut, open June to "
            "October. From the car park the last bus leaves at 6:30 pm.",
            "The trail to the summit is 12,400 m long and climbs 860 metres. About six hours are needed by most "
            "hikers. Dogs must be kept on a leash. From June to October water is available at Halden hut. The "
            "last bus leaves the car park at 18:30.",
        ],
    ),
    (
        "Employees get [number:25|28] days of paid leave a year. Up to [number:ten|eight] unused days are carried "
        "over until [date:31 March|30 June]. Leave longer than [number:two|three] weeks [negation:must be|must "
        "not be] approved by the department head. Sick leave is reported to [name:Priya Raman|Tomas Keller] "
        "before [time:9 am|11 am], and a doctor's note is needed from the [number:third|second] day on.",
        [
            "There are 25 days of paid leave a year for employees. At most 10 unused days may be carried over "
            "until March 31. The department head must approve leave of more than two weeks. Report sick leave to "
            "Priya Raman before 9:00, and bring a doctor's note from the 3rd day on.",
        ],
    ),
    (
        "The API allows [number:600|900] requests per [unit:minute|hour] for each key. When the limit is reached "
        "it answers with status [number:429|503] and a Retry-After header. Send the key in "
        "`[code:X-Api-Key|X-Auth-Token]`. The endpoint is "
        "[url:https://api.example.com/v2/search|https://api.example.com/v1/search]. Results are "
        "[negation:cached|not cached] for [number:60|90] seconds, and version [version:2.4.1|2.1.4] added the "
        "cursor parameter.",
        [
            "Each key is allowed 600 requests per minute by the API. Past the limit you get status 429 with a "
            "Retry-After header. The key goes into `X-Api-Key`. Use https://api.example.com/v2/search as the "
            "endpoint. Results stay cached for sixty seconds. The cursor parameter came with version 2.4.1.",
        ],
    ),
    (
        "Revenue [antonym:rose|fell] by [number:4.2|2.4]% to [money:€18.3 million|€13.8 million] in the "
        "[number:second|third] quarter of [date:2023|2021]. The gain came mostly from [name:Norway|Portugal], "
        "where [number:140|104] new shops were opened. Costs stayed [antonym:below|above] the plan, and chief "
        "executive [name:Ingrid Solberg|Helena Costa] expects [antonym:more|less] growth next year.",
        [
            "In the second quarter of 2023 revenue rose 4.2 percent to 18.3 million euros. Norway, with 140 new "
            "shops, brought most of the gain. Costs stayed below the plan. Chief executive Ingrid Solberg expects "
            "more growth in the next year.",
        ],
    ),
    (
        "Take [number:two|three] tablets of [number:500|250] mg every [number:eight|six] hours with food. Do not "
        "take [antonym:more|less] than [number:3|6] g a day. [negation:Avoid alcohol.|Alcohol is fine.] Keep the "
        "tablets [antonym:dry|wet], below [number:25|35] °C. They are [negation:safe|not safe] for children over "
        "[number:12|2] years.",
        [
            "Every eight hours, take 2 tablets of 500 mg with food. You should not take more than 3000 mg a day. "
            "Avoid alcohol. Keep the tablets dry and below 25 degrees celsius. For children over twelve years "
            "they are safe.",
        ],
    ),
    (
        "The treaty was signed in [name:Vienna|Geneva] on [date:14 May 1955|14 June 1965] by [number:nine|seven] "
        "states. It entered into force [number:two|four] months later. [name:Karl Brandt|Emil Laurent] led the "
        "talks for the host. The treaty is [negation:still|no longer] in force, and it [negation:has been|has "
        "never been] amended [number:three|five] times.",
        [
            "Nine states signed the treaty on May 14, 1955 in Vienna. Two months later it entered into force. For "
            "the host, Karl Brandt led the talks. It is still in force and has been amended three times.",
        ],
    ),
    (
        "The [name:Corvus|Pavona] model has a range of [number:410|310] [unit:km|miles] and charges from 10 to 80 "
        "percent in [number:28|38] minutes. It weighs [number:1.8|2.1] tonnes. The battery warranty lasts "
        "[number:eight|five] years. The rear seats [negation:fold|do not fold] flat, and the price starts at "
        "[money:$39,900|$49,300].",
        [
            "With a range of 410 km, the Corvus model charges from 10% to 80% in 28 minutes. Its weight is 1800 "
            "kg. The warranty of the battery is 8 years. The rear seats fold flat. Prices start at $39,900.",
        ],
    ),
    (
        "Yes, the office is [antonym:open|closed] on [date:Monday|Thursday]. Visitors sign in at [name:Gate|Dock] "
        "B and [negation:need|do not need] a badge. Parking is [antonym:free|paid] for the [number:first|second] "
        "hour. The lift to floor [number:7|9] is on the [antonym:left|right].",
        [
            "Yes, on Monday the office is open. Visitors need a badge and sign in at Gate B. The first hour of "
            "parking is free. On the left is the lift to floor seven.",
        ],
    ),
    (
        "[name:Marie Keller|Anna Lindqvist] founded the company in [date:1998|1989] together with [name:Otto "
        "Brand|Ivan Petrov]. It has [number:3,200|2,300] employees in [number:14|41] countries. The head office "
        "[negation:is|is not] in [name:Zurich|Munich]. The company [antonym:bought|sold] its printing division to "
        'finance research, and shares are traded under [quote:"KBX"|"KRB"].',
        [
            "The company was founded by Marie Keller and Otto Brand in 1998. There are 3200 employees in fourteen "
            "countries. Its head office is in Zurich. It bought its printing division to finance research. Its "
            'shares are traded under "KBX".',
        ],
    ),
]


def swaps() -> list[Swap]:
    """Every answer against itself with one fact swapped."""
    made = []
    for template, _ in _ANSWERS:
        plain = _MARK.sub(lambda mark: mark[2], template)
        for chosen in _MARK.finditer(template):
            place = chosen.start()
            other = _MARK.sub(lambda mark, place=place: mark[3] if mark.start() == place else mark[2], template)
            made.append(Swap(chosen[1], plain, other))
    return made


def paraphrases() -> list[Swap]:
    """Every answer against true paraphrases: reworded by hand, its sentences in reverse order, as a list, as it is."""
    made = []
    for template, reworded in _ANSWERS:
        plain = _MARK.sub(lambda mark: mark[2], template)
        sentences = re.split(r"(?<=[.!?]) ", plain)
        made += [Swap("reworded", plain, text) for text in reworded]
        made.append(Swap("reordered", plain, " ".join([sentences[0], *reversed(sentences[1:])])))
        made.append(Swap("as a list", plain, "\n".join(f"- {sentence}" for sentence in sentences)))
        made.append(Swap("equal", plain, plain))
    return made


_NUMBER = re.compile(r"(?<![\w.,/-])\d+(?:[.,]\d+)*(?![\w/-])(?!\*{0,2}[.)]\s)")
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_MONTH = re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b")
_UNITS = {"km": "miles", "miles": "km", "kg": "pounds", "days": "weeks", "hours": "minutes", "minutes": "hours",
          "years": "months", "months": "years", "%": " points", "°C": "°F", "GB": "MB"}  # fmt: skip
_UNIT = re.compile(rf"(?<=\d)(\s?)({'|'.join(map(re.escape, _UNITS))})(?!\w)")
# No month, and no title or abbreviation of which nothing is known but that it stands beside a name.
_NO_NAME = "|".join(
    [*_MONTHS, "May", "Inc", "Corp", "Ltd", "Mrs", "Rev", "Gov", "Gen", "Adm", "Capt", "Sen", "Rep", "Col", "Sgt"]
)
_NAME = re.compile(rf"(?<=[a-z,] )(?!(?:{_NO_NAME})\b)[A-Z][a-z]{{2,}}\b(?! [A-Z])(?![:*])")
_NAMES = ["Keller", "Oslo", "Brandt", "Lisbon", "Norvik", "Marta"]


def swapped_in(text: str, seed: int = 5) -> list[Swap]:
    """Any text against itself with one number, month, unit or name swapped, at most two of each."""
    draw = random.Random(f"{seed}{text}")
    made = []

    def swap(kind: str, pattern: re.Pattern[str], other: Callable[[re.Match[str]], str]) -> None:
        found = list(pattern.finditer(text))
        for match in draw.sample(found, min(2, len(found))):
            made.append(Swap(kind, text, text[: match.start()] + other(match) + text[match.end() :]))

    def other_digit(match: re.Match[str]) -> str:
        place = draw.choice([place for place, digit in enumerate(match[0]) if digit.isdigit()])
        digit = draw.choice([digit for digit in "123456789" if digit != match[0][place]])
        return match[0][:place] + digit + match[0][place + 1 :]

    swap("number", _NUMBER, other_digit)
    swap("month", _MONTH, lambda match: draw.choice([month for month in _MONTHS if month != match[0]]))
    swap("unit", _UNIT, lambda match: match[1] + _UNITS[match[2]])
    swap("name", _NAME, lambda match: draw.choice([name for name in _NAMES if name != match[0]]))
    return made
