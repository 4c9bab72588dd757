//! The pure Rust core of shadowlane. No pyo3 here: it runs under cargo test, loom and Miri.
//!
//! What runs per request, per byte or across processes is in this crate; `rust/py` only converts.
//!
//! The way of a request: [`lane`] admits it and offers the exchange as one [`frame`] into this process's [`ring`];
//! in the worker [`drain`] reads it, [`sanitize`]s it and hands it on.

pub mod error;
pub mod frame;
pub mod reason;
pub mod ring;
mod sync;

pub use error::{Error, Result};
pub use reason::Reason;
