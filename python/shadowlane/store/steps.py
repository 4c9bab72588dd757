"""The steps of the schema, from version to version: SQL that both engines take (:mod:`.postgres_schema`).

Invariant: steps that were released are never changed.
"""

from __future__ import annotations

__all__ = ["SCHEMA_VERSION", "STEPS"]

# Step n leads from schema version n to n + 1. A new file takes all of them, an older one those that it lacks: one way
# to every version. Steps that were released are never changed.
# Thin rows and thick bodies are apart: a report scans hundreds of thousands of scores without touching a body's pages,
# and retention can drop the bodies of rows whose keys must stay.
_FIRST = (
    """
    CREATE TABLE pairs (
        id INTEGER PRIMARY KEY,
        shadow_id TEXT NOT NULL,
        shadow TEXT NOT NULL,
        req_hash TEXT NOT NULL,
        started_ns INTEGER NOT NULL,
        stored_ns INTEGER NOT NULL,
        method TEXT NOT NULL,
        target TEXT NOT NULL,
        prod_status INTEGER NOT NULL,
        prod_ttfb_ns INTEGER NOT NULL,
        prod_ns INTEGER NOT NULL,
        flags INTEGER NOT NULL,
        blocked TEXT NOT NULL,
        findings TEXT NOT NULL,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        status INTEGER NOT NULL,
        shadow_started_ns INTEGER NOT NULL,
        shadow_ttfb_ns INTEGER NOT NULL,
        shadow_ns INTEGER NOT NULL,
        delta_s REAL,
        anchored REAL,
        fact_flip INTEGER NOT NULL,
        embedder TEXT NOT NULL,
        citation_match REAL,
        index_agrees INTEGER,
        state TEXT NOT NULL,
        note TEXT NOT NULL,
        model_rev TEXT NOT NULL,
        index_hash TEXT NOT NULL,
        prod_index_hash TEXT NOT NULL,
        rate_limit TEXT NOT NULL,
        UNIQUE (shadow_id, shadow)
    )
    """,
    """
    CREATE TABLE bodies (
        pair INTEGER PRIMARY KEY REFERENCES pairs (id) ON DELETE CASCADE,
        request_headers BLOB NOT NULL,
        request_body BLOB NOT NULL,
        prod_headers BLOB NOT NULL,
        prod_body BLOB NOT NULL,
        shadow_headers BLOB NOT NULL,
        shadow_body BLOB NOT NULL,
        prod_text BLOB NOT NULL,
        shadow_text BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE counts (
        lane_epoch TEXT NOT NULL,
        shadow TEXT NOT NULL,
        reason TEXT NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (lane_epoch, shadow, reason)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE arms (
        lane_epoch TEXT NOT NULL,
        shadow TEXT NOT NULL,
        base INTEGER NOT NULL,
        PRIMARY KEY (lane_epoch, shadow)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX pairs_by_time ON pairs (started_ns)",
    "CREATE INDEX pairs_by_shadow ON pairs (shadow, started_ns)",
)
_GROUPS_STRUCTURE_JUDGE = (
    "ALTER TABLE pairs ADD COLUMN group_id INTEGER",
    "ALTER TABLE pairs ADD COLUMN group_seen INTEGER",
    "ALTER TABLE pairs ADD COLUMN prod_lambda TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN shadow_lambda TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN prod_flip INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN lambda_flip INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN trend TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN differences TEXT",
    "ALTER TABLE pairs ADD COLUMN judge TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN judge_why TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN judge_model TEXT NOT NULL DEFAULT ''",
    # status asks for flips often, and there are few.
    "CREATE INDEX pairs_flipped ON pairs (shadow, started_ns) WHERE lambda_flip = 1",
)
_SPENDING_EXEMPLARS = (
    # What a shadow's answers used, by the minute: a budget outlives the worker that counts it.
    """
    CREATE TABLE spend (
        shadow TEXT NOT NULL,
        minute INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        money REAL NOT NULL,
        PRIMARY KEY (shadow, minute)
    ) WITHOUT ROWID
    """,
    # keep_bodies = "reservoir": how many rows each stratum has had, and which of them keep their bodies.
    """
    CREATE TABLE strata (
        id INTEGER PRIMARY KEY,
        shadow TEXT NOT NULL,
        route TEXT NOT NULL,
        band TEXT NOT NULL,
        seen INTEGER NOT NULL,
        UNIQUE (shadow, route, band)
    )
    """,
    """
    CREATE TABLE exemplars (
        pair INTEGER PRIMARY KEY REFERENCES pairs (id) ON DELETE CASCADE,
        stratum INTEGER NOT NULL REFERENCES strata (id)
    )
    """,
    "CREATE INDEX exemplars_by_stratum ON exemplars (stratum)",
)
_POLICY = (
    "ALTER TABLE pairs ADD COLUMN why TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN preset TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN normalised TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE pairs ADD COLUMN stubs TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE pairs ADD COLUMN strange_calls INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN rounds INTEGER NOT NULL DEFAULT 1",
)
_TIMES = (
    # What each life of a lane had timed up to a moment: the last one of an hour, for each way of choosing.
    """
    CREATE TABLE times (
        lane_id TEXT NOT NULL,
        hour INTEGER NOT NULL,
        choice TEXT NOT NULL,
        ratio REAL NOT NULL,
        at_ns INTEGER NOT NULL,
        counts BLOB NOT NULL,
        PRIMARY KEY (lane_id, hour, choice, ratio)
    )
    """,
)
_COST_TENANT = (
    "ALTER TABLE pairs ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN money REAL NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN tenant TEXT NOT NULL DEFAULT ''",
)
_CLAUSES = (
    "ALTER TABLE pairs ADD COLUMN missing REAL",
    "ALTER TABLE pairs ADD COLUMN extra REAL",
    "ALTER TABLE pairs ADD COLUMN unread TEXT NOT NULL DEFAULT ''",
)
_COLLAPSE = (
    "ALTER TABLE pairs ADD COLUMN collapse TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN prod_collapse TEXT NOT NULL DEFAULT ''",
)
_ACCOUNTS = (
    "ALTER TABLE pairs ADD COLUMN waited_ns INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN tries INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN answer_tokens INTEGER",
    "ALTER TABLE pairs ADD COLUMN prod_tokens INTEGER",
    "ALTER TABLE pairs ADD COLUMN answer_cost REAL",
    "ALTER TABLE pairs ADD COLUMN prod_cost REAL",
    "ALTER TABLE pairs ADD COLUMN cache_served INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE pairs ADD COLUMN coverage REAL",
    "ALTER TABLE pairs ADD COLUMN retrieved REAL",
    "ALTER TABLE pairs ADD COLUMN prod_retrieved REAL",
    "ALTER TABLE pairs ADD COLUMN prod_model TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN pins TEXT NOT NULL DEFAULT '{}'",
)
_SAID = (
    "ALTER TABLE pairs ADD COLUMN model TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN finish TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN prod_finish TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pairs ADD COLUMN tools TEXT NOT NULL DEFAULT ''",
)
_OBSERVED = (
    # What metrics are made of, see .observed: they only rise, whatever retention deletes.
    """
    CREATE TABLE observed (
        shadow TEXT NOT NULL,
        series TEXT NOT NULL,
        key TEXT NOT NULL,
        n INTEGER NOT NULL,
        total REAL NOT NULL,
        exemplar REAL NOT NULL,
        exemplar_id TEXT NOT NULL,
        exemplar_trace TEXT NOT NULL,
        exemplar_ns INTEGER NOT NULL,
        PRIMARY KEY (shadow, series, key)
    ) WITHOUT ROWID
    """,
)
_MARKS = (
    # What a person said of a pair; and the way to the pairs furthest apart, of which a page shows some.
    "ALTER TABLE pairs ADD COLUMN mark TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX pairs_marked ON pairs (shadow) WHERE mark <> ''",
    "CREATE INDEX pairs_by_distance ON pairs (shadow, fact_flip, delta_s)",
)
_BOTH_SIDES = (
    # What a reverse shadow is judged by: rows that are there already do not know it.
    "ALTER TABLE pairs ADD COLUMN prod_citation_match REAL",
    "ALTER TABLE pairs ADD COLUMN prod_coverage REAL",
    "ALTER TABLE pairs ADD COLUMN prod_strange_calls INTEGER",
    # Marks of rows that retention deleted, beside what was thought of them automatically.
    """
    CREATE TABLE marks (
        shadow_id TEXT NOT NULL,
        shadow TEXT NOT NULL,
        started_ns INTEGER NOT NULL,
        fact_flip INTEGER NOT NULL,
        delta_s REAL,
        mark TEXT NOT NULL,
        PRIMARY KEY (shadow, shadow_id)
    ) WITHOUT ROWID
    """,
)
_PACKED = (
    # All contents of a row as one value; the columns beside it are empty then. Rows of before keep theirs.
    "ALTER TABLE bodies ADD COLUMN packed BLOB",
)
_BLOCKS = (
    # Copies of many rows' columns, see .blocks: what reads them all need not read the rows.
    """
    CREATE TABLE blocks (
        id INTEGER PRIMARY KEY,
        shadow TEXT NOT NULL,
        first_ns INTEGER NOT NULL,
        until_ns INTEGER NOT NULL,
        n INTEGER NOT NULL,
        total_ns INTEGER NOT NULL,
        form INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        parts BLOB NOT NULL,
        scores BLOB NOT NULL,
        UNIQUE (shadow, first_ns)
    )
    """,
)
_FOLDS = (
    # What was made of many rows so far, see .folds.
    """
    CREATE TABLE folds (
        id INTEGER PRIMARY KEY,
        shadow TEXT NOT NULL,
        name TEXT NOT NULL,
        since_ns INTEGER NOT NULL,
        until_ns INTEGER NOT NULL,
        control TEXT NOT NULL,
        n INTEGER NOT NULL,
        total_ns INTEGER NOT NULL,
        control_n INTEGER NOT NULL,
        control_total_ns INTEGER NOT NULL,
        made_ns INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        state BLOB NOT NULL,
        UNIQUE (shadow, name, until_ns)
    )
    """,
)
_TOTALS = (
    # Sums of each block, see .totals_codec: apart, so that they are read without its columns.
    """
    CREATE TABLE block_totals (
        block INTEGER PRIMARY KEY REFERENCES blocks (id) ON DELETE CASCADE,
        content BLOB NOT NULL
    )
    """,
)
STEPS: tuple[tuple[str, ...], ...] = (
    _FIRST,
    _GROUPS_STRUCTURE_JUDGE,
    _POLICY,
    _SPENDING_EXEMPLARS,
    _TIMES,
    _COST_TENANT,
    _CLAUSES,
    _COLLAPSE,
    _ACCOUNTS,
    _SAID,
    _OBSERVED,
    _MARKS,
    _BOTH_SIDES,
    _PACKED,
    _BLOCKS,
    _FOLDS,
    _TOTALS,
)
SCHEMA_VERSION = len(STEPS)
