//! The tools of an inference request's copy: those of the provider are removed, the others follow the mode.
//!
//! Invariant: no definition is left that the provider, or a client on its behalf, carries out.

use serde_json::value::RawValue;

use super::api::Api;
use super::definitions::definition_acts;
use super::json::Json;
use super::members::raw;
use super::normalise::Copy;

impl Copy {
    /// Removes the definitions of tools that the provider would carry out.
    pub(super) fn provider_tools(&mut self) -> Result<(), String> {
        let Some(definitions) = self.tree.get("tools").and_then(Json::as_array) else {
            return Ok(());
        };
        let acting: Vec<bool> = definitions.iter().map(definition_acts).collect();
        if !acting.contains(&true) {
            return Ok(());
        }
        let names: Vec<String> = definitions
            .iter()
            .zip(&acting)
            .filter(|(_, acts)| **acts)
            .flat_map(|(tool, _)| {
                let function = tool.get("function").and_then(|function| function.get("name"));
                [tool.get("name"), tool.get("type").filter(|_| function.is_none()), function]
            })
            .flatten()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect();
        let text = self.members.get("tools").map_or("[]", RawValue::get);
        let definitions: Vec<Box<RawValue>> = serde_json::from_str(text).map_err(|error| format!("tools: {error}"))?;
        let kept: Vec<Box<RawValue>> =
            definitions.into_iter().zip(&acting).filter_map(|(tool, acts)| (!acts).then_some(tool)).collect();
        let removed = acting.iter().filter(|acts| **acts).count();
        self.note("tools", &format!("{removed} of the provider removed"));
        if kept.is_empty() {
            self.members.remove("tools");
            for name in ["tool_choice", "parallel_tool_calls"] {
                self.remove(name, "dropped with the tools");
            }
            return Ok(());
        }
        self.members.set("tools", raw("tools", &kept)?);
        let chosen = self.tree.get("tool_choice").is_some_and(|choice| mentions(choice, &names));
        if chosen {
            self.remove("tool_choice", "dropped with its tool");
        }
        Ok(())
    }

    /// Bedrock: tools of the system (grounding by web search), and those of the model's own request format.
    pub(super) fn bedrock_tools(&mut self) {
        if self.api != Api::Bedrock {
            return;
        }
        let acts = |tool: &Json| tool.get("toolSpec").is_none() && tool.get("cachePoint").is_none();
        let listed = self.tree.get("toolConfig").and_then(|config| config.get("tools")).and_then(Json::as_array);
        if listed.is_some_and(|tools| tools.iter().any(acts)) {
            // The list cannot be empty, and a choice may name what is removed: all of it goes.
            self.remove("toolConfig", "dropped with the provider's tools");
        }
        let fields = self.tree.get("additionalModelRequestFields");
        if fields.is_some_and(|fields| fields.get("tools").is_some_and(Json::is_set)) {
            self.remove("additionalModelRequestFields", "dropped with the provider's tools");
        }
    }

    pub(super) fn strip_tools(&mut self) {
        // These two refuse a conversation with tool results when the definitions are gone.
        if matches!(self.api, Api::Anthropic | Api::Bedrock) && mentions_tools(self.tree.get("messages")) {
            self.note("tools", "kept, because the conversation uses them");
            return;
        }
        for name in ["tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "toolConfig"] {
            self.remove(name, "stripped");
        }
    }

    pub(super) fn forbid_tools(&mut self) -> Result<(), String> {
        if self.members.get("functions").is_some() {
            self.set("function_call", &"none", "none")?;
        }
        if self.members.get("tools").is_none() && self.members.get("toolConfig").is_none() {
            return Ok(());
        }
        match self.api {
            Api::Anthropic => self.set("tool_choice", &serde_json::json!({"type": "none"}), "none"),
            Api::Cohere => self.set("tool_choice", &"NONE", "none"),
            Api::Ollama | Api::Bedrock => {
                self.strip_tools();
                Ok(())
            }
            _ => self.set("tool_choice", &"none", "none"),
        }
    }
}

/// Whether a conversation holds tool calls or their results.
fn mentions_tools(messages: Option<&Json>) -> bool {
    let block = |block: &Json| {
        matches!(block.get("type").and_then(Json::as_str), Some("tool_use" | "tool_result"))
            || block.get("toolUse").is_some()
            || block.get("toolResult").is_some()
    };
    messages
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|message| message.get("content").and_then(Json::as_array))
        .flatten()
        .any(block)
}

/// Whether a tree holds one of the words as a text.
fn mentions(tree: &Json, words: &[String]) -> bool {
    match tree {
        Json::String(text) => words.iter().any(|word| word == text),
        Json::Array(items) => items.iter().any(|item| mentions(item, words)),
        Json::Object(members) => members.iter().any(|(_, value)| mentions(value, words)),
        _ => false,
    }
}
