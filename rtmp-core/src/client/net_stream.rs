//! A stream over a connection to another server.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::amf::{self, Value};
use crate::client::outgoing::{PublishClock, SendBuffer};
use crate::client::{ConnectionCore, NetConnection};
use crate::engine::{ClientCommand, StreamCommand};
use crate::error::{Error, Result};
use crate::media::{Frame, FrameFlags, MediaKind, MediaMessage, TrackSet};
use crate::session::{Play2Options, PlayBuffer, PlayOptions, PublishMode};
use crate::time::Unwrap;
use crate::wire::status::{Code, Status};

/// What happens on a stream. Functions come one at a time and in order, where the connection's handlers run.
#[allow(unused_variables)]
pub trait NetStreamHandler: Send + Sync + 'static {
    /// The stream's state changed: NetStream.Publish.Start, NetStream.Play.Start and so on.
    fn on_status(&self, stream: &NetStream, status: &Status) {}

    /// A frame of the stream that is played: audio, video or data. A multitrack message yields one frame per track,
    /// each with a body of its own.
    fn on_frame(&self, stream: &NetStream, frame: &Frame) {}

    /// A write was refused with [`Error::Full`], and now less than half of what may wait does. Comes once for each time.
    fn on_writable(&self, stream: &NetStream) {}

    /// The server says that it has nothing to send: Stream Dry (RTMP 1.0 7.1.7). Comes once for each silence, see
    /// [`NetStream::is_dry`].
    fn on_dry(&self, stream: &NetStream) {}

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
    /// Where the host sought to last, until the server says that it goes on there.
    sought: Mutex<Option<u64>>,
    /// The time of the newest message that was played.
    position: AtomicU32,
    /// Frames were dropped: the video tracks that have had a keyframe since.
    behind: Mutex<Option<TrackSet>>,
    dropped: AtomicU64,
    closed: AtomicBool,
    buffer: Mutex<PlayBuffer>,
    /// The buffer has a length: its lock is taken for each message then.
    buffers: AtomicBool,
    /// Which of the connections that followed each other serves the stream, counted from 0.
    generation: AtomicU64,
    /// The stream has shown video.
    has_video: AtomicBool,
    /// The server said that there is nothing to send, and nothing has come since.
    dry: AtomicBool,
    tap: Option<Arc<dyn MediaTap>>,
    send_buffer: Mutex<SendBuffer>,
    /// The buffer has a limit: its lock is taken for each message then.
    limits_sending: AtomicBool,
    clock: Mutex<PublishClock>,
}

