"""What each provider's response says: bodies beside the answer that must be read from them."""

from __future__ import annotations

from typing import Any

from shadowlane.types import Citation, ToolCall
from tests.support.bodies import (
    OPENAI_CALL,
    OPENAI_USAGE,
    USAGE,
    WEATHER,
    anthropic,
    chunk,
    event,
    eventstream,
    message_item,
    ndjson,
    openai_chat,
    openai_chunk,
    output_text,
    responses,
    sse,
)

WHOLE: list[tuple[str, Any, dict[str, Any]]] = [
    (
        "openai chat",
        openai_chat(
            {"content": "Oslo is cold.", "reasoning_content": "hm", "refusal": None},
            usage=OPENAI_USAGE,
            system_fingerprint="fp_1",
        ),
        {"kind": "openai.chat", "text": "Oslo is cold.", "usage": USAGE, "model": "m-1", "model_rev": "fp_1"},
    ),
    (
        "openai chat, n choices out of order",
        {"choices": [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]},
        {"text": "a\n\nb"},
    ),
    (
        "openai chat, refusal",
        openai_chat({"content": None, "refusal": "I cannot help."}),
        {"text": "I cannot help.", "refusal": True, "note": ""},
    ),
    (
        "openai chat, tool calls",
        openai_chat({"content": None, "tool_calls": [OPENAI_CALL]}, "tool_calls"),
        {"text": "", "tool_calls": (WEATHER,), "finish_reason": "tool_calls", "note": ""},
    ),
    (
        "openai chat, old function call",
        openai_chat({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "function_call"),
        {"tool_calls": (ToolCall(name="f", arguments="{}"),)},
    ),
    (
        "openai chat, url citation",
        openai_chat(
            {
                "content": "Cold, says the weather.",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "https://w.no/?utm_source=x", "start_index": 0, "end_index": 4},
                    }
                ],
            }
        ),
        {"citations": (Citation(source_url="https://w.no/?utm_source=x", text="Cold"),)},
    ),
    (
        "openai chat, nothing but reasoning",
        openai_chat({"content": "", "reasoning": "hm"}, "length"),
        {"text": "", "note": "the answer holds no text (finish reason 'length')"},
    ),
    (
        "thinking inside the content",
        openai_chat({"content": "<think>\nlet me see\n</think>\n\nOslo."}),
        {"text": "Oslo."},
    ),
    (
        "azure, filtered",
        {"choices": [{"index": 0, "finish_reason": "content_filter", "message": {"role": "assistant"}}], "id": "1"},
        {"refusal": True, "finish_reason": "content_filter"},
    ),
    (
        "mistral, content in parts",
        openai_chat(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "Oslo "},
                    {"type": "reference", "reference_ids": [3]},
                    {"type": "text", "text": "is cold."},
                ]
            }
        ),
        {"text": "Oslo is cold.", "citations": (Citation(snippet_id="3"),)},
    ),
    (
        "perplexity's list of sources",
        openai_chat({"content": "Cold[1]."}, citations=["https://w.no/"]),
        {"citations": (Citation(source_url="https://w.no/"),)},
    ),
    (
        "legacy completions",
        {"object": "text_completion", "choices": [{"text": "cold", "index": 0, "finish_reason": "length"}]},
        {"kind": "openai.completions", "text": "cold", "finish_reason": "length", "note": ""},
    ),
    (
        "responses",
        responses({"type": "reasoning", "summary": []}, message_item(output_text("Oslo "), output_text("is cold."))),
        {"kind": "openai.responses", "text": "Oslo is cold.", "usage": USAGE, "finish_reason": "completed"},
    ),
    (
        "responses, two messages, file citation",
        responses(
            message_item(output_text("One.")),
            message_item(output_text("Two.", {"type": "file_citation", "file_id": "f1", "filename": "a.md"})),
        ),
        {"text": "One.\n\nTwo.", "citations": (Citation(snippet_id="f1", source_url="a.md"),)},
    ),
    (
        "responses, call",
        responses({"type": "function_call", "call_id": "t1", "name": "weather", "arguments": '{"city":"Oslo"}'}),
        {"tool_calls": (WEATHER,), "note": ""},
    ),
    (
        "responses, incomplete",
        responses(
            message_item(output_text("Oslo is")),
            status="incomplete",
            incomplete_details={"reason": "max_output_tokens"},
        ),
        {"text": "Oslo is", "finish_reason": "max_output_tokens"},
    ),
    (
        "responses, refusal",
        responses(message_item({"type": "refusal", "refusal": "No."})),
        {"text": "No.", "refusal": True},
    ),
    (
        "responses, failed",
        responses(status="failed", error={"code": "server_error", "message": "boom"}),
        {"text": "", "note": "the response is failed: boom"},
    ),
    (
        "anthropic",
        anthropic(
            {"type": "thinking", "thinking": "hm", "signature": "x"},
            {"type": "text", "text": "Oslo "},
            {
                "type": "text",
                "text": "is cold.",
                "citations": [
                    {
                        "type": "char_location",
                        "cited_text": "cold in Oslo",
                        "document_index": 0,
                        "document_title": "Weather",
                        "start_char_index": 3,
                        "end_char_index": 15,
                    }
                ],
            },
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}},
            stop="tool_use",
        ),
        {
            "kind": "anthropic.messages",
            "text": "Oslo is cold.",
            "tool_calls": (WEATHER,),
            "usage": USAGE,
            "finish_reason": "tool_use",
            "citations": (Citation(source_url="Weather", offsets=(3, 15), text="cold in Oslo"),),
        },
    ),
    (
        "anthropic, refusal",
        anthropic({"type": "text", "text": "No."}, stop="refusal"),
        {"refusal": True, "finish_reason": "refusal"},
    ),
    (
        "anthropic, text completion",
        {"type": "completion", "completion": " Cold.", "stop_reason": "stop_sequence"},
        {"kind": "anthropic.completions", "text": " Cold."},
    ),
    (
        "gemini",
        {
            "candidates": [
                {
                    "content": {
                        "role": "model",
                        "parts": [
                            {"text": "hm", "thought": True},
                            {"text": "Oslo is "},
                            {"text": "cold."},
                            {"functionCall": {"name": "weather", "args": {"city": "Oslo"}, "id": "t1"}},
                        ],
                    },
                    "finishReason": "STOP",
                    "groundingMetadata": {
                        "groundingChunks": [{"web": {"uri": "https://w.no", "title": "w"}}],
                        "groundingSupports": [
                            {
                                "segment": {"startIndex": 0, "endIndex": 4, "text": "Oslo"},
                                "groundingChunkIndices": [0, 9],
                                "confidenceScores": [0.5],
                            }
                        ],
                    },
                }
            ],
            "usageMetadata": {
                "promptTokenCount": 7,
                "candidatesTokenCount": 3,
                "thoughtsTokenCount": 2,
                "totalTokenCount": 12,
            },
            "modelVersion": "gemini-x",
        },
        {
            "kind": "gemini",
            "text": "Oslo is cold.",
            "tool_calls": (WEATHER,),
            "usage": USAGE,
            "model": "gemini-x",
            "citations": (Citation(source_url="https://w.no", score=0.5, text="Oslo"),),
        },
    ),
    (
        "gemini, blocked",
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 7}},
        {"refusal": True, "note": "the provider blocked the prompt: SAFETY"},
    ),
    (
        "gemini, array of chunks",
        [
            {"candidates": [{"content": {"parts": [{"text": "Oslo "}]}}]},
            {"candidates": [{"content": {"parts": [{"text": "is cold."}]}, "finishReason": "STOP"}]},
        ],
        {"kind": "gemini", "text": "Oslo is cold.", "finish_reason": "STOP", "note": ""},
    ),
    ("vertex predictions", {"predictions": [{"content": "cold"}]}, {"kind": "vertex.predictions", "text": "cold"}),
    (
        "cohere v1",
        {
            "text": "Oslo is cold.",
            "generation_id": "g",
            "finish_reason": "COMPLETE",
            "citations": [{"start": 0, "end": 4, "text": "Oslo", "document_ids": ["d1"]}],
            "documents": [{"id": "d1", "url": "https://w.no"}],
            "meta": {"tokens": {"input_tokens": 7.0, "output_tokens": 5.0}},
            "tool_calls": [{"name": "weather", "parameters": {"city": "Oslo"}}],
        },
        {
            "kind": "cohere.v1",
            "text": "Oslo is cold.",
            "usage": USAGE,
            "citations": (Citation(snippet_id="d1", source_url="https://w.no", text="Oslo"),),
            "tool_calls": (ToolCall(name="weather", arguments='{"city":"Oslo"}'),),
        },
    ),
    (
        "cohere v2",
        {
            "id": "1",
            "finish_reason": "COMPLETE",
            "message": {
                "role": "assistant",
                "tool_plan": "I will look",
                "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Cold."}],
                "citations": [{"start": 0, "end": 4, "text": "Cold", "sources": [{"type": "document", "id": "d1"}]}],
            },
            "usage": {"billed_units": {"input_tokens": 1}, "tokens": {"input_tokens": 7, "output_tokens": 5}},
        },
        {
            "kind": "cohere.v2",
            "text": "Cold.",
            "usage": USAGE,
            "citations": (Citation(snippet_id="d1", text="Cold"),),
        },
    ),
    (
        "cohere generate",
        {"id": "1", "generations": [{"id": "2", "text": " Cold.", "finish_reason": "COMPLETE"}], "prompt": "?"},
        {"kind": "cohere.generate", "text": " Cold."},
    ),
    (
        "ollama chat, whole",
        {
            "model": "llama3",
            "message": {"role": "assistant", "content": "Cold.", "thinking": "hm"},
            "done_reason": "stop",
            "done": True,
            "prompt_eval_count": 7,
            "eval_count": 5,
        },
        {"kind": "ollama.chat", "text": "Cold.", "usage": USAGE, "model": "llama3", "note": ""},
    ),
    (
        "ollama generate",
        {"model": "llama3", "response": "Cold.", "done": True, "context": [1, 2]},
        {"kind": "ollama.generate", "text": "Cold."},
    ),
    (
        "bedrock converse",
        {
            "output": {
                "message": {
                    "role": "assistant",
                    "content": [
                        {"reasoningContent": {"reasoningText": {"text": "hm"}}},
                        {"text": "Cold."},
                        {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Oslo"}}},
                    ],
                }
            },
            "stopReason": "tool_use",
            "usage": {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12},
        },
        {"kind": "bedrock.converse", "text": "Cold.", "tool_calls": (WEATHER,), "usage": USAGE},
    ),
    (
        "bedrock knowledge base",
        {
            "sessionId": "s",
            "output": {"text": "Cold."},
            "citations": [
                {
                    "retrievedReferences": [
                        {"content": {"text": "cold"}, "location": {"type": "S3", "s3Location": {"uri": "s3://b/k"}}}
                    ]
                }
            ],
        },
        {
            "kind": "bedrock.retrieve_and_generate",
            "text": "Cold.",
            "citations": (Citation(source_url="s3://b/k", text="cold"),),
        },
    ),
    (
        "titan",
        {
            "inputTextTokenCount": 7,
            "results": [{"tokenCount": 5, "outputText": "\nCold.", "completionReason": "FINISH"}],
        },
        {"kind": "bedrock.titan", "text": "\nCold.", "usage": USAGE, "finish_reason": "FINISH"},
    ),
    (
        "llama",
        {"generation": "Cold.", "prompt_token_count": 7, "generation_token_count": 5, "stop_reason": "stop"},
        {"kind": "bedrock.llama", "text": "Cold.", "usage": USAGE},
    ),
    (
        "mistral on bedrock",
        {"outputs": [{"text": "Cold.", "stop_reason": "stop"}]},
        {"kind": "bedrock.mistral", "text": "Cold."},
    ),
    (
        "jurassic",
        {"id": 1, "completions": [{"data": {"text": "Cold.", "tokens": []}, "finishReason": {"reason": "endoftext"}}]},
        {"kind": "ai21.completions", "text": "Cold.", "finish_reason": "endoftext"},
    ),
    (
        "watsonx",
        {
            "model_id": "flan",
            "results": [
                {
                    "generated_text": "Cold.",
                    "generated_token_count": 5,
                    "input_token_count": 7,
                    "stop_reason": "eos_token",
                }
            ],
        },
        {"kind": "watsonx", "text": "Cold.", "usage": USAGE, "model": "flan"},
    ),
    ("sagemaker", [{"generated_text": "Cold."}], {"kind": "huggingface", "text": "Cold."}),
    (
        "replicate, done",
        {
            "id": "p",
            "version": "v1",
            "input": {},
            "status": "succeeded",
            "output": ["Co", "ld."],
            "urls": {"get": "u"},
            "error": None,
        },
        {"kind": "replicate", "text": "Cold.", "model_rev": "v1", "note": ""},
    ),
    (
        "replicate, begun",
        {"id": "p", "input": {}, "status": "starting", "urls": {"get": "u"}},
        {"text": "", "note": "the prediction is starting: its output comes later, from another request"},
    ),
    (
        "assistants, a thread's messages",
        {
            "object": "list",
            "data": [
                {
                    "object": "thread.message",
                    "created_at": 3,
                    "role": "assistant",
                    "run_id": "r2",
                    "content": [{"type": "text", "text": {"value": "Cold.", "annotations": []}}],
                },
                {
                    "object": "thread.message",
                    "created_at": 1,
                    "role": "user",
                    "run_id": None,
                    "content": [{"type": "text", "text": {"value": "Is it cold?", "annotations": []}}],
                },
            ],
        },
        {"kind": "openai.threads", "text": "Cold."},
    ),
    (
        "mcp",
        {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "Cold."}]}},
        {"kind": "jsonrpc", "text": "Cold."},
    ),
    (
        "plain api with its index",
        {"answer": "Cold.", "index_hash": "ab", "citations": [{"snippet_id": "s1", "offsets": [1, 4]}], "model": "m"},
        {
            "kind": "json",
            "text": "Cold.",
            "index_hash": "ab",
            "model": "m",
            "citations": (Citation(snippet_id="s1", offsets=(1, 4)),),
        },
    ),
    ("plain api, nested", {"success": True, "result": {"response": "Cold."}}, {"kind": "json", "text": "Cold."}),
    ("plain api, whole", {"b": 1, "a": [True, None]}, {"kind": "json", "text": '{"a":[true,null],"b":1}'}),
    ("a bare string", "Cold.", {"kind": "json", "text": "Cold."}),
    ("an empty object", {}, {"kind": "json", "note": "the body is an empty object"}),
    ("null", None, {"kind": "json", "note": "the body is null"}),
]

