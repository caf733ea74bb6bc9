//! AMF data: values to bytes and back.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use rtmp_core::amf::{self, Limits};
use rtmp_core::{Error, Value};

use crate::buffer::bytes_from_py;
use crate::errors::OrRaise;
use crate::value::{args_from_py, list_to_py};

/// Values as AMF0, one after the other.
#[pyfunction]
#[pyo3(signature = (*values))]
pub(crate) fn amf0_encode<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::new();
    amf::amf0::encode_all(&args_from_py(values)?, &mut out);
    Ok(PyBytes::new(py, &out))
}

/// Every value in AMF0 data.
#[pyfunction]
pub(crate) fn amf0_decode<'py>(py: Python<'py>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    decode_script(py, &bytes_from_py(data)?)
}

/// Values as AMF3, one after the other, with common tables of what was written before.
#[pyfunction]
#[pyo3(signature = (*values))]
pub(crate) fn amf3_encode<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::new();
    let mut encoder = amf::amf3::Encoder::new();
    for value in args_from_py(values)? {
        encoder.encode(&value, &mut out);
    }
    Ok(PyBytes::new(py, &out))
}

/// Every value in AMF3 data.
#[pyfunction]
pub(crate) fn amf3_decode<'py>(py: Python<'py>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    let values = amf::amf3::decode_all(&bytes_from_py(data)?, &Limits::default());
    read(py, values)
}

/// The values of a data message's body; those in the AMF3 form start with a zero byte.
pub(crate) fn decode_script<'py>(py: Python<'py>, body: &[u8]) -> PyResult<Bound<'py, PyList>> {
    let body = body.strip_prefix(&[0]).unwrap_or(body);
    read(py, amf::amf0::decode_all(body, &Limits::default()))
}

fn read<'py>(py: Python<'py>, values: Result<Vec<Value>, amf::AmfError>) -> PyResult<Bound<'py, PyList>> {
    list_to_py(py, &values.map_err(Error::from).or_raise()?)
}
