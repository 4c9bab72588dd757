"""What ``shadowlane init`` knows of gateways and providers.

Invariant: every combination gives a file that ``load_config`` takes as it is; a test writes them all.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["GATEWAYS", "PROVIDERS", "Gateway", "Provider"]


class Gateway(NamedTuple):
    """How the middleware gets into a gateway."""

    title: str
    code: tuple[str, ...]
    """What to add, in the gateway's own words; ``{config}`` stands for the file's name as a string."""
    start: str
    """A command that starts it; ``{config}`` stands for the file's name as a word of the shell."""


class Provider(NamedTuple):
    """What a gateway's requests look like, and what is mirrored of them."""

    title: str
    routes: tuple[str, ...]
    """The lines under ``[routes]``."""
    shadow: tuple[str, ...] = ()
    """Lines under ``[shadows.candidate]`` beside url and model."""
    has_model: bool = True
    request: str = ""
    """A request for ``doctor --try``, where no preset has a usual one."""


_IMPORT = "from shadowlane.asgi import ShadowMiddleware"
_WRAPPED = "app = ShadowMiddleware(app, config={config})"
_ADDED = "app.add_middleware(ShadowMiddleware, config={config})"

GATEWAYS: dict[str, Gateway] = {
    "asgi": Gateway("any ASGI application", (_IMPORT, "", _WRAPPED), "uvicorn gateway:app"),
    "fastapi": Gateway("FastAPI", (_IMPORT, "", _ADDED), "uvicorn gateway:app"),
    "starlette": Gateway("Starlette", (_IMPORT, "", _ADDED), "uvicorn gateway:app"),
    "litestar": Gateway("Litestar", (_IMPORT, "", _WRAPPED), "uvicorn gateway:app"),
    "quart": Gateway(
        "Quart",
        (_IMPORT, "", "app.asgi_app = ShadowMiddleware(app.asgi_app, config={config})"),
        "hypercorn gateway:app",
    ),
    "django": Gateway(
        "Django (in asgi.py)",
        (_IMPORT, "", "application = ShadowMiddleware(get_asgi_application(), config={config})"),
        "uvicorn gateway.asgi:application",
    ),
    "flask": Gateway(
        "Flask",
        (
            "from shadowlane.wsgi import ShadowMiddleware",
            "",
            "app.wsgi_app = ShadowMiddleware(app.wsgi_app, config={config})",
        ),
        "gunicorn gateway:app",
    ),
    "litellm": Gateway(
        "LiteLLM's proxy (a file gateway.py beside its configuration)",
        (
            "from litellm.proxy.proxy_server import app as proxy",
            _IMPORT,
            "",
            "app = ShadowMiddleware(proxy, config={config})",
        ),
        "CONFIG_FILE_PATH=litellm.yaml uvicorn gateway:app",
    ),
    "ray": Gateway("Ray Serve (its ingress)", (_IMPORT, "", _ADDED), "serve run gateway:gateway"),
    "bentoml": Gateway(
        "BentoML",
        (_IMPORT, "", "Gateway.add_asgi_middleware(ShadowMiddleware, config={config})"),
        "bentoml serve gateway:Gateway",
    ),
    "vllm": Gateway(
        "vLLM's server (nothing to write: it takes the middleware by its name)",
        (),
        "SHADOWLANE_CONFIG={config} vllm serve MODEL --middleware shadowlane.asgi.ShadowMiddleware",
    ),
}
"""By name."""

_KEY = (
    '# credential_env = "SHADOW_KEY"         # the variable that holds the shadow\'s own key: export it for the worker'
)


def _key(header: str, prefix: str = "") -> tuple[str, ...]:
    return (_KEY, f'credential_header = "{header}"', f'credential_prefix = "{prefix}"')


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(
        "OpenAI's API, as OpenAI, vLLM, LiteLLM, Groq, Together and others speak it",
        ('presets = ["openai"]                    # chat/completions, responses, embeddings, ...',),
        (_KEY,),
    ),
    "anthropic": Provider(
        "Anthropic's API",
        ('presets = ["anthropic"]                 # messages, count_tokens',),
        _key("x-api-key"),
    ),
    "gemini": Provider(
        "Gemini's API",
        (
            "read = [                                # its POST routes that only read",
            '  "POST /v1beta/models/*:generateContent",',
            '  "POST /v1beta/models/*:streamGenerateContent",',
            '  "POST /v1beta/models/*:embedContent",',
            '  "POST /v1beta/models/*:countTokens",',
            "]",
            'include = ["/v1beta/models/*"]          # no other GET or HEAD',
        ),
        _key("x-goog-api-key"),
        has_model=False,
    ),
    "mistral": Provider("Mistral's API", ('presets = ["mistral"]',), (_KEY,)),
    "cohere": Provider(
        "Cohere's API", ('presets = ["cohere"]                    # chat, embed, rerank, ...',), (_KEY,)
    ),
    "ollama": Provider("Ollama", ('presets = ["ollama"]                    # api/chat, api/generate, api/embed, ...',)),
    "bedrock": Provider(
        "Amazon Bedrock's API", ('presets = ["bedrock"]                   # invoke, converse, ...',), (_KEY,)
    ),
    "rag": Provider(
        "a retrieval service of your own",
        ('read = ["POST /ask"]                    # your POST routes that only read: correct this',),
        (_KEY,),
        has_model=False,
        request='{"path": "/ask", "body": {"question": "..."}}',
    ),
    "http": Provider(
        "any HTTP service",
        (
            "# Every GET and HEAD is mirrored, but for probes, metrics and those that act. POST routes that only read:",
            '# read = ["POST /search"]',
            '# exclude = ["/admin/*"]',
        ),
        (_KEY,),
        has_model=False,
        request='{"path": "/search?q=..."}',
    ),
}
"""By name."""
