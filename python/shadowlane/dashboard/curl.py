"""A stored request as a curl command, to be copied: what the shadow was sent, sanitized, without a credential.

Invariant: whatever the request holds, the command has one line of POSIX shell for each option, runs curl alone, and
reads no file: a body that is not plain text goes through base64.
"""

from __future__ import annotations

import base64
import re
import shlex

from ..types import Copy

__all__ = ["as_curl"]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
"""RFC 9110 §5.6.2."""
_LEFT_OUT = frozenset(
    (b"host", b"content-length", b"connection", b"transfer-encoding", b"accept-encoding", b"content-encoding",
     b"authorization", b"cookie", b"proxy-authorization", b"te", b"upgrade", b"keep-alive", b"expect")
)  # fmt: skip


def as_curl(copy: Copy, base_url: str) -> str:
    """The command against ``base_url``, the arm's address."""
    target = copy.target if copy.target.startswith("/") else f"/{copy.target}"
    lines = [f"curl --globoff --request {_quoted(copy.method)} --url {_quoted(base_url.rstrip('/') + target)}"]
    for name, value in copy.headers:
        if _TOKEN.match(name) and name.lower() not in _LEFT_OUT:
            lines.append("  --header " + _quoted(f"{name.decode()}: {value.decode('latin-1')}"))
    before = ""
    if copy.body:
        text = _plain(copy.body)
        if text is None:
            before = f"printf %s {base64.b64encode(copy.body).decode()} | base64 -d | "
            lines.append("  --data-binary @-")
        else:
            lines.append(f"  --data-raw {shlex.quote(text)}")
    return before + " \\\n".join(lines)


def _quoted(text: str) -> str:
    return shlex.quote("".join(c if c.isprintable() else "?" for c in text))


def _plain(body: bytes) -> str | None:
    """The body as a text that can be shown and copied as it is, or ``None``."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c == "\n" for c in text) else None
