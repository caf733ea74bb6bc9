//! A stream over a connection to another server.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::amf::{self, Value};
use crate::client::{ConnectionCore, NetConnection};
use crate::engine::{ClientCommand, StreamCommand};
use crate::error::{Error, Result};
use crate::media::{Frame, FrameFlags, MediaKind, MediaMessage, TrackSet};
use crate::session::{PlayOptions, PublishMode};
use crate::time::Unwrap;
use crate::wire::status::Status;

/// What happens on a stream. Functions come one at a time and in order, where the connection's handlers run.
#[allow(unused_variables)]
pub trait NetStreamHandler: Send + Sync + 'static {
    /// The stream's state changed: NetStream.Publish.Start, NetStream.Play.Start and so on.
    fn on_status(&self, stream: &NetStream, status: &Status) {}

    /// A frame of the stream that is played: audio, video or data. A multitrack message yields one frame per track,
    /// each with a body of its own.
    fn on_frame(&self, stream: &NetStream, frame: &Frame) {}

    /// The stream is over, with its connection or by [`NetStream::close`]; the last event.
    fn on_close(&self, stream: &NetStream) {}
}

/// A stream to publish or to play. Clones name the same stream; dropping the last one that the host made closes it.
/// Commands given before the connection stands are kept and sent when it does.
#[derive(Clone)]
pub struct NetStream {
    core: Arc<StreamCore>,
    _closer: Option<Arc<Closer>>,
}

struct Closer(Arc<StreamCore>);

