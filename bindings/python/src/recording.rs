//! Recordings of live streams to FLV files.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyBool;
use rtmp_core as core;

use crate::errors::config_error;
use crate::instance::Stream;
use crate::settings::millis;

/// A recording of a live stream. One that `Stream.record` made is stopped by `stop`, at the end of a `with` statement, or when
/// it is collected; one that `on_record` was given goes on without it.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Recording {
    core: core::Recording,
}

/// Counts of a recording.
#[pyclass(frozen, get_all, eq, module = "rtmpkit._rtmpkit")]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct RecordStats {
    /// The file is open and takes what is published.
    recording: bool,
    /// The recording is over: stopped, failed or at its limit.
    ended: bool,
    /// Bytes in the file, those it was appended to included.
    bytes: u64,
    /// Bytes of the file that survive the end of the machine, by `Application(record_sync=...)`.
    durable_bytes: u64,
    /// Seconds in the file, those it was appended to included.
    duration: f64,
    /// Messages dropped because the disk did not keep up.
    dropped: u64,
}

impl From<core::Recording> for Recording {
    fn from(core: core::Recording) -> Self {
        Self { core }
    }
}

#[pymethods]
impl Recording {
    /// The stream that is recorded.
    #[getter]
    fn stream(&self) -> Stream {
        self.core.stream().clone().into()
    }

    /// The file; `None` before NetStream.Record.Start.
    #[getter]
    fn path(&self) -> Option<PathBuf> {
        self.core.path()
    }

    /// Counts now.
    fn stats(&self) -> RecordStats {
        let stats = self.core.stats();
        #[allow(clippy::cast_precision_loss)] // Milliseconds.
        let duration = stats.duration_ms as f64 / 1000.0;
        RecordStats {
            recording: stats.recording,
            ended: stats.ended,
            bytes: stats.bytes,
            durable_bytes: stats.durable_bytes,
            duration,
            dropped: stats.dropped,
        }
    }

    /// Ends the recording, of the host or of a publisher, which goes on live. Does not wait: `on_record` hears
    /// NetStream.Record.Stop once the file is complete.
    fn stop(&self) {
        self.core.stop();
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, PyAny>) {
        self.stop();
    }

    fn __repr__(&self) -> String {
        let stream = self.core.stream();
        format!("<Recording of {}/{}>", stream.instance().name(), stream.name())
    }
}

/// `record`, `append` or `appendWithGap`.
pub(crate) fn mode_named(name: &str) -> PyResult<core::RecordMode> {
    match name {
        "record" => Ok(core::RecordMode::Record),
        "append" => Ok(core::RecordMode::Append),
        "appendWithGap" => Ok(core::RecordMode::AppendWithGap),
        _ => Err(config_error(format!(
            "mode {name:?}: use record, append or appendWithGap"
        ))),
    }
}

/// How to record, with limits where Python gives some; 0 is no limit.
pub(crate) fn options(
    mode: core::RecordMode,
    name: Option<String>,
    max_duration: Option<f64>,
    max_bytes: Option<u64>,
) -> PyResult<core::RecordOptions> {
    let mut options = core::RecordOptions::new(mode);
    options.name = name;
    options.max_duration_ms = max_duration
        .map(|seconds| millis("max_duration", seconds))
        .transpose()?;
    options.max_bytes = max_bytes;
    Ok(options)
}

/// What a host says about the recording of a publication: `None` as the publisher asked, `False` never, or a mode.
pub(crate) fn choice(
    record: Option<&Bound<'_, PyAny>>,
    name: Option<String>,
) -> PyResult<core::RecordChoice> {
    let mode = match record {
        None if name.is_none() => return Ok(core::RecordChoice::AsAsked),
        None => core::RecordMode::Record,
        Some(record) => match record.cast::<PyBool>() {
            Ok(wanted) if !wanted.is_true() => return Ok(core::RecordChoice::Never),
            Ok(_) => core::RecordMode::Record,
            Err(_) => mode_named(record.extract()?)?,
        },
    };
    Ok(core::RecordChoice::As(options(mode, name, None, None)?))
}
