//! The members of inference requests that are known to ask for an answer and nothing else, by API.
//!
//! Invariant: what is not listed here is removed from a copy. A member belongs here when it says what to generate or how
//! (sampling, format, length, context, a function's definition), and not when it makes the provider keep, fetch, call,
//! bill or route.

use super::api::Api;
use super::json::Json;

/// `store` (which is off by then), sampling, length, form and tools, as chat APIs and the servers that speak them (vLLM, SGLang, llama.cpp) have them.
const COMMON: &[&str] = &[
    "add_generation_prompt",
    "add_special_tokens",
    "allowed_token_ids",
    "audio",
    "bad_words",
    "best_of",
    "chat_template",
    "chat_template_kwargs",
    "continue_final_message",
    "documents",
    "dry_allowed_length",
    "dry_base",
    "dry_multiplier",
    "dry_sequence_breakers",
    "dynatemp_exponent",
    "dynatemp_range",
    "ebnf",
    "echo",
    "enable_thinking",
    "frequency_penalty",
    "function_call",
    "functions",
    "grammar",
    "guided_choice",
    "guided_decoding_backend",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "guided_whitespace_pattern",
    "ignore_eos",
    "include_reasoning",
    "include_stop_str_in_output",
    "json_schema",
    "length_penalty",
    "logit_bias",
    "logits_processors",
    "logprobs",
    "max_completion_tokens",
    "max_new_tokens",
    "max_tokens",
    "max_tool_calls",
    "messages",
    "min_p",
    "min_tokens",
    "mirostat",
    "mirostat_eta",
    "mirostat_tau",
    "modalities",
    "model",
    "n",
    "n_predict",
    "n_probs",
    "no_repeat_ngram_size",
    "no_stop_trim",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt",
    "prompt_logprobs",
    "provider",
    "reasoning",
    "reasoning_budget",
    "reasoning_effort",
    "reasoning_format",
    "regex",
    "repeat_last_n",
    "repeat_penalty",
    "repetition_penalty",
    "response_format",
    "return_token_ids",
    "return_tokens_as_token_ids",
    "seed",
    "separate_reasoning",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "stop",
    "stop_regex",
    "stop_sequences",
    "stop_token_ids",
    "store",
    "stream",
    "stream_options",
    "stream_reasoning",
    "structured_outputs",
    "suffix",
    "system",
    "temperature",
    "tfs_z",
    "thinking",
    "thinking_budget",
    "tool_choice",
    "tool_stream",
    "tools",
    "top_a",
    "top_k",
    "top_logprobs",
    "top_n_sigma",
    "top_p",
    "transforms",
    "truncate_prompt_tokens",
    "typical_p",
    "use_beam_search",
    "verbosity",
    "xtc_probability",
    "xtc_threshold",
];

const RESPONSES: &[&str] =
    &["context_management", "include", "input", "instructions", "max_output_tokens", "store", "text", "truncation"];

const ANTHROPIC: &[&str] = &[
    "anthropic_beta",
    "anthropic_version",
    "betas",
    "cache_control",
    "context_management",
    "inference_geo",
    "max_tokens_to_sample",
    "output_config",
    "output_format",
];

const OLLAMA: &[&str] =
    &["context", "format", "images", "input", "name", "options", "raw", "template", "think", "truncate", "verbose"];

const COHERE: &[&str] = &[
    "additional_command",
    "chat_history",
    "citation_options",
    "citation_quality",
    "end_sequences",
    "force_single_step",
    "k",
    "max_input_tokens",
    "message",
    "num_generations",
    "p",
    "preamble",
    "preset",
    "prompt_truncation",
    "raw_prompting",
    "return_likelihoods",
    "return_prompt",
    "safety_mode",
    "search_queries_only",
    "strict_tools",
    "tool_results",
    "truncate",
];

const MISTRAL: &[&str] = &["input", "inputs", "prompt_mode", "random_seed", "safe_prompt"];

/// Converse, and the model families' own bodies.
const BEDROCK: &[&str] = &[
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "content",
    "countPenalty",
    "embeddingConfig",
    "embeddingTypes",
    "frequencyPenalty",
    "guardrailConfig",
    "guardrailConfiguration",
    "inferenceConfig",
    "inputImage",
    "inputText",
    "maxTokens",
    "max_gen_len",
    "messages",
    "nextToken",
    "normalize",
    "numResults",
    "outputConfig",
    "outputScope",
    "performanceConfig",
    "presencePenalty",
    "retrievalConfiguration",
    "retrievalQuery",
    "schemaVersion",
    "source",
    "stopSequences",
    "taskType",
    "textGenerationConfig",
    "toolConfig",
    "topP",
];