ERRORS: list[tuple[Any, str]] = [
    ({"error": {"message": "no such model", "type": "invalid_request_error"}}, "no such model"),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "Overloaded"),
    ([{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}], "quota"),
    ({"error": "model not found"}, "model not found"),
    ({"object": "error", "message": "bad", "type": "invalid", "param": None, "code": "1"}, "bad"),
    ({"detail": "Not Found"}, "Not Found"),
    ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
    ({"type": "about:blank", "title": "Gone", "status": 410}, "Gone"),
    ({"message": "denied", "__type": "AccessDeniedException"}, "denied"),
    ({"status": 500, "message": "boom"}, "boom"),
    ({"errors": [{"message": "no field"}], "data": None}, "no field"),
    ({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no method"}}, "no method"),
]


STREAMS: list[tuple[str, bytes, dict[str, Any]]] = [
    (
        "openai chat",
        sse(
            openai_chunk({"role": "assistant", "content": ""}, system_fingerprint="fp_1"),
            openai_chunk({"content": "Oslo er "}),
            openai_chunk({"reasoning_content": "hm"}),
            openai_chunk({"content": "kald: −5 °C ❄"}),
            openai_chunk({}, "stop"),
            {"object": "chat.completion.chunk", "choices": [], "usage": OPENAI_USAGE},
        ),
        {"kind": "openai.chat", "text": "Oslo er kald: −5 °C ❄", "usage": USAGE, "model_rev": "fp_1", "note": ""},
    ),
    (
        "openai chat, two choices and calls",
        sse(
            openai_chunk({"content": "a"}, index=0),
            openai_chunk({"content": "b"}, index=1),
            openai_chunk({"tool_calls": [{**OPENAI_CALL, "index": 0, "function": {"name": "weather"}}]}),
            openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
            openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Oslo"}'}}]}),
            openai_chunk({}, "tool_calls", index=0),
            openai_chunk({}, "stop", index=1),
        ),
        {"text": "a\n\nb", "tool_calls": (WEATHER,), "finish_reason": "tool_calls,stop", "note": ""},
    ),
    (
        "azure, legacy completions",
        sse(
            {"choices": [], "id": "", "object": "", "prompt_filter_results": []},
            {"object": "text_completion", "choices": [{"text": "co", "index": 0, "finish_reason": None}]},
            {"object": "text_completion", "choices": [{"text": "ld", "index": 0, "finish_reason": "stop"}]},
        ),
        {"kind": "openai.completions", "text": "cold", "note": ""},
    ),
    (
        "responses, closed",
        sse(
            {"type": "response.created", "response": {"model": "m-1", "output": []}},
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Oslo "},
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "is cold."},
            {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Oslo is cold."},
            {"type": "response.completed", "response": responses(message_item(output_text("Oslo is cold.")))},
            named=True,
            done=False,
        ),
        {"kind": "openai.responses", "text": "Oslo is cold.", "usage": USAGE, "note": ""},
    ),
    (
        "anthropic",
        sse(
            {"type": "message_start", "message": {**anthropic(), "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
            {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Cold."}},
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {
                    "type": "citations_delta",
                    "citation": {"type": "web_search_result_location", "url": "https://w.no", "cited_text": "cold"},
                },
            },
            {
                "type": "content_block_start",
                "index": 2,
                "content_block": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            },
            {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
            {
                "type": "content_block_start",
                "index": 3,
                "content_block": {"type": "tool_use", "id": "t1", "name": "weather", "input": {}},
            },
            {
                "type": "content_block_delta",
                "index": 3,
                "delta": {"type": "input_json_delta", "partial_json": '{"city":'},
            },
            {
                "type": "content_block_delta",
                "index": 3,
                "delta": {"type": "input_json_delta", "partial_json": '"Oslo"}'},
            },
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
            {"type": "message_stop"},
            named=True,
            done=False,
        ),
        {
            "kind": "anthropic.messages",
            "text": "Cold.",
            "tool_calls": (WEATHER,),
            "usage": USAGE,
            "finish_reason": "tool_use",
            "citations": (Citation(source_url="https://w.no", text="cold"),),
            "note": "",
        },
    ),
    (
        "gemini",
        sse(
            {"candidates": [{"content": {"parts": [{"text": "Co"}]}, "index": 0}]},
            {"candidates": [{"content": {"parts": [{"text": "ld."}]}, "index": 0, "finishReason": "STOP"}]},
            done=False,
        ),
        {"kind": "gemini", "text": "Cold.", "note": ""},
    ),
    (
        "cohere v2",
        sse(
            {"type": "message-start", "delta": {"message": {"role": "assistant", "content": []}}},
            {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Cold."}}}},
            {
                "type": "citation-start",
                "index": 0,
                "delta": {"message": {"citations": {"text": "Cold", "sources": [{"id": "d1"}]}}},
            },
            {
                "type": "message-end",
                "delta": {
                    "finish_reason": "COMPLETE",
                    "usage": {"tokens": {"input_tokens": 7, "output_tokens": 5}},
                },
            },
            named=True,
        ),
        {"kind": "cohere.v2", "text": "Cold.", "usage": USAGE, "citations": (Citation(snippet_id="d1", text="Cold"),)},
    ),
    (
        "cohere v1, ndjson",
        ndjson(
            {"event_type": "stream-start", "is_finished": False},
            {"event_type": "text-generation", "text": "Co", "is_finished": False},
            {"event_type": "text-generation", "text": "ld.", "is_finished": False},
            {
                "event_type": "stream-end",
                "is_finished": True,
                "finish_reason": "COMPLETE",
                "response": {"text": "Cold.", "generation_id": "g"},
            },
        ),
        {"kind": "cohere.v1", "text": "Cold.", "finish_reason": "COMPLETE", "note": ""},
    ),
    (
        "ollama, ndjson",
        ndjson(
            {"model": "llama3", "message": {"role": "assistant", "content": "Co"}, "done": False},
            {"model": "llama3", "message": {"role": "assistant", "content": "ld."}, "done": False},
            {
                "model": "llama3",
                "message": {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]},
                "done": True,
                "done_reason": "stop",
                "eval_count": 5,
                "prompt_eval_count": 7,
            },
        ),
        {"kind": "ollama.chat", "text": "Cold.", "usage": USAGE, "tool_calls": (ToolCall(name="f"),), "note": ""},
    ),
    (
        "watsonx",
        sse(
            {"results": [{"generated_text": "co", "input_token_count": 7, "stop_reason": "not_finished"}]},
            {
                "results": [
                    {
                        "generated_text": "ld",
                        "input_token_count": 0,
                        "generated_token_count": 5,
                        "stop_reason": "eos_token",
                    }
                ]
            },
            done=False,
        ),
        {"kind": "watsonx", "text": "cold", "usage": USAGE, "note": ""},
    ),
    (
        "text generation inference",
        sse(
            {"token": {"id": 1, "text": "co", "special": False}, "generated_text": None, "details": None},
            {"token": {"id": 2, "text": "ld", "special": False}, "generated_text": None, "details": None},
            {
                "token": {"id": 3, "text": "</s>", "special": True},
                "generated_text": "cold",
                "details": {"finish_reason": "eos_token", "generated_tokens": 3},
            },
            done=False,
        ),
        {"kind": "huggingface", "text": "cold", "finish_reason": "eos_token", "note": ""},
    ),
    (
        "bedrock, claude",
        eventstream(
            chunk({"type": "message_start", "message": {"content": [], "model": "claude-x"}}),
            chunk({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Cold."}}),
            chunk({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
            chunk(
                {
                    "type": "message_stop",
                    "amazon-bedrock-invocationMetrics": {"inputTokenCount": 7, "outputTokenCount": 5},
                }
            ),
        ),
        {"kind": "anthropic.messages", "text": "Cold.", "usage": USAGE, "note": ""},
    ),
    (
        "bedrock, converse",
        eventstream(
            event("messageStart", {"role": "assistant"}),
            event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Cold."}}),
            event("contentBlockStop", {"contentBlockIndex": 0}),
            event(
                "contentBlockStart",
                {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t1", "name": "weather"}}},
            ),
            event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"city":'}}}),
            event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '"Oslo"}'}}}),
            event("messageStop", {"stopReason": "tool_use"}),
            event("metadata", {"usage": {"inputTokens": 7, "outputTokens": 5}, "metrics": {"latencyMs": 3}}),
        ),
        {"kind": "bedrock.converse", "text": "Cold.", "tool_calls": (WEATHER,), "usage": USAGE, "note": ""},
    ),
    (
        "bedrock, titan",
        eventstream(
            chunk({"outputText": "co", "index": 0, "completionReason": None}),
            chunk({"outputText": "ld", "index": 0, "completionReason": "FINISH"}),
        ),
        {"kind": "bedrock.titan", "text": "cold", "note": ""},
    ),
    (
        "replicate's plain text",
        b": hi\n\nevent: output\ndata: Co\n\nevent: output\ndata: ld:\ndata: \ndata: yes\n\nevent: done\ndata: {}\n\n",
        {"kind": "stream", "text": "Cold:\n\nyes", "note": ""},
    ),
    (
        "an unknown service, pieces",
        sse({"event": "message", "answer": "Co"}, {"event": "message", "answer": "ld."}, {"event": "message_end"}),
        {"kind": "stream", "text": "Cold.", "note": ""},
    ),
    (
        "an unknown service, each event repeats",
        sse({"text": "It"}, {"text": "It is"}, {"text": "It is cold."}, done=False),
        {"kind": "stream", "text": "It is cold.", "note": ""},
    ),
    (
        "citations and index in an event",
        sse(openai_chunk({"content": "Cold."}, "stop", citations=[{"snippet_id": "s1", "index_hash": "ab"}])),
        {"text": "Cold.", "index_hash": "ab", "citations": (Citation(snippet_id="s1", index_hash="ab"),)},
    ),
]
