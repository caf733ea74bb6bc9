//! A client of the server, as the host sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use rtmp_core as core;
use rtmp_core::wire::url::masked;

use crate::application::{PythonHandler, Target};
use crate::errors::{
    OrRaise, call_failed, closed, shared_object_error, stream_error, timeout as timed_out, wrong_thread,
};
use crate::instance::Instance;
use crate::monitor::{Monitor, seconds};
use crate::queue::{Queue, dispatch_to, is_serving};
use crate::request::CallRequest;
use crate::stats::{Bandwidth, PeerStats, deviations};
use crate::status::Status;
use crate::value;

/// A client connected, or connecting, to the server. Objects of the same client are equal and may be keys of a dict.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Peer {
    pub(crate) core: core::Client,
}

impl From<&core::Client> for Peer {
    fn from(core: &core::Client) -> Self {
        Self { core: core.clone() }
    }
}

#[pymethods]
impl Peer {
    /// Number of this client, unique while the server lives.
    #[getter]
    fn id(&self) -> u64 {
        self.core.id()
    }

    /// Address and port that the client connects from.
    #[getter]
    fn address(&self) -> (String, u16) {
        let address = self.core.address();
        (address.ip().to_string(), address.port())
    }

    /// The instance the client asked for.
    #[getter]
    fn instance(&self) -> Instance {
        self.core.instance().into()
    }

    /// Version and platform that the client announces (`flashVer`).
    #[getter]
    fn agent(&self) -> &str {
        self.core.agent()
    }

    /// The URI that the client asked to connect to (`tcUrl`).
    #[getter]
    fn uri(&self) -> &str {
        self.core.uri()
    }

    /// The application as the client named it, with instance and query.
    #[getter]
    fn app(&self) -> &str {
        self.core.app()
    }

    /// The page that embeds the client (`pageUrl`). Not to be trusted.
    #[getter]
    fn page_url(&self) -> &str {
        self.core.page_url()
    }

    /// Where the client program came from (`swfUrl`). Not to be trusted.
    #[getter]
    fn referrer(&self) -> &str {
        self.core.referrer()
    }

