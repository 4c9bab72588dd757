"""Where a request belongs in the gateway's own traces: a look at the span that serves it, if there is tracing at all.

Invariants: nothing here raises, and nothing is imported: without OpenTelemetry in the process it is one look into a
dict. No client can send a header of the name under which the context is kept, and it is in nothing that leaves the
drain but :attr:`shadowlane.types.Copy.traceparent`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["SERVING", "served", "serving"]

SERVING = b":traceparent"
"""No field name of HTTP has a colon (RFC 9110 §5.6.2)."""
_KNOWN = (SERVING, b"traceparent", "traceparent")
_Headers = tuple[tuple[bytes, bytes], ...]


def serving() -> _Headers:
    """The context of the current span as a header of ours (W3C Trace Context), or nothing."""
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return ()
    try:
        context = api.get_current_span().get_span_context()
        if not context.is_valid:
            return ()
        return ((SERVING, b"00-%032x-%016x-%02x" % (context.trace_id, context.span_id, context.trace_flags & 0xFF)),)
    except Exception:  # another package's: its fault costs a link, and no copy
        return ()


def served(headers: Sequence[tuple[str | bytes, ...]]) -> _Headers:
    """What the request's ``headers`` lack: the context of the span that answers, where neither it nor a caller's is
    known yet. A middleware around the instrumented application meets that span only now."""
    return () if any(one[0].lower() in _KNOWN for one in headers) else serving()
