//! The extension module `shadowlane._core`: conversions only; the logic is in `shadowlane-core`.

use pyo3::prelude::*;

/// The compiled core of shadowlane.
#[pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
