//! Streams over a connection to another server.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rtmp_core::{
    Frame, NetStream, NetStreamHandler, Play2Options, PlayOptions, PlayStart, PublishMode, Status, Transition,
};

use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, Lent, Slot, add_ref, give, unref};
use crate::host::{Growing, Host};
use crate::media::{LentMedia, rtmpkit_media, to_message};
use crate::net_connection::rtmpkit_net_connection;
use crate::release::{Release, UserData, rtmpkit_release_fn};
use crate::server::rtmpkit_traffic;
use crate::status::{LentStatus, rtmpkit_status};
use crate::value::rtmpkit_value;

/// A stream to publish or to play over a connection. Since 0.1.
pub struct rtmpkit_net_stream {
    stream: Slot<NetStream>,
    counts: Arc<Counts>,
}

/// Media of one stream.
#[derive(Default)]
struct Counts {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    messages_in: AtomicU64,
    messages_out: AtomicU64,
}

impl Castable for rtmpkit_net_stream {
    const NAME: &'static str = "net_stream";
    const TAG: u32 = 0x4e53_5431;
}

/// How to play; `rtmpkit_play_options_init` fills in the defaults. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_play_options {
    /// Set by `rtmpkit_play_options_init`.
    pub struct_size: usize,
    /// -2, the default: live or recorded; -1: live; otherwise milliseconds into the recorded stream.
    pub start_ms: i64,
    /// Milliseconds to play; -1, the default: all.
    pub duration_ms: i64,
    /// 1, the default: clear the server's play list first.
    pub reset: i32,
    /// Of `rtmpkit_net_stream_play2`: where in the stream to switch or resume, in milliseconds; -1, the default: as soon as it
    /// can be.
    pub offset_ms: i64,
}

/// Names of what `rtmpkit_net_stream_play2` does. Since 0.1.
#[repr(C)]
pub enum rtmpkit_transitions {
    /// Play it after what is on the play list.
    RTMPKIT_TRANSITION_APPEND = 0,
    /// Put it on the play list, to be started by one that is appended later.
    RTMPKIT_TRANSITION_APPEND_AND_WAIT = 1,
    /// Clear the play list and play it now.
    RTMPKIT_TRANSITION_RESET = 2,
    /// Go on with it where another connection ended.
    RTMPKIT_TRANSITION_RESUME = 3,
    /// Stop playing.
    RTMPKIT_TRANSITION_STOP = 4,
    /// Play it in the place of another, which it has nothing to do with.
    RTMPKIT_TRANSITION_SWAP = 5,
    /// Play it in the place of another rendition of the same content, from the next keyframe on.
    RTMPKIT_TRANSITION_SWITCH = 6,
}

// SAFETY: `repr(C)`, `struct_size` first, integers.
unsafe impl Growing for rtmpkit_play_options {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            start_ms: -2,
            duration_ms: -1,
            reset: 1,
            offset_ms: -1,
        }
    }
}

/// What happens on a stream, one event at a time and in order, where the connection's callbacks run. NULL members do
/// nothing. The handle is lent; a reference to it does not keep the stream open. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_net_stream_events {
    /// Set by `rtmpkit_net_stream_events_init`.
    pub struct_size: usize,
    /// The state changed: `NetStream.Publish.Start`, `NetStream.Play.Start` and so on.
    pub on_status: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            stream: *mut rtmpkit_net_stream,
            status: *const rtmpkit_status,
        ),
    >,
    /// A media message of the stream that is played.
    pub on_media: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            stream: *mut rtmpkit_net_stream,
            media: *const rtmpkit_media,
        ),
    >,
    /// The stream is over, with its connection or by `rtmpkit_net_stream_close`.
    pub on_close: Option<unsafe extern "C" fn(user_data: *mut c_void, stream: *mut rtmpkit_net_stream)>,
    /// Rule 7: comes after `rtmpkit_net_stream_close`, or after the last unref.
    pub on_release: rtmpkit_release_fn,
    /// A write was refused with `RTMPKIT_ERR_FULL`, and now less than half of what may wait does. Comes once for each time.
    pub on_writable: Option<unsafe extern "C" fn(user_data: *mut c_void, stream: *mut rtmpkit_net_stream)>,
    /// The server says that it has nothing to send for now (Stream Dry). Comes once for each silence.
    pub on_dry: Option<unsafe extern "C" fn(user_data: *mut c_void, stream: *mut rtmpkit_net_stream)>,
}

