//! A client of the server, as the host sees it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use rtmp_core as core;

use crate::errors::{call_failed, shared_object_error, timeout as timed_out, wrong_thread};
use crate::instance::Instance;
use crate::monitor::{Monitor, seconds};
use crate::queue::{Queue, dispatch_to, is_serving};
use crate::stats::TrafficStats;
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

    /// Bytes and messages so far.
    fn stats(&self) -> TrafficStats {
        self.core.stats().into()
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
            self.core.app()
        )
    }
}

type Outcome = Option<Result<core::Value, core::Status>>;

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
        let filled = Arc::clone(&outcome);
        start(Box::new(move |result| {
            filled.update(|outcome| *outcome = Some(result))
        }))?;
        match outcome.wait(py, timeout, Option::take)? {
            Some(Ok(result)) => value::to_py(py, &result),
            Some(Err(status)) => Err((self.refused)(status)),
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
