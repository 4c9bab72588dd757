//! Strips secrets and personal data from an exchange before anything else in the worker sees it.
//!
//! Invariants: what cannot be read is not passed on; JSON stays JSON; nothing outside a finding changes; sanitizing
//! what is sanitized finds nothing; time is linear in the bytes, whatever they are.
//!
//! The way of a body: [`body`] decodes it and takes it apart by what its bytes show ([`framing`]). Texts that may be
//! pieces of one ([`pieces`], [`groups`]) are looked at as one ([`join`]); [`json`], [`form`], [`multipart`],
//! [`stream`] and [`eventstream`] give each text to the engine, which asks only for what its bytes may hold
//! ([`survey`]), and not for a member's name that is known to hold nothing ([`known_names`]); [`scan`] goes over each
//! text once, from trigger to trigger, and asks the rules of that byte ([`mail`], [`number`] with [`cards`], [`phones`]
//! and [`identity`], [`ids`], [`licences`], [`net`], [`secrets`], [`issuers`], [`assign`]), whose candidates
//! are validated ([`checks`]) and weighed by the words before them ([`context`]).

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod apart;
mod assign;
mod body;
mod cards;
mod checks;
mod classes;
mod context;
mod edits;
mod encoded;
mod engine;
mod escapes;
mod eventstream;
mod fallbacks;
mod fields;
mod findings;
mod form;
mod framing;
mod groups;
mod hashes;
mod header_names;
mod headers;
mod hidden;
mod hit;
mod identity;
mod ids;
pub mod inflate;
mod issuers;
mod join;
mod joined;
mod json;
mod json_ends;
mod key_forms;
mod kinds;
mod known_names;
mod label;
mod licences;
mod mail;
mod markup;
mod multipart;
mod names;
mod net;
mod number;
mod options;
mod path_hash;
mod paths;
mod peek;
mod phones;
mod pieces;
#[cfg(feature = "panic-probe")]
pub mod probe;
mod public;
mod response;
mod rewrite;
mod sanitizer;
mod scan;
mod seam_signs;
mod secrets;
mod shapes;
mod spoken;
mod stand_in;
mod stream;
mod survey;
mod text;
mod texts;
mod tokens;
mod triggers;
mod urls;
mod values;
mod view;

pub use body::Body;
pub use findings::Findings;
pub use framing::Framing;
pub use headers::OwnedHeader;
pub use hit::Finding;
pub use kinds::{BUILT_IN, Kind};
pub use label::{Action, Format};
pub use options::{FieldOptions, Options, RuleOptions, VALIDATORS};
pub use response::{CleanResponse, sanitize_response};
pub use sanitizer::Sanitizer;
