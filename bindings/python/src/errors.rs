//! Errors of the library as exceptions of `rtmpkit.exceptions`.

use pyo3::prelude::*;
use rtmp_core as core;

use crate::value;

mod python {
    pyo3::import_exception!(rtmpkit.exceptions, AlreadyExists);
    pyo3::import_exception!(rtmpkit.exceptions, AmfError);
    pyo3::import_exception!(rtmpkit.exceptions, CallFailed);
    pyo3::import_exception!(rtmpkit.exceptions, Closed);
    pyo3::import_exception!(rtmpkit.exceptions, ConfigError);
    pyo3::import_exception!(rtmpkit.exceptions, ConnectError);
    pyo3::import_exception!(rtmpkit.exceptions, Error);
    pyo3::import_exception!(rtmpkit.exceptions, FlvError);
    pyo3::import_exception!(rtmpkit.exceptions, Full);
    pyo3::import_exception!(rtmpkit.exceptions, IoError);
    pyo3::import_exception!(rtmpkit.exceptions, NotFound);
    pyo3::import_exception!(rtmpkit.exceptions, ProtocolError);
    pyo3::import_exception!(rtmpkit.exceptions, Rejected);
    pyo3::import_exception!(rtmpkit.exceptions, SharedObjectError);
    pyo3::import_exception!(rtmpkit.exceptions, StreamError);
    pyo3::import_exception!(rtmpkit.exceptions, Timeout);
    pyo3::import_exception!(rtmpkit.exceptions, WrongState);
}

/// Turns the library's results into Python's.
pub(crate) trait OrRaise<T> {
    fn or_raise(self) -> PyResult<T>;
}

impl<T> OrRaise<T> for core::Result<T> {
    fn or_raise(self) -> PyResult<T> {
        self.map_err(|error| exception(&error))
    }
}

/// The exception for an error.
pub(crate) fn exception(error: &core::Error) -> PyErr {
    let text = error.to_string();
    match error {
        core::Error::InvalidArgument(_)
        | core::Error::Url(_)
        | core::Error::Config(_)
        | core::Error::Tls(_) => python::ConfigError::new_err(text),
        core::Error::WrongState(_) => python::WrongState::new_err(text),
        core::Error::Closed(_) => python::Closed::new_err(text),
        core::Error::NotFound(_) => python::NotFound::new_err(text),
        core::Error::AlreadyExists(_) => python::AlreadyExists::new_err(text),
        core::Error::Full(_) => python::Full::new_err(text),
        core::Error::Timeout(_) => python::Timeout::new_err(text),
        core::Error::Io { source, .. } => io_error(source, text),
        core::Error::Rejected(status) => rejected(status),
        core::Error::Session(_) => python::ProtocolError::new_err(text),
        core::Error::Amf(_) => python::AmfError::new_err(text),
        _ => python::Error::new_err(text),
    }
}

/// `Rejected`: the server refused the connection.
pub(crate) fn rejected(status: &core::Status) -> PyErr {
    let redirect = status
        .info
        .get("ex")
        .and_then(|ex| ex.get("redirect"))
        .and_then(core::Value::as_str);
    let redirect = redirect.map(str::to_owned);
    Python::attach(|py| match value::object_to_py(py, &status.info) {
        Ok(info) => python::Rejected::new_err((
            status.code.clone(),
            status.description.clone(),
            info.unbind(),
            redirect,
        )),
        Err(error) => error,
    })
}

/// `CallFailed`: the peer answered a call with an error.
pub(crate) fn call_failed(status: core::Status) -> PyErr {
    with_status(status, |status| python::CallFailed::new_err((status,)))
}

/// `StreamError`: publishing or playing failed.
pub(crate) fn stream_error(status: core::Status) -> PyErr {
    with_status(status, |status| python::StreamError::new_err((status,)))
}

/// `SharedObjectError`: the server refused a shared object, or could not store it.
pub(crate) fn shared_object_error(status: core::Status) -> PyErr {
    with_status(status, |status| python::SharedObjectError::new_err((status,)))
}

/// `Error`: a handler waits for what only its own thread can bring.
pub(crate) fn wrong_thread(what: &str) -> PyErr {
    python::Error::new_err(format!(
        "{what} waits for the thread that it was called on: call it outside handlers, or do not wait"
    ))
}

/// `ConnectError`: no connection came about.
pub(crate) fn connect_error(text: impl Into<String>) -> PyErr {
    python::ConnectError::new_err(text.into())
}

/// `Closed`: the object named is closed.
pub(crate) fn closed(what: &str) -> PyErr {
    python::Closed::new_err(format!("{what} is closed"))
}

/// `Timeout`: what was waited for did not come in time.
pub(crate) fn timeout(what: &str) -> PyErr {
    python::Timeout::new_err(format!("{what} timed out"))
}

/// `ConfigError`: an argument has a value that is not taken.
pub(crate) fn config_error(text: impl Into<String>) -> PyErr {
    python::ConfigError::new_err(text.into())
}

/// `AmfError`: a value cannot be carried or read.
pub(crate) fn amf_error(text: impl Into<String>) -> PyErr {
    python::AmfError::new_err(text.into())
}

/// `FlvError`: a file is not what it should be.
pub(crate) fn flv_error(error: &core::media::flv::FlvError) -> PyErr {
    match error {
        core::media::flv::FlvError::Io(source) => io_error(source, error.to_string()),
        _ => python::FlvError::new_err(error.to_string()),
    }
}

/// An `OSError` has a number, where the system gave one.
fn io_error(source: &std::io::Error, text: String) -> PyErr {
    match source.raw_os_error() {
        Some(number) => python::IoError::new_err((number, text)),
        None => python::IoError::new_err(text),
    }
}

fn with_status(status: core::Status, make: impl FnOnce(Py<crate::status::Status>) -> PyErr) -> PyErr {
    Python::attach(|py| match Py::new(py, crate::status::Status::from(status)) {
        Ok(status) => make(status),
        Err(error) => error,
    })
}