/// Embeddings, reranking, moderation, classification, tokens: nothing is generated.
const OTHER: &[&str] = &[
    "add_special_tokens",
    "content",
    "dimensions",
    "embedding_type",
    "embedding_types",
    "encoding_format",
    "examples",
    "extractiveness",
    "format",
    "image",
    "images",
    "input",
    "input_type",
    "inputs",
    "keep_spacing",
    "late_chunking",
    "length",
    "max_chunks_per_doc",
    "max_tokens_per_doc",
    "normalize",
    "normalized",
    "output_dimension",
    "output_dtype",
    "query",
    "rank_fields",
    "return_documents",
    "source",
    "task",
    "text",
    "texts",
    "tokens",
    "top_n",
    "truncate",
    "truncation",
];

/// Whether the API knows the member.
pub fn knows(api: Api, preset: &str, name: &str) -> bool {
    let own: &[&[&str]] = match api {
        Api::Chat | Api::Completions => &[],
        // What only says how to embed is harmless, and a path that nobody knows may be one of embeddings.
        Api::Responses => &[RESPONSES, OTHER],
        Api::Anthropic => &[ANTHROPIC],
        Api::Ollama => &[OLLAMA],
        Api::Cohere => &[COHERE],
        Api::Mistral => &[MISTRAL],
        Api::Bedrock => &[BEDROCK, ANTHROPIC, COHERE, MISTRAL],
        Api::Other => &[OTHER],
    };
    let preset = match preset {
        "anthropic" => ANTHROPIC,
        "ollama" => OLLAMA,
        "cohere" => COHERE,
        "mistral" => MISTRAL,
        "bedrock" => BEDROCK,
        _ => &[],
    };
    COMMON.contains(&name) || preset.contains(&name) || own.iter().any(|list| list.contains(&name))
}

/// Parts of a conversation: the types of its items and of their contents. What has another type asks for more than an
/// answer (an approval, a stored item, an upload into a container).
const PARTS: &[&str] = &[
    "ai",
    "assistant",
    "audio",
    "bash_code_execution_tool_result",
    "code_execution_tool_result",
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "document",
    "document_url",
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
    "redacted_thinking",
    "reference",
    "refusal",
    "search_result",
    "server_tool_use",
    "system",
    "summary_text",
    "text",
    "text_editor_code_execution_tool_result",
    "thinking",
    "tool",
    "tool_reference",
    "tool_result",
    "tool_search_tool_result",
    "tool_use",
    "user",
    "video",
    "video_url",
    "web_fetch_tool_result",
    "web_search_call",
    "web_search_tool_result",
];

/// Whether a part of a conversation is one that an answer is made from.
pub fn knows_part(kind: &str) -> bool {
    PARTS.contains(&kind)
}

/// Whether a part of something that need be no conversation asks for more than an answer for sure.
pub fn part_acts(part: &Json) -> bool {
    let kind = part.get("type").and_then(Json::as_str).unwrap_or_default();
    kind.contains("approval") || matches!(kind, "item_reference" | "container_upload")
}

#[cfg(test)]
mod tests {
    use super::{PARTS, knows};
    use crate::api::Api;

    #[test]
    fn what_acts_or_keeps_is_on_no_list() {
        let apis = [
            Api::Chat,
            Api::Completions,
            Api::Responses,
            Api::Anthropic,
            Api::Ollama,
            Api::Cohere,
            Api::Mistral,
            Api::Bedrock,
            Api::Other,
        ];
        for name in [
            "service_tier",
            "web_search",
            "web_search_options",
            "extra_body",
            "api_base",
            "callbacks",
            "success_callback",
            "compound_custom",
            "agents",
            "agent_id",
            "plugins",
            "connectors",
            "mcp_servers",
            "container",
            "metadata",
            "user",
            "background",
            "previous_response_id",
            "conversation",
            "data_sources",
            "models",
            "fallbacks",
            "keep_alive",
            "webhook",
            "prompt_cache_key",
            "search_parameters",
            "enable_search",
        ] {
            for api in apis {
                for preset in ["openai", "anthropic", "ollama", "cohere", "mistral", "bedrock"] {
                    assert!(!knows(api, preset, name), "{name}");
                }
            }
        }
        for part in ["mcp_approval_response", "mcp_approval_request", "item_reference", "container_upload"] {
            assert!(!PARTS.contains(&part), "{part}");
        }
    }
}
