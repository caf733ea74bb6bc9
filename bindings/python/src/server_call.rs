//! Calls by the server of an outgoing connection.

use pyo3::prelude::*;
use pyo3::types::PyList;
use rtmp_core as core;

use crate::request::refuse;
use crate::status::Status;
use crate::value;

/// The server calls a method.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct ServerCall {
    pub(crate) core: core::ServerCall,
}

#[pymethods]
impl ServerCall {
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

    /// Whether the server waits for an answer.
    #[getter]
    fn wants_reply(&self) -> bool {
        self.core.wants_reply()
    }

    /// Whether an answer was given.
    #[getter]
    fn answered(&self) -> bool {
        self.core.is_answered()
    }

    /// Returns a result to the server. False if the call was answered before.
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

    /// Fails the call with NetConnection.Call.Prohibited.
    fn prohibit(&self) -> bool {
        self.core.prohibit()
    }

    /// Fails the call because there is no such method.
    fn unknown_method(&self) -> bool {
        self.core.unknown_method()
    }

    fn __repr__(&self) -> String {
        format!("<ServerCall of {}>", self.core.method())
    }
}
