"""Public labelled data from a folder, in the formats that it comes in; nothing of it is part of the project.

Spans: JSON lists and lines with a text (``text``, ``full_text``, ``source_text``) and its values (``spans``,
``entities``, ``labels``, ``privacy_mask``: objects with kind and positions, or lists); CoNLL, a token and its BIO tag
a line. Cases, which are right or wrong as a whole: the rules of gitleaks (Go), the detectors' tests of trufflehog
(Go), the plugins' tests of detect-secrets (Python), the rules of Nosey Parker (YAML), and JSON with a text and a true
or false ``label``.

Invariant: what cannot be read as one of these is passed over and counted, never guessed at.
"""

from __future__ import annotations

import ast
import collections
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Case", "Set", "Spanned", "read_folder"]


Passed = collections.Counter[str]
"""How often something was passed over, by reason."""


class Spanned(NamedTuple):
    """A text and its values: (kind in our words or "", start, end), in characters."""

    text: str
    spans: tuple[tuple[str, int, int], ...]


class Case(NamedTuple):
    """A text that holds a secret, or none. ``values``: what of it is the secret, where that is said.

    Of a result that is JSON these are the members that are called after secrets: a host or an account's name is none.
    """

    text: str
    secret: bool
    values: tuple[str, ...] = ()


class Set(NamedTuple):
    """What one kind of file in one folder holds."""

    name: str
    spanned: list[Spanned]
    cases: list[Case]


KINDS = {
    "email": ("EMAIL", "EMAIL_ADDRESS", "MAIL", "E_MAIL"),
    "payment_card": ("CREDIT_CARD", "CREDITCARD", "CREDITCARDNUMBER", "CREDIT_CARD_NUMBER", "CREDIT_DEBIT_CARD"),
    "phone": ("PHONE", "PHONE_NUMBER", "PHONENUMBER", "TELEPHONENUM", "TELEPHONE", "TEL"),
    "iban": ("IBAN", "IBAN_CODE"),
    "us_ssn": ("US_SSN", "SSN", "SOCIALNUM", "SOCIAL_SECURITY_NUMBER"),
    "ip_address": ("IP", "IP_ADDRESS", "IPV4", "IPV6", "IPADDRESS"),
    "mac_address": ("MAC", "MAC_ADDRESS"),
    "driver_license": ("US_DRIVER_LICENSE", "DRIVERLICENSE", "DRIVERLICENSENUM", "DRIVER_LICENSE"),
    "passport": ("US_PASSPORT", "PASSPORT", "PASSPORTNUM", "PASSPORT_NUMBER"),
    "crypto_address": ("CRYPTO", "BITCOINADDRESS", "ETHEREUMADDRESS", "LITECOINADDRESS"),
    "us_bank_routing": ("ABA_ROUTING_NUMBER", "BANK_ROUTING_NUMBER"),
    "us_itin": ("US_ITIN",),
    "us_npi": ("US_NPI",),
    "us_mbi": ("US_MBI",),
    "uk_nhs": ("UK_NHS",),
    "es_nif": ("ES_NIF",),
    "it_fiscal_code": ("IT_FISCAL_CODE",),
    "in_aadhaar": ("IN_AADHAAR",),
    "in_pan": ("IN_PAN",),
    "au_abn": ("AU_ABN",),
    "au_acn": ("AU_ACN",),
    "au_tfn": ("AU_TFN",),
    "au_medicare": ("AU_MEDICARE",),
    "sg_nric_fin": ("SG_NRIC_FIN",),
    "secret": ("PASSWORD", "PASS", "API_KEY", "SECRET", "PIN"),
}
_NAMED = {name: kind for kind, names in KINDS.items() for name in names}
_MOST_BYTES = 64 * 1024 * 1024
_BROKEN = (ValueError, SyntaxError, KeyError, TypeError, AttributeError, RecursionError, OSError, EOFError, zlib.error)
"""What the readers raise of a file that is not what its name says: JSON, gzip, Python, YAML (as ``ValueError``)."""
_NO_FORM = "items have no form that is known"
_NO_STRING = "strings of Go cannot be read"
_NO_CASE = "tuples are no cases"


