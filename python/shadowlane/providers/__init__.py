"""What requests and responses of providers say: one module a provider, gathered in :mod:`.registry`.

:mod:`.answers` reads any body, :mod:`.question` a request, :mod:`.turns` goes on with a conversation of tool calls;
:mod:`.reading` holds what all providers are read with.
"""

from __future__ import annotations

from .answers import MAX_INFLATED, extract_answer, extract_vectors

__all__ = ["MAX_INFLATED", "extract_answer", "extract_vectors"]
