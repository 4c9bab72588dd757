//! The pure Rust core of shadowlane. No pyo3 here: it runs under cargo test, loom and Miri.
//!
//! What runs per request, per byte or across processes is in this crate; `rust/py` only converts.
//!
//! The way of a request: [`lane`] admits it and offers the exchange as one [`frame`] into this process's [`ring`];
//! in the worker [`drain`] reads it, [`sanitize`]s it and hands it on.

#[cfg(not(loom))]
pub mod anchored;
#[cfg(not(loom))]
pub mod caps;
#[cfg(not(loom))]
pub mod drain;
#[cfg(not(loom))]
pub mod embedding_bag;
pub mod error;
#[cfg(not(loom))]
pub mod files;
pub mod frame;
pub mod gcra;
pub mod hash;
#[cfg(not(loom))]
pub mod histogram;
#[cfg(not(loom))]
pub mod inflate;
pub mod jcs;
#[cfg(not(loom))]
pub mod keys;
#[cfg(not(loom))]
pub mod lane;
pub mod lanedir;
#[cfg(not(loom))]
pub mod layout;
#[cfg(not(loom))]
pub mod policy;
pub mod process;
pub mod reason;
pub mod reservoir;
pub mod ring;
#[cfg(not(loom))]
pub mod routes;
pub mod sampler;
#[cfg(not(loom))]
pub mod sanitize;
#[cfg(not(loom))]
pub mod status;
mod sync;
#[cfg(not(loom))]
pub mod throttle;
#[cfg(not(loom))]
pub mod times;

pub use error::{Error, Result};
pub use reason::Reason;
