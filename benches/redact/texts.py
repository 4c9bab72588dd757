"""Labelled texts, made here: values of each kind with valid check digits, and what only looks like one."""

from __future__ import annotations

import base64
import json
import random
import string
from typing import NamedTuple

PROSE = (
    "the answer depends on how retrieval works so we should first look at which documents were found and why they rank "
    "above others before changing the prompt However most of the time a shorter context is enough and costs less"
)
WORDS = PROSE.split()


class Labelled(NamedTuple):
    """A text with the kinds and places of its values, in characters."""

    text: str
    spans: tuple[tuple[str, int, int], ...]


def _luhn(digits: str) -> str:
    total = sum(
        (2 * int(digit) - 9 * (int(digit) > 4)) if place % 2 == 0 else int(digit)
        for place, digit in enumerate(reversed(digits))
    )
    return digits + str(-total % 10)


def _digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choices(string.digits, k=count))


def _letters(draw: random.Random, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    # A digit within, as nearly every random key has.
    text = "".join(draw.choices(alphabet, k=count - 1))
    place = draw.randrange(1, count)
    return text[:place] + draw.choice("23456789") + text[place:]


def card(draw: random.Random) -> str:
    prefix, length = draw.choice((("4", 16), ("51", 16), ("55", 16), ("37", 15), ("6011", 16), ("3530", 16)))
    number = _luhn(prefix + _digits(draw, length - 1 - len(prefix)))
    sign = draw.choice(("", " ", "-"))
    return sign.join((number[:4], number[4:8], number[8:12], number[12:])) if length == 16 else number


def iban(draw: random.Random) -> str:
    country, bank = draw.choice(
        (("DE", _digits(draw, 18)), ("GB", "WEST" + _digits(draw, 14)), ("BE", _digits(draw, 12)))
    )
    number = "".join(str(int(sign, 36)) for sign in bank + country + "00")
    plain = f"{country}{98 - int(number) % 97:02d}{bank}"
    return draw.choice((plain, " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))))


def ssn(draw: random.Random) -> str:
    area = draw.choice((draw.randrange(1, 666), draw.randrange(667, 900)))
    return f"{area:03d}-{draw.randrange(1, 100):02d}-{draw.randrange(1, 10000):04d}"


def phone(draw: random.Random) -> str:
    line = f"{draw.randrange(200, 1000)}{draw.randrange(10000):04d}"
    area = draw.choice(("212", "415", "303", "617"))
    return draw.choice(
        (
            f"+1 {area} {line[:3]} {line[3:]}",
            f"({area}) {line[:3]}-{line[3:]}",
            f"{area}-{line[:3]}-{line[3:]}",
            f"+44 20 7946 0{_digits(draw, 3)}",
            f"+49 30 {draw.randrange(2, 9)}{_digits(draw, 6)}",
        )
    )


def email(draw: random.Random) -> str:
    name = draw.choice(("jane.doe", "j_smith", "anna-lena", "b.o.b+news", "info"))
    place, top = draw.choice(("example", "mail.example", "some-company")), draw.choice(("com", "org", "co.uk", "de"))
    return f"{name}{draw.randrange(100)}@{place}.{top}"


def ip(draw: random.Random) -> str:
    return draw.choice(
        (
            ".".join(str(draw.randrange(1, 255)) for _ in range(4)),
            f"2001:db8:{draw.randrange(1, 65536):x}::{draw.randrange(1, 65536):x}:{draw.randrange(1, 65536):x}",
        )
    )


def mac(draw: random.Random) -> str:
    return draw.choice((":", "-")).join(f"{draw.randrange(256):02x}" for _ in range(6))


def crypto(draw: random.Random) -> str:
    return draw.choice(("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"))


def key(draw: random.Random) -> str:
    return draw.choice(
        (
            "AKIA" + "".join(draw.choices(string.ascii_uppercase + "234567", k=16)),
            "ghp_" + _letters(draw, 36),
            "glpat-" + _letters(draw, 20),
            f"xoxb-{_digits(draw, 12)}-{_digits(draw, 12)}-{_letters(draw, 24)}",
            "sk_live_" + _letters(draw, 24),
            "SG." + _letters(draw, 22) + "." + _letters(draw, 43),
            f"sk-{_letters(draw, 20)}T3BlbkFJ{_letters(draw, 20)}",
            "npm_" + _letters(draw, 36),
        )
    )


def jwt(draw: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': draw.randrange(10**9)})}.{_letters(draw, 43)}"


MADE = {
    "email": (email, ("Write to {} for more.", "My address is {}, thanks", "contact: {}")),
    "payment_card": (card, ("Charge my card {} please.", "Card number: {}", "paid with {} yesterday")),
    "iban": (iban, ("Transfer it to {}.", "IBAN {} is mine", "account {}")),
    "us_ssn": (ssn, ("My SSN is {}.", "social security number {}", "ssn: {}")),
    "phone": (phone, ("Call me at {}.", "phone: {}", "My number is {}, after six")),
    "ip_address": (ip, ("The server {} is down.", "from {} again", "ip={}")),
    "mac_address": (mac, ("The device {} is new.", "MAC: {}")),
    "crypto_address": (crypto, ("Send it to {}.", "wallet: {}")),
    "key": (key, ("export TOKEN={}", "I use the key {} here", 'client = Client("{}")')),
    "jwt": (jwt, ("Authorization: Bearer {}", "the token {} expired")),
}
"""Kind, how a value is made, and the sentences that it stands in. ``key`` is any key or token of a service."""


def negative(draw: random.Random) -> str:
    """What looks like a value and is none."""
    uuid, small = f"{draw.getrandbits(128):032x}", [draw.randrange(2, 20) for _ in range(4)]
    day = f"{draw.randrange(2015, 2027)}-0{draw.randrange(1, 10)}-1{draw.randrange(10)}"
    return draw.choice(
        (
            f"request {uuid[:8]}-{uuid[8:12]}-4{uuid[13:16]}-a{uuid[17:20]}-{uuid[20:]} took {small[0]} ms",
            f"commit {draw.getrandbits(160):040x} of {day}",
            f"created {draw.randrange(1_600_000_000, 1_800_000_000)}, id {draw.randrange(10**17, 10**18)}",
            "version {}.{}.{}.{} of the parser".format(*small),
            f"it costs ${draw.randrange(10**6):,}.{small[0]:02d} for {draw.randrange(10**9):,} tokens",
            f"order #{draw.randrange(10**9, 10**10)} at {small[0]:02d}:{small[1]:02d}:{small[2]:02d}",
            "std::vector<int> a::b; @decorator def f(x): return user@host",
            f"chatcmpl-{_letters(draw, 29)} used gpt-4o-2024-08-06",
            "the ratio {}:{}:{}:{}".format(*small) + f" and pi 3.14159265358979{draw.randrange(10**4)}",
            "max_tokens=4096, token: str, password: str = None, secret = os.environ['X']",
        )
    )


def prose(draw: random.Random, length: int) -> str:
    out, size = [], 0
    while size < length:
        out.append(draw.choice(WORDS))
        size += len(out[-1]) + 1
    return " ".join(out) + "."


def labelled(seed: int, each: int) -> list[Labelled]:
    """``each`` texts of every kind, and as many with nothing in them as of all kinds together."""
    draw = random.Random(seed)
    texts = []
    for kind, (make, sentences) in MADE.items():
        for _ in range(each):
            value, before = make(draw), prose(draw, draw.randrange(80)) + " "
            start = len(before) + (sentence := draw.choice(sentences)).index("{}")
            text = before + sentence.format(value) + " " + prose(draw, draw.randrange(80))
            texts.append(Labelled(text, ((kind, start, start + len(value)),)))
            texts.append(Labelled(f"{prose(draw, 40)} {negative(draw)} {prose(draw, 40)}", ()))
    draw.shuffle(texts)
    return texts


def chat(seed: int, size: int, *, candidates: bool = True) -> bytes:
    """A chat request of about ``size`` bytes, with one value and one negative a KiB; or with neither."""
    draw = random.Random(seed)
    messages: list[dict[str, str]] = []
    length = 0
    while length < size - 200:
        text = prose(draw, min(900, size - length - 150))
        if candidates:
            make, sentences = draw.choice(list(MADE.values()))
            text += " " + draw.choice(sentences).format(make(draw)) + "\n" + negative(draw)
        messages.append({"role": ("user", "assistant")[len(messages) % 2], "content": text})
        length += len(text) + 40
    return json.dumps({"model": "gpt", "temperature": 0.5, "messages": messages}).encode()


DENSE = ("email", "payment_card", "iban", "us_ssn", "phone", "ip_address", "mac_address", "crypto_address", "key")


def dense(seed: int) -> bytes:
    """A chat request of some 400 bytes that holds nine values, one of each kind of ``DENSE``, and little else."""
    draw = random.Random(seed)
    text = " ".join(draw.choice(MADE[kind][1]).format(MADE[kind][0](draw)) for kind in DENSE)
    return json.dumps({"model": "gpt", "messages": [{"role": "user", "content": text}]}).encode()