    /// The transport: `rtmp` or `rtmps`.
    #[getter]
    fn protocol(&self) -> &'static str {
        self.core.protocol()
    }

    /// Whether the connection is encrypted.
    #[getter]
    fn secure(&self) -> bool {
        self.core.is_secure()
    }

    /// Everything that the client said in its connect command.
    #[getter]
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        value::object_to_py(py, self.core.connect_object())
    }

    /// The user arguments of the connect command.
    #[getter]
    fn args<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        value::list_to_py(py, self.core.connect_args())
    }

    /// Whether the connection still lives.
    #[getter]
    fn connected(&self) -> bool {
        self.core.is_connected()
    }

    /// Bytes and messages so far, what was dropped and what waits, the round trip, and current rates.
    fn stats(&self) -> PeerStats {
        self.core.client_stats().into()
    }

    /// What the client did against the specifications without harm, by name, with how often.
    fn deviations(&self) -> BTreeMap<&'static str, u32> {
        deviations(&self.core.deviations())
    }

    /// What the client may read: streams to play and shared objects to join; see `set_access`.
    #[getter]
    fn read_access(&self) -> String {
        self.core.read_access().as_str().to_owned()
    }

    /// What the client may write: streams to publish, shared objects to create and change; see `set_access`.
    #[getter]
    fn write_access(&self) -> String {
        self.core.write_access().as_str().to_owned()
    }

    /// Sets what the client may read and write from now on: paths separated by semicolons, `/` for everything, as at
    /// first, the empty text for nothing. `None` leaves what is.
    #[pyo3(signature = (*, read = None, write = None))]
    fn set_access(&self, read: Option<&str>, write: Option<&str>) {
        let (old_read, old_write) = (self.core.read_access(), self.core.write_access());
        let read = read.unwrap_or_else(|| old_read.as_str());
        self.core
            .set_access(read, write.unwrap_or_else(|| old_write.as_str()));
    }

    /// The streams whose decoded audio and video the player's program may look at; see `set_sample_access`.
    #[getter]
    fn sample_access(&self) -> (String, String) {
        let (audio, video) = (self.core.audio_sample_access(), self.core.video_sample_access());
        (audio.as_str().to_owned(), video.as_str().to_owned())
    }

    /// Sets whose decoded audio and video the player's program may look at (`|RtmpSampleAccess`), in the form of
    /// `set_access`. It holds for what is played from now on.
    #[pyo3(signature = (*, audio = None, video = None))]
    fn set_sample_access(&self, audio: Option<&str>, video: Option<&str>) {
        let (old_audio, old_video) = (self.core.audio_sample_access(), self.core.video_sample_access());
        let audio = audio.unwrap_or_else(|| old_audio.as_str());
        self.core
            .set_sample_access(audio, video.unwrap_or_else(|| old_video.as_str()));
    }

    /// Measures the bandwidth to the client, by calls with up to about a megabyte; the client is told the outcome too.
    /// With `component` in the dialect of Adobe's communication components. `CallFailed` if it does not know the dialect.
    #[pyo3(signature = (*, component = false, timeout = Some(30.0)), text_signature = "($self, *, component=False, timeout=30.0)")]
    fn check_bandwidth(&self, py: Python<'_>, component: bool, timeout: Option<f64>) -> PyResult<Bandwidth> {
        let timeout = seconds(timeout)?;
        let outcome = Arc::new(Monitor::<Option<Result<core::Bandwidth, core::Status>>>::new(
            None,
        ));
        let filled = Arc::clone(&outcome);
        let kind = match component {
            true => core::BandwidthCheck::Component,
            false => core::BandwidthCheck::Native,
        };
        let reply: core::BandwidthReply = Box::new(move |result| {
            filled.update(|outcome| *outcome = Some(result));
        });
        self.core.check_bandwidth(kind, Some(reply));
        match outcome.wait(py, timeout, Option::take)? {
            Some(result) => result.map(Bandwidth::from).map_err(call_failed),
            None => Err(timed_out("measuring the bandwidth")),
        }
    }

    /// Limits what comes from the client and goes to it, in bytes per second, at least 4,096; `None` takes a limit away.
    #[pyo3(signature = (*, incoming = None, outgoing = None))]
    fn limit_bandwidth(&self, incoming: Option<u32>, outgoing: Option<u32>) -> PyResult<()> {
        self.core
            .set_bandwidth_limit(core::Direction::In, incoming)
            .or_raise()?;
        self.core
            .set_bandwidth_limit(core::Direction::Out, outgoing)
            .or_raise()
    }

    /// The limits of what comes from the client and goes to it.
    #[getter]
    fn bandwidth_limits(&self) -> (Option<u32>, Option<u32>) {
        let limit = |direction| self.core.bandwidth_limit(direction);
        (limit(core::Direction::In), limit(core::Direction::Out))
    }

    /// Lets this client call a method, besides those of its application: `function(peer, *args)`, not a coroutine.
    fn register_method(slf: &Bound<'_, Self>, name: &str, function: &Bound<'_, PyAny>) -> PyResult<()> {
        let method = slf.py().import("rtmpkit.application")?.getattr("PeerMethod")?;
        let handler = PythonHandler::new(Target::new(Some(method.call1((function,))?.unbind())));
        let method = move |request| handler.ask("on_call", CallRequest::from(request));
        slf.get().core.register_method(name, Arc::new(method)).or_raise()
    }

    /// Takes a method away; false if there was none.
    fn unregister_method(&self, name: &str) -> bool {
        self.core.unregister_method(name)
    }

    /// Asks the client to connect elsewhere, or anew to the same place. False, and nothing is sent, if it did not announce
    /// that it can.
    #[pyo3(signature = (url = None, description = ""))]
    fn request_reconnect(&self, url: Option<&str>, description: &str) -> bool {
        self.core.request_reconnect(url, description)
    }

    /// Calls a method of the client and returns its result; waits at most `timeout` seconds.
    #[pyo3(signature = (method, *args, timeout = Some(30.0)), text_signature = "($self, method, *args, timeout=30.0)")]
    fn call<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        args: &Bound<'py, PyTuple>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let args = value::args_from_py(args)?;
        Waiting::CALL.wait(py, timeout, |reply| {
            self.core.call_with_reply(method, args, reply);
            Ok(())
        })
    }

    /// Calls a method of the client from an event loop: `await` the result.
    #[pyo3(signature = (method, *args, timeout = Some(30.0)), text_signature = "($self, method, *args, timeout=30.0)")]
    fn call_async<'py>(
        slf: Bound<'py, Self>,
        method: &str,
        args: &Bound<'py, PyTuple>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = slf.py().import("rtmpkit.aio._pump")?.getattr("call_peer")?;
        call.call1((&slf, method, args, timeout))
    }

    /// Calls a method of the client and asks for no result.
    #[pyo3(signature = (method, *args))]
    fn notify(&self, method: &str, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.core.call(method, value::args_from_py(args)?);
        Ok(())
    }

    /// Calls a method; `done(result, error)` runs where `queue` is served.
    fn _submit(
        &self,
        method: &str,
        args: &Bound<'_, PyTuple>,
        queue: &Queue,
        done: Py<PyAny>,
    ) -> PyResult<()> {
        self.core.call_with_reply(
            method,
            value::args_from_py(args)?,
            reply_to(queue, done, call_failed),
        );
        Ok(())
    }

    /// Measures the round-trip time, in milliseconds.
    #[pyo3(signature = (timeout = Some(30.0)), text_signature = "($self, timeout=30.0)")]
    fn ping(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<f64> {
        let reply = Waiting::CALL.wait(py, timeout, |reply| {
            self.core.ping(reply);
            Ok(())
        })?;
        reply.extract()
    }

    /// Sends a status on the connection.
    fn send_status(&self, status: &Status) {
        self.core.send_status(status.core.clone());
    }

    /// Ends the connection, after sending the status if there is one.
    #[pyo3(signature = (status = None))]
    fn close(&self, status: Option<&Status>) {
        self.core.close(status.map(|status| status.core.clone()));
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.core.id() == other.core.id()
    }

    fn __hash__(&self) -> u64 {
        self.core.id()
    }

    fn __repr__(&self) -> String {
        format!(
            "<Peer {} from {} in {}>",
            self.core.id(),
            self.core.address(),
            masked(self.core.app())
        )
    }
}

