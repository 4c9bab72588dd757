"""What a PromQL expression asks for, by its parser."""

from __future__ import annotations

from typing import Any

import promql_parser

__all__ = ["metrics_of"]


def metrics_of(expr: Any) -> set[str]:
    """The names of all metrics that it selects."""
    found: set[str] = set()

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.add(str(node.name))
        elif isinstance(node, promql_parser.MatrixSelector):
            found.add(str(node.vector_selector.name))
        return True

    promql_parser.walk(expr, visit)
    return found
