"""What an error may show of a configuration: never a credential, wherever somebody pasted it.

A field that names an environment variable is where keys end up by mistake, a URL can carry a password, and any other
text may be a key of a form that is known. Invariant: every error of a configuration goes through
:func:`without_secrets` as a whole, so that no check has to think of it; what is not shown is said to be not shown.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .. import _core

__all__ = [
    "NOT_SHOWN", "is_name", "looks_like_key", "names_variable", "shown_name", "shown_url", "without_keys",
    "without_secrets",
]  # fmt: skip

NOT_SHOWN = "(not shown: it may be a key)"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Words in capitals of which the last or last but one says what it holds, or three and more of letters alone: no key of
# any service looks so.
_CLEAR_NAME = re.compile(
    r"(?:[A-Z]{1,16}[0-9]{0,2}_){0,6}(?:KEY|TOKEN|SECRET|PASSWORD|PASS|CREDENTIALS?|AUTH|BEARER)(?:_[A-Z]{1,12}[0-9]?)?\Z"
    r"|[A-Z]{2,16}(?:_[A-Z]{2,16}){2,6}\Z"
)
_OF_NO_SECRET = re.compile(r"[0-9a-f]{16}\Z")  # revisions
_SECRET_KINDS = (
    "key", "token", "bearer", "basic_auth", "jwt", "private", "secret", "credentials", "database_url",
)  # fmt: skip
_LONG = 12
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_HEX = re.compile(r"[0-9a-fA-F]{32,}\Z")
_WORD = re.compile(r"[^\s'\"`,;()<>{}\[\]=]+")
_URL = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*:?//?)?(?P<user>[^\s]*@)?(?P<rest>[^@\s]*)\Z")
_CREDENTIAL_FIELDS = frozenset({"credential_env", "credential_header", "credential_prefix", "credential", "api_key"})
_SCHEME = re.compile(r"\b(?:authorization|bearer|basic|token|api-?key)\b[\s:=]+\S", re.IGNORECASE)
"""A credential as a header carries it (RFC 9110 §11.4)."""
_HARMLESS_PREFIX = re.compile(r"[A-Za-z][A-Za-z-]{0,15}[ :=]{0,2}\Z")


def is_name(text: str) -> bool:
    """Whether an environment variable can have this name (POSIX.1, §8.1)."""
    return _IDENTIFIER.match(text) is not None


def names_variable(text: str) -> bool:
    """Whether this is, beyond doubt, the name of a variable and not what one holds."""
    return _CLEAR_NAME.match(text) is not None


def shown_name(name: str) -> str:
    """The name of an environment variable for an error. What is not clearly one may be the key itself, pasted into the
    wrong field: it is not shown."""
    return repr(name) if names_variable(name) else NOT_SHOWN


def shown_url(url: str) -> str:
    """A URL without user name, password, query, fragment and what looks like a key in its path."""
    found = _URL.match(url)
    if found is None:
        return NOT_SHOWN
    user = "…@" if found["user"] else ""
    rest, mark, _ = found["rest"].partition("?")
    rest, anchor, _ = rest.partition("#")
    host, slash, path = rest.partition("/")
    _, colon, port = host.rpartition(":")
    if colon and not port.isdigit() and not host.endswith("]"):
        host = "…"  # who forgot the @ wrote a user's name and password here
    parts = ["…" if looks_like_key(part) else part for part in path.split("/")]
    tail = "?…" if mark else "#…" if anchor else ""
    return f"{found['before'] or ''}{user}{host}{slash}{'/'.join(parts)}{tail}"


@functools.cache
def _redactor() -> _core.Redactor:
    """Finds keys by their form, and nothing else: addresses and numbers are what errors are about."""
    others = [kind for kind in _core.Redactor.kinds() if not any(word in kind for word in _SECRET_KINDS)]
    return _core.Redactor({"disable": others})


def looks_like_key(text: str) -> bool:
    """Whether a word has the form of a key: one that is known, or a long run of letters and digits without an order."""
    if _OF_NO_SECRET.match(text):
        return False
    if _HEX.match(text) or any(_mixed(run) for run in _RUN.findall(text)):
        return True
    return bool(_redactor().redact_text(text)[1])


def _mixed(run: str) -> bool:
    """A run of letters and digits that nobody writes by hand: digits on both sides of letters, or three kinds of
    characters."""
    digits = sum(c.isdigit() for c in run)
    kinds = (digits > 0) + any(c.islower() for c in run) + any(c.isupper() for c in run)
    changes = sum(a.isdigit() != b.isdigit() for a, b in itertools.pairwise(run))
    return kinds == 3 or (digits >= 2 and changes >= 3) or (run.isupper() and digits > 0)


def without_keys(text: str, *, known: bool = False) -> str:
    """A text whose origin is not known, such as a command line, with each word that looks like a key taken out;
    ``known``: only those of a form that a service gives, since hashes and folders are what the text is about."""

    def shown(found: re.Match[str]) -> str:
        secret = _redactor().redact_text(found[0])[1] if known or "/" in found[0] else looks_like_key(found[0])
        return NOT_SHOWN if secret else found[0]

    return _WORD.sub(shown, text)


def without_secrets(message: str, data: Mapping[str, Any]) -> str:
    """``message`` about ``data`` with every text of ``data`` that may be a credential taken out."""
    found = {secret: shown for secret, shown in _secrets(data) if secret}
    for secret in sorted(found, key=len, reverse=True):
        for form in {secret, repr(secret)[1:-1], _escaped(secret)}:
            message = message.replace(f"'{form}'", found[secret]).replace(f'"{form}"', found[secret])
            if len(form) >= _LONG:  # shorter ones are words of the message itself, and stand between quotes
                message = message.replace(form, found[secret])
    return message


def _escaped(text: str) -> str:
    """As Rust and JSON write it between quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _secrets(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """Every text that may be a credential, keys of tables included, with what is shown in its stead."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str) and looks_like_key(key):
                yield key, NOT_SHOWN
            yield from _secrets(item, str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets(item, field)
    elif isinstance(value, str) and (instead := _instead(field, value)) is not None:
        yield value, instead


def _instead(field: str, value: str) -> str | None:
    """What stands for a value in an error; ``None`` where it may be shown."""
    if field.endswith("_env") or field in _CREDENTIAL_FIELDS:
        harmless = names_variable(value) or (field != "credential_env" and _HARMLESS_PREFIX.match(value))
        return None if harmless and not looks_like_key(value) else NOT_SHOWN
    if field.endswith("url") or "://" in value or "@" in value:
        safe = shown_url(value)
        if safe != value:
            return repr(safe)
    return NOT_SHOWN if _SCHEME.search(value) or (looks_like_key(value) and not _is_file(value)) else None


def _is_file(value: str) -> bool:
    """Whether a text is a path or an address: long names of folders are no keys."""
    return "/" in value and not any(looks_like_key(part) for part in re.split(r"[/:]", value) if part)
