//! The read-only policy: what a request, a statement, a document or a tool would do if it were sent again.
//!
//! Invariant: **what is not known to be a read is a write.** Every classifier starts from "write" and has to find
//! evidence for "read": a parser that understood the whole input, and nothing in it that is not on a list of reads.
//! Input that cannot be parsed, is ambiguous between two parsers, or is larger than the bounds, is a write.
//!
//! What text alone cannot show stays outside: a view, an operator or a column's default that calls a writing
//! function, a GraphQL query resolver that writes, a GET handler that changes state.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod acting_gets;
mod api;
mod definitions;
mod disguise;
mod effect;
pub mod eligible;
mod graphql;
mod hints;
mod holds;
mod http;
mod http_body;
mod json;
mod jsonrpc;
mod keeps;
mod known_members;
mod known_parts;
mod lane_policy;
mod members;
mod nested;
mod normalise;
mod normalise_tools;
mod parameters;
mod preset_routes;
mod presets;
mod query_languages;
mod searches;
mod sql;
mod sql_addresses;
mod sql_family;
mod sql_functions;
mod sql_guard;
mod sql_lexical;
mod sql_walk;
mod statement_verbs;
mod statement_words;
mod statements;
mod target;
mod tool;
mod upkeep;

pub use acting_gets::{ACTING_GETS, ActingGets};
pub use definitions::tool_acts_at_provider;
pub use effect::{Effect, EffectKind};
pub use graphql::{classify_graphql, classify_graphql_request};
pub use hints::Hints;
pub use http::{Request, classify_request};
pub use jsonrpc::{classify_jsonrpc, classify_mcp};
pub use lane_policy::{Policy, PolicyOptions, Verdict};
pub use normalise::{Normalised, Options, ToolMode, normalise_llm_body, rewrite_model};
pub use presets::{Kind, PRESET_NAMES, anywhere, find_path, keeping_word, preset_problem, route_globs};
pub use sql::{SQL_DIALECTS, classify_sql};
pub use tool::classify_tool_json;
