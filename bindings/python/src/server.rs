//! The server behind `rtmpkit.Server` and `rtmpkit.aio.Server`.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rtmp_core as core;

use crate::application::{PythonHandler, Target};
use crate::engine::Engine;
use crate::errors::OrRaise;
use crate::instance::Instance;
use crate::queue::{Queue, dispatch_to};
use crate::settings::{self, millis};
use crate::stats::ServerStats;

/// A server; its applications' handlers run where `queue` is served.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct RawServer {
    core: core::Server,
    queue: Arc<core::Queue>,
    targets: Mutex<Vec<Target>>,
}

#[pymethods]
impl RawServer {
    #[new]
    #[pyo3(signature = (engine, queue, *, max_connections = None, max_connections_per_address = None, stall_timeout = None))]
    fn new(
        engine: &Engine,
        queue: &Queue,
        max_connections: Option<usize>,
        max_connections_per_address: Option<usize>,
        stall_timeout: Option<f64>,
    ) -> PyResult<Self> {
        let mut config = core::ServerConfig::default();
        config.max_connections = max_connections.unwrap_or(config.max_connections);
        config.max_connections_per_address =
            max_connections_per_address.unwrap_or(config.max_connections_per_address);
        if let Some(seconds) = stall_timeout {
            config.stall_timeout_ms = millis("stall_timeout", seconds)?;
        }
        let core = core::Server::new(&engine.core, config).or_raise()?;
        Ok(Self {
            core,
            queue: Arc::clone(&queue.core),
            targets: Mutex::default(),
        })
    }

    /// Registers an application; `handler` has the methods of `rtmpkit.Application`, or is `None` to accept everything.
    #[pyo3(signature = (name, handler, **settings))]
    fn application(
        &self,
        name: &str,
        handler: Option<Py<PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let mut config = settings
            .map(settings::application)
            .transpose()?
            .unwrap_or_default();
        let handler: Arc<dyn core::ApplicationHandler> = match handler {
            None => Arc::new(core::AcceptAll),
            Some(target) => {
                config.dispatch = dispatch_to(&self.queue);
                let target = Target::new(Some(target));
                self.targets.lock().push(target.clone());
                Arc::new(PythonHandler::new(target))
            }
        };
        self.core.application(name, config, handler).or_raise().map(drop)
    }

    /// Listens on `rtmp://host[:port]` or `host:port`; returns the address bound.
    fn listen(&self, py: Python<'_>, url: &str) -> PyResult<(String, u16)> {
        let address = py.detach(|| self.core.listen(url)).or_raise()?;
        Ok((address.ip().to_string(), address.port()))
    }

    /// The instance `app` or `app/instance`.
    fn instance(&self, name: &str) -> PyResult<Instance> {
        self.core
            .instance(name)
            .or_raise()
            .map(|instance| Instance::from(&instance))
    }

    /// Counts now.
    fn stats(&self) -> ServerStats {
        self.core.stats().into()
    }

    /// Stops listening and ends every connection, without waiting.
    fn close(&self) {
        self.core.close();
    }

    /// Lets go of the handlers once all that happened until now was delivered.
    fn release(&self) {
        let targets = std::mem::take(&mut *self.targets.lock());
        self.queue
            .to_dispatch()
            .run(move || targets.iter().for_each(Target::clear));
    }

    /// Whether `close()` was called.
    #[getter]
    fn closed(&self) -> bool {
        self.core.is_closed()
    }
}
