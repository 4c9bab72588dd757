"""Stored pairs for other programs: files of pairs, data sets of other tools, and a gold file for ``probe``.

Invariants: the store is only read, a worker may write to it meanwhile; nothing goes out but what the store holds, which
is sanitized; what is held does not grow with the pairs.
"""
