//! The host as publisher of a live stream.

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rtmp_core as core;

use crate::errors::{OrRaise, closed};
use crate::frame::Frame;
use crate::instance::Stream;
use crate::value;

/// The host as publisher of a live stream, without a socket. Writing never blocks.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Publication {
    core: Mutex<Option<core::Publication>>,
    stream: core::Stream,
}

impl From<core::Publication> for Publication {
    fn from(publication: core::Publication) -> Self {
        let stream = publication.stream().clone();
        Self {
            core: Mutex::new(Some(publication)),
            stream,
        }
    }
}

#[pymethods]
impl Publication {
    /// The stream it publishes.
    #[getter]
    fn stream(&self) -> Stream {
        self.stream.clone().into()
    }

    /// Publishes a frame. Its bytes are shared, not copied.
    fn write(&self, frame: &Frame) -> PyResult<()> {
        self.with(|publication| publication.write(&frame.core))
    }

    /// Publishes coded video, or with `config` a configuration record.
    #[pyo3(signature = (payload, timestamp, *, codec = "avc1", keyframe = false, composition = 0, config = false))]
    fn write_video(
        &self,
        payload: &Bound<'_, PyAny>,
        timestamp: u64,
        codec: &str,
        keyframe: bool,
        composition: i32,
        config: bool,
    ) -> PyResult<()> {
        self.write(&Frame::of_video(
            payload,
            timestamp,
            codec,
            keyframe,
            composition,
            config,
        )?)
    }

    /// Publishes coded audio, or with `config` a configuration.
    #[pyo3(signature = (payload, timestamp, *, codec = "mp4a", config = false))]
    fn write_audio(
        &self,
        payload: &Bound<'_, PyAny>,
        timestamp: u64,
        codec: &str,
        config: bool,
    ) -> PyResult<()> {
        self.write(&Frame::of_audio(payload, timestamp, codec, config)?)
    }

    /// Publishes a data message: a handler's name and its arguments. `onMetaData` is kept for those who join late.
    #[pyo3(signature = (name, *args, timestamp = 0))]
    fn write_data(&self, name: &str, args: &Bound<'_, PyTuple>, timestamp: u32) -> PyResult<()> {
        let args = value::args_from_py(args)?;
        self.with(|publication| publication.write_data(timestamp, name, &args))
    }

    /// Ends the publication.
    fn close(&self) {
        let ended = self.core.lock().take();
        drop(ended);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, PyAny>) {
        self.close();
    }

    fn __repr__(&self) -> String {
        format!(
            "<Publication of {}/{}>",
            self.stream.instance().name(),
            self.stream.name()
        )
    }
}

impl Publication {
    fn with(&self, write: impl FnOnce(&core::Publication) -> core::Result<()>) -> PyResult<()> {
        match &*self.core.lock() {
            Some(publication) => write(publication).or_raise(),
            None => Err(closed("publication")),
        }
    }
}
