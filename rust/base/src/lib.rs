//! What every crate of the core shares: the one error, the reasons, the guard against panics, and the look-up of a
//! header. No dependencies.

mod error;
mod guard;
mod headers;
mod reason;

pub use error::{Error, Result};
pub use guard::{Fault, guarded};
pub use headers::{Header, header};
pub use reason::Reason;
