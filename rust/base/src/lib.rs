//! What every crate of the core shares: the one error, the reasons, and the look-up of a header. No dependencies.

mod error;
mod headers;
mod reason;

pub use error::{Error, Result};
pub use headers::{Header, header};
pub use reason::Reason;
