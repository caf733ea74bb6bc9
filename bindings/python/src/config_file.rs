//! Configuration files of applications.

use std::path::PathBuf;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rtmp_core as core;

use crate::errors::OrRaise;
use crate::value;

/// A configuration file in TOML, edited without losing comments, order and spelling. Keys are dotted: `limits.clients`.
#[pyclass(frozen, mapping, module = "rtmpkit._rtmpkit")]
pub(crate) struct ConfigFile {
    core: core::ConfigFile,
}

#[pymethods]
impl ConfigFile {
    /// Reads a file; one that does not exist is empty, and made by `save()`.
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let core = py.detach(|| core::ConfigFile::open(path)).or_raise()?;
        Ok(Self { core })
    }

    /// Where the file is.
    #[getter]
    fn path(&self) -> PathBuf {
        self.core.path().to_owned()
    }

    /// The value of a key, or `default`.
    #[pyo3(signature = (key, default = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.core.get(key) {
            Some(value) => value::to_py(py, &value),
            None => Ok(default.unwrap_or_else(|| py.None().into_bound(py))),
        }
    }

    /// Everything in the file.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        value::object_to_py(py, &self.core.to_object())
    }

    /// Reads the file anew; what was set and not saved is lost. An error changes nothing.
    fn reload(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.core.reload()).or_raise()
    }

    /// Writes the file, wholly or not at all.
    fn save(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.core.save()).or_raise()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.core.get(key) {
            Some(value) => value::to_py(py, &value),
            None => Err(PyKeyError::new_err(key.to_owned())),
        }
    }

    fn __setitem__(&self, key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.core.set(key, value::from_py(value)?).or_raise()
    }

    fn __delitem__(&self, key: &str) -> PyResult<()> {
        match self.core.remove(key).or_raise()? {
            true => Ok(()),
            false => Err(PyKeyError::new_err(key.to_owned())),
        }
    }

    fn __contains__(&self, key: &str) -> bool {
        self.core.get(key).is_some()
    }

    fn __repr__(&self) -> String {
        format!("<ConfigFile {}>", self.core.path().display())
    }
}
