//! The connection behind `rtmpkit.NetConnection` and `rtmpkit.aio.NetConnection`.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rtmp_core as core;
use rtmp_core::{Code, Level};

use crate::application::Target;
use crate::engine::Engine;
use crate::errors::{OrRaise, call_failed, connect_error, rejected, timeout as timed_out};
use crate::monitor::{Monitor, seconds};
use crate::peer::{Waiting, reply_to};
use crate::queue::{Queue, dispatch_to};
use crate::server_call::ServerCall;
use crate::settings;
use crate::shared_object::RawSharedObject;
use crate::stats::{TrafficStats, deviations};
use crate::status::Status;
use crate::stream::RawStream;
use crate::value;

/// A connection to another server. With a queue its events run where that is served; without, on the library's
/// threads, which then run no Python at all.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct RawConnection {
    core: core::NetConnection,
    state: Arc<Monitor<State>>,
    dispatch: core::Dispatch,
    targets: [Target; 2],
}

#[derive(Default)]
struct State {
    /// A connection was begun and its end will be told.
    begun: bool,
    /// The answer to connect.
    answer: Option<Result<core::Status, core::Status>>,
    over: Option<core::Status>,
}

struct Handler {
    state: Arc<Monitor<State>>,
    on_status: Target,
    on_call: Target,
}

#[pymethods]
impl RawConnection {
    #[new]
    #[pyo3(signature = (engine, queue = None, *, on_status = None, on_call = None, follow_reconnects = false, settings = None))]
    fn new(
        engine: &Engine,
        queue: Option<&Queue>,
        on_status: Option<Py<PyAny>>,
        on_call: Option<Py<PyAny>>,
        follow_reconnects: bool,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        if queue.is_none() && (on_status.is_some() || on_call.is_some()) {
            return Err(crate::errors::config_error(
                "handlers in Python need a queue to run from",
            ));
        }
        let mut config = core::NetConnectionConfig::default();
        config.dispatch = queue.map(|queue| dispatch_to(&queue.core)).unwrap_or_default();
        config.session = settings.map(settings::connection).transpose()?;
        config.tls_trust = settings.map(settings::trust).transpose()?.unwrap_or_default();
        if follow_reconnects {
            config.reconnect = core::Reconnect::FOLLOW;
        }
        let state = Arc::new(Monitor::default());
        let (on_status, on_call) = (Target::new(on_status), Target::new(on_call));
        let targets = [on_status.clone(), on_call.clone()];
        let dispatch = config.dispatch.clone();
        let handler = Arc::new(Handler {
            state: Arc::clone(&state),
            on_status,
            on_call,
        });
        let core = core::NetConnection::new(&engine.core, config, handler).or_raise()?;
        Ok(Self {
            core,
            state,
            dispatch,
            targets,
        })
    }

    /// Begins to connect; `args` are the user arguments of the connect command.
    #[pyo3(signature = (url, *args))]
    fn connect(&self, url: &str, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        let args = value::args_from_py(args)?;
        self.state.update(|state| {
            *state = State {
                begun: true,
                ..State::default()
            };
        });
        let begun = self.core.connect(url, &args).or_raise();
        if begun.is_err() {
            self.state.update(|state| state.begun = false);
        }
        begun
    }

    /// Waits until the server accepted the connection; raises `Rejected`, `ConnectError` or `Timeout`.
    #[pyo3(signature = (timeout = None))]
    fn wait_connected(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Status> {
        match self
            .state
            .wait(py, seconds(timeout)?, |state| state.answer.clone())?
        {
            Some(answer) => accepted(answer),
            None => Err(timed_out("connecting")),
        }
    }

    /// Whether the server accepted the connection; raises if it did not.
    fn connected(&self) -> PyResult<bool> {
        let answer = self.state.lock().answer.clone();
        answer.map_or(Ok(false), |answer| accepted(answer).map(|_| true))
    }

    /// Calls a method of the server and returns its result.
    #[pyo3(signature = (method, args, timeout = None))]
    fn call<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        args: &Bound<'py, PyTuple>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let args = value::args_from_py(args)?;
        Waiting::CALL.wait(py, timeout, |reply| {
            self.core.call(method, args, Some(reply)).or_raise()
        })
    }

    /// Calls a method of the server and asks for no result.
    fn notify(&self, method: &str, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.core
            .call(method, value::args_from_py(args)?, None)
            .or_raise()
    }

    /// Calls a method; `done(result, error)` runs where `queue` is served.
    fn submit(
        &self,
        method: &str,
        args: &Bound<'_, PyTuple>,
        queue: &Queue,
        done: Py<PyAny>,
    ) -> PyResult<()> {
        let args = value::args_from_py(args)?;
        self.core
            .call(method, args, Some(reply_to(queue, done, call_failed)))
            .or_raise()
    }

