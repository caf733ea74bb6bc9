//! The stream behind `rtmpkit.NetStream` and `rtmpkit.aio.NetStream`.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rtmp_core as core;
use rtmp_core::PlayStart;

use crate::errors::{OrRaise, closed, config_error, stream_error, timeout as timed_out};
use crate::frame::Frame;
use crate::inbox::{Inbox, Next, State};
use crate::monitor::seconds;
use crate::status::Status;
use crate::value;

/// A stream over an outgoing connection.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct RawStream {
    core: core::NetStream,
    inbox: Inbox,
}

impl RawStream {
    pub(crate) fn open(connection: &core::NetConnection, capacity: usize) -> PyResult<Self> {
        let inbox = Inbox::new(capacity);
        let core = core::NetStream::new(connection, Arc::new(inbox.clone())).or_raise()?;
        Ok(Self { core, inbox })
    }
}

#[pymethods]
impl RawStream {
    /// Asks to publish; `started` says what came of it.
    #[pyo3(signature = (name, mode = "live"))]
    fn publish(&self, name: &str, mode: &str) -> PyResult<()> {
        let wanted = core::PublishMode::from_name(mode);
        // The wire's names are taken in any case, and all others for `live`: a misspelt one is no way to record.
        if !wanted.name().eq_ignore_ascii_case(mode) {
            return Err(config_error(format!(
                "publish mode {mode:?}: use live, record, append or appendWithGap"
            )));
        }
        self.core.publish(name, wanted).or_raise()
    }

    /// Asks to play, from `start` milliseconds of a recording if that is given.
    #[pyo3(signature = (name, *, start = None, duration = None, live = false))]
    fn play(&self, name: &str, start: Option<u64>, duration: Option<u64>, live: bool) -> PyResult<()> {
        let mut options = core::PlayOptions::new(name);
        options.duration = duration;
        options.start = match start {
            Some(millis) => PlayStart::Recorded(millis),
            None if live => PlayStart::Live,
            None => PlayStart::Any,
        };
        self.core.play(options).or_raise()
    }