/// Takes the messages of a stream that is played as they are, in place of the handler: a relay.
pub(crate) trait MediaTap: Send + Sync {
    /// A message. Called on the connection's worker.
    fn message(&self, message: MediaMessage);
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl NetStream {
    /// Opens a stream over a connection that is connecting or connected; [`Error::WrongState`] over any other,
    /// [`Error::Full`] as of [`NetConnection::call`].
    pub fn new(connection: &NetConnection, handler: Arc<dyn NetStreamHandler>) -> Result<Self> {
        Self::with_tap(connection, handler, None)
    }

    pub(crate) fn with_tap(
        connection: &NetConnection,
        handler: Arc<dyn NetStreamHandler>,
        tap: Option<Arc<dyn MediaTap>>,
    ) -> Result<Self> {
        let core = Arc::new(StreamCore {
            id: NEXT_ID.fetch_add(1, Relaxed),
            connection: Arc::clone(connection.core()),
            handler,
            time: Mutex::default(),
            sought: Mutex::default(),
            position: AtomicU32::new(0),
            behind: Mutex::default(),
            dropped: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            buffer: Mutex::default(),
            buffers: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            has_video: AtomicBool::new(false),
            dry: AtomicBool::new(false),
            tap,
            send_buffer: Mutex::default(),
            limits_sending: AtomicBool::new(false),
            clock: Mutex::default(),
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
    /// once. As every command of a stream: [`Error::Closed`] when the stream is over, [`Error::Full`] as of
    /// [`NetConnection::call`].
    pub fn publish(&self, name: &str, mode: PublishMode) -> Result<()> {
        self.core.command(StreamCommand::Publish {
            name: name.to_owned(),
            mode,
        })
    }

    /// Plays a stream (`RTMP 1.0 7.2.2.1`). Errors as of [`publish`](Self::publish).
    pub fn play(&self, options: PlayOptions) -> Result<()> {
        self.core.command(StreamCommand::Play(options))
    }

    /// Plays another stream in the place of the one that plays or of one on the play list, or after it (`RTMP 1.0 7.2.2.2`). The
    /// server answers NetStream.Play.Transition, and NetStream.Play.TransitionComplete with the first frames.
    /// Errors as of [`publish`](Self::publish).
    pub fn play2(&self, options: Play2Options) -> Result<()> {
        self.core.command(StreamCommand::Play2(options))
    }

    /// Writes a frame of a stream that is published. [`Error::Full`] when 8 MiB wait to be sent, 65,536 frames and commands
    /// wait to be taken by the connection, or more waits than [`set_send_buffer`](Self::set_send_buffer) allows: the network
    /// does not keep up. Drop to the next keyframe, or wait for [`NetStreamHandler::on_writable`]. [`Error::Closed`] when the
    /// stream is over.
    pub fn write(&self, frame: &Frame) -> Result<()> {
        #[allow(clippy::cast_possible_truncation)] // The wire carries the low half.
        let timestamp = frame.timestamp_ms as u32;
        self.core.write(MediaMessage {
            kind: frame.kind,
            timestamp,
            body: frame.body.clone(),
        })
    }

    /// Writes a message body as it is, for example an FLV tag's. Errors as of [`write`](Self::write).
    pub fn write_message(&self, message: &MediaMessage) -> Result<()> {
        self.core.write(message.clone())
    }

    /// Sends a data message over the published stream: a handler's name and its arguments. `@setDataFrame` with
    /// `onMetaData` sets what late joiners get. Errors as of [`write`](Self::write).
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

    /// Jumps to a time of a recorded stream, in milliseconds (`RTMP 1.0 7.2.2.7`). Errors as of [`publish`](Self::publish).
    pub fn seek(&self, millis: u64) -> Result<()> {
        *self.core.sought.lock() = Some(millis);
        self.core.command(StreamCommand::Seek(millis))
    }

    /// Pauses or goes on (`RTMP 1.0 7.2.2.8`). Errors as of [`publish`](Self::publish).
    pub fn pause(&self, on: bool) -> Result<()> {
        self.core
            .command(StreamCommand::Pause(on, self.core.position.load(Relaxed)))
    }

    /// Says whether audio is wanted (`RTMP 1.0 7.2.2.4`). Errors as of [`publish`](Self::publish).
    pub fn receive_audio(&self, on: bool) -> Result<()> {
        self.core.command(StreamCommand::ReceiveAudio(on))
    }

    /// Says whether video is wanted (`RTMP 1.0 7.2.2.5`). Errors as of [`publish`](Self::publish).
    pub fn receive_video(&self, on: bool) -> Result<()> {
        self.core.command(StreamCommand::ReceiveVideo(on))
    }

    /// Tells the server how much this side buffers, in milliseconds (`RTMP 1.0 7.1.7`), and watches that much: when it has
    /// come NetStream.Buffer.Full is told, when the clock has passed all that came NetStream.Buffer.Empty, and when the
    /// stream ends NetStream.Buffer.Flush. Frames are given to the host at once all the same. 0 watches nothing.
    /// Errors as of [`publish`](Self::publish).
    pub fn set_buffer(&self, millis: u32) -> Result<()> {
        self.core.command(StreamCommand::SetBuffer(millis))?;
        self.core.set_buffer(millis);
        Ok(())
    }

    /// Milliseconds of buffer that [`set_buffer`](Self::set_buffer) asked for.
    pub fn buffer_time(&self) -> u64 {
        self.core.buffer.lock().length_ms()
    }

    /// Limits, in milliseconds of media, what may wait in this library to be sent of a stream that is published: when more
    /// does, writing returns [`Error::Full`], and [`NetStreamHandler::on_writable`] comes once no more than half does. 0, the
    /// default, limits nothing by time.
    pub fn set_send_buffer(&self, millis: u32) {
        self.core.send_buffer.lock().set_limit(millis);
        self.core.limits_sending.store(millis > 0, Relaxed);
    }

    /// Milliseconds that [`set_send_buffer`](Self::set_send_buffer) asked for.
    pub fn send_buffer(&self) -> u32 {
        self.core.send_buffer.lock().limit_ms()
    }

    /// How long the stream has been published, since the server said NetStream.Publish.Start; it stands still when that has
    /// ended.
    pub fn time(&self) -> Duration {
        self.core.clock.lock().elapsed()
    }

    /// Whether the server said that it has nothing to send, and nothing has come since.
    pub fn is_dry(&self) -> bool {
        self.core.dry.load(Relaxed)
    }

    /// Frames dropped because the host's queue was full.
    pub fn dropped(&self) -> u64 {
        self.core.dropped.load(Relaxed)
    }

    /// Ends the stream; the connection stays.
    pub fn close(&self) {
        self.core.close();
    }

    pub(crate) fn core(&self) -> &Arc<StreamCore> {
        &self.core
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

    /// A status of the server, and what follows from it.
    pub(crate) fn told(self: &Arc<Self>, status: Status, now: u64) {
        let over = [Code::PlayStop, Code::PlayComplete, Code::PlayUnpublishNotify];
        let over = over.iter().any(|code| status.is(*code));
        let paused = status.is(Code::PauseNotify);
        let goes_on = status.is(Code::UnpauseNotify);
        if status.is(Code::PublishStart) {
            self.clock.lock().start();
        } else if status.is(Code::UnpublishSuccess) {
            self.clock.lock().stop();
        }
        let anew = status.is(Code::SeekNotify) || status.is(Code::PlayReset);
        if status.is(Code::PlayReset) {
            *self.time.lock() = Unwrap::default();
        } else if anew && let Some(millis) = self.sought.lock().take() {
            // From far away the timestamps would not say which way time went.
            *self.time.lock() = Unwrap::after(millis);
        }
        self.status(status);
        if !self.buffers.load(Relaxed) {
            return;
        }
        let code = {
            let mut buffer = self.buffer.lock();
            match () {
                () if over => buffer.ended(now),
                () if paused || goes_on => {
                    buffer.pause(paused, now);
                    None
                }
                () if anew => {
                    buffer.restart();
                    None
                }
                () => None,
            }
        };
        self.buffered(code);
    }

    /// Gives a message that was played to the handler.
    pub(crate) fn media(self: &Arc<Self>, message: MediaMessage, now: u64) {
        self.saw(message.kind);
        self.position.store(message.timestamp, Relaxed);
        if self.dry.load(Relaxed) {
            self.dry.store(false, Relaxed);
        }
        if let Some(tap) = &self.tap {
            return tap.message(message);
        }
        let timestamp = self.time.lock().unwrap(message.timestamp);
        if self.buffers.load(Relaxed) && message.kind != MediaKind::Data {
            let code = self.buffer.lock().arrived(timestamp, now);
            self.buffered(code);
        }
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

    /// When the buffer will have run dry.
    pub(crate) fn buffer_deadline(&self) -> Option<u64> {
        let watched = self.buffers.load(Relaxed);
        watched.then(|| self.buffer.lock().deadline()).flatten()
    }

    pub(crate) fn buffer_timeout(self: &Arc<Self>, now: u64) {
        if self.buffers.load(Relaxed) {
            let code = self.buffer.lock().timeout(now);
            self.buffered(code);
        }
    }

    fn set_buffer(&self, millis: u32) {
        self.buffer.lock().set_length(millis.into());
        self.buffers.store(millis > 0, Relaxed);
    }

    fn buffered(self: &Arc<Self>, code: Option<Code>) {
        if let Some(code) = code {
            self.status(Status::new(code));
        }
    }

    /// The server has nothing to send.
    pub(crate) fn ran_dry(self: &Arc<Self>) {
        if !self.dry.swap(true, Relaxed) && self.tap.is_none() {
            self.event(|handler, stream| handler.on_dry(stream));
        }
    }

    /// There is room again.
    pub(crate) fn writable(self: &Arc<Self>) {
        if !self.closed.load(Acquire) {
            self.event(|handler, stream| handler.on_writable(stream));
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
            self.clock.lock().stop();
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

    fn write(self: &Arc<Self>, message: MediaMessage) -> Result<()> {
        let (size, timestamp) = (message.body.len(), message.timestamp);
        if !self.connection.has_room() || !self.has_room(100) {
            self.connection.block(self);
            if !self.connection.unblock_if_room(self) {
                return Err(Error::Full("the connection's output"));
            }
        }
        let position = self.connection.count_written(size);
        if self.limits_sending.load(Relaxed) {
            self.send_buffer.lock().written(timestamp, position);
        }
        let sent = self.command(StreamCommand::Write(message));
        if let Err(error) = &sent {
            self.connection.release(size);
            if matches!(error, Error::Full(_)) {
                // Too many commands wait for the connection; when it stands, they go.
                self.connection.block(self);
            }
        }
        sent
    }

    /// Writes a message of a relay, which has its own limits.
    pub(crate) fn pass(&self, message: MediaMessage) -> Result<()> {
        let size = message.body.len();
        if self.closed.load(Acquire) {
            return Err(Error::Closed("stream"));
        }
        self.connection.count_written(size);
        let command = ClientCommand::Stream {
            stream: self.id,
            command: StreamCommand::Write(message),
        };
        self.connection
            .send_surely(command)
            .inspect_err(|_| self.connection.release(size))
    }

    /// Whether less than so much of the stream's own limit waits.
    pub(crate) fn has_room(&self, percent: u32) -> bool {
        let limited = self.limits_sending.load(Relaxed);
        !limited || self.send_buffer.lock().has_room(self.connection.sent(), percent)
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
