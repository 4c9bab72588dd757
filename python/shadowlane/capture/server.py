"""What a middleware can learn of the server and the framework around it: who builds it, and what was sent on the wire.

Servers do not agree on ``root_path``. uvicorn puts its own in front of ``path`` and ``raw_path``, although the client
did not send it (uvicorn.protocols.http); hypercorn, granian and daphne hand out the path as it came. A copy carries
what came, so uvicorn's is taken off again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["added_prefix", "enclosing_call", "lifespan_prefix"]

_FRAMES = 64
_AS_SENT = ("hypercorn", "granian", "daphne", "starlette.testclient", "httpx", "httpx2", "mangum", "asyncio")
_KINDS = ("http", "websocket", "lifespan")


def enclosing_call() -> str:
    """The kind of ASGI call, or ``wsgi``, that is running on this stack: a framework that builds its middleware late
    does it in the first one. Empty when there is none: a module is imported, and an exception ends the server's start.
    """
    frame = sys._getframe(1)
    for _ in range(_FRAMES):
        code = frame.f_code
        scope = frame.f_locals.get("scope") if code.co_flags & 0x80 else None  # in coroutines only
        if "environ" in code.co_varnames[: code.co_argcount] and _is_environ(frame.f_locals.get("environ")):
            return "wsgi"
        if isinstance(scope, Mapping) and scope.get("type") in _KINDS:
            return str(scope["type"])
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ""


def _is_environ(value: Any) -> bool:
    return isinstance(value, dict) and "wsgi.version" in value


def lifespan_prefix(receive: Any) -> str | None:
    """What the server that runs this lifespan adds to every path; ``None``: its requests will show it."""
    server = _server(receive)
    if server != "uvicorn":
        return "" if server else None
    config = getattr(getattr(receive, "__self__", None), "config", None)
    prefix = getattr(config, "root_path", None)
    return prefix if isinstance(prefix, str) else None


def added_prefix(scope: Mapping[str, Any], receive: Any, send: Any) -> str:
    """The same, from a request: for servers without lifespan, and applications that are mounted below another."""
    server = _server(receive) or _server(send) or ("uvicorn" if "uvicorn.server" in sys.modules else "")
    # Below a mount root_path has grown by the mount's own; Starlette keeps the server's beside it.
    root = scope.get("app_root_path", scope.get("root_path", "")) if server == "uvicorn" else ""
    return root if isinstance(root, str) and str(scope["path"]).startswith(root) else ""


def _server(function: Any) -> str:
    """Whose ``receive`` or ``send`` it is: ``uvicorn``, another server, or empty for a middleware's."""
    owner = getattr(function, "__self__", None)
    name = str((type(owner).__module__ if owner is not None else getattr(function, "__module__", "")) or "")
    return next((server for server in ("uvicorn", *_AS_SENT) if f"{name}.".startswith(f"{server}.")), "")