    /// Plays another stream in the place of `old_name`, by default of the one that plays, or after it.
    #[pyo3(signature = (
        name, transition = "switch", *, old_name = None, start = None, duration = None, offset = None, live = false
    ))]
    #[allow(clippy::too_many_arguments)] // Python's are named.
    fn play2(
        &self,
        name: &str,
        transition: &str,
        old_name: Option<String>,
        start: Option<u64>,
        duration: Option<u64>,
        offset: Option<u64>,
        live: bool,
    ) -> PyResult<()> {
        let transition = core::Transition::from_name(transition)
            .ok_or_else(|| PyValueError::new_err(format!("there is no transition {transition:?}")))?;
        let mut options = core::Play2Options::new(name, transition);
        options.old_name = old_name;
        options.duration = duration;
        options.offset = offset;
        options.start = match start {
            Some(millis) => PlayStart::Recorded(millis),
            None if live => PlayStart::Live,
            None => PlayStart::Any,
        };
        self.core.play2(options).or_raise()
    }

    /// Waits for the answer to publish or play; raises `StreamError` if it is a refusal.
    #[pyo3(signature = (timeout = None))]
    fn wait_started(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Status> {
        let answer = self
            .inbox
            .0
            .wait(py, seconds(timeout)?, |state| state.started.clone())?;
        match answer {
            Some(Ok(status)) => Ok(status.into()),
            Some(Err(status)) => Err(stream_error(status)),
            None => Err(timed_out("waiting for the server's answer")),
        }
    }

    /// Whether the answer to publish or play is there; raises `StreamError` if it is a refusal.
    fn started(&self) -> PyResult<bool> {
        let answer = self.inbox.0.lock().started.clone();
        match answer {
            Some(Err(status)) => Err(stream_error(status)),
            answer => Ok(answer.is_some()),
        }
    }

    /// The next frame; `None` at the end. Raises `Timeout` when none comes within `timeout` seconds.
    #[pyo3(signature = (timeout = None, follow = false))]
    fn read(&self, py: Python<'_>, timeout: Option<f64>, follow: bool) -> PyResult<Option<Frame>> {
        match self
            .inbox
            .0
            .wait(py, seconds(timeout)?, |state| state.next(follow))?
        {
            Some(Next::Frame(frame)) => Ok(Some(frame.into())),
            Some(Next::End) => Ok(None),
            Some(Next::Failed(status)) => Err(stream_error(status)),
            None => Err(timed_out("waiting for a frame")),
        }
    }

    /// What there is now: a frame, `None` at the end, or `...` while nothing is there.
    #[pyo3(signature = (follow = false))]
    fn poll(&self, py: Python<'_>, follow: bool) -> PyResult<Py<PyAny>> {
        let next = self.inbox.0.lock().next(follow);
        Ok(match next {
            Some(Next::Frame(frame)) => Py::new(py, Frame::from(frame))?.into_any(),
            Some(Next::End) => py.None(),
            Some(Next::Failed(status)) => return Err(stream_error(status)),
            None => py.Ellipsis(),
        })
    }

    /// Writes a frame; its bytes are shared, not copied.
    fn write(&self, frame: &Frame) -> PyResult<()> {
        self.check()?;
        self.sending(|stream| stream.write(&frame.core))
    }

    /// Writes coded video, or with `config` a configuration record.
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

    /// Writes coded audio, or with `config` a configuration.
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

    /// Sends a data message: a handler's name and its arguments.
    #[pyo3(signature = (name, *args, timestamp = 0))]
    fn write_data(&self, name: &str, args: &Bound<'_, PyTuple>, timestamp: u32) -> PyResult<()> {
        self.check()?;
        let args = value::args_from_py(args)?;
        self.sending(|stream| stream.send(timestamp, name, &args))
    }

    /// Waits until there is room to write, after a write raised `Full`; says whether there is, or the stream is over.
    #[pyo3(signature = (timeout = None))]
    fn wait_writable(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let ready = |state: &mut State| (!state.full || state.closed).then_some(());
        Ok(self.inbox.0.wait(py, seconds(timeout)?, ready)?.is_some())
    }

    /// Whether there is room to write, or the stream is over.
    fn writable(&self) -> bool {
        let state = self.inbox.0.lock();
        !state.full || state.closed
    }

    /// Jumps to a time of a recorded stream, in milliseconds. What came before the server's answer is not read any more.
    fn seek(&self, millis: u64) -> PyResult<()> {
        self.inbox.0.lock().seek();
        let asked = self.core.seek(millis);
        if asked.is_err() {
            self.inbox.0.lock().sought();
        }
        asked.or_raise()
    }

    /// Pauses or goes on.
    fn pause(&self, on: bool) -> PyResult<()> {
        self.core.pause(on).or_raise()
    }

    /// Says whether audio and video are wanted.
    #[pyo3(signature = (*, audio = true, video = true))]
    fn receive(&self, audio: bool, video: bool) -> PyResult<()> {
        self.core.receive_audio(audio).or_raise()?;
        self.core.receive_video(video).or_raise()
    }

    /// Tells the server how much this side buffers, in milliseconds.
    fn set_buffer(&self, millis: u32) -> PyResult<()> {
        self.core.set_buffer(millis).or_raise()
    }

    /// Milliseconds that `set_buffer` asked for.
    #[getter]
    fn buffer(&self) -> u64 {
        self.core.buffer_time()
    }

    /// Limits what may wait to be sent, in milliseconds of media.
    fn set_send_buffer(&self, millis: u32) {
        self.core.set_send_buffer(millis);
    }

    /// Milliseconds that `set_send_buffer` asked for.
    #[getter]
    fn send_buffer(&self) -> u32 {
        self.core.send_buffer()
    }

    /// Seconds since the server began to publish it.
    #[getter]
    fn time(&self) -> f64 {
        self.core.time().as_secs_f64()
    }

    /// The last status of the stream.
    #[getter]
    fn status(&self) -> Option<Status> {
        self.inbox.0.lock().last.clone().map(Status::from)
    }

    /// Whether the server said that it has nothing to send, and nothing has come since.
    #[getter]
    fn is_dry(&self) -> bool {
        self.core.is_dry()
    }

    /// Frames dropped because they were not taken fast enough.
    #[getter]
    fn dropped(&self) -> u64 {
        self.core.dropped() + self.inbox.0.lock().dropped
    }

    /// Whether the stream is over.
    #[getter]
    fn closed(&self) -> bool {
        self.inbox.0.lock().closed
    }

    /// Ends the stream, without waiting.
    fn close(&self) {
        self.inbox.0.update(|state| state.ended = true);
        self.core.close();
    }

    /// Waits until the stream is over; says whether it is.
    #[pyo3(signature = (timeout = None))]
    fn wait_closed(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let over = self
            .inbox
            .0
            .wait(py, seconds(timeout)?, |state| state.closed.then_some(()))?;
        Ok(over.is_some())
    }
}

impl RawStream {
    /// Writes something, and notes that the output is full if it is, unless room was told of meanwhile.
    fn sending(&self, write: impl FnOnce(&core::NetStream) -> core::Result<()>) -> PyResult<()> {
        let rooms = self.inbox.0.lock().rooms;
        let sent = write(&self.core);
        if let Err(core::Error::Full(_)) = &sent {
            self.inbox.0.update(|state| state.full |= state.rooms == rooms);
        }
        sent.or_raise()
    }

    /// Raises what went wrong since the last call.
    fn check(&self) -> PyResult<()> {
        let failed = {
            let mut state = self.inbox.0.lock();
            if state.ended {
                return Err(closed("stream"));
            }
            state.failed.take()
        };
        failed.map_or(Ok(()), |status| Err(stream_error(status)))
    }
}
