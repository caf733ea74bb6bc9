//! Frames: audio, video and data as Python sees them.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMemoryView, PyTuple};
use rtmp_core as core;
use rtmp_core::media::{MediaKind, PacketType, VideoMetadata};
use rtmp_core::{FourCc, FrameFlags};

use crate::buffer::{bytes_from_py, view};
use crate::errors::config_error;
use crate::value;

/// The name that colours have in video metadata (E-RTMP v1 "Metadata Frame").
const COLOR_INFO: &str = "colorInfo";

/// One audio, video or data frame. Immutable; its bytes are the library's own and are never copied.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Frame {
    pub(crate) core: core::Frame,
}

impl From<core::Frame> for Frame {
    fn from(core: core::Frame) -> Self {
        Self { core }
    }
}

#[pymethods]
impl Frame {
    /// A frame out of a whole message body, as it stands on the wire and in an FLV file. Never fails: a body that
    /// cannot be read is opaque.
    #[new]
    fn new(r#type: &str, timestamp: u64, body: &Bound<'_, PyAny>) -> PyResult<Self> {
        let kind = kind_from_name(r#type)?;
        Ok(core::Frame::parse(kind, timestamp, bytes_from_py(body)?).into())
    }

    /// Coded video: `codec` is a FourCC such as `avc1`, `composition` the presentation time less the decoding time.
    #[staticmethod]
    #[pyo3(signature = (
        payload, timestamp, *, codec = "avc1", keyframe = false, composition = 0, track = 0, timestamp_ns = 0
    ))]
    fn video(
        payload: &Bound<'_, PyAny>,
        timestamp: u64,
        codec: &str,
        keyframe: bool,
        composition: i32,
        track: u8,
        timestamp_ns: u32,
    ) -> PyResult<Self> {
        let payload = bytes_from_py(payload)?;
        let frame = core::Frame::video(fourcc(codec)?, timestamp, keyframe, composition, &payload);
        Ok(with_nanos(on_track(frame, track), timestamp_ns)?.into())
    }

    /// A video configuration record (avcC, hvcC, av1C, ...), which players need before any coded frame.
    #[staticmethod]
    #[pyo3(signature = (payload, timestamp = 0, *, codec = "avc1", track = 0))]
    fn video_config(payload: &Bound<'_, PyAny>, timestamp: u64, codec: &str, track: u8) -> PyResult<Self> {
        let frame = core::Frame::video_config(fourcc(codec)?, &bytes_from_py(payload)?);
        Ok(on_track(frame.at(timestamp), track).into())
    }

    /// Coded audio: `codec` is a FourCC such as `mp4a`.
    #[staticmethod]
    #[pyo3(signature = (payload, timestamp, *, codec = "mp4a", track = 0, timestamp_ns = 0))]
    fn audio(
        payload: &Bound<'_, PyAny>,
        timestamp: u64,
        codec: &str,
        track: u8,
        timestamp_ns: u32,
    ) -> PyResult<Self> {
        let frame = core::Frame::audio(fourcc(codec)?, timestamp, &bytes_from_py(payload)?);
        Ok(with_nanos(on_track(frame, track), timestamp_ns)?.into())
    }

    /// An audio configuration (AudioSpecificConfig, OpusHead, ...).
    #[staticmethod]
    #[pyo3(signature = (payload, timestamp = 0, *, codec = "mp4a", track = 0))]
    fn audio_config(payload: &Bound<'_, PyAny>, timestamp: u64, codec: &str, track: u8) -> PyResult<Self> {
        let frame = core::Frame::audio_config(fourcc(codec)?, &bytes_from_py(payload)?);
        Ok(on_track(frame.at(timestamp), track).into())
    }

    /// Colour information for the pictures that follow: `colorConfig`, `hdrCll` and `hdrMdcv` as Enhanced RTMP names
    /// them; an empty dict takes back what was told before.
    #[staticmethod]
    #[pyo3(signature = (info, timestamp = 0, *, codec = "hvc1"))]
    fn color_info(info: &Bound<'_, PyDict>, timestamp: u64, codec: &str) -> PyResult<Self> {
        let info = match info.is_empty() {
            true => core::Value::Undefined,
            false => value::object_from_py(info)?.into(),
        };
        let metadata = VideoMetadata {
            entries: vec![(COLOR_INFO.to_owned(), info)],
        };
        Ok(core::Frame::video_metadata(fourcc(codec)?, timestamp, &metadata).into())
    }

    /// A data message: a handler's name, for example `onMetaData`, and its arguments.
    #[staticmethod]
    #[pyo3(signature = (name, *args, timestamp = 0))]
    fn script(name: &str, args: &Bound<'_, PyTuple>, timestamp: u64) -> PyResult<Self> {
        let mut body = Vec::new();
        core::amf::amf0::encode(&core::Value::from(name), &mut body);
        core::amf::amf0::encode_all(&value::args_from_py(args)?, &mut body);
        Ok(core::Frame::data(timestamp, body).into())
    }

    /// `audio`, `video` or `data`.
    #[getter]
    fn r#type(&self) -> &'static str {
        kind_name(self.core.kind)
    }

    /// Decoding time in milliseconds; it goes on counting past 32 bits.
    #[getter]
    fn timestamp(&self) -> u64 {
        self.core.timestamp_ms
    }

    /// Nanoseconds to add to the presentation time, below a million (Enhanced RTMP).
    #[getter]
    fn timestamp_ns(&self) -> u32 {
        self.core.timestamp_ns
    }

    /// Presentation time less decoding time, in milliseconds.
    #[getter]
    fn composition(&self) -> i32 {
        self.core.composition_ms
    }

    /// The codec's FourCC, for example `avc1` or `mp4a`; `None` when it has none or is unknown.
    #[getter]
    fn codec(&self) -> Option<String> {
        self.core.codec.map(|codec| codec.to_string())
    }

    /// The track, 0 unless a multitrack body names another.
    #[getter]
    fn track(&self) -> u8 {
        self.core.track_id
    }

    /// Whether decoding can start here.
    #[getter]
    fn keyframe(&self) -> bool {
        self.core.is_keyframe()
    }

    /// Whether this is a codec configuration (sequence header).
    #[getter]
    fn config(&self) -> bool {
        self.core.is_config()
    }

    /// Whether this is stream metadata (`onMetaData`).
    #[getter]
    fn metadata(&self) -> bool {
        self.has(FrameFlags::METADATA)
    }

    /// Whether the sequence of this track ends here.
    #[getter]
    fn end_of_sequence(&self) -> bool {
        self.has(FrameFlags::END_OF_SEQUENCE)
    }

    /// Whether no other frame refers to this one.
    #[getter]
    fn disposable(&self) -> bool {
        self.has(FrameFlags::DISPOSABLE)
    }

    /// Whether this is a video command, such as the start or the end of a seek, and no picture.
    #[getter]
    fn command(&self) -> bool {
        self.has(FrameFlags::COMMAND)
    }

    /// Whether the body has an Enhanced RTMP header.
    #[getter]
    fn enhanced(&self) -> bool {
        self.has(FrameFlags::ENHANCED)
    }

    /// What follows the tag header: codec data or configuration. A read-only view that copies nothing and stays valid
    /// as long as it lives.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        view(py, self.core.payload.clone())
    }

    /// The whole message body, as an FLV tag has it. A read-only view that copies nothing.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        view(py, self.core.body.clone())
    }

    /// The values of a data frame: a handler's name and its arguments. Empty for audio and video.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        match self.core.kind {
            MediaKind::Data => crate::amf::decode_script(py, &self.core.body),
            _ => Ok(PyList::empty(py)),
        }
    }

    /// What a frame of colour information tells, an empty dict where it takes back what was told; `None` for all else.
    fn colors<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        if self.core.kind != MediaKind::Video || self.core.packet_type != PacketType::Metadata {
            return Ok(None);
        }
        let metadata = VideoMetadata::parse(&self.core.payload);
        let found = metadata.entries.iter().rfind(|(name, _)| name == COLOR_INFO);
        found
            .map(|(_, info)| match info.as_object() {
                Some(info) => value::object_to_py(py, info),
                None => Ok(PyDict::new(py)),
            })
            .transpose()
    }

    /// What a configuration tells: `width`, `height`, `rate`, `channels`, each where it is known. Empty for all else.
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        let codec = self
            .core
            .codec
            .filter(|_| self.core.packet_type == PacketType::SequenceStart);
        let config = codec
            .and_then(|codec| core::media::codec_config::CodecConfig::parse(codec, &self.core.payload).ok());
        let Some(config) = config else { return Ok(found) };
        if let Some((width, height)) = config.dimensions() {
            found.set_item("width", width)?;
            found.set_item("height", height)?;
        }
        if let Some(rate) = config.sample_rate() {
            found.set_item("rate", rate)?;
        }
        if let Some(channels) = config.channels() {
            found.set_item("channels", channels)?;
        }
        Ok(found)
    }

    /// The same frame at another time, sharing the bytes.
    fn at(&self, timestamp: u64) -> Self {
        self.core.clone().at(timestamp).into()
    }

    /// Bytes in `data`.
    fn __len__(&self) -> usize {
        self.core.payload.len()
    }

    /// A frame is always true, even an empty one.
    fn __bool__(&self) -> bool {
        true
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.core == other.core
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (self.core.kind, self.core.timestamp_ms, self.core.body.len()).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        let codec = self
            .core
            .codec
            .map(|codec| format!(" {codec}"))
            .unwrap_or_default();
        let flags = match (self.core.is_config(), self.core.is_keyframe()) {
            (true, _) => " config",
            (_, true) => " keyframe",
            _ => "",
        };
        format!(
            "<Frame {}{codec}{flags} at {} ms, {} bytes>",
            self.r#type(),
            self.timestamp(),
            self.__len__()
        )
    }
}