// SAFETY: `repr(C)`, `struct_size` first, optional function pointers.
unsafe impl Growing for rtmpkit_net_stream_events {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            on_status: None,
            on_media: None,
            on_close: None,
            on_release: None,
            on_writable: None,
            on_dry: None,
        }
    }
}

/// What a stream counts; `rtmpkit_net_stream_counters_init` sets the size. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_net_stream_counters {
    /// Set by `rtmpkit_net_stream_counters_init`.
    pub struct_size: usize,
    /// Media alone, without headers; dropped are those that found the queue full.
    pub traffic: rtmpkit_traffic,
}

// SAFETY: `repr(C)`, `struct_size` first, integers.
unsafe impl Growing for rtmpkit_net_stream_counters {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            traffic: rtmpkit_traffic::default(),
        }
    }
}

/// Fills in the defaults. Pass `sizeof *options`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_play_options_init(
    options: *mut rtmpkit_play_options,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(options, struct_size))
}

/// Sets all members to NULL. Pass `sizeof *events`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_events_init(
    events: *mut rtmpkit_net_stream_events,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(events, struct_size))
}

/// Sets the size. Pass `sizeof *counters`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_counters_init(
    counters: *mut rtmpkit_net_stream_counters,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(counters, struct_size))
}

/// Opens a stream over a connection that is connecting or connected. `events` may be NULL.
/// Ownership: one reference in `*out`; the last unref closes the stream.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` if the connection is idle. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_create(
    connection: *mut rtmpkit_net_connection,
    events: *const rtmpkit_net_stream_events,
    user_data: *mut c_void,
    out: *mut *mut rtmpkit_net_stream,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let connection = host.handle(connection)?;
        let events = host.read_optional(events, "events")?;
        let user_data = UserData(user_data);
        let release = Release::new(events.on_release, user_data, connection.home.clone());
        let counts = Arc::<Counts>::default();
        let handler = Arc::new(Handler {
            events,
            user_data,
            counts: Arc::clone(&counts),
            release,
        });
        let stream = NetStream::new(&connection.connection, Arc::clone(&handler) as _)?;
        handler.release.arm();
        host.put(
            out,
            give(rtmpkit_net_stream {
                stream: Slot::new(stream),
                counts,
            }),
            "out",
        )?;
        Ok(0)
    })
}

/// Publishes under a name; `mode` is one of `rtmpkit_publish_modes`. The server's answer comes as a status; media may be
/// written at once. Errors: `RTMPKIT_ERR_CLOSED`; `RTMPKIT_ERR_FULL` when too many commands wait, as of every function that asks the
/// server for something. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_publish(
    stream: *mut rtmpkit_net_stream,
    name: *const c_char,
    mode: i32,
) -> rtmpkit_result {
    entry!(|host| {
        let (stream, name) = (open(&host, stream)?, host.text(name, "name")?);
        let mode = match mode {
            0 => PublishMode::Live,
            1 => PublishMode::Record,
            2 => PublishMode::Append,
            3 => PublishMode::AppendWithGap,
            _ => return Err(Failure::invalid(format!("mode {mode}: use 0 to 3"))),
        };
        stream.publish(name, mode)?;
        Ok(0)
    })
}

/// Plays a stream. `options` may be NULL. Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_play(
    stream: *mut rtmpkit_net_stream,
    name: *const c_char,
    options: *const rtmpkit_play_options,
) -> rtmpkit_result {
    entry!(|host| {
        let (stream, name) = (open(&host, stream)?, host.text(name, "name")?);
        let wanted = host.read_optional(options, "options")?;
        let mut settings = PlayOptions::new(name);
        settings.start = play_start(&wanted)?;
        settings.duration = u64::try_from(wanted.duration_ms).ok();
        settings.reset = wanted.reset != 0;
        stream.play(settings)?;
        Ok(0)
    })
}

