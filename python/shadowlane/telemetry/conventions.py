"""Names that spans carry, pinned in this file: the packages of conventions rename theirs with every release.

HTTP: OpenTelemetry semantic conventions 1.44.0 (stable). GenAI: semantic-conventions-genai, ``docs/gen-ai`` of November
2026, where every name is still in development; so are its events, which are span events here, since the logs API of the
SDK for Python is not public yet. Names under ``shadowlane.`` are ours.
"""

from __future__ import annotations

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

HTTP_METHOD = "http.request.method"
HTTP_RESEND_COUNT = "http.request.resend_count"
HTTP_STATUS = "http.response.status_code"
URL_FULL = "url.full"
URL_TEMPLATE = "url.template"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
ERROR_TYPE = "error.type"
SERVICE_NAME = "service.name"

GEN_AI_OPERATION = "gen_ai.operation.name"
GEN_AI_PROVIDER = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_REQUEST_STREAM = "gen_ai.request.stream"
GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
GEN_AI_FINISH_REASONS = "gen_ai.response.finish_reasons"
GEN_AI_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
GEN_AI_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"

EVALUATION = "gen_ai.evaluation.result"
EVALUATION_NAME = "gen_ai.evaluation.name"
EVALUATION_VALUE = "gen_ai.evaluation.score.value"
EVALUATION_LABEL = "gen_ai.evaluation.score.label"

LANE = "shadowlane.lane"
ARM = "shadowlane.arm"
SHADOW_ID = "shadowlane.shadow_id"
REASON = "shadowlane.reason"
SLOT_WAIT = "shadowlane.slot_wait"
"""Seconds that the copy waited for a slot."""
PROD_STATUS = "shadowlane.prod.status_code"
PROD_DURATION = "shadowlane.prod.duration"
"""Seconds."""
LINKED = "shadowlane.link"

PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "ollama": "ollama",
    "cohere": "cohere",
    "mistral": "mistral_ai",
    "bedrock": "aws.bedrock",
}
"""``gen_ai.provider.name`` by preset: whose API it is, whoever serves it."""

OPERATIONS = (
    ("/embeddings", "embeddings"),
    ("/embed", "embeddings"),
    ("/chat/completions", "chat"),
    ("/completions", "text_completion"),
    ("/generate", "text_completion"),
)
"""``gen_ai.operation.name`` by the end of a path; any other is ``chat``."""
