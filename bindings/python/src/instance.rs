//! Application instances and their live streams.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rtmp_core as core;

use crate::errors::OrRaise;
use crate::peer::Peer;
use crate::publication::Publication;
use crate::stats::{InstanceStats, StreamStats};
use crate::subscription::Subscription;
use crate::value;

/// One instance of an application, for example `live/_definst_`.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Instance {
    core: core::Instance,
}

impl From<&core::Instance> for Instance {
    fn from(core: &core::Instance) -> Self {
        Self { core: core.clone() }
    }
}

#[pymethods]
impl Instance {
    /// Application and instance name; the default instance is `APP/_definst_`.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// The clients connected now.
    #[getter]
    fn peers(&self) -> Vec<Peer> {
        self.core.clients().iter().map(Peer::from).collect()
    }

    /// The streams that have a publisher, a player or a handle.
    #[getter]
    fn streams(&self) -> Vec<Stream> {
        self.core.streams().into_iter().map(Stream::from).collect()
    }

    /// The live stream of that name; it need not have a publisher yet.
    fn stream(&self, name: &str) -> PyResult<Stream> {
        self.core.stream(name).or_raise().map(Stream::from)
    }

    /// The frames of a stream, from now on: `with instance.subscribe("cam") as frames: for frame in frames: ...`
    #[pyo3(signature = (name, *, timeout = None, follow = false, capacity = 1024, skip_backlog = false))]
    fn subscribe(
        &self,
        name: &str,
        timeout: Option<f64>,
        follow: bool,
        capacity: usize,
        skip_backlog: bool,
    ) -> PyResult<Subscription> {
        self.stream(name)?
            .subscribe(timeout, follow, capacity, skip_backlog)
    }

    /// Becomes the publisher of a stream; `AlreadyExists` if it has one.
    fn publish(&self, name: &str) -> PyResult<Publication> {
        self.stream(name)?.publish()
    }

    /// Calls a method of every client; asks for no result.
    #[pyo3(signature = (method, *args))]
    fn broadcast(&self, method: &str, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.core.broadcast(method, &value::args_from_py(args)?);
        Ok(())
    }

    /// Counts since the instance started.
    fn stats(&self) -> InstanceStats {
        self.core.stats().into()
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.core.name() == other.core.name()
    }

    fn __hash__(&self) -> u64 {
        hash(&self.core.name())
    }

    fn __repr__(&self) -> String {
        format!("<Instance {}>", self.core.name())
    }
}

/// A live stream of an instance. The handle keeps the stream and its instance alive.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Stream {
    core: core::Stream,
}

impl From<core::Stream> for Stream {
    fn from(core: core::Stream) -> Self {
        Self { core }
    }
}

#[pymethods]
impl Stream {
    /// The stream's name.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// The instance it belongs to.
    #[getter]
    fn instance(&self) -> Instance {
        self.core.instance().into()
    }

    /// Whether a client or the host publishes it now.
    #[getter]
    fn publishing(&self) -> bool {
        self.core.is_publishing()
    }

    /// Counts and sizes now.
    fn stats(&self) -> StreamStats {
        self.core.stats().into()
    }

    /// Becomes the stream's publisher; `AlreadyExists` if it has one.
    fn publish(&self) -> PyResult<Publication> {
        self.core.publish().or_raise().map(Publication::from)
    }

    /// The stream's frames, from now on. Sequence headers and the current group of pictures come first, unless
    /// `skip_backlog`. `timeout` is how many seconds an iteration waits for a frame before it raises `Timeout`. The
    /// iteration ends when the publisher leaves, or goes on with the next one if `follow`. When `capacity` frames
    /// wait, frames are dropped to the next keyframe.
    #[pyo3(signature = (*, timeout = None, follow = false, capacity = 1024, skip_backlog = false))]
    pub(crate) fn subscribe(
        &self,
        timeout: Option<f64>,
        follow: bool,
        capacity: usize,
        skip_backlog: bool,
    ) -> PyResult<Subscription> {
        Subscription::start(&self.core, timeout, follow, capacity, skip_backlog)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    fn __hash__(&self) -> u64 {
        hash(&self.key())
    }

    fn __repr__(&self) -> String {
        format!("<Stream {}/{}>", self.core.instance().name(), self.core.name())
    }
}

impl Stream {
    fn key(&self) -> (&str, &str) {
        (self.core.instance().name(), self.core.name())
    }
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