/// Plays another stream in the place of `old_name` (NULL: of the one that plays), or after it; `transition` is one of
/// `rtmpkit_transitions`. `options` may be NULL; its `reset` does not count. The server answers `NetStream.Play.Transition`, and
/// `NetStream.Play.TransitionComplete` with the first media. Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_play2(
    stream: *mut rtmpkit_net_stream,
    name: *const c_char,
    old_name: *const c_char,
    transition: i32,
    options: *const rtmpkit_play_options,
) -> rtmpkit_result {
    entry!(|host| {
        let (stream, name) = (open(&host, stream)?, host.text(name, "name")?);
        let wanted = host.read_optional(options, "options")?;
        let transition = match transition {
            0 => Transition::Append,
            1 => Transition::AppendAndWait,
            2 => Transition::Reset,
            3 => Transition::Resume,
            4 => Transition::Stop,
            5 => Transition::Swap,
            6 => Transition::Switch,
            _ => return Err(Failure::invalid(format!("transition {transition}: use 0 to 6"))),
        };
        let mut settings = Play2Options::new(name, transition);
        settings.start = play_start(&wanted)?;
        settings.duration = u64::try_from(wanted.duration_ms).ok();
        settings.offset = u64::try_from(wanted.offset_ms).ok();
        if !old_name.is_null() {
            settings.old_name = Some(host.text(old_name, "old_name")?.to_owned());
        }
        stream.play2(settings)?;
        Ok(0)
    })
}

/// Writes a media message of a stream that is published. Errors: `RTMPKIT_ERR_FULL` when the network does not keep up: drop to
/// the next keyframe, `on_writable` tells when there is room again; `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_write(
    stream: *mut rtmpkit_net_stream,
    media: *const rtmpkit_media,
) -> rtmpkit_result {
    entry!(|host| {
        let message = to_message(&host, media)?;
        open(&host, stream)?.write_message(&message)?;
        let counts = &host.handle(stream)?.counts;
        counts.bytes_out.fetch_add(message.body.len() as u64, Relaxed);
        counts.messages_out.fetch_add(1, Relaxed);
        Ok(0)
    })
}

/// Sends a data message over a stream that is published: the name of a handler and its arguments. `@setDataFrame` with
/// `onMetaData` sets what those who join late get. Errors: as `rtmpkit_net_stream_write`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_send(
    stream: *mut rtmpkit_net_stream,
    timestamp_ms: u64,
    handler: *const c_char,
    args: *const *const rtmpkit_value,
    count: usize,
) -> rtmpkit_result {
    entry!(|host| {
        #[allow(clippy::cast_possible_truncation, reason = "the wire carries the low half")]
        let timestamp = timestamp_ms as u32;
        let args = host.values(args, count)?;
        open(&host, stream)?.send(timestamp, host.text(handler, "handler")?, &args)?;
        Ok(0)
    })
}

/// Jumps to a time of a recorded stream. Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_seek(
    stream: *mut rtmpkit_net_stream,
    millis: u64,
) -> rtmpkit_result {
    entry!(|host| {
        open(&host, stream)?.seek(millis)?;
        Ok(0)
    })
}

/// Pauses or goes on. Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_pause(
    stream: *mut rtmpkit_net_stream,
    on: bool,
) -> rtmpkit_result {
    entry!(|host| {
        open(&host, stream)?.pause(on)?;
        Ok(0)
    })
}

/// Says whether audio and video are wanted. Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_receive(
    stream: *mut rtmpkit_net_stream,
    audio: bool,
    video: bool,
) -> rtmpkit_result {
    entry!(|host| {
        let stream = open(&host, stream)?;
        stream.receive_audio(audio)?;
        stream.receive_video(video)?;
        Ok(0)
    })
}

/// Tells the server how much this side buffers, and watches that much: when it has come `on_status` hears
/// `NetStream.Buffer.Full`, when the clock has passed all that came `NetStream.Buffer.Empty`, and when the stream ends
/// `NetStream.Buffer.Flush`. Media is given to `on_media` at once all the same. 0 watches nothing.
/// Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_set_buffer(
    stream: *mut rtmpkit_net_stream,
    millis: u32,
) -> rtmpkit_result {
    entry!(|host| {
        open(&host, stream)?.set_buffer(millis)?;
        Ok(0)
    })
}

/// Milliseconds that `rtmpkit_net_stream_set_buffer` asked for, 0 before. Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_get_buffer(
    stream: *mut rtmpkit_net_stream,
    millis: *mut u32,
) -> rtmpkit_result {
    entry!(|host| {
        let buffer = open(&host, stream)?.buffer_time();
        host.put(millis, u32::try_from(buffer).unwrap_or(u32::MAX), "millis")?;
        Ok(0)
    })
}

/// Limits, in milliseconds of media, what may wait to be sent of a stream that is published: when more does, writing returns
/// `RTMPKIT_ERR_FULL`, and `on_writable` comes once no more than half does. 0, the default, limits nothing by time.
/// Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_set_send_buffer(
    stream: *mut rtmpkit_net_stream,
    millis: u32,
) -> rtmpkit_result {
    entry!(|host| {
        open(&host, stream)?.set_send_buffer(millis);
        Ok(0)
    })
}

