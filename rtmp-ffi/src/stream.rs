//! Live streams of an instance, and the host as their publisher.

use std::ffi::{CString, c_char};
use std::sync::Arc;

use parking_lot::Mutex;
use rtmp_core::{Error, Latency, Publication, Stream};

use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, add_ref, give, unref};
use crate::host::Growing;
use crate::instance::rtmpkit_instance;
use crate::media::{rtmpkit_media, to_message};
use crate::release::Home;
use crate::request::rtmpkit_publish_modes;
use crate::string::c_string;
use crate::value::rtmpkit_value;

/// A live stream of an instance. A handle made by `rtmpkit_stream_publish` is its publisher. Since 0.1.
pub struct rtmpkit_stream {
    pub(crate) stream: Stream,
    pub(crate) home: Home,
    name: CString,
    publication: Publishing,
}

enum Publishing {
    Never,
    Yes(Mutex<Option<Arc<Publication>>>),
}

impl Castable for rtmpkit_stream {
    const NAME: &'static str = "stream";
    const TAG: u32 = 0x5354_5231;
}

impl rtmpkit_stream {
    pub(crate) fn new(stream: Stream, home: Home) -> Self {
        Self {
            name: c_string(stream.name()),
            stream,
            home,
            publication: Publishing::Never,
        }
    }

    /// The publication, held outside the lock so that writing does not wait for closing.
    fn publication(&self) -> Result<Arc<Publication>, Failure> {
        match &self.publication {
            Publishing::Never => {
                let text = "the handle was not made by rtmpkit_stream_publish".to_owned();
                Err(Error::WrongState(text).into())
            }
            Publishing::Yes(publication) => publication
                .lock()
                .clone()
                .ok_or_else(|| Error::Closed("publication").into()),
        }
    }
}

/// What a stream counts; `rtmpkit_stream_counters_init` sets the size. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_stream_counters {
    /// Set by `rtmpkit_stream_counters_init`.
    pub struct_size: usize,
    /// Players and subscriptions now.
    pub players: u64,
    /// Media messages published.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Messages held for those who join late.
    pub cached_messages: u64,
    /// Bytes held for those who join late.
    pub cached_bytes: u64,
    /// 1 if somebody publishes now.
    pub publishing: i32,
    /// Media messages that a worker with players or subscriptions did not get, because 64 MiB waited for it; once per worker.
    pub undelivered_messages: u64,
    /// Bytes of their bodies.
    pub undelivered_bytes: u64,
}

// SAFETY: `repr(C)`, `struct_size` first, integers.
unsafe impl Growing for rtmpkit_stream_counters {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            players: 0,
            messages: 0,
            bytes: 0,
            cached_messages: 0,
            cached_bytes: 0,
            publishing: 0,
            undelivered_messages: 0,
            undelivered_bytes: 0,
        }
    }
}

/// Sets the size. Pass `sizeof *counters`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_counters_init(
    counters: *mut rtmpkit_stream_counters,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(counters, struct_size))
}

/// Opens a stream to look at it or subscribe to it; it need not be published yet.
/// Ownership: one reference in `*out`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for a name with path tricks. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_open(
    instance: *mut rtmpkit_instance,
    name: *const c_char,
    out: *mut *mut rtmpkit_stream,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let instance = host.handle(instance)?;
        let stream = instance.instance.stream(host.text(name, "name")?)?;
        host.put(
            out,
            give(rtmpkit_stream::new(stream, instance.home.clone())),
            "out",
        )?;
        Ok(0)
    })
}

/// Opens a stream and becomes its publisher. `mode` is `RTMPKIT_PUBLISH_LIVE`; `rtmpkit_stream_record` records it.
/// Ownership: one reference in `*out`; `rtmpkit_stream_close`, or the last unref, ends the publication.
/// Errors: `RTMPKIT_ERR_ALREADY_EXISTS` if somebody publishes, `RTMPKIT_ERR_INVALID_ARGUMENT` for another mode and for a name as
/// `rtmpkit_stream_open` refuses it. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_publish(
    instance: *mut rtmpkit_instance,
    name: *const c_char,
    mode: i32,
    out: *mut *mut rtmpkit_stream,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        if mode != rtmpkit_publish_modes::RTMPKIT_PUBLISH_LIVE as i32 {
            return Err(Failure::invalid(format!(
                "mode {mode}: only RTMPKIT_PUBLISH_LIVE is possible here"
            )));
        }
        let instance = host.handle(instance)?;
        let stream = instance.instance.stream(host.text(name, "name")?)?;
        let publication = Publishing::Yes(Mutex::new(Some(Arc::new(stream.publish()?))));
        let stream = rtmpkit_stream {
            publication,
            ..rtmpkit_stream::new(stream, instance.home.clone())
        };
        host.put(out, give(stream), "out")?;
        Ok(0)
    })
}

