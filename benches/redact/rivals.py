"""The rivals, each as a function from a text to (kind, start, end); those that are not installed are left out."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator

from shadowlane.core import Redactor

Span = tuple[str, int, int]
Find = Callable[[str], list[Span]]

KEYS = frozenset(kind for kind in Redactor.kinds() if kind.endswith(("_key", "_token"))) | {"secret"}
"""Our kinds that count as a key or token of a service."""


def ours() -> Find:
    redactor = Redactor()

    def find(text: str) -> list[Span]:
        return [
            ("key" if item.kind in KEYS else item.kind, item.start, item.end) for item in redactor.redact_text(text)[1]
        ]

    return find


PRESIDIO = {
    "EMAIL_ADDRESS": ("EmailRecognizer", "email"),
    "CREDIT_CARD": ("CreditCardRecognizer", "payment_card"),
    "IBAN_CODE": ("IbanRecognizer", "iban"),
    "US_SSN": ("UsSsnRecognizer", "us_ssn"),
    "IP_ADDRESS": ("IpRecognizer", "ip_address"),
    "CRYPTO": ("CryptoRecognizer", "crypto_address"),
    "MAC_ADDRESS": ("MacAddressRecognizer", "mac_address"),
    "PHONE_NUMBER": ("PhoneRecognizer", "phone"),
}
"""Presidio's pattern recognizers: entity, class, and our name of the kind."""


def presidio(entities: tuple[str, ...]) -> Find:
    """Recognizers by themselves: what they give without a model, above Presidio's own threshold of 0.4 for context."""
    import presidio_analyzer.predefined_recognizers as predefined
    import tldextract

    # Its list of suffixes as it comes with the package: it would ask the network for a newer one in the first call.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())

    recognizers = [(entity, getattr(predefined, PRESIDIO[entity][0])()) for entity in entities]

    def find(text: str) -> list[Span]:
        return [
            (PRESIDIO[entity][1], result.start, result.end)
            for entity, recognizer in recognizers
            for result in recognizer.analyze(text, [entity], None)
            if result.score >= 0.4 or entity == "US_SSN"
        ]

    return find


def scrubadub() -> Find:
    import scrubadub as package

    kinds = {
        "email": "email",
        "phone": "phone",
        "credit_card": "payment_card",
        "social_security_number": "us_ssn",
    }
    scrubber = package.Scrubber()

    def find(text: str) -> list[Span]:
        return [(kinds.get(filth.type, filth.type), filth.beg, filth.end) for filth in scrubber.iter_filth(text)]

    return find


def detect_secrets() -> Find:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.settings import default_settings

    with default_settings():
        plugins = [plugin() for plugin in get_mapping_from_secret_type_to_class().values()]

    def find(text: str) -> list[Span]:
        spans = []
        with default_settings():
            for plugin in plugins:
                for secret in plugin.analyze_line(filename="text", line=text, line_number=1):
                    value = secret.secret_value or ""
                    start = text.find(value)
                    spans.append(("jwt" if secret.type == "JSON Web Token" else "key", start, start + len(value)))
        return spans

    return find


def all_of_them() -> Iterator[tuple[str, Find, frozenset[str]]]:
    """Name, function, and the kinds that it looks for."""
    if importlib.util.find_spec("presidio_analyzer"):
        yield "presidio", presidio(tuple(PRESIDIO)), frozenset(kind for _, kind in PRESIDIO.values())
    if importlib.util.find_spec("scrubadub"):
        yield "scrubadub", scrubadub(), frozenset(("email", "phone", "payment_card", "us_ssn"))
    if importlib.util.find_spec("detect_secrets"):
        yield "detect-secrets", detect_secrets(), frozenset(("key", "jwt"))
