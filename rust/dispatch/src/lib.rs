//! Sends copies to shadows and reads their answers, on a thread of its own: HTTP/1.1 and HTTP/2, plain or over TLS.
//!
//! What a caller relies on: certificates are always verified; no redirect is followed and no cookie kept; nothing is sent
//! twice but what [`origin`] names; every call ends within its time, and an answer's head and decoded body within their
//! bounds, whatever the shadow does; no text of an error quotes what the shadow sent.
//!
//! HTTP/1 answers are read by [`answer`], not by hyper, since clients take much that hyper refuses; HTTP/2 is h2's, the
//! crate below hyper. There is no connection pool of a library, because those send again by themselves.

pub mod answer;
mod body;
mod clean;
mod collect;
mod connect;
pub mod engine;
pub mod fault;
mod finished;
mod gzip;
pub mod head;
mod http1;
mod http2;
pub mod origin;
mod outgoing;
mod request;
mod tls;

pub use body::BoundedBody;
pub use clean::{Cleaner, clean_answer};
pub use connect::Address;
pub use engine::{Done, Engine, Refusal};
pub use fault::Fault;
pub use origin::Target;
pub use outgoing::{Outgoing, path_and_query, request_url, text};
pub use request::Request;
pub use tls::client_config;
