"""What a shadow may say to a database: one statement that the policy knows to be a read, or that the user vouches for.

Invariant: the policy's verdict is the first fence and the server's READ ONLY transaction the second; neither trusts the
other. Alone, READ ONLY lets through what is no change of a table: large objects before PostgreSQL 16, ``NOTIFY``,
advisory locks, rows of temporary tables, ``COPY TO PROGRAM``, and ``SET TRANSACTION READ WRITE`` before the first
query.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..policy import classify_sql
from .context import ShadowWriteError

__all__ = ["READ_ONLY", "Vouched", "check_statement"]

Vouched = Callable[[str], bool]
"""Whether a statement that the policy does not know to be a read is one."""

READ_ONLY = "SELECT pg_catalog.set_config('transaction_read_only', 'on', true)"
"""Makes the open transaction read-only. A query, so it takes the transaction's snapshot: from then on PostgreSQL
refuses to make the transaction writable again (check_transaction_read_only in its variable.c)."""

_SAVEPOINT = re.compile(
    r'\s*(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT)\s+("[^"\0]+"|\w+)\s*;?\s*\Z', re.IGNORECASE
)
# What drivers put into a statement's text for a parameter (PEP 249 format and pyformat; psycopg has three formats).
_PARAMETER = re.compile(r"%(\([^)]*\))?[sbt]|%%")


def check_statement(text: str, dialect: str, *, parameters: bool, vouched: Vouched | None) -> None:
    """Raise :class:`ShadowWriteError` unless ``text`` is a read.

    ``parameters``: the driver will replace ``%s`` and ``%(name)s`` in the text.
    """
    if _SAVEPOINT.match(text):
        return
    plain = _PARAMETER.sub(lambda found: "%" if found[0] == "%%" else "$1", text) if parameters else text
    effect = classify_sql(plain, dialect)
    if not effect.is_read and not (vouched is not None and vouched(text)):
        raise ShadowWriteError(f"an SQL statement: {effect.reason}")