def kind_of(label: str) -> str:
    """Our kind of a label; empty for names, addresses and what else no form tells."""
    plain = re.sub(r"^[BIES]-", "", label.strip()).upper().replace(" ", "_").replace("-", "_")
    return _NAMED.get(plain, "")


def read_folder(folder: Path) -> tuple[list[Set], Passed]:
    """All sets below a folder, those of equal names joined, and what was passed over: how often for each reason."""
    found: dict[str, Set] = {}
    passed: Passed = collections.Counter()
    for file in sorted(folder.rglob("*")):
        read = _reader(file)
        if read is None or not file.is_file():
            continue
        if file.stat().st_size > _MOST_BYTES:
            passed[f"files are larger than {_MOST_BYTES >> 20} MiB"] += 1
            continue
        name = file.relative_to(folder).parts[0] if file.parent != folder else file.name.partition(".")[0]
        left: Passed = collections.Counter()
        try:
            items = list(read(file, left))
        except _BROKEN:
            passed["files cannot be read"] += 1
            continue
        passed.update(left)
        if not items:
            passed["files hold no text with labels"] += 1
            continue
        kept = found.setdefault(name, Set(name, [], []))
        kept.spanned.extend(item for item in items if isinstance(item, Spanned))
        kept.cases.extend(item for item in items if isinstance(item, Case))
    return [_once(kept) for kept in found.values()], passed


def _once(kept: Set) -> Set:
    return Set(kept.name, list(dict.fromkeys(kept.spanned)), list({case.text: case for case in kept.cases}.values()))


def _reader(file: Path) -> Any:
    name, whole = file.name, file.as_posix()
    if name.endswith((".json", ".jsonl", ".json.gz", ".jsonl.gz")):
        return _json
    if name.endswith((".conll", ".bio", ".iob")):
        return _conll
    if name.endswith("_test.go") and "/detectors/" in whole:
        return _go_tests
    if name.endswith(".go") and "/config/rules/" in whole:
        return _go_rules
    if name.endswith("_test.py") and "/plugins/" in whole:
        return _python_tests
    if name.endswith((".yml", ".yaml")) and "/rules/" in whole:
        return _yaml_rules
    return None


def _json(file: Path, passed: Passed) -> Iterator[Spanned | Case]:
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    text = data.decode("utf-8-sig")
    if ".jsonl" in file.name:
        items = [json.loads(line) for line in text.splitlines() if line.strip()]
    else:
        items = json.loads(text)
    for item in items if isinstance(items, list) else ():
        read = _item(item) if isinstance(item, dict) else None
        if read is None:
            passed[_NO_FORM] += 1
        else:
            yield read


def _item(item: dict[str, Any]) -> Spanned | Case | None:
    text = next((item[name] for name in ("text", "full_text", "source_text") if isinstance(item.get(name), str)), None)
    if not text:
        return None
    if isinstance(item.get("label"), bool):
        return Case(text, item["label"], tuple(map(str, item.get("values") or ())))
    for name in ("spans", "privacy_mask", "entities", "labels", "label"):
        values = item.get(name)
        if isinstance(values, str):
            values = json.loads(values)
        if isinstance(values, list) and (values or name in ("spans", "privacy_mask")):
            kinds = item.get("entities") if name == "spans" else None
            spans = [_span(value, kinds) for value in values]
            if None not in spans:
                return Spanned(text, tuple(span for span in spans if span is not None))
    return None


def _span(value: Any, kinds: Any) -> tuple[str, int, int] | None:
    if isinstance(value, dict):
        label = next(
            (value[name] for name in ("entity_type", "label", "type", "entity", "kind") if name in value), None
        )
        start = value.get("start_position", value.get("start"))
        end = value.get("end_position", value.get("end"))
        if isinstance(label, str) and isinstance(start, int) and isinstance(end, int):
            return kind_of(label), start, end
        return None
    if isinstance(value, list):
        numbers = [one for one in value if isinstance(one, int)]
        words = [one for one in value if isinstance(one, str)]
        if len(numbers) == 2 and len(words) == 1:
            return kind_of(words[0]), numbers[0], numbers[1]
        if len(numbers) == 2 and isinstance(kinds, list) and kinds:
            return kind_of(str(kinds[0])), numbers[0], numbers[1]
    return None


