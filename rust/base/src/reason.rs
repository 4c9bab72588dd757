//! Why a request was not mirrored, or a copy not answered: one fixed enum for the whole product.
//!
//! The order is part of the layout of the control and ring files: append, never reorder.

macro_rules! reasons {
    ($($variant:ident = $name:literal, $doc:literal;)+) => {
        /// Why a request was not mirrored, or a copy not answered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason { $(#[doc = $doc] $variant),+ }

        impl Reason {
            /// Every reason, in the order of the layout.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name that reports, the store and the command line use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The reason of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

reasons! {
    Disabled = "disabled", "The kill switch is off, or this process has no ring.";
    Loop = "loop", "The request carries the shadow tag: it is a copy already.";
    Method = "method", "The method is not a read.";
    Route = "route", "The route is not one that the configuration mirrors.";
    WriteIntent = "write_intent", "The body asks for a write.";
    SampledOut = "sampled_out", "The sampler did not choose it.";
    Cap = "cap", "The hard cap was reached.";
    RequestTooLarge = "request_too_large", "The request body is over `max_body_bytes`.";
    ProdFailed = "prod_failed", "Prod raised, or ended without an answer.";
    ClientDisconnected = "client_disconnected", "The client left before the answer was complete.";
    RingFull = "ring_full", "The ring had no room for the frame.";
    ProducerDied = "producer_died", "The gateway process died before the frame was complete.";
    Reservoir = "reservoir", "The reservoir of its window kept others.";
    BreakerOpen = "breaker_open", "The shadow's circuit breaker was open.";
    ProviderLimit = "provider_limit", "The shadow's provider limits were reached.";
    Budget = "budget", "The token or money budget was used up.";
    Deadline = "deadline", "The shadow did not answer within its deadline.";
    ConnectError = "connect_error", "The shadow could not be reached, or TLS failed.";
    TransportError = "transport_error", "The connection broke, or the answer was not HTTP.";
    ResponseTooLarge = "response_too_large", "The shadow's answer is over its bound.";
    StoreError = "store_error", "The pair could not be stored.";
    Unreadable = "unreadable", "Reading it failed by a fault of ours, or ended the worker's process; nothing of it is kept.";
    Backlog = "backlog", "The stream to the judges is as long as it may be, or its server is full.";
}
