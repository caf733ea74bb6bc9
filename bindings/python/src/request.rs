//! What clients ask for and the host decides.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList};
use rtmp_core as core;
use rtmp_core::wire::url::masked;

use crate::errors::OrRaise;
use crate::instance::{Instance, Stream};
use crate::login::{Known, LoginAttempt, method_named};
use crate::peer::Peer;
use crate::recording;
use crate::status::Status;
use crate::takeover::Takeover;
use crate::value;

/// A request as the code that calls the host's handler needs it.
pub(crate) trait Question {
    /// Whether it was answered.
    fn answered(&self) -> bool;
    /// Acts on what a handler returned for a request that nobody kept.
    fn decide(&self, result: &Bound<'_, PyAny>) -> PyResult<()>;
    /// Refuses because the handler failed.
    fn fail(&self);
}

/// Refuses with a status of the host's own, or with the one that goes with the request.
macro_rules! refuse {
    ($core:expr, $description:expr, $status:expr) => {
        match $status {
            Some(status) => $core.reject_with(status.core.clone()),
            None => $core.reject($description),
        }
    };
}
pub(crate) use refuse;

macro_rules! question {
    ($name:ident) => {
        impl From<core::$name> for $name {
            fn from(core: core::$name) -> Self {
                Self { core }
            }
        }
    };
}

macro_rules! yes_or_no {
    ($name:ident) => {
        question!($name);

        impl Question for $name {
            fn answered(&self) -> bool {
                self.core.is_answered()
            }

            fn decide(&self, result: &Bound<'_, PyAny>) -> PyResult<()> {
                if result.is_none() {
                    self.core.accept();
                    return Ok(());
                }
                let Ok(accepted) = result.cast::<PyBool>() else {
                    let text = format!(
                        "a handler returns True, False or None, not {}",
                        result.get_type().name()?
                    );
                    return Err(PyTypeError::new_err(text));
                };
                match accepted.is_true() {
                    true => self.core.accept(),
                    false => self.core.reject("Refused by the application."),
                };
                Ok(())
            }

            fn fail(&self) {
                self.core.reject("The application failed.");
            }
        }
    };
}

/// A client asks to connect.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct ConnectRequest {
    core: core::ConnectRequest,
}

/// A client asks to publish a stream.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct PublishRequest {
    core: core::PublishRequest,
}

/// A client asks to play a stream.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct PlayRequest {
    core: core::PlayRequest,
}

/// A client calls a method of the server.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct CallRequest {
    core: core::CallRequest,
}

/// A client asks how long a stream is.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct StreamLengthRequest {
    core: core::StreamLengthRequest,
}

yes_or_no!(ConnectRequest);
yes_or_no!(PublishRequest);
yes_or_no!(PlayRequest);
question!(CallRequest);
question!(StreamLengthRequest);

impl Question for StreamLengthRequest {
    fn answered(&self) -> bool {
        self.core.is_answered()
    }

    fn decide(&self, result: &Bound<'_, PyAny>) -> PyResult<()> {
        match result.extract::<Option<f64>>()? {
            Some(seconds) => self.core.accept(seconds),
            None => self.core.accept_recorded(),
        };
        Ok(())
    }

    fn fail(&self) {
        self.core.accept(0.0);
    }
}

impl Question for CallRequest {
    fn answered(&self) -> bool {
        self.core.is_answered()
    }

    fn decide(&self, result: &Bound<'_, PyAny>) -> PyResult<()> {
        match result.is(result.py().NotImplemented()) {
            true => self.core.unknown_method(),
            false => self.core.accept(value::from_py(result)?),
        };
        Ok(())
    }

    fn fail(&self) {
        self.core.reject("The application failed.");
    }
}

#[pymethods]
impl ConnectRequest {
    /// The client that asks.
    #[getter]
    fn peer(&self) -> Peer {
        self.core.client().into()
    }

    /// The instance it asks in.
    #[getter]
    fn instance(&self) -> Instance {
        self.core.instance().into()
    }

    /// Whether an answer was given.
    #[getter]
    fn answered(&self) -> bool {
        self.core.is_answered()
    }

    /// The application as the client named it, with instance and query.
    #[getter]
    fn app(&self) -> &str {
        self.core.app()
    }

    /// The part of `app` after `?`.
    #[getter]
    fn query(&self) -> &str {
        self.core.query()
    }