/// The stream's name. Ownership: the handle's. Errors: NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_name(stream: *mut rtmpkit_stream) -> *const c_char {
    entry!(|host| Ok(host.handle(stream)?.name.as_ptr()))
}

/// Publishes a media message. Sequence headers and metadata come first; those who join late get them from the library.
/// Errors: `RTMPKIT_ERR_CLOSED` after close and when another has taken the stream, `RTMPKIT_ERR_WRONG_STATE` if the handle does not publish,
/// `RTMPKIT_ERR_INVALID_ARGUMENT` for a message that cannot be made of `media`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_write(
    stream: *mut rtmpkit_stream,
    media: *const rtmpkit_media,
) -> rtmpkit_result {
    entry!(|host| {
        let publication = host.handle(stream)?.publication()?;
        publication.write_message(&to_message(&host, media)?)?;
        Ok(0)
    })
}

/// Publishes a data message: the name of a handler and its arguments. `onMetaData` is kept for those who join late.
/// Errors: as `rtmpkit_stream_write`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_write_data(
    stream: *mut rtmpkit_stream,
    timestamp_ms: u64,
    handler: *const c_char,
    args: *const *const rtmpkit_value,
    count: usize,
) -> rtmpkit_result {
    entry!(|host| {
        let publication = host.handle(stream)?.publication()?;
        #[allow(clippy::cast_possible_truncation, reason = "the wire carries the low half")]
        let timestamp = timestamp_ms as u32;
        publication.write_data(
            timestamp,
            host.text(handler, "handler")?,
            &host.values(args, count)?,
        )?;
        Ok(0)
    })
}

/// Sends a data message to all who play the stream now: the name of a handler and its arguments. The handle need not
/// publish. `args` may be NULL if `count` is 0. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_send(
    stream: *mut rtmpkit_stream,
    handler: *const c_char,
    args: *const *const rtmpkit_value,
    count: usize,
) -> rtmpkit_result {
    entry!(|host| {
        let (stream, args) = (host.handle(stream)?, host.values(args, count)?);
        stream.stream.send(host.text(handler, "handler")?, &args);
        Ok(0)
    })
}

/// Takes the stream from whoever publishes it and forgets what is kept for those who join late. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_clear(stream: *mut rtmpkit_stream) -> rtmpkit_result {
    entry!(|host| {
        host.handle(stream)?.stream.clear();
        Ok(0)
    })
}

/// Changes how long messages may wait on their way to players; see `rtmpkit_application_config`, where a stream's
/// setting begins. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_set_latency(
    stream: *mut rtmpkit_stream,
    audio_wait_ms: u16,
    video_wait_ms: u16,
    load_wait_ms: u16,
) -> rtmpkit_result {
    entry!(|host| {
        host.handle(stream)?.stream.set_latency(Latency {
            audio_wait_ms,
            video_wait_ms,
            load_wait_ms,
        });
        Ok(0)
    })
}

/// Reads counters. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_stats(
    stream: *mut rtmpkit_stream,
    counters: *mut rtmpkit_stream_counters,
) -> rtmpkit_result {
    entry!(|host| {
        let stats = host.handle(stream)?.stream.stats();
        let value = rtmpkit_stream_counters {
            struct_size: 0,
            players: stats.players as u64,
            messages: stats.messages,
            bytes: stats.bytes,
            cached_messages: stats.cached_messages as u64,
            cached_bytes: stats.cached_bytes as u64,
            publishing: stats.publishing.into(),
            undelivered_messages: stats.undelivered.messages,
            undelivered_bytes: stats.undelivered.bytes,
        };
        host.fill(counters, value, "counters")
    })
}

/// Ends the publication of a handle that publishes; other handles have nothing to close. Closing again does nothing.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_close(stream: *mut rtmpkit_stream) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(stream)?;
        if let Publishing::Yes(publication) = &handle.publication {
            let publication = publication.lock().take();
            if let Some(publication) = publication {
                publication.close();
            }
        }
        Ok(0)
    })
}

/// Adds a reference and returns `stream`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_ref(stream: *mut rtmpkit_stream) -> *mut rtmpkit_stream {
    entry!(|host| add_ref(&host, stream))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_unref(stream: *mut rtmpkit_stream) {
    entry!(|host| unref(&host, stream));
}
