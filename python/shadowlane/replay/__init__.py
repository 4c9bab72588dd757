"""Recorded traffic, sent again to a shadow or brought into a store.

Invariant: what is read is accounted for: ``read = rows + Σ skipped by reason``.
"""
