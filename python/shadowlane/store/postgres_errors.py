"""What PostgreSQL's errors mean to a person (https://www.postgresql.org/docs/current/errcodes-appendix.html).

Invariant: nothing of a row is quoted, so of an error about data only its name is told; and no password.
"""

from __future__ import annotations

import os

import psycopg

__all__ = ["NoAnswer", "explanation", "is_unkept"]

_REMEDIES = (
    ("28", "check the user of store.url, and its password: store.credential_env, PGPASSWORD or the passfile"),
    ("3D000", "create the database, or correct store.url"),
    ("42501", "the user lacks a right: see Rights in docs/operate/postgres.md"),
    ("25006", "the server is a standby, or the user may only read; name the primary, or several hosts and "
     "target_session_attrs=read-write"),
    ("53100", "the server's disk is full; free space, or lower store.max_bytes"),
    ("53300", "the server has no connection left; raise max_connections, or close others"),
    ("53", "the server has too little of a resource"),
    ("57014", "the query was cancelled"),
    ("57P", "the server ends or begins; it is tried again"),
    ("40", "two transactions were in each other's way; it is tried again"),
    ("55P03", "another session holds a lock: a migration, or a report that reads for long"),
    ("42P01", "a table is missing: the schema is not one of shadowlane, or is being made"),
    ("XX", "the server's data may be damaged; see its log"),
)  # fmt: skip
_QUOTING = ("22", "23")
"""Classes whose messages quote values."""


class NoAnswer(psycopg.OperationalError):
    """A server that did not answer in time."""


def is_unkept(error: psycopg.Error) -> bool:
    """Whether a value is the cause, so that trying again is of no use."""
    return isinstance(error, psycopg.DataError)


def explanation(error: psycopg.Error, password: str) -> str:
    """The cause and the remedy. Should a library say the password, it is not told on."""
    state = error.sqlstate or ""
    remedy = next((remedy for start, remedy in _REMEDIES if state.startswith(start)), "") if state else ""
    if state.startswith(_QUOTING):
        text = type(error).__name__
    else:
        text = " ".join((error.diag.message_primary or str(error)).split())
    if not state:
        if "password" in text or "authentication" in text:
            remedy = _REMEDIES[0][1]
        elif "certificate" in text or "SSL" in text:
            remedy = "check sslmode and sslrootcert in store.url"
        elif "closed" in text:
            remedy = "it was closed by its opener"
        else:
            remedy = "check that the server runs and can be reached, and store.url"
    for secret in filter(None, (password, os.environ.get("PGPASSWORD", ""))):
        text = text.replace(secret, "***")
    return f"{text}: {remedy}" if remedy else f"{text} ({state})"
