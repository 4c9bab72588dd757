"""One cap, one budget, one switch and one pause over all hosts of a fleet: leases, kept in Redis or PostgreSQL.

:mod:`.record` is what the hosts share, :mod:`.shares` who gets how much of it, :mod:`.member` when a share is over
and what may be taken next (the law of the cap), :mod:`.engine` the servers, :mod:`.keeper` the worker's part. For
budgets these are :mod:`.ledger`, :mod:`.budget` and :mod:`.budget_keeper`.
"""