/// Milliseconds that `rtmpkit_net_stream_set_send_buffer` asked for, 0 before. Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_get_send_buffer(
    stream: *mut rtmpkit_net_stream,
    millis: *mut u32,
) -> rtmpkit_result {
    entry!(|host| {
        host.put(millis, open(&host, stream)?.send_buffer(), "millis")?;
        Ok(0)
    })
}

/// Milliseconds since the server said `NetStream.Publish.Start`; they stand still when publishing has ended.
/// Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_publish_time(
    stream: *mut rtmpkit_net_stream,
    millis: *mut u64,
) -> rtmpkit_result {
    entry!(|host| {
        let time = open(&host, stream)?.time().as_millis();
        host.put(millis, u64::try_from(time).unwrap_or(u64::MAX), "millis")?;
        Ok(0)
    })
}

/// Reads counters. Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_stats(
    stream: *mut rtmpkit_net_stream,
    counters: *mut rtmpkit_net_stream_counters,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(stream)?;
        let counts = &handle.counts;
        let traffic = rtmpkit_traffic {
            bytes_in: counts.bytes_in.load(Relaxed),
            bytes_out: counts.bytes_out.load(Relaxed),
            messages_in: counts.messages_in.load(Relaxed),
            messages_out: counts.messages_out.load(Relaxed),
            messages_dropped: open(&host, stream)?.dropped(),
        };
        host.fill(
            counters,
            rtmpkit_net_stream_counters {
                struct_size: 0,
                traffic,
            },
            "counters",
        )
    })
}

/// Ends the stream; the connection stays. `on_close` follows. Closing again does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_close(stream: *mut rtmpkit_net_stream) -> rtmpkit_result {
    entry!(|host| {
        if let Some(stream) = host.handle(stream)?.stream.take() {
            stream.close();
        }
        Ok(0)
    })
}

/// Adds a reference and returns `stream`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_ref(stream: *mut rtmpkit_net_stream) -> *mut rtmpkit_net_stream {
    entry!(|host| add_ref(&host, stream))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_stream_unref(stream: *mut rtmpkit_net_stream) {
    entry!(|host| unref(&host, stream));
}

fn play_start(options: &rtmpkit_play_options) -> Result<PlayStart, Failure> {
    match options.start_ms {
        -2 => Ok(PlayStart::Any),
        -1 => Ok(PlayStart::Live),
        millis => u64::try_from(millis)
            .map(PlayStart::Recorded)
            .map_err(|_| Failure::invalid(format!("start_ms {millis}: use -2, -1, or a time"))),
    }
}

fn open(host: &Host, stream: *mut rtmpkit_net_stream) -> Result<NetStream, Failure> {
    host.handle(stream.cast_const())?.stream.get("stream")
}

/// The host's functions as the core's handler.
struct Handler {
    events: rtmpkit_net_stream_events,
    user_data: UserData,
    counts: Arc<Counts>,
    release: Release,
}

impl Handler {
    fn lend(&self, stream: &NetStream) -> Lent<rtmpkit_net_stream> {
        Lent::new(rtmpkit_net_stream {
            stream: Slot::new(stream.clone()),
            counts: Arc::clone(&self.counts),
        })
    }
}

impl NetStreamHandler for Handler {
    fn on_status(&self, stream: &NetStream, status: &Status) {
        let status = LentStatus::new(status);
        call_host!(
            self.events.on_status,
            self.user_data.0,
            self.lend(stream).as_ptr(),
            status.as_ptr()
        );
    }

    fn on_frame(&self, stream: &NetStream, frame: &Frame) {
        self.counts.bytes_in.fetch_add(frame.body.len() as u64, Relaxed);
        self.counts.messages_in.fetch_add(1, Relaxed);
        let media = LentMedia::new(frame);
        call_host!(
            self.events.on_media,
            self.user_data.0,
            self.lend(stream).as_ptr(),
            &raw const media.media
        );
    }

    fn on_writable(&self, stream: &NetStream) {
        call_host!(
            self.events.on_writable,
            self.user_data.0,
            self.lend(stream).as_ptr()
        );
    }

    fn on_dry(&self, stream: &NetStream) {
        call_host!(self.events.on_dry, self.user_data.0, self.lend(stream).as_ptr());
    }

    fn on_close(&self, stream: &NetStream) {
        call_host!(self.events.on_close, self.user_data.0, self.lend(stream).as_ptr());
    }
}
