//! The pure Rust core of shadowlane. No pyo3 here: it runs under cargo test, loom and Miri.
//!
//! What runs per request, per byte or across processes is in this crate; `rust/py` only converts.

pub mod error;
pub mod policy;
pub mod reason;

pub use error::{Error, Result};
pub use reason::Reason;