    /// The query's parameters.
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        params(py, self.core.query())
    }

    /// The user arguments of the connect command.
    #[getter]
    fn args<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        value::list_to_py(py, self.core.args())
    }

    /// Accepts, adding `info` to the information object of the reply and `properties` to the object before it. A client
    /// that cannot read large chunks gets none above `max_chunk_size`. False if the request was answered before.
    #[pyo3(signature = (info = None, *, properties = None, max_chunk_size = None))]
    fn accept(
        &self,
        info: Option<&Bound<'_, PyDict>>,
        properties: Option<&Bound<'_, PyDict>>,
        max_chunk_size: Option<u32>,
    ) -> PyResult<bool> {
        let info = info.map(value::object_from_py).transpose()?.unwrap_or_default();
        let properties = properties
            .map(value::object_from_py)
            .transpose()?
            .unwrap_or_default();
        Ok(match max_chunk_size {
            Some(size) => self.core.accept_with_chunk_size(properties, info, size),
            None => self.core.accept_with(properties, info),
        })
    }

    /// Refuses with NetConnection.Connect.Rejected, or with a status of your own.
    #[pyo3(signature = (description = "", *, status = None, application = None))]
    fn reject(
        &self,
        description: &str,
        status: Option<&Status>,
        application: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        Ok(match (status, application) {
            (Some(status), _) => self.core.reject_with(status.core.clone()),
            (None, Some(object)) => self.core.reject_with_object(description, value::from_py(object)?),
            (None, None) => self.core.reject(description),
        })
    }

    /// How the client tries to log in, and as whom; `None` if it does not.
    #[getter]
    fn login(&self) -> Option<LoginAttempt> {
        self.core.login().map(LoginAttempt::from)
    }

    /// Refuses with the demand to log in, by `adobe` or `llnw`. The client comes back.
    #[pyo3(signature = (method = "adobe"))]
    fn demand_login(&self, method: &str) -> PyResult<bool> {
        Ok(self.core.demand_login(method_named(method)?))
    }

    /// Whether the client has proven that it knows a user's secret; if not, it was refused, with a challenge or for good.
    fn check_login(&self, secret: Option<Known<'_>>) -> bool {
        let secret = secret.map(|secret| secret.core());
        self.core.check_login(secret.as_ref())
    }

    /// Refuses and tells the client where to connect instead.
    #[pyo3(signature = (url, description = ""))]
    fn redirect(&self, url: &str, description: &str) -> bool {
        self.core.redirect(url, description)
    }

    fn __repr__(&self) -> String {
        format!(
            "<ConnectRequest for {} of peer {}>",
            masked(self.core.app()),
            self.core.client().id()
        )
    }
}

#[pymethods]
impl PublishRequest {
    /// The client that asks.
    #[getter]
    fn peer(&self) -> Peer {
        self.core.client().into()
    }

    /// The instance it asks in.
    #[getter]
    fn instance(&self) -> Instance {
        self.core.instance().into()
    }

    /// Whether an answer was given.
    #[getter]
    fn answered(&self) -> bool {
        self.core.is_answered()
    }

    /// The stream's name, without query.
    #[getter]
    fn stream_name(&self) -> &str {
        self.core.stream_name()
    }

    /// The stream it asks for: subscribe to it to get what will be published.
    #[getter]
    fn stream(&self) -> PyResult<Stream> {
        self.core
            .instance()
            .stream(self.core.stream_name())
            .or_raise()
            .map(Stream::from)
    }

    /// The part of the name after `?`; publishers put keys there.
    #[getter]
    fn query(&self) -> &str {
        self.core.query()
    }

    /// The query's parameters.
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        params(py, self.core.query())
    }

    /// `live`, `record` or `append`, as the client asked.
    #[getter]
    fn mode(&self) -> &'static str {
        self.core.mode().name()
    }

    /// Accepts, under the application's takeover policy or another. `record` is `record`, `append` or `appendWithGap` whatever
    /// the client asked, `False` for no recording; `record_name` names another file. False if the request was answered before.
    #[pyo3(signature = (*, takeover = None, record = None, record_name = None))]
    fn accept(
        &self,
        takeover: Option<&Takeover>,
        record: Option<&Bound<'_, PyAny>>,
        record_name: Option<String>,
    ) -> PyResult<bool> {
        Ok(self.core.accept_as(core::PublishOptions {
            takeover: takeover.map(|takeover| takeover.core()),
            record: recording::choice(record, record_name)?,
        }))
    }

    /// Refuses with NetStream.Publish.BadName, or with a status of your own.
    #[pyo3(signature = (description = "", *, status = None))]
    fn reject(&self, description: &str, status: Option<&Status>) -> bool {
        refuse!(self.core, description, status)
    }

    fn __repr__(&self) -> String {
        format!(
            "<PublishRequest for {} of peer {}>",
            self.core.stream_name(),
            self.core.client().id()
        )
    }
}

#[pymethods]
impl PlayRequest {
    /// The client that asks.
    #[getter]
    fn peer(&self) -> Peer {
        self.core.client().into()
    }

    /// The instance it asks in.
    #[getter]
    fn instance(&self) -> Instance {
        self.core.instance().into()
    }

    /// Whether an answer was given.
    #[getter]
    fn answered(&self) -> bool {
        self.core.is_answered()
    }

    /// The stream's name, without query.
    #[getter]
    fn stream_name(&self) -> &str {
        self.core.stream_name()
    }

