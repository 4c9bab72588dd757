//! A lane: one named mirror, shared by gateway processes and a worker through mapped files.
//!
//! The way of a request: [`gateway`] admits it and offers the exchange as one frame into this process's ring; in the
//! worker [`drain`] reads it, sanitizes and classifies it, and hands it on. What both sides share lies in two kinds of
//! file ([`layout`], [`files`], [`lanedir`]); [`status`] reads them.

pub mod caps;
pub mod choice;
pub mod drain;
pub mod files;
pub mod gateway;
pub mod gcra;
pub mod hash;
pub mod histogram;
pub mod jcs;
pub mod keys;
pub mod lanedir;
pub mod latency;
pub mod layout;
pub mod lease;
pub mod lock;
pub mod older;
pub mod process;
pub mod reservoir;
pub mod revisions;
pub mod sampler;
pub mod status;
pub mod text;
pub mod throttle;
