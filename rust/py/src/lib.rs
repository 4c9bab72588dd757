//! The extension module `shadowlane._core`: conversions only; the logic is in the crates beside this one.

#![allow(clippy::needless_pass_by_value, reason = "arguments are extracted from Python by value")]

use pyo3::prelude::*;

mod anchored;
mod answers;
mod convert;
mod dispatch;
mod drain;
mod embedding_bag;
mod fields;
mod flat_index;
mod hashed_words;
mod inflate;
mod keywords;
mod lane;
mod lock;
mod packed;
mod policy;
mod samplers;
mod sanitize;
mod status;
mod ticket;

/// What Python's allocator aligns an object to, on 64-bit machines.
const PYTHON_ALIGNMENT: usize = 16;

/// Refuses to compile a class that Python's allocator would put at an address that its type does not allow: pyo3 writes
/// the value into the memory that Python gives it.
macro_rules! aligned_for_python {
    ($($class:ty),+ $(,)?) => {
        $(const _: () = assert!(align_of::<$class>() <= PYTHON_ALIGNMENT);)+
    };
}

aligned_for_python!(
    answers::AnswerReader,
    answers::QuestionReader,
    dispatch::DispatchTarget,
    dispatch::Dispatcher,
    dispatch::Outgoing,
    drain::Drainer,
    embedding_bag::EmbeddingBag,
    flat_index::FlatIndex,
    flat_index::FlatSearch,
    lane::Lane,
    lock::WorkerLock,
    policy::Policy,
    samplers::RateLimiter,
    samplers::RatioSampler,
    samplers::Reservoir,
    samplers::StickySampler,
    samplers::WeightedReservoir,
    sanitize::Finding,
    sanitize::Redactor,
    sanitize::Sanitizer,
    ticket::Ticket,
    ticket::Timer,
);

/// The compiled core of shadowlane. What is public of it is re-exported by `shadowlane.core`.
#[pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;

    #[pymodule_export]
    use crate::dispatch::{DispatchTarget, Dispatcher, Outgoing, path_and_query, request_url};
    #[pymodule_export]
    use crate::drain::Drainer;
    #[pymodule_export]
    use crate::embedding_bag::EmbeddingBag;
    #[pymodule_export]
    use crate::flat_index::{FlatIndex, FlatSearch};
    #[pymodule_export]
    use crate::lane::Lane;
    #[pymodule_export]
    use crate::lock::{WorkerLock, take_worker_lock};
    #[pymodule_export]
    use crate::samplers::{RateLimiter, RatioSampler, Reservoir, StickySampler, WeightedReservoir, request_hash};
    #[pymodule_export]
    use crate::sanitize::{Finding, Redactor, Sanitizer};
    #[pymodule_export]
    use crate::status::{
        check_directory, lane_direct, lane_status, lane_times, locate_lane, set_enabled, set_fleet_off,
    };
    #[pymodule_export]
    use crate::ticket::{Ticket, Timer};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::anchored::register(module)?;
        crate::answers::register(module)?;
        crate::hashed_words::register(module)?;
        crate::inflate::register(module)?;
        crate::packed::register(module)?;
        crate::policy::register(module)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("RING_HEAD_BYTES", shadowlane_lane::layout::RING_DATA)?;
        module.add("CONTROL_BYTES", size_of::<shadowlane_lane::layout::ControlHeader>())?;
        let names = shadowlane_base::Reason::ALL.iter().map(|reason| reason.name());
        module.add("REASONS", PyTuple::new(module.py(), names.collect::<Vec<_>>())?)?;
        module.add("FLAG_RESPONSE_CUT", shadowlane_ring::frame::FLAG_RESPONSE_CUT)?;
        module.add("FLAG_CLIENT_DISCONNECTED", shadowlane_ring::frame::FLAG_CLIENT_DISCONNECTED)?;
        module.add("FLAG_REDELIVERED", shadowlane_ring::frame::FLAG_REDELIVERED)?;
        module.add("FLAG_TOLD", shadowlane_ring::frame::FLAG_TOLD)?;
        module.add("FLAG_TIMED", shadowlane_ring::frame::FLAG_TIMED)?;
        module.add("FLAG_STREAMED", shadowlane_ring::frame::FLAG_STREAMED)
    }
}
