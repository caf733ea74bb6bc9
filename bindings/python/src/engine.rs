//! The library's worker threads.

use pyo3::prelude::*;
use rtmp_core as core;

use crate::errors::OrRaise;
use crate::monitor::{Deadline, seconds};

/// Worker threads that servers and connections live on.
///
/// A server has an engine of its own; outgoing connections share one, unless they are given another.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Engine {
    pub(crate) core: core::Engine,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (workers = 0, *, watch_network = true, io_uring = true))]
    fn new(py: Python<'_>, workers: usize, watch_network: bool, io_uring: bool) -> PyResult<Self> {
        let mut config = core::EngineConfig::default();
        config.workers = workers;
        config.watch_network = watch_network;
        config.io_uring = io_uring;
        let core = py.detach(|| core::Engine::new(config)).or_raise()?;
        Ok(Self { core })
    }

    /// How many worker threads there are.
    #[getter]
    fn workers(&self) -> usize {
        self.core.workers()
    }

    /// Whether `close()` was called.
    #[getter]
    fn closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Tells the outgoing connections that are connected that the network has changed.
    fn network_changed(&self) {
        self.core.network_changed();
    }

    /// Ends all servers and connections and waits for the workers, at most `timeout` seconds; says whether they ended.
    #[pyo3(signature = (timeout = Some(10.0)), text_signature = "($self, timeout=10.0)")]
    fn close(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let deadline = Deadline::after(seconds(timeout)?);
        self.core.close();
        loop {
            match py.detach(|| self.core.join(Some(deadline.slice()))) {
                Ok(()) => return Ok(true),
                Err(core::Error::Timeout(_)) if deadline.has_passed() => return Ok(false),
                Err(core::Error::Timeout(_)) => py.check_signals()?,
                Err(error) => return Err(crate::errors::exception(&error)),
            }
        }
    }

    fn __repr__(&self) -> String {
        format!("<Engine of {} workers>", self.core.workers())
    }
}
