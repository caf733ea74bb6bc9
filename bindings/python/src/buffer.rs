//! Bytes of the library as Python's buffers, without a copy.
#![allow(unsafe_code)] // The buffer protocol is a C interface.

use std::ffi::c_int;

use bytes::Bytes;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};

/// Keeps bytes of the library alive for the memoryviews on them.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Payload {
    bytes: Bytes,
}

#[pymethods]
impl Payload {
    fn __len__(&self) -> usize {
        self.bytes.len()
    }

    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let bytes = &slf.get().bytes;
        let len = ffi::Py_ssize_t::try_from(bytes.len()).map_err(|_| PyBufferError::new_err("too large"))?;
        // SAFETY: Python gives a valid view to fill. The bytes are immutable, stay where they are, and live as long as
        // the object that the view refers to; the last argument but one marks them read-only.
        let result = unsafe {
            let start = bytes.as_ptr().cast_mut().cast();
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, len, 1, flags)
        };
        match result {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

/// A read-only memoryview that shares `bytes`.
pub(crate) fn view(py: Python<'_>, bytes: Bytes) -> PyResult<Bound<'_, PyMemoryView>> {
    PyMemoryView::from(Bound::new(py, Payload { bytes })?.as_any())
}

/// Bytes out of any object with a buffer. Bytes that came from the library are shared, all others copied: a thread of
/// the library may drop them, and must not need Python for it.
pub(crate) fn bytes_from_py(data: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Some(bytes) = shared(data) {
        return Ok(bytes);
    }
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(Bytes::copy_from_slice(bytes.as_bytes()));
    }
    if let Ok(bytes) = data.cast::<PyByteArray>() {
        return Ok(bytes.to_vec().into());
    }
    Ok(pyo3::buffer::PyBuffer::<u8>::get(data)?.to_vec(data.py())?.into())
}

/// The library's own bytes behind a payload, or behind a memoryview on a whole one.
fn shared(data: &Bound<'_, PyAny>) -> Option<Bytes> {
    if let Ok(payload) = data.cast::<Payload>() {
        return Some(payload.get().bytes.clone());
    }
    let view = data.cast::<PyMemoryView>().ok()?;
    let owner = view.getattr("obj").ok()?;
    let payload = owner.cast::<Payload>().ok()?;
    let bytes = &payload.get().bytes;
    let whole = view.len().ok()? == bytes.len() && view.getattr("contiguous").ok()?.is_truthy().ok()?;
    let plain = view.getattr("format").ok()?.eq("B").ok()?;
    // A reversed view has the same length, but is not contiguous in C order; a view of a part is shorter.
    (whole && plain).then(|| bytes.clone())
}