impl Frame {
    pub(crate) fn of_video(
        payload: &Bound<'_, PyAny>,
        timestamp: u64,
        codec: &str,
        keyframe: bool,
        composition: i32,
        config: bool,
    ) -> PyResult<Self> {
        match config {
            true => Self::video_config(payload, timestamp, codec, 0),
            false => Self::video(payload, timestamp, codec, keyframe, composition, 0, 0),
        }
    }

    pub(crate) fn of_audio(
        payload: &Bound<'_, PyAny>,
        timestamp: u64,
        codec: &str,
        config: bool,
    ) -> PyResult<Self> {
        match config {
            true => Self::audio_config(payload, timestamp, codec, 0),
            false => Self::audio(payload, timestamp, codec, 0, 0),
        }
    }

    fn has(&self, flag: FrameFlags) -> bool {
        self.core.flags.contains(flag)
    }
}

/// The kind that `audio`, `video` or `data` names.
pub(crate) fn kind_from_name(name: &str) -> PyResult<MediaKind> {
    match name {
        "audio" => Ok(MediaKind::Audio),
        "video" => Ok(MediaKind::Video),
        "data" => Ok(MediaKind::Data),
        _ => Err(config_error(format!(
            "frame type {name:?}: use audio, video or data"
        ))),
    }
}

fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Data => "data",
    }
}

fn fourcc(name: &str) -> PyResult<FourCc> {
    match <[u8; 4]>::try_from(name.as_bytes()) {
        Ok(code) => Ok(FourCc(code)),
        Err(_) => Err(config_error(format!(
            "codec {name:?}: use a FourCC of four characters, such as avc1"
        ))),
    }
}

fn with_nanos(frame: core::Frame, nanos: u32) -> PyResult<core::Frame> {
    match nanos {
        0 => Ok(frame),
        1..1_000_000 => Ok(frame.with_nanos(nanos)),
        _ => Err(config_error(format!(
            "timestamp_ns is {nanos}: 999999 is the most, what is above belongs to the timestamp"
        ))),
    }
}

fn on_track(frame: core::Frame, track: u8) -> core::Frame {
    if track == 0 {
        frame
    } else {
        frame.with_track(track)
    }
}
