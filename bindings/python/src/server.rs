//! The server behind `rtmpkit.Server` and `rtmpkit.aio.Server`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyDict;
use rtmp_core as core;

use crate::application::{PythonHandler, Target};
use crate::engine::Engine;
use crate::errors::OrRaise;
use crate::instance::Instance;
use crate::login::Known;
use crate::peer::Peer;
use crate::queue::{Queue, dispatch_to};
use crate::settings::{self, millis, tolerance_named};
use crate::stats::{ServerStats, deviations};

/// A server; its applications' handlers run where `queue` is served.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct RawServer {
    core: core::Server,
    engine: core::Engine,
    queue: Arc<core::Queue>,
    targets: Mutex<Vec<Target>>,
}

#[pymethods]
impl RawServer {
    #[new]
    #[allow(clippy::too_many_arguments)] // Python names them.
    #[pyo3(signature = (engine, queue, *, max_connections = None, max_connections_per_address = None, player_queue_bytes = None, player_queue_seconds = None, stall_timeout = None, tolerance = None, tls = None, accept_rtmpe = false, connect_timeout = None, chunk_size = None, reduce_for_players = true))]
    fn new(
        engine: &Engine,
        queue: &Queue,
        max_connections: Option<usize>,
        max_connections_per_address: Option<usize>,
        player_queue_bytes: Option<usize>,
        player_queue_seconds: Option<f64>,
        stall_timeout: Option<f64>,
        tolerance: Option<&str>,
        tls: Option<Vec<(PyBackedBytes, PyBackedBytes)>>,
        accept_rtmpe: bool,
        connect_timeout: Option<f64>,
        chunk_size: Option<u32>,
        reduce_for_players: bool,
    ) -> PyResult<Self> {
        let mut config = core::ServerConfig::default();
        config.max_connections = max_connections.unwrap_or(config.max_connections);
        config.max_connections_per_address =
            max_connections_per_address.unwrap_or(config.max_connections_per_address);
        config.player_limits.bytes = player_queue_bytes.unwrap_or(config.player_limits.bytes);
        if let Some(seconds) = player_queue_seconds {
            let millis = millis("player_queue_seconds", seconds)?;
            config.player_limits.millis = u32::try_from(millis).unwrap_or(u32::MAX);
        }
        if let Some(seconds) = stall_timeout {
            config.stall_timeout_ms = millis("stall_timeout", seconds)?;
        }
        config.reduce_for_players = reduce_for_players;
        if let Some(seconds) = connect_timeout {
            settings::connect_timeout(&mut config.session.timeouts, seconds)?;
        }
        if let Some(size) = chunk_size {
            config.session.chunk_size = settings::valid_chunk_size(size)?;
        }
        if let Some(name) = tolerance {
            config.session.tolerance = tolerance_named(name)?;
        }
        if accept_rtmpe {
            settings::accept_rtmpe(&mut config)?;
        }
        config.tls = identities(&tls.unwrap_or_default())?;
        let core = core::Server::new(&engine.core, config).or_raise()?;
        Ok(Self {
            core,
            engine: engine.core.clone(),
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
    ) -> PyResult<RawApplication> {
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
        let core = self.core.application(name, config, handler).or_raise()?;
        Ok(RawApplication {
            core,
            engine: self.engine.clone(),
        })
    }

    /// Listens on `rtmp://host[:port]` or `host:port`; returns the address bound.
    fn listen(&self, py: Python<'_>, url: &str) -> PyResult<(String, u16)> {
        let address = py.detach(|| self.core.listen(url)).or_raise()?;
        Ok((address.ip().to_string(), address.port()))
    }

    /// Changes the certificate chains and keys, PEM, of connections made from now on.
    fn set_tls(&self, tls: Vec<(PyBackedBytes, PyBackedBytes)>) -> PyResult<()> {
        self.core.set_tls(identities(&tls)?).or_raise()
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

    /// What clients did against the specifications without harm, by name, with how often.
    fn deviations(&self) -> BTreeMap<&'static str, u32> {
        deviations(&self.core.deviations())
    }

    /// Winds the server down within `grace` seconds.
    #[pyo3(signature = (url, description, grace))]
    fn drain(&self, url: Option<&str>, description: &str, grace: f64) -> PyResult<()> {
        let grace = Duration::from_millis(millis("grace", grace)?);
        self.core.drain(url, description, grace).or_raise()
    }

    /// Whether `drain()` was called.
    #[getter]
    fn draining(&self) -> bool {
        self.core.is_draining()
    }

    /// The machine's name.
    #[staticmethod]
    fn host_name() -> String {
        core::Server::host_name()
    }

    /// System and processor.
    #[staticmethod]
    fn platform() -> String {
        core::Server::platform()
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

fn identities(given: &[(PyBackedBytes, PyBackedBytes)]) -> PyResult<Vec<core::TlsIdentity>> {
    let identities = given.iter();
    identities
        .map(|(chain, key)| core::TlsIdentity::from_pem(chain, key).or_raise())
        .collect()
}

/// An application as it is registered with a server.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct RawApplication {
    core: core::Application,
    engine: core::Engine,
}

#[pymethods]
impl RawApplication {
    /// Passes calls of a method on to the application at a URL.
    fn proxy_to_url(&self, name: &str, url: &str, remote_name: &str) -> PyResult<()> {
        self.core
            .proxy_method_to_url(name, &self.engine, url, remote_name)
            .or_raise()
    }

    /// Passes calls of a method on to a client.
    fn proxy_to_peer(&self, name: &str, peer: &Peer, remote_name: &str) -> PyResult<()> {
        self.core
            .proxy_method_to_client(name, &peer.core, remote_name)
            .or_raise()
    }

    /// Lets a user log in, or with `None` no more.
    fn set_user(&self, user: &str, secret: Option<Known<'_>>) {
        self.core.set_user(user, secret.map(|secret| secret.core()));
    }

    /// The instances alive now.
    fn instances(&self) -> Vec<Instance> {
        self.core.instances().iter().map(Instance::from).collect()
    }

    /// Clients in all instances.
    fn client_count(&self) -> usize {
        self.core.client_count()
    }

    /// Disconnects all clients and refuses new ones.
    fn close(&self) {
        self.core.close();
    }
}
