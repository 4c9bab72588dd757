//! The read-only policy: what a request, a statement, a document or a tool would do if it were sent again.
//!
//! Invariant: **what is not known to be a read is a write.** Every classifier starts from "write" and has to find
//! evidence for "read": a parser that understood the whole input, and nothing in it that is not on a list of reads.
//! Input that cannot be parsed, is ambiguous between two parsers, or is larger than the bounds, is a write.
//!
//! What text alone cannot show stays outside: a view, an operator or a column's default that calls a writing
//! function, a GraphQL query resolver that writes, a GET handler that changes state.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

use std::borrow::Cow;

mod disguise;
pub mod eligible;
mod graphql;
mod hints;
mod http;
mod http_body;
mod json;
mod jsonrpc;
mod lane_policy;
mod members;
mod normalise;
mod parameters;
mod preset_routes;
mod presets;
mod sql;
mod sql_family;
mod sql_functions;
mod sql_guard;
mod sql_lexical;
mod sql_walk;
mod target;
mod tool;
mod upkeep;

pub use graphql::{classify_graphql, classify_graphql_request};
pub use hints::Hints;
pub use http::{Request, classify_request};
pub use jsonrpc::{classify_jsonrpc, classify_mcp};
pub use lane_policy::{Policy, PolicyOptions, Verdict};
pub use normalise::{Normalised, Options, ToolMode, normalise_llm_body, rewrite_model};
pub use presets::{Kind, PRESET_NAMES, anywhere, find_path, is_inference, keeping_word, preset_problem, route_globs};
pub use sql::{SQL_DIALECTS, classify_sql};
pub use tool::{classify_tool_json, tool_acts_at_provider};

/// Whether something only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EffectKind {
    /// It leaves no trace that another request could see.
    Read,
    /// It changes something, or nobody can tell that it does not.
    Write,
}

impl EffectKind {
    /// `"read"` or `"write"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The verdict of a classifier, with the reason in words for the record and the log.
///
/// The reason never quotes a value of the input, only names from it (methods, functions, fields), cut to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Read or write.
    pub kind: EffectKind,
    /// Why.
    pub reason: Cow<'static, str>,
}

impl Effect {
    /// A read, because of `reason`.
    pub fn read(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: EffectKind::Read, reason: reason.into() }
    }

    /// A write, because of `reason`.
    pub fn write(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: EffectKind::Write, reason: reason.into() }
    }

    /// Whether it is a read.
    pub fn is_read(&self) -> bool {
        self.kind == EffectKind::Read
    }
}

/// A name of the input as it may stand in a reason: at most 64 characters, control characters replaced.
fn shown(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
