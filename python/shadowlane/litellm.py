"""``litellm_settings.callbacks: shadowlane.litellm.callback``: LiteLLM's proxy mirrors what it answers, its SDK what it
asks (extra ``capture-litellm``)."""

from typing import TYPE_CHECKING, Any

from .capture.litellm import LoggedCalls
from .errors import MissingExtraError

if TYPE_CHECKING:
    _Base = object
else:
    try:
        from litellm.integrations.custom_logger import CustomLogger as _Base
    except ImportError:
        raise MissingExtraError("shadowlane.litellm", "capture-litellm", "litellm") from None

__all__ = ["ShadowLogger", "callback"]


class ShadowLogger(LoggedCalls, _Base):
    """Mirror a sample of what LiteLLM's proxy answers or its SDK asks: ``litellm.callbacks = [ShadowLogger()]``.

    ``config`` as for :class:`shadowlane.asgi.ShadowMiddleware`. Raises :class:`~shadowlane.errors.ConfigError` for a
    bad configuration, outside of a request; while a server starts or serves, mirroring is off and the log says why.
    """

    if not TYPE_CHECKING:

        def __init__(self, config=None) -> None:
            _Base.__init__(self)
            LoggedCalls.__init__(self, config)

    # LiteLLM asks the class itself, and none above it, whether it has these.
    async_pre_call_hook = LoggedCalls.async_pre_call_hook
    async_post_call_failure_hook = LoggedCalls.async_post_call_failure_hook


callback: ShadowLogger
"""The one of this process, with the default configuration; made when it is asked for first."""


def __getattr__(name: str) -> Any:
    if name != "callback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()["callback"] = ShadowLogger()
    return made