def _conll(file: Path, passed: Passed) -> Iterator[Spanned]:
    """A token and its tag a line, blank lines between sentences; tokens are joined by a space."""
    text, spans, inside = "", [], ""
    for line in [*file.read_text(encoding="utf-8").splitlines(), ""]:
        columns = line.split()
        if len(columns) < 2:
            if text:
                yield Spanned(text, tuple((kind_of(label), start, end) for label, start, end in spans))
            text, spans, inside = "", [], ""
            continue
        start = len(text) + bool(text)
        text = f"{text} {columns[0]}" if text else columns[0]
        tag = columns[-1]
        label = tag[2:] if tag[:2] in ("B-", "I-") else ""
        if label and tag.startswith("I-") and label == inside:
            spans[-1] = (label, spans[-1][1], len(text))
        elif label:
            spans.append((label, start, len(text)))
        inside = label


_GO_STRING = r'`[^`]*`|"(?:[^"\\\n]|\\.)*"'
_GO_WANT = rf"nil|\[\]string\{{(?:\s|,|//[^\n]*|{_GO_STRING})*\}}|\[\]string\{{[^}}]*\}}"
_GO_CASE = re.compile(rf"input:\s*({_GO_STRING}),\s*want:\s*({_GO_WANT})")
_GO_LIST = re.compile(r"\b(tps|fps)\s*:?=\s*\[\]string\{(.*?)\n\t\}", re.DOTALL)


_SECRET = re.compile(r"key|secret|token|pass|auth|credential", re.IGNORECASE)


def _go_text(written: str) -> str:
    return written[1:-1] if written[0] == "`" else str(json.loads(written))


def _secrets(result: str) -> list[str]:
    """What of a detector's result is the secret."""
    try:
        members = json.loads(result)
    except ValueError:
        return [result]
    if not isinstance(members, dict):
        return [result]
    return [str(value) for name, value in members.items() if _SECRET.search(name)]


def _go_tests(file: Path, passed: Passed) -> Iterator[Case]:
    for found in _GO_CASE.finditer(file.read_text(encoding="utf-8", errors="replace")):
        try:
            results = [_go_text(value) for value in re.findall(_GO_STRING, found[2])]
            values = tuple(value for result in results for value in _secrets(result))
            yield Case(_go_text(found[1]), bool(results), values)
        except ValueError:
            passed[_NO_STRING] += 1  # an escape of Go's that JSON has not


def _go_rules(file: Path, passed: Passed) -> Iterator[Case]:
    """The literal texts among a rule's true and false positives; those that are made at random when it runs are not."""
    for kind, body in _GO_LIST.findall(file.read_text(encoding="utf-8", errors="replace")):
        for line in body.splitlines():
            written = (
                line.strip().partition("//")[0].strip() if not line.strip().startswith(('"', "`")) else line.strip()
            )
            found = re.match(rf"({_GO_STRING}),\s*(?://.*)?$", written)
            if found:
                try:
                    yield Case(_go_text(found[1]), kind == "tps")
                except ValueError:
                    passed[_NO_STRING] += 1
            elif written and written not in ("{", "}"):
                passed["lines of Go's lists are no literal text"] += 1


def _python_tests(file: Path, passed: Passed) -> Iterator[Case]:
    """Tuples of a payload and whether it should be flagged."""
    if file.name.startswith(("base", "ip_public", "high_entropy")):
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Tuple) and len(node.elts) >= 2:
            try:
                text, secret = (ast.literal_eval(one) for one in node.elts[:2])
            except ValueError:
                passed[_NO_CASE] += 1
                continue
            if isinstance(text, str) and isinstance(secret, bool):
                yield Case(text, secret)
            else:
                passed[_NO_CASE] += 1


def _yaml_rules(file: Path, passed: Passed) -> Iterator[Case]:
    import yaml

    try:
        rules = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not YAML") from error
    for rule in rules.get("rules", ()) if isinstance(rules, dict) else ():
        if "secret" in rule.get("categories", ["secret"]):
            yield from (Case(str(text), True) for text in rule.get("examples") or ())
        yield from (Case(str(text), False) for text in rule.get("negative_examples") or ())