    /// The stream it asks for.
    #[getter]
    fn stream(&self) -> PyResult<Stream> {
        self.core
            .instance()
            .stream(self.core.stream_name())
            .or_raise()
            .map(Stream::from)
    }

    /// The part of the name after `?`.
    #[getter]
    fn query(&self) -> &str {
        self.core.query()
    }

    /// The query's parameters.
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        params(py, self.core.query())
    }

    /// Where to start in a recording, in milliseconds; `None` when the client asks for whatever there is, or for live.
    #[getter]
    fn start(&self) -> Option<u64> {
        match self.core.start() {
            core::PlayStart::Recorded(millis) => Some(millis),
            _ => None,
        }
    }

    /// Whether the client wants the live stream only.
    #[getter]
    fn live_only(&self) -> bool {
        self.core.start() == core::PlayStart::Live
    }

    /// How long to play in milliseconds; `None` to the end.
    #[getter]
    fn duration(&self) -> Option<u64> {
        self.core.duration()
    }

    /// Whether the client wants its play list cleared first.
    #[getter]
    fn reset(&self) -> bool {
        self.core.reset()
    }

    /// Accepts; plays another stream of the instance if one is named. False if the request was answered before.
    #[pyo3(signature = (stream_name = None))]
    fn accept(&self, stream_name: Option<&str>) -> bool {
        match stream_name {
            Some(name) => self.core.accept_as(name),
            None => self.core.accept(),
        }
    }

    /// Refuses with NetStream.Play.Failed, or with a status of your own.
    #[pyo3(signature = (description = "", *, status = None))]
    fn reject(&self, description: &str, status: Option<&Status>) -> bool {
        refuse!(self.core, description, status)
    }

    /// Refuses with NetStream.Play.StreamNotFound.
    fn not_found(&self) -> bool {
        self.core.not_found()
    }

    fn __repr__(&self) -> String {
        format!(
            "<PlayRequest for {} of peer {}>",
            self.core.stream_name(),
            self.core.client().id()
        )
    }
}

#[pymethods]
impl CallRequest {
    /// The client that calls.
    #[getter]
    fn peer(&self) -> Peer {
        self.core.client().into()
    }

    /// The instance it calls in.
    #[getter]
    fn instance(&self) -> Instance {
        self.core.instance().into()
    }

    /// Whether an answer was given.
    #[getter]
    fn answered(&self) -> bool {
        self.core.is_answered()
    }

    /// The method's name.
    #[getter]
    fn method(&self) -> &str {
        self.core.method()
    }

    /// The arguments.
    #[getter]
    fn args<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        value::list_to_py(py, self.core.args())
    }

    /// Whether the client waits for an answer.
    #[getter]
    fn wants_reply(&self) -> bool {
        self.core.wants_reply()
    }

    /// Returns a result to the caller. False if the request was answered before.
    #[pyo3(signature = (result = None))]
    fn accept(&self, result: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let result = result.map_or(Ok(core::Value::Null), value::from_py)?;
        Ok(self.core.accept(result))
    }

    /// Fails the call with NetConnection.Call.Failed, or with a status of your own.
    #[pyo3(signature = (description = "", *, status = None))]
    fn reject(&self, description: &str, status: Option<&Status>) -> bool {
        refuse!(self.core, description, status)
    }

    fn __repr__(&self) -> String {
        format!(
            "<CallRequest for {} of peer {}>",
            self.core.method(),
            self.core.client().id()
        )
    }
}

#[pymethods]
impl StreamLengthRequest {
    /// The client that asks.
    #[getter]
    fn peer(&self) -> Peer {
        self.core.client().into()
    }

    /// The instance it asks in.
    #[getter]
    fn instance(&self) -> Instance {
        self.core.instance().into()
    }

    /// Whether an answer was given.
    #[getter]
    fn answered(&self) -> bool {
        self.core.is_answered()
    }

    /// The stream's name, without query.
    #[getter]
    fn stream_name(&self) -> &str {
        self.core.stream_name()
    }

    /// The part of the name after `?`.
    #[getter]
    fn query(&self) -> &str {
        self.core.query()
    }

    /// Answers with a length in seconds. False if the request was answered before.
    fn accept(&self, seconds: f64) -> bool {
        self.core.accept(seconds)
    }

    fn __repr__(&self) -> String {
        format!(
            "<StreamLengthRequest for {} of peer {}>",
            self.core.stream_name(),
            self.core.client().id()
        )
    }
}

fn params<'py>(py: Python<'py>, query: &str) -> PyResult<Bound<'py, PyAny>> {
    let options = PyDict::new(py);
    options.set_item("keep_blank_values", true)?;
    let pairs = py
        .import("urllib.parse")?
        .getattr("parse_qsl")?
        .call((query,), Some(&options))?;
    py.get_type::<PyDict>().call1((pairs,))
}
