"""What applications and protocols above the models respond: bodies beside the answer that must be read from them."""

from __future__ import annotations

from typing import Any

from shadowlane.types import Citation, ToolCall
from tests.support.bodies import USAGE

DIFY = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
RETRIEVED = {
    "position": 1,
    "dataset_id": "d",
    "dataset_name": "weather",
    "document_id": "8dd1",
    "document_name": "north.pdf",
    "segment_id": "ed59",
    "segment_position": 3,
    "score": 0.9,
    "content": "Oslo is cold.",
}
DIFY_CITATION = Citation(
    snippet_id="ed59", section_id="segment 3", source_url="north.pdf", score=0.9, text="Oslo is cold."
)
REFERENCES = [
    {
        "chunkInfo": {
            "chunk": "projects/p/chunks/a",
            "content": "Rome is warm.",
            "relevanceScore": 0.4,
            "documentMetadata": {"document": "projects/p/documents/a", "uri": "gs://b/south.pdf", "title": "South"},
        }
    },
    {
        "unstructuredDocumentInfo": {
            "document": "projects/p/documents/b",
            "uri": "gs://b/north.pdf",
            "title": "North",
            "chunkContents": [{"content": "Oslo is cold.", "pageIdentifier": "7"}],
        }
    },
]

APPLICATIONS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "dify, blocking",
        {
            **DIFY,
            "event": "message",
            "id": "m",
            "mode": "chat",
            "answer": "Oslo is cold.",
            "metadata": {
                "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12, "total_price": "0.0012"},
                "retriever_resources": [RETRIEVED],
            },
            "created_at": 1705407629,
        },
        {"kind": "dify.chat", "text": "Oslo is cold.", "citations": (DIFY_CITATION,), "usage": USAGE, "note": ""},
    ),
    (
        "dify workflow",
        {
            "workflow_run_id": "w",
            "task_id": "t",
            "data": {"id": "w", "status": "succeeded", "outputs": {"text": "Oslo is cold."}, "total_tokens": 17},
        },
        {"kind": "dify.workflow", "text": "Oslo is cold.", "note": ""},
    ),
    (
        "dify workflow that failed",
        {"workflow_run_id": "w", "task_id": "t", "data": {"status": "failed", "outputs": {}, "error": "no model"}},
        {"kind": "dify.workflow", "text": "", "note": "the workflow is failed: no model"},
    ),
    (
        "vertex search, answer",
        {
            "answer": {
                "name": "projects/p/answers/1",
                "state": "SUCCEEDED",
                "answerText": "Oslo is cold.",
                "citations": [{"endIndex": "13", "sources": [{"referenceId": "1"}]}],
                "references": REFERENCES,
            },
            "answerQueryToken": "x",
        },
        {
            "kind": "vertex.search",
            "text": "Oslo is cold.",
            "citations": (Citation(source_url="gs://b/north.pdf", section_id="page 7", text="Oslo is cold."),),
            "finish_reason": "stop",
            "note": "",
        },
    ),
    (
        "vertex search, summary",
        {
            "results": [{"id": "a", "document": {"id": "a"}}],
            "summary": {
                "summaryText": "Oslo is cold [2].",
                "summaryWithMetadata": {
                    "summary": "Oslo is cold.",
                    "citationMetadata": {"citations": [{"endIndex": "13", "sources": [{"referenceIndex": "1"}]}]},
                    "references": [
                        {"title": "South", "document": "projects/p/documents/a", "uri": "gs://b/south.pdf"},
                        {"title": "North", "document": "projects/p/documents/b", "uri": "gs://b/north.pdf"},
                    ],
                },
            },
        },
        {
            "kind": "vertex.search",
            "text": "Oslo is cold [2].",
            "citations": (Citation(source_url="gs://b/north.pdf", text="North"),),
        },
    ),
    (
        "a2a message",
        {"jsonrpc": "2.0", "id": 1, "result": {"kind": "message", "parts": [{"kind": "text", "text": "Oslo"}]}},
        {"kind": "a2a", "text": "Oslo", "note": ""},
    ),
    (
        "a2a task with artifacts",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "result": {
                "id": "t",
                "contextId": "c",
                "kind": "task",
                "status": {"state": "completed", "message": {"parts": [{"kind": "text", "text": "done"}]}},
                "history": [{"role": "user", "parts": [{"kind": "text", "text": "Where is it cold?"}]}],
                "artifacts": [
                    {"artifactId": "a", "parts": [{"kind": "text", "text": "Oslo"}]},
                    {"artifactId": "b", "parts": [{"kind": "data", "data": {"n": 8}}]},
                ],
            },
        },
        {"kind": "a2a", "text": 'Oslo\n\n{"n":8}', "finish_reason": "stop", "note": ""},
    ),
    (
        "a2a task that asks back",
        {
            "task": {
                "id": "t",
                "status": {"state": "TASK_STATE_INPUT_REQUIRED", "message": {"parts": [{"text": "Which year?"}]}},
            }
        },
        {"kind": "a2a", "text": "Which year?", "finish_reason": "input-required", "note": ""},
    ),
    (
        "a2a task that failed",
        {"task": {"id": "t", "status": {"state": "TASK_STATE_FAILED", "message": {"parts": [{"text": "no model"}]}}}},
        {"kind": "a2a", "text": "", "note": "the task is failed: no model"},
    ),
    (
        "vercel, one part",
        {"type": "text-delta", "id": "1", "delta": "Oslo"},
        {"kind": "vercel.ai", "text": "Oslo"},
    ),
]

