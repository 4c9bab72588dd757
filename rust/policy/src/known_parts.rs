//! The parts of a conversation that an answer is made from: messages, texts, files, calls and their results.
//!
//! Invariant: what is not listed here is removed from a copy, at any depth of a message.

use super::json::Json;

/// Parts of a conversation: the types of its items and of their contents. What has another type asks for more than an
/// answer (an approval, a stored item, an upload into a container).
const PARTS: &[&str] = &[
    "ai",
    "assistant",
    "audio",
    "bash_code_execution_output",
    "bash_code_execution_result",
    "bash_code_execution_tool_result",
    "bash_code_execution_tool_result_error",
    "code_execution_output",
    "code_execution_result",
    "code_execution_tool_result",
    "code_execution_tool_result_error",
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "computer_screenshot",
    "custom_tool_call",
    "custom_tool_call_output",
    "document",
    "document_url",
    "encrypted_code_execution_result",
    "file",
    "file_search_call",
    "function",
    "function_call",
    "function_call_output",
    "guard_content",
    "human",
    "image",
    "image_generation_call",
    "image_url",
    "input_audio",
    "input_file",
    "input_image",
    "input_text",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_call",
    "mcp_list_tools",
    "mcp_tool_result",
    "mcp_tool_use",
    "message",
    "output_audio",
    "output_text",
    "reasoning",
    "reasoning_text",
    "redacted_thinking",
    "reference",
    "refusal",
    "search_result",
    "server_tool_use",
    "system",
    "summary_text",
    "text",
    "text_editor_code_execution_create_result",
    "text_editor_code_execution_str_replace_result",
    "text_editor_code_execution_tool_result",
    "text_editor_code_execution_tool_result_error",
    "text_editor_code_execution_view_result",
    "thinking",
    "tool",
    "tool_reference",
    "tool_result",
    "tool_search_tool_result",
    "tool_search_tool_result_error",
    "tool_search_tool_search_result",
    "tool_use",
    "user",
    "video",
    "video_url",
    "web_fetch_result",
    "web_fetch_tool_result",
    "web_fetch_tool_result_error",
    "web_search_call",
    "web_search_result",
    "web_search_tool_result",
    "web_search_tool_result_error",
];

/// Whether an answer is made from a part of a conversation and from all parts in it: those of a tool's result, of a
/// document. A part without a type is its role's or its API's.
pub fn knows_part(part: &Json) -> bool {
    let all = |inside: &Json| match inside {
        Json::Array(parts) => parts.iter().all(knows_part),
        inside => knows_part(inside),
    };
    let source = part.get("source").and_then(|source| source.get("content"));
    part.get("type").is_none_or(|kind| kind.as_str().is_some_and(|kind| PARTS.contains(&kind)))
        && ["content", "output", "toolResult"].iter().filter_map(|name| part.get(name)).chain(source).all(all)
}

/// Whether a part of something that need be no conversation asks for more than an answer for sure.
pub fn part_acts(part: &Json) -> bool {
    let kind = part.get("type").and_then(Json::as_str).unwrap_or_default();
    kind.contains("approval") || matches!(kind, "item_reference" | "container_upload")
}

#[cfg(test)]
mod tests {
    use super::{PARTS, knows_part};
    use crate::json::Json;

    #[test]
    fn what_asks_for_more_than_an_answer_is_on_no_list() {
        for part in ["mcp_approval_response", "mcp_approval_request", "item_reference", "container_upload"] {
            assert!(!PARTS.contains(&part), "{part}");
        }
        for part in ["additional_tools", "mcp_toolset_reference", "tool_addition", "compaction_trigger"] {
            assert!(!PARTS.contains(&part), "{part}");
        }
    }

    #[test]
    fn parts_are_known_with_all_parts_in_them() {
        let knows = |part: &str| knows_part(&Json::parse(part.as_bytes()).expect("JSON"));
        for part in [
            r#"{"role":"user","content":"x"}"#,
            r#"{"role":"user","content":[{"type":"tool_result","content":[{"type":"text"},{"type":"image","source":{"type":"url"}}]}]}"#,
            r#"{"type":"web_search_tool_result","content":[{"type":"web_search_result"}]}"#,
            r#"{"type":"web_fetch_tool_result","content":{"type":"web_fetch_result","content":{"type":"document","source":{"type":"text"}}}}"#,
            r#"{"type":"code_execution_tool_result","content":{"type":"code_execution_result","content":[]}}"#,
            r#"{"type":"computer_call_output","output":{"type":"computer_screenshot"}}"#,
            r#"{"type":"function_call_output","output":[{"type":"input_text"}]}"#,
            r#"{"type":"function_call","arguments":"{\"type\":\"x\"}"}"#,
            r#"{"type":"tool_use","input":{"type":"anything","content":[{"type":"anything"}]}}"#,
        ] {
            assert!(knows(part), "{part}");
        }
        for part in [
            r#"{"role":"user","content":[{"type":"tool_result","content":[{"type":"text"},{"type":"container_upload"}]}]}"#,
            r#"{"role":"user","content":{"type":"container_upload"}}"#,
            r#"{"type":"function_call_output","output":[{"type":"item_reference"}]}"#,
            r#"{"type":"document","source":{"type":"content","content":[{"type":"container_upload"}]}}"#,
            r#"{"toolResult":{"content":[{"type":"container_upload"}]}}"#,
            r#"{"content":[{"content":[{"content":[{"type":7}]}]}]}"#,
        ] {
            assert!(!knows(part), "{part}");
        }
    }
}
