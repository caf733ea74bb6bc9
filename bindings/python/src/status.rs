//! Status codes with their information, as the wire carries them.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use rtmp_core as core;

use crate::errors::config_error;
use crate::value;

/// What a peer was told about its connection, stream or call: level, code, description and further members.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Status {
    pub(crate) core: core::Status,
}

impl From<core::Status> for Status {
    fn from(core: core::Status) -> Self {
        Self { core }
    }
}

#[pymethods]
impl Status {
    #[new]
    #[pyo3(signature = (code, description = "", level = None, info = None))]
    fn new(
        code: &str,
        description: &str,
        level: Option<&str>,
        info: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let known = core::Code::parse(code);
        let level = match level {
            Some(text) => core::Level::parse(text)
                .ok_or_else(|| config_error(format!("level {text:?}: use status, warning or error")))?,
            None => known.map_or(core::Level::Status, core::Code::level),
        };
        let usual = known.map_or("", core::Code::description);
        let description = if description.is_empty() {
            usual
        } else {
            description
        };
        let mut status = core::Status::custom(level, code, description);
        if let Some(info) = info {
            status.info = value::object_from_py(info)?;
        }
        Ok(status.into())
    }

    /// `status`, `warning` or `error`.
    #[getter]
    fn level(&self) -> &'static str {
        self.core.level.as_str()
    }

    /// The code, for example `NetStream.Publish.Start`.
    #[getter]
    fn code(&self) -> &str {
        &self.core.code
    }

    /// Text for people.
    #[getter]
    fn description(&self) -> &str {
        &self.core.description
    }

    /// All other members.
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        value::object_to_py(py, &self.core.info)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.core == other.core
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.core.code, &self.core.description).hash(&mut hasher);
        hasher.finish()
    }

    fn __str__(&self) -> String {
        self.core.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Status {}>", self.core)
    }
}
