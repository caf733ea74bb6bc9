//! Application instances and their live streams.

use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};
use rtmp_core as core;

use crate::errors::{OrRaise, shared_object_error};
use crate::peer::{Peer, Waiting, reply_to};
use crate::publication::Publication;
use crate::queue::Queue;
use crate::recording::{self, Recording};
use crate::relay::{Relay, Settings, short};
use crate::shared_object::RawSharedObject;
use crate::stats::{InstanceStats, StreamStats};
use crate::subscription::Subscription;
use crate::takeover::{Takeover, latency_name, latency_named};
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

    /// Becomes the publisher of a stream; `AlreadyExists` if it has one that `takeover` does not take it from.
    #[pyo3(signature = (name, *, takeover = None))]
    fn publish(&self, name: &str, takeover: Option<&Takeover>) -> PyResult<Publication> {
        self.stream(name)?.publish(takeover)
    }

    /// Pulls `rtmp://host/app/stream` into the stream `name`, by default the one of the same name, until the relay is closed.
    /// When the connection is lost it is made again: after `back_off[0]` seconds, then twice that and so on up to
    /// `back_off[1]`, less a random share of at most `jitter`; after `max_failures` in a row it gives up. Meanwhile players are
    /// held for `hold` seconds. With `on_demand` it is connected while somebody plays, and for `linger` seconds more. A stream
    /// that is silent for `silence` seconds is fetched anew.
    #[pyo3(signature = (url, name = None, *, on_demand = false, linger = 10.0, hold = 30.0, silence = 30.0, live = false,
        back_off = (0.5, 30.0), jitter = 0.25, max_failures = 0, answer_timeout = 10.0, follow_reconnects = true,
        timeout = None), text_signature = "($self, url, name=None, *, on_demand=False, linger=10.0, hold=30.0, \
silence=30.0, live=False, back_off=(0.5, 30.0), jitter=0.25, max_failures=0, answer_timeout=10.0, \
follow_reconnects=True, timeout=None)")]
    #[allow(clippy::too_many_arguments)]
    fn pull(
        &self,
        url: &str,
        name: Option<&str>,
        on_demand: bool,
        linger: f64,
        hold: f64,
        silence: f64,
        live: bool,
        back_off: (f64, f64),
        jitter: f64,
        max_failures: u32,
        answer_timeout: f64,
        follow_reconnects: bool,
        timeout: Option<f64>,
    ) -> PyResult<Relay> {
        let settings = Settings {
            back_off,
            jitter,
            max_failures,
            answer_timeout,
            follow_reconnects,
            timeout,
        };
        Relay::pull(&self.core, url, name, &settings, |config| {
            config.hold_ms = short("hold", hold)?;
            config.silence_ms = short("silence", silence)?;
            let linger_ms = short("linger", linger)?;
            if on_demand {
                config.demand = core::Demand::WhilePlayed { linger_ms };
            }
            if live {
                config.start = core::PlayStart::Live;
            }
            Ok(())
        })
    }

    /// Pushes the stream `name` to `rtmp://host/app/stream`; see `Stream.push`.
    #[pyo3(signature = (name, url, *, queue_bytes = 8 << 20, queue_seconds = 5.0, back_off = (0.5, 30.0), jitter = 0.25,
        max_failures = 0, answer_timeout = 10.0, follow_reconnects = true, timeout = None),
        text_signature = "($self, name, url, *, queue_bytes=8388608, queue_seconds=5.0, back_off=(0.5, 30.0), jitter=0.25, \
max_failures=0, answer_timeout=10.0, follow_reconnects=True, timeout=None)")]
    #[allow(clippy::too_many_arguments)]
    fn push(
        &self,
        name: &str,
        url: &str,
        queue_bytes: usize,
        queue_seconds: f64,
        back_off: (f64, f64),
        jitter: f64,
        max_failures: u32,
        answer_timeout: f64,
        follow_reconnects: bool,
        timeout: Option<f64>,
    ) -> PyResult<Relay> {
        self.stream(name)?.push(
            url,
            queue_bytes,
            queue_seconds,
            back_off,
            jitter,
            max_failures,
            answer_timeout,
            follow_reconnects,
            timeout,
        )
    }

    /// Calls a method of every client; asks for no result.
    #[pyo3(signature = (method, *args))]
    fn broadcast(&self, method: &str, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.core.broadcast(method, &value::args_from_py(args)?);
        Ok(())
    }

    /// The shared object of that name, made if there is none: an `rtmpkit.SharedObject`, or a `cls` derived from it.
    #[pyo3(signature = (name, persistent = false, *, cls = None))]
    fn shared_object<'py>(
        slf: Bound<'py, Self>,
        name: &str,
        persistent: bool,
        cls: Option<&Bound<'py, PyType>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let open = slf
            .py()
            .import("rtmpkit.shared_object")?
            .getattr("open_at_host")?;
        open.call1((&slf, name, persistent, cls))
    }

    /// A shared object whose events `deliver(event, ...)` gets.
    fn _shared_object(
        &self,
        py: Python<'_>,
        name: &str,
        persistent: bool,
        deliver: Py<PyAny>,
    ) -> PyResult<RawSharedObject> {
        RawSharedObject::host(py, &self.core, name, persistent, deliver)
    }

    /// Removes all slots of the shared objects that a path names, deletes those on disk, and returns how many there
    /// were. `/` names all, `/a/b` one, `/a/` all below `a`; in the last segment `*` stands for any characters.
    #[pyo3(signature = (path, *, timeout = Some(10.0)), text_signature = "($self, path, *, timeout=10.0)")]
    fn clear_shared_objects<'py>(
        &self,
        py: Python<'py>,
        path: &str,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Waiting::STORE.wait(py, timeout, |reply| {
            self.core.clear_shared_objects(path, Some(reply)).or_raise()
        })
    }

    /// The same; `done(count, error)` runs where `queue` is served.
    fn _submit_clear(&self, path: &str, queue: &Queue, done: Py<PyAny>) -> PyResult<()> {
        let reply = reply_to(queue, done, shared_object_error);
        self.core.clear_shared_objects(path, Some(reply)).or_raise()
    }

    /// Stores one persistent shared object, or all that are used, and returns how many were stored.
    #[pyo3(signature = (name = None, *, timeout = Some(10.0)), text_signature = "($self, name=None, *, timeout=10.0)")]
    fn commit_shared_objects<'py>(
        &self,
        py: Python<'py>,
        name: Option<&str>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Waiting::STORE.wait(py, timeout, |reply| {
            self.core.commit_shared_objects(name, Some(reply)).or_raise()
        })
    }

    /// The same; `done(count, error)` runs where `queue` is served.
    fn _submit_commit(&self, name: Option<&str>, queue: &Queue, done: Py<PyAny>) -> PyResult<()> {
        let reply = reply_to(queue, done, shared_object_error);
        self.core.commit_shared_objects(name, Some(reply)).or_raise()
    }

    /// Clears a stream: takes it from whoever publishes it and deletes the files of its name; with a type prefix (`flv:`)
    /// the file alone. Returns how many streams and files there were; `StreamError` if there was none.
    #[pyo3(signature = (name, *, timeout = Some(10.0)), text_signature = "($self, name, *, timeout=10.0)")]
    fn clear_stream<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Waiting::CLEAR.wait(py, timeout, |reply| {
            self.core.clear_stream(name, Some(reply)).or_raise()
        })
    }

    /// Clears the streams that a path names, `/` for all, and returns how many streams and files there were.
    #[pyo3(signature = (path = "/", *, timeout = Some(10.0)), text_signature = "($self, path='/', *, timeout=10.0)")]
    fn clear_streams<'py>(
        &self,
        py: Python<'py>,
        path: &str,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Waiting::CLEAR.wait(py, timeout, |reply| {
            self.core.clear_streams(path, Some(reply)).or_raise()
        })
    }

    /// How many seconds a stream is long: as long as its file, 0 while it is published and where there is no file.
    #[pyo3(signature = (name, *, timeout = Some(10.0)), text_signature = "($self, name, *, timeout=10.0)")]
    fn stream_length<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Waiting::LENGTH.wait(py, timeout, |reply| {
            self.core.stream_length(name, reply).or_raise()
        })
    }

    /// Takes the instance out of its application: clients are disconnected, shared objects stored. Who connects next
    /// starts a new one of the name. False if it was unloaded before.
    fn unload(&self) -> bool {
        self.core.unload()
    }

    /// Whether `unload()` was called, or the application closed.
    #[getter]
    fn unloaded(&self) -> bool {
        self.core.is_unloaded()
    }

    /// Lets go of streams and shared objects that nobody uses; how many there were.
    fn collect(&self) -> usize {
        self.core.collect()
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

    /// Becomes the stream's publisher; `AlreadyExists` if it has one that `takeover` does not take it from.
    #[pyo3(signature = (*, takeover = None))]
    fn publish(&self, takeover: Option<&Takeover>) -> PyResult<Publication> {
        let takeover = takeover.map_or(core::Takeover::REFUSE, |takeover| takeover.core());
        self.core.publish_as(takeover).or_raise().map(Publication::from)
    }

    /// Records the stream to `DIRECTORY/streams/INSTANCE/NAME.flv` until the recording is stopped, over all publishers that come
    /// and go. `mode` is `record`, `append` or `appendWithGap`; limits are the application's where they are `None`, and none
    /// where they are 0. Does not wait: `on_record` hears how it goes.
    #[pyo3(signature = (mode = "record", *, name = None, max_duration = None, max_bytes = None))]
    fn record(
        &self,
        mode: &str,
        name: Option<String>,
        max_duration: Option<f64>,
        max_bytes: Option<u64>,
    ) -> PyResult<Recording> {
        let options = recording::options(recording::mode_named(mode)?, name, max_duration, max_bytes)?;
        self.core.record(options).or_raise().map(Recording::from)
    }

    /// Pushes the stream to `rtmp://host/app/stream` while somebody publishes it here, until the relay is closed. When the
    /// connection is lost it is made again, as by `Instance.pull`. When more than `queue_bytes` or `queue_seconds` of media wait
    /// for the other server, frames are dropped to the next keyframe; nobody else notices.
    #[pyo3(signature = (url, *, queue_bytes = 8 << 20, queue_seconds = 5.0, back_off = (0.5, 30.0), jitter = 0.25,
        max_failures = 0, answer_timeout = 10.0, follow_reconnects = true, timeout = None),
        text_signature = "($self, url, *, queue_bytes=8388608, queue_seconds=5.0, back_off=(0.5, 30.0), jitter=0.25, \
max_failures=0, answer_timeout=10.0, follow_reconnects=True, timeout=None)")]
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn push(
        &self,
        url: &str,
        queue_bytes: usize,
        queue_seconds: f64,
        back_off: (f64, f64),
        jitter: f64,
        max_failures: u32,
        answer_timeout: f64,
        follow_reconnects: bool,
        timeout: Option<f64>,
    ) -> PyResult<Relay> {
        let settings = Settings {
            back_off,
            jitter,
            max_failures,
            answer_timeout,
            follow_reconnects,
            timeout,
        };
        Relay::push(&self.core, url, &settings, |config| {
            config.limits.bytes = queue_bytes;
            config.limits.millis = short("queue_seconds", queue_seconds)?;
            Ok(())
        })
    }

    /// Sends a data message to all who play the stream: a handler's name and its arguments. It needs no publisher, and
    /// those who join later do not get it.
    #[pyo3(signature = (name, *args))]
    fn send(&self, name: &str, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.core.send(name, &value::args_from_py(args)?);
        Ok(())
    }

    /// Takes the stream from whoever publishes it and forgets what it holds for those who join late.
    fn clear(&self) {
        self.core.clear();
    }

    /// How long messages may wait for others: `low_latency`, `balanced`, `throughput`, or `custom`. May be set.
    #[getter]
    fn latency(&self) -> &'static str {
        latency_name(self.core.latency())
    }

    #[setter]
    fn set_latency(&self, name: &str) -> PyResult<()> {
        self.core.set_latency(latency_named(name)?);
        Ok(())
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
