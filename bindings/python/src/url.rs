//! RTMP URLs taken apart.

use pyo3::prelude::*;
use rtmp_core::wire::url::masked as core_masked;
use rtmp_core::{Error, RtmpUrl};

use crate::errors::OrRaise;

/// An RTMP URL taken apart. `str` and `repr` show no password and no query.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Url {
    url: RtmpUrl,
}

#[pymethods]
impl Url {
    #[new]
    fn new(url: &str) -> PyResult<Self> {
        Ok(Self {
            url: RtmpUrl::parse(url).map_err(Error::from).or_raise()?,
        })
    }

    /// Host name or address.
    #[getter]
    fn host(&self) -> &str {
        &self.url.host
    }

    /// Port; 1935 unless the URL names another.
    #[getter]
    fn port(&self) -> u16 {
        self.url.port
    }

    /// Application, with instance and query.
    #[getter]
    fn app(&self) -> &str {
        &self.url.app
    }

    /// Name of the stream, with prefix and query; empty if the URL ends before it.
    #[getter]
    fn stream(&self) -> &str {
        &self.url.stream_name
    }

    /// The URL without the stream's name, to connect to, with user and password.
    #[getter]
    fn connection(&self) -> String {
        self.url.connection_url()
    }

    /// The whole URL, with password and queries; `str` masks these.
    #[getter]
    fn text(&self) -> String {
        self.url.to_string()
    }

    fn __str__(&self) -> String {
        self.url.masked()
    }

    fn __repr__(&self) -> String {
        format!("<Url {}>", self.url.masked())
    }
}

/// A URL or a stream's name as logs may show it.
#[pyfunction]
pub(crate) fn masked(url: &str) -> String {
    core_masked(url)
}