STREAMS: list[tuple[str, list[Any], dict[str, Any]]] = [
    (
        "vercel",
        [
            {"type": "start", "messageId": "m"},
            {"type": "start-step"},
            {"type": "reasoning-start", "id": "r"},
            {"type": "reasoning-delta", "id": "r", "delta": "hm"},
            {"type": "reasoning-end", "id": "r"},
            {"type": "tool-input-start", "toolCallId": "t1", "toolName": "weather"},
            {"type": "tool-input-start", "toolCallId": "t2", "toolName": "weather"},
            {"type": "tool-input-delta", "toolCallId": "t1", "inputTextDelta": '{"city":'},
            {"type": "tool-input-delta", "toolCallId": "t2", "inputTextDelta": '{"city":"Rome"}'},
            {"type": "tool-input-available", "toolCallId": "t1", "toolName": "weather", "input": {"city": "Oslo"}},
            {"type": "tool-output-available", "toolCallId": "t1", "output": {"degrees": -8}},
            {"type": "finish-step"},
            {"type": "source-url", "sourceId": "s", "url": "https://h.example/oslo", "title": "Oslo"},
            {"type": "text-start", "id": "1"},
            {"type": "text-delta", "id": "1", "delta": "Oslo is "},
            {"type": "text-delta", "id": "1", "delta": "cold."},
            {"type": "text-end", "id": "1"},
            {"type": "finish", "finishReason": "stop"},
        ],
        {
            "kind": "vercel.ai",
            "text": "Oslo is cold.",
            "tool_calls": (
                ToolCall(name="weather", arguments='{"city":"Oslo"}', id="t1"),
                ToolCall(name="weather", arguments='{"city":"Rome"}', id="t2"),
            ),
            "citations": (Citation(source_url="https://h.example/oslo", text="Oslo"),),
            "finish_reason": "stop",
            "note": "",
        },
    ),
    (
        "vercel, an error in mid-stream",
        [
            {"type": "start", "messageId": "m"},
            {"type": "text-delta", "id": "1", "delta": "Oslo"},
            {"type": "error", "errorText": "overloaded"},
            {"type": "finish", "finishReason": "error"},
        ],
        {"kind": "vercel.ai", "text": "Oslo", "note": "error in mid-stream: overloaded"},
    ),
    (
        "dify",
        [
            {**DIFY, "event": "workflow_started", "data": {"id": "w"}},
            {**DIFY, "event": "agent_thought", "thought": "hm"},
            {**DIFY, "event": "message", "answer": "Oslo is "},
            {**DIFY, "event": "message", "answer": "cold."},
            {**DIFY, "event": "workflow_finished", "data": {"status": "succeeded", "outputs": {"answer": "x"}}},
            {**DIFY, "event": "message_end", "metadata": {"retriever_resources": [RETRIEVED]}},
        ],
        {"kind": "dify.chat", "text": "Oslo is cold.", "citations": (DIFY_CITATION,), "note": ""},
    ),
    (
        "dify, taken back",
        [
            {**DIFY, "event": "message", "answer": "Oslo is "},
            {**DIFY, "event": "message_replace", "answer": "I may not say."},
            {**DIFY, "event": "message_end", "metadata": {}},
        ],
        {"text": "I may not say.", "note": ""},
    ),
    (
        "dify, an error",
        [
            {**DIFY, "event": "message", "answer": "Oslo is "},
            {**DIFY, "event": "error", "status": 500, "code": "invoke_error", "message": "no model"},
        ],
        {
            "text": "Oslo is ",
            "note": "error in mid-stream: no model; the stream ended before its end mark: the text is what came",
        },
    ),
    (
        "a2a, artifacts in pieces",
        [
            {"jsonrpc": "2.0", "id": 1, "result": {"kind": "task", "id": "t", "status": {"state": "submitted"}}},
            {
                "jsonrpc": "2.0",
                "id": 1,
                "result": {
                    "kind": "status-update",
                    "taskId": "t",
                    "status": {"state": "working", "message": {"parts": [{"kind": "text", "text": "looking"}]}},
                    "final": False,
                },
            },
            {
                "jsonrpc": "2.0",
                "id": 1,
                "result": {
                    "kind": "artifact-update",
                    "artifact": {"artifactId": "a", "parts": [{"kind": "text", "text": "Oslo is "}]},
                    "append": False,
                },
            },
            {
                "jsonrpc": "2.0",
                "id": 1,
                "result": {
                    "kind": "artifact-update",
                    "artifact": {"artifactId": "a", "parts": [{"kind": "text", "text": "cold."}]},
                    "append": True,
                    "lastChunk": True,
                },
            },
            {
                "jsonrpc": "2.0",
                "id": 1,
                "result": {"kind": "status-update", "status": {"state": "completed"}, "final": True},
            },
        ],
        {"kind": "a2a", "text": "Oslo is cold.", "finish_reason": "stop", "note": ""},
    ),
    (
        "a2a 1.0, pieces without a name, the task again at the end",
        [
            {"task": {"id": "t", "status": {"state": "TASK_STATE_WORKING"}}},
            {"artifactUpdate": {"artifact": {"parts": [{"text": "Oslo is "}]}}},
            {"artifactUpdate": {"artifact": {"parts": [{"text": "cold."}]}}},
            {
                "task": {
                    "id": "t",
                    "status": {"state": "TASK_STATE_COMPLETED"},
                    "artifacts": [{"parts": [{"text": "Oslo is cold."}]}],
                }
            },
        ],
        {"kind": "a2a", "text": "Oslo is cold.", "note": ""},
    ),
    (
        "vertex search",
        [
            {"answer": {"state": "STREAMING", "answerText": "Oslo "}},
            {"answer": {"state": "STREAMING", "answerText": "is"}},
            {"answer": {"state": "SUCCEEDED", "answerText": "Oslo is cold.", "references": REFERENCES[1:]}},
        ],
        {
            "kind": "vertex.search",
            "text": "Oslo is cold.",
            "citations": (Citation(source_url="gs://b/north.pdf", section_id="page 7", text="Oslo is cold."),),
            "note": "",
        },
    ),
    (
        "langserve",
        [
            {"run_id": "r"},
            {"context": [{"page_content": "Oslo is cold.", "metadata": {"source": "north.pdf"}, "type": "Document"}]},
            {"answer": "Oslo is "},
            {"answer": "cold."},
        ],
        {"text": "Oslo is cold.", "citations": (Citation(source_url="north.pdf", text="Oslo is cold."),), "note": ""},
    ),
]
