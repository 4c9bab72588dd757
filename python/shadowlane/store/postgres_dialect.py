"""The parts of queries that PostgreSQL says in another way: see :class:`~shadowlane.store.engine.Dialect`."""

from __future__ import annotations

from .engine import Dialect

__all__ = ["POSTGRES"]

# With the column that partitions go by, so that one is looked into; rows of earlier releases have none.
_BODIES = "bodies.pair = pairs.id AND bodies.shadow_id IN (pairs.shadow_id, '')"
POSTGRES = Dialect(
    route="route",
    route_parts="route",
    indexed="",
    not_indexed="",
    now="extract(epoch FROM clock_timestamp())",
    bodies=_BODIES,
    # The planner does not count on looking into one partition alone, so for many rows it would read all bodies.
    beside=f"LEFT JOIN LATERAL (SELECT * FROM bodies WHERE {_BODIES} LIMIT 1) AS bodies ON true",  # noqa: S608
    differences=(
        '(difference.value ->> 1) COLLATE "C"',
        '(difference.value ->> 2) COLLATE "C"',
        'CAST(difference.value AS text) COLLATE "C"',
        "json_array_elements(CAST(pairs.differences AS json)) AS difference",
    ),
    furthest=(
        "SELECT id, far, times FROM (SELECT pairs.id AS id, 10 * fact_flip + coalesce(delta_s, 0) AS far, "
        "count(*) OVER question AS times, row_number() OVER "
        "(question ORDER BY 10 * fact_flip + coalesce(delta_s, 0) DESC, pairs.id) AS nth FROM pairs {kept} {where} "
        "AND (delta_s IS NOT NULL OR fact_flip = 1) "
        "WINDOW question AS (PARTITION BY coalesce('group ' || group_id, req_hash))) AS asked "
        "WHERE nth = 1 ORDER BY far DESC, id LIMIT ?"
    ),
)