/// What the host's handles and the worker share.
pub(crate) struct StreamCore {
    pub(crate) id: u64,
    connection: Arc<ConnectionCore>,
    handler: Arc<dyn NetStreamHandler>,
    time: Mutex<Unwrap>,
    /// Frames were dropped: the video tracks that have had a keyframe since.
    behind: Mutex<Option<TrackSet>>,
    dropped: AtomicU64,
    closed: AtomicBool,
    /// Which of the connections that followed each other serves the stream, counted from 0.
    generation: AtomicU64,
    /// The stream has shown video.
    has_video: AtomicBool,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl NetStream {
    /// Opens a stream over a connection that is connecting or connected.
    pub fn new(connection: &NetConnection, handler: Arc<dyn NetStreamHandler>) -> Result<Self> {
        let core = Arc::new(StreamCore {
            id: NEXT_ID.fetch_add(1, Relaxed),
            connection: Arc::clone(connection.core()),
            handler,
            time: Mutex::default(),
            behind: Mutex::default(),
            dropped: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            has_video: AtomicBool::new(false),
        });
        connection
            .core()
            .send(ClientCommand::OpenStream(Arc::clone(&core)))?;
        Ok(Self {
            _closer: Some(Arc::new(Closer(Arc::clone(&core)))),
            core,
        })
    }

    /// Publishes under a name (`RTMP 1.0 7.2.2.6`); the server's answer comes as a status. Frames may be written at
    /// once.
    pub fn publish(&self, name: &str, mode: PublishMode) -> Result<()> {
        self.core.command(StreamCommand::Publish {
            name: name.to_owned(),
            mode,
        })
    }

    /// Plays a stream (`RTMP 1.0 7.2.2.1`).
    pub fn play(&self, options: PlayOptions) -> Result<()> {
        self.core.command(StreamCommand::Play(options))
    }

    /// Writes a frame of a stream that is published. [`Error::Full`] when 8 MiB wait to be sent: the network does not
    /// keep up, drop to the next keyframe.
    pub fn write(&self, frame: &Frame) -> Result<()> {
        #[allow(clippy::cast_possible_truncation)] // The wire carries the low half.
        let timestamp = frame.timestamp_ms as u32;
        self.core.write(MediaMessage {
            kind: frame.kind,
            timestamp,
            body: frame.body.clone(),
        })
    }

    /// Writes a message body as it is, for example an FLV tag's.
    pub fn write_message(&self, message: &MediaMessage) -> Result<()> {
        self.core.write(message.clone())
    }

    /// Sends a data message over the published stream: a handler's name and its arguments. `@setDataFrame` with
    /// `onMetaData` sets what late joiners get.
    pub fn send(&self, timestamp: u32, name: &str, args: &[Value]) -> Result<()> {
        let mut body = Vec::new();
        amf::amf0::encode(&Value::from(name), &mut body);
        amf::amf0::encode_all(args, &mut body);
        self.core.write(MediaMessage {
            kind: MediaKind::Data,
            timestamp,
            body: Bytes::from(body),
        })
    }

    /// Jumps to a time of a recorded stream (`RTMP 1.0 7.2.2.7`).
    pub fn seek(&self, millis: u64) -> Result<()> {
        self.core.command(StreamCommand::Seek(millis))
    }

    /// Pauses or goes on (`RTMP 1.0 7.2.2.8`).
    pub fn pause(&self, on: bool) -> Result<()> {
        self.core.command(StreamCommand::Pause(on))
    }

    /// Says whether audio is wanted.
    pub fn receive_audio(&self, on: bool) -> Result<()> {
        self.core.command(StreamCommand::ReceiveAudio(on))
    }

    /// Says whether video is wanted.
    pub fn receive_video(&self, on: bool) -> Result<()> {
        self.core.command(StreamCommand::ReceiveVideo(on))
    }

    /// Tells the server how much this side buffers, in milliseconds (`RTMP 1.0 7.1.7`).
    pub fn set_buffer(&self, millis: u32) -> Result<()> {
        self.core.command(StreamCommand::SetBuffer(millis))
    }

    /// Frames dropped because the host's queue was full.
    pub fn dropped(&self) -> u64 {
        self.core.dropped.load(Relaxed)
    }

    /// Ends the stream; the connection stays.
    pub fn close(&self) {
        self.core.close();
    }

    fn borrowed(core: &Arc<StreamCore>) -> Self {
        Self {
            core: Arc::clone(core),
            _closer: None,
        }
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl StreamCore {
    /// Runs the status handler where it belongs.
    pub(crate) fn status(self: &Arc<Self>, status: Status) {
        self.event(move |handler, stream| handler.on_status(stream, &status));
    }

    /// Gives a message that was played to the handler.
    pub(crate) fn media(self: &Arc<Self>, message: MediaMessage) {
        self.saw(message.kind);
        let timestamp = self.time.lock().unwrap(message.timestamp);
        for frame in Frame::split(message.kind, timestamp, message.body) {
            self.frame(frame);
        }
    }

    fn frame(self: &Arc<Self>, frame: Frame) {
        if frame.flags.contains(FrameFlags::CONFIG) || frame.flags.contains(FrameFlags::METADATA) {
            return self.event(move |handler, stream| handler.on_frame(stream, &frame));
        }
        if frame.kind == MediaKind::Video && self.is_behind(&frame) {
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        let core = Arc::clone(self);
        let taken = self
            .connection
            .config
            .dispatch
            .try_run(move || core.handler.on_frame(&NetStream::borrowed(&core), &frame));
        if !taken {
            self.dropped.fetch_add(1, Relaxed);
            *self.behind.lock() = Some(TrackSet::default());
        }
    }

    /// Takes note of what the stream carries.
    pub(crate) fn saw(&self, kind: MediaKind) {
        if kind == MediaKind::Video {
            self.has_video.store(true, Relaxed);
        }
    }

    pub(crate) fn has_video(&self) -> bool {
        self.has_video.load(Relaxed)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    pub(crate) fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Relaxed);
    }

    /// Whether a frame's track waits for a keyframe, and this is none.
    fn is_behind(&self, frame: &Frame) -> bool {
        match &mut *self.behind.lock() {
            Some(caught_up) if frame.is_keyframe() => {
                caught_up.insert(frame.track_id);
                false
            }
            Some(caught_up) => !caught_up.contains(frame.track_id),
            None => false,
        }
    }

    /// The stream is over. True the first time.
    pub(crate) fn ended(self: &Arc<Self>) {
        if !self.closed.swap(true, AcqRel) {
            self.event(|handler, stream| handler.on_close(stream));
        }
    }

    fn event(self: &Arc<Self>, event: impl FnOnce(&dyn NetStreamHandler, &NetStream) + Send + 'static) {
        let core = Arc::clone(self);
        self.connection
            .config
            .dispatch
            .run(move || event(&*core.handler, &NetStream::borrowed(&core)));
    }

    fn write(&self, message: MediaMessage) -> Result<()> {
        let size = message.body.len();
        self.connection.reserve(size)?;
        let sent = self.command(StreamCommand::Write(message));
        if sent.is_err() {
            self.connection.release(size);
        }
        sent
    }

    fn command(&self, command: StreamCommand) -> Result<()> {
        if self.closed.load(Acquire) {
            return Err(Error::Closed("stream"));
        }
        self.connection.send(ClientCommand::Stream {
            stream: self.id,
            command,
        })
    }

    fn close(&self) {
        // A stream whose connection is over is closed already.
        let _ = self.command(StreamCommand::Close);
    }
}

impl fmt::Debug for NetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetStream({})", self.core.id)
    }
}