/// What became of an awaited answer; `None` while it may still come.
type Outcome = Option<Answer>;

enum Answer {
    Given(Result<core::Value, core::Status>),
    /// Nobody is left who could give it.
    Lost,
}

/// The duty to answer: dropped without, nobody will.
struct Promise(Arc<Monitor<Outcome>>);

impl Promise {
    fn keep(self, result: Result<core::Value, core::Status>) {
        self.0.update(|outcome| *outcome = Some(Answer::Given(result)));
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.update(|outcome| {
            outcome.get_or_insert(Answer::Lost);
        });
    }
}

/// Waiting for an answer: what for, and the exception for a refusal.
pub(crate) struct Waiting {
    what: &'static str,
    refused: fn(core::Status) -> PyErr,
    /// The answer comes where the host's queue is served.
    served: bool,
}

impl Waiting {
    /// For the result of a call.
    pub(crate) const CALL: Self = Self {
        what: "call",
        refused: call_failed,
        served: false,
    };

    /// For shared objects to be stored or deleted.
    pub(crate) const STORE: Self = Self {
        what: "storing shared objects",
        refused: shared_object_error,
        served: true,
    };

    /// For the length of a stream.
    pub(crate) const LENGTH: Self = Self {
        what: "asking for a stream's length",
        refused: stream_error,
        served: true,
    };

    /// For streams to be cleared.
    pub(crate) const CLEAR: Self = Self {
        what: "clearing streams",
        refused: stream_error,
        served: true,
    };

    /// Starts something and waits, detached, for its answer.
    pub(crate) fn wait<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
        start: impl FnOnce(core::Reply) -> PyResult<()>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if self.served && is_serving() {
            return Err(wrong_thread(self.what));
        }
        let timeout = seconds(timeout)?;
        let outcome = Arc::new(Monitor::<Outcome>::new(None));
        let promise = Promise(Arc::clone(&outcome));
        start(Box::new(move |result| promise.keep(result)))?;
        match outcome.wait(py, timeout, Option::take)? {
            Some(Answer::Given(Ok(result))) => value::to_py(py, &result),
            Some(Answer::Given(Err(status))) => Err((self.refused)(status)),
            Some(Answer::Lost) if self.served => Err(closed("the server")),
            Some(Answer::Lost) => Err(closed("the connection")),
            None => Err(timed_out(self.what)),
        }
    }
}

/// A reply that runs `done(result, error)` where a queue is served.
pub(crate) fn reply_to(queue: &Queue, done: Py<PyAny>, refused: fn(core::Status) -> PyErr) -> core::Reply {
    let dispatch = dispatch_to(&queue.core);
    Box::new(move |result| {
        dispatch.run(move || {
            Python::attach(|py| {
                let outcome = result
                    .map_err(refused)
                    .and_then(|result| value::to_py(py, &result));
                let called = match outcome {
                    Ok(result) => done.call1(py, (result, py.None())),
                    Err(error) => done.call1(py, (py.None(), error.into_value(py))),
                };
                if let Err(error) = called {
                    error.write_unraisable(py, Some(done.bind(py)));
                }
            });
        });
    })
}