    /// Adds a header to requests to a gateway; `None` takes it away.
    fn add_header(&self, name: &str, must_understand: bool, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = if value.is_none() {
            core::Value::Undefined
        } else {
            value::from_py(value)?
        };
        self.core.add_header(name, must_understand, value);
        Ok(())
    }

    /// Opens a stream; when `capacity` frames wait in it, frames are dropped to the next keyframe.
    #[pyo3(signature = (capacity = 1024))]
    fn stream(&self, capacity: usize) -> PyResult<RawStream> {
        RawStream::open(&self.core, capacity)
    }

    /// Joins a shared object; `deliver(event, ...)` runs where `queue` is served, by default the connection's own.
    #[pyo3(signature = (name, persistent, deliver, queue = None))]
    fn shared_object(
        &self,
        name: &str,
        persistent: bool,
        deliver: Py<PyAny>,
        queue: Option<&Queue>,
    ) -> PyResult<RawSharedObject> {
        let dispatch = queue.map(|queue| dispatch_to(&queue.core));
        RawSharedObject::remote(&self.core, name, persistent, deliver, dispatch)
    }

    /// The URI connected to.
    #[getter]
    fn uri(&self) -> String {
        self.core.uri()
    }

    /// Whether the connection stands.
    #[getter]
    fn is_connected(&self) -> bool {
        self.core.is_connected()
    }

    /// Why the connection ended; `None` while it has not.
    #[getter]
    fn over(&self) -> Option<Status> {
        self.state.lock().over.clone().map(Status::from)
    }

    /// Where to connect instead, when `status` is the server's request to reconnect; else `None`.
    fn reconnect_target(&self, status: &Status) -> PyResult<Option<String>> {
        self.core.reconnect_target(&status.core).or_raise()
    }

    /// Moves to another server; the outcome comes as a status.
    fn reconnect_to(&self, url: &str) -> PyResult<()> {
        self.core.reconnect_to(url).or_raise()
    }

    /// Bytes and messages so far.
    fn stats(&self) -> TrafficStats {
        self.core.stats().into()
    }

    /// What the server did against the specifications without harm, by name, with how often.
    fn deviations(&self) -> BTreeMap<&'static str, u32> {
        deviations(&self.core.deviations())
    }

    /// Closes the connection after sending what is queued, without waiting.
    fn close(&self) {
        self.core.close();
    }

    /// Lets go of the handlers once all that happened until now was delivered.
    fn release(&self) {
        if self.targets.iter().any(Target::is_set) {
            let targets = self.targets.clone();
            self.dispatch.run(move || targets.iter().for_each(Target::clear));
        }
    }

    /// Waits until the connection is over; says whether it is.
    #[pyo3(signature = (timeout = None))]
    fn wait_closed(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let over = self.state.wait(py, seconds(timeout)?, |state| {
            (state.over.is_some() || !state.begun).then_some(())
        })?;
        Ok(over.is_some())
    }
}

impl core::NetConnectionHandler for Handler {
    fn on_status(&self, _connection: &core::NetConnection, status: &core::Status) {
        self.state.update(|state| state.take(status));
        if !self.on_status.is_set() {
            return;
        }
        Python::attach(|py| {
            let Some(on_status) = self.on_status.get(py) else {
                return;
            };
            if let Err(error) = on_status.call1((Status::from(status.clone()),)) {
                error.write_unraisable(py, Some(&on_status));
            }
        });
    }

    fn on_call(&self, _connection: &core::NetConnection, call: core::ServerCall) {
        if !self.on_call.is_set() {
            call.unknown_method();
            return;
        }
        Python::attach(|py| {
            let Some(on_call) = self.on_call.get(py) else {
                call.unknown_method();
                return;
            };
            let told =
                Bound::new(py, ServerCall { core: call.clone() }).and_then(|call| on_call.call1((call,)));
            if let Err(error) = told {
                call.reject("The application failed.");
                error.write_unraisable(py, Some(&on_call));
            }
        });
    }
}

impl State {
    fn take(&mut self, status: &core::Status) {
        if status.is(Code::ConnectSuccess) {
            self.answer = Some(Ok(status.clone()));
            return;
        }
        let ended = status.is(Code::ConnectClosed) || status.is(Code::ConnectFailed);
        if self.answer.is_none() && (ended || status.level == Level::Error) {
            self.answer = Some(Err(status.clone()));
        }
        if ended {
            self.over = Some(status.clone());
        }
    }
}

fn accepted(answer: Result<core::Status, core::Status>) -> PyResult<Status> {
    match answer {
        Ok(status) => Ok(status.into()),
        Err(status) if status.is(Code::ConnectFailed) || status.is(Code::ConnectClosed) => {
            Err(connect_error(format!("{}: {}", status.code, status.description)))
        }
        Err(status) => Err(rejected(&status)),
    }
}
