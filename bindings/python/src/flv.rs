//! FLV files.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rtmp_core::media::flv;
use rtmp_core::media::{MediaMessage, metadata};
use rtmp_core::time::Unwrap;
use rtmp_core::{Error, Frame as CoreFrame};

use crate::errors::{OrRaise, closed, flv_error};
use crate::frame::Frame;
use crate::value;

/// Reads the frames of an FLV file: `for frame in FlvReader(path)`.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct FlvReader {
    inner: Mutex<Option<(flv::FlvReader<BufReader<File>>, Unwrap)>>,
    has_audio: bool,
    has_video: bool,
}

#[pymethods]
impl FlvReader {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| {
            let file = File::open(&path)
                .map_err(|error| Error::io(path.display().to_string(), error))
                .or_raise()?;
            let reader = flv::FlvReader::new(BufReader::new(file)).map_err(|error| flv_error(&error))?;
            let header = reader.header();
            Ok(Self {
                has_audio: header.has_audio,
                has_video: header.has_video,
                inner: Mutex::new(Some((reader, Unwrap::default()))),
            })
        })
    }

    /// Whether the header promises audio.
    #[getter]
    fn has_audio(&self) -> bool {
        self.has_audio
    }

    /// Whether the header promises video.
    #[getter]
    fn has_video(&self) -> bool {
        self.has_video
    }

    /// The next frame; `None` at the end of the file.
    fn read(&self, py: Python<'_>) -> PyResult<Option<Frame>> {
        py.detach(|| {
            let mut inner = self.inner.lock();
            let (reader, time) = inner.as_mut().ok_or_else(|| closed("FLV reader"))?;
            match reader.next() {
                None => Ok(None),
                Some(Err(error)) => Err(flv_error(&error)),
                Some(Ok(message)) => {
                    let timestamp = time.unwrap(message.timestamp);
                    Ok(Some(
                        CoreFrame::parse(message.kind, timestamp, message.body).into(),
                    ))
                }
            }
        })
    }

    /// Closes the file.
    fn close(&self) {
        self.inner.lock().take();
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Frame>> {
        self.read(py)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, PyAny>) {
        self.close();
    }
}

/// Writes frames into an FLV file. Close it, or use it in a `with` statement: that fills in the duration.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct FlvWriter {
    inner: Mutex<Option<flv::FlvWriter<BufWriter<File>>>>,
}

#[pymethods]
impl FlvWriter {
    #[new]
    #[pyo3(signature = (path, *, has_audio = true, has_video = true, metadata = None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        has_audio: bool,
        has_video: bool,
        metadata: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let metadata = metadata.map(value::object_from_py).transpose()?;
        py.detach(|| {
            let file = File::create(&path)
                .map_err(|error| Error::io(path.display().to_string(), error))
                .or_raise()?;
            let mut writer = flv::FlvWriter::new(BufWriter::new(file), has_audio, has_video)
                .map_err(|error| flv_error(&error))?;
            if let Some(metadata) = metadata {
                writer
                    .write_metadata(&metadata, 0)
                    .map_err(|error| flv_error(&error))?;
            }
            Ok(Self {
                inner: Mutex::new(Some(writer)),
            })
        })
    }

    /// Writes a frame. `@setDataFrame` before metadata, which belongs on the wire, is left out.
    #[pyo3(signature = (frame, *, timestamp = None))]
    fn write(&self, py: Python<'_>, frame: &Frame, timestamp: Option<u32>) -> PyResult<()> {
        let mut message: MediaMessage = frame.core.to_message();
        if frame.core.kind == rtmp_core::MediaKind::Data {
            let kept = metadata::strip_set_data_frame(&message.body);
            message.body = message.body.slice_ref(kept);
        }
        message.timestamp = timestamp.unwrap_or(message.timestamp);
        py.detach(|| {
            let mut inner = self.inner.lock();
            let writer = inner.as_mut().ok_or_else(|| closed("FLV writer"))?;
            writer.write(&message).map_err(|error| flv_error(&error))
        })
    }

    /// Bytes in the file so far; 0 once closed.
    #[getter]
    fn bytes_written(&self) -> u64 {
        self.inner
            .lock()
            .as_ref()
            .map_or(0, flv::FlvWriter::bytes_written)
    }

    /// Fills in duration and size, and closes the file.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| match self.inner.lock().take() {
            None => Ok(()),
            Some(writer) => {
                let file = writer.finish().map_err(|error| flv_error(&error))?;
                file.into_inner()
                    .map(drop)
                    .map_err(|error| flv_error(&error.into_error().into()))
            }
        })
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, py: Python<'_>, _args: &Bound<'_, PyAny>) -> PyResult<()> {
        self.close(py)
    }
}
