//! Recordings of live streams to FLV files.

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::OnceLock;

use rtmp_core::{RecordChoice, RecordMode, RecordOptions, Recording};

use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, add_ref, give, unref};
use crate::host::{Growing, Host};
use crate::request::rtmpkit_publish_modes;
use crate::stream::rtmpkit_stream;
use crate::string::c_string;

/// A recording of a live stream. One made by `rtmpkit_stream_record` ends with the last reference to its handle; one lent to
/// `on_record` does not end with references to that. Since 0.1.
pub struct rtmpkit_recording {
    recording: Recording,
    stream_name: CString,
    path: OnceLock<CString>,
}

impl Castable for rtmpkit_recording {
    const NAME: &'static str = "recording";
    const TAG: u32 = 0x5245_4331;
}

impl rtmpkit_recording {
    pub(crate) fn new(recording: Recording) -> Self {
        Self {
            stream_name: c_string(recording.stream().name()),
            recording,
            path: OnceLock::new(),
        }
    }
}

/// How to record; `rtmpkit_record_options_init` fills in the defaults. Texts are copied. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_record_options {
    /// Set by `rtmpkit_record_options_init`.
    pub struct_size: usize,
    /// What becomes of a file that is there, one of `rtmpkit_publish_modes` but live. `RTMPKIT_PUBLISH_RECORD`, the default:
    /// it is replaced once the first audio or video comes. Append: what is recorded goes on 20 ms after its last tag. Append
    /// with gap: the time since the file was last written is left out, 24 days at most.
    pub mode: i32,
    /// The name under which the recording is played, folders before it allowed. NULL, the default: the stream's.
    pub name: *const c_char,
    /// Milliseconds after which the file, with all that it was appended to, is full. 0, the default: as the application's
    /// `record_max_duration_ms`. `UINT64_MAX`: no limit.
    pub max_duration_ms: u64,
    /// Bytes after which the file is full. 0, the default: as the application's `record_max_bytes`. `UINT64_MAX`: no limit.
    pub max_bytes: u64,
}

// SAFETY: `repr(C)`, `struct_size` first, integers and a raw pointer.
unsafe impl Growing for rtmpkit_record_options {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            mode: rtmpkit_publish_modes::RTMPKIT_PUBLISH_RECORD as i32,
            name: ptr::null(),
            max_duration_ms: 0,
            max_bytes: 0,
        }
    }
}

/// What a recording counts; `rtmpkit_recording_counters_init` sets the size. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_recording_counters {
    /// Set by `rtmpkit_recording_counters_init`.
    pub struct_size: usize,
    /// Bytes in the file, those it was appended to included.
    pub bytes: u64,
    /// Milliseconds in the file, those it was appended to included.
    pub duration_ms: u64,
    /// Messages dropped, up to the next keyframe each time, because the disk did not keep up.
    pub dropped: u64,
    /// 1 if the file is open and takes what is published.
    pub recording: i32,
    /// 1 if the recording is over: stopped, failed or at its limit.
    pub ended: i32,
    /// Bytes of the file that survive the end of the machine, by `rtmpkit_application_config.record_sync_ms`.
    pub durable_bytes: u64,
}

// SAFETY: `repr(C)`, `struct_size` first, integers.
unsafe impl Growing for rtmpkit_recording_counters {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            bytes: 0,
            duration_ms: 0,
            dropped: 0,
            recording: 0,
            ended: 0,
            durable_bytes: 0,
        }
    }
}

/// Fills in the defaults. Pass `sizeof *options`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_record_options_init(
    options: *mut rtmpkit_record_options,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(options, struct_size))
}

/// Sets the size. Pass `sizeof *counters`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_recording_counters_init(
    counters: *mut rtmpkit_recording_counters,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(counters, struct_size))
}

/// Records a stream to `<directory>/streams/<instance>/<name>.flv` until the recording is stopped, over all publishers that
/// come and go; it begins with what the stream keeps for those who join late. Does not wait: the application's `on_record`
/// hears how it goes, first NetStream.Record.Start, .Failed, .NoAccess or .AlreadyExists. `options` may be NULL.
/// Ownership: one reference in `*out`; the last unref stops the recording.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` if the application has no `directory`, `RTMPKIT_ERR_CLOSED`,
/// `RTMPKIT_ERR_INVALID_ARGUMENT` for another mode. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_record(
    stream: *mut rtmpkit_stream,
    options: *const rtmpkit_record_options,
    out: *mut *mut rtmpkit_recording,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let options = host.read_optional(options, "options")?;
        let options = to_options(&host, &options)?;
        let recording = host.handle(stream)?.stream.record(options)?;
        host.put(out, give(rtmpkit_recording::new(recording)), "out")?;
        Ok(0)
    })
}

/// The name of the stream that is recorded. Ownership: the handle's. Errors: NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_recording_stream_name(recording: *mut rtmpkit_recording) -> *const c_char {
    entry!(|host| Ok(host.handle(recording)?.stream_name.as_ptr()))
}

/// Where the file is; NULL, which is no error, before NetStream.Record.Start. Ownership: the handle's. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_recording_path(recording: *mut rtmpkit_recording) -> *const c_char {
    entry!(|host| {
        let handle = host.handle(recording)?;
        let path = handle.recording.path();
        let path = path.map(|path| handle.path.get_or_init(|| c_string(&path.to_string_lossy())));
        Ok(path.map_or(ptr::null(), |path| path.as_ptr()))
    })
}

/// Reads counters. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_recording_stats(
    recording: *mut rtmpkit_recording,
    counters: *mut rtmpkit_recording_counters,
) -> rtmpkit_result {
    entry!(|host| {
        let stats = host.handle(recording)?.recording.stats();
        let value = rtmpkit_recording_counters {
            struct_size: 0,
            bytes: stats.bytes,
            duration_ms: stats.duration_ms,
            dropped: stats.dropped,
            recording: stats.recording.into(),
            ended: stats.ended.into(),
            durable_bytes: stats.durable_bytes,
        };
        host.fill(counters, value, "counters")
    })
}

/// Ends a recording, of the host or of a publisher, which goes on live: what was published until now is written, then the
/// file completed. Does not wait: NetStream.Record.Stop in `on_record` says that it is. Stopping again does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_recording_stop(recording: *mut rtmpkit_recording) -> rtmpkit_result {
    entry!(|host| {
        host.handle(recording)?.recording.stop();
        Ok(0)
    })
}

/// Adds a reference and returns `recording`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_recording_ref(recording: *mut rtmpkit_recording) -> *mut rtmpkit_recording {
    entry!(|host| add_ref(&host, recording))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_recording_unref(recording: *mut rtmpkit_recording) {
    entry!(|host| unref(&host, recording));
}

/// The core's form of the options.
fn to_options(host: &Host, options: &rtmpkit_record_options) -> Result<RecordOptions, Failure> {
    const RECORD: i32 = rtmpkit_publish_modes::RTMPKIT_PUBLISH_RECORD as i32;
    const APPEND: i32 = rtmpkit_publish_modes::RTMPKIT_PUBLISH_APPEND as i32;
    const WITH_GAP: i32 = rtmpkit_publish_modes::RTMPKIT_PUBLISH_APPEND_WITH_GAP as i32;
    let mode = match options.mode {
        RECORD => RecordMode::Record,
        APPEND => RecordMode::Append,
        WITH_GAP => RecordMode::AppendWithGap,
        mode => return Err(Failure::invalid(format!("mode {mode}: use record or append"))),
    };
    let mut result = RecordOptions::new(mode);
    result.name = host.optional_text(options.name, "name")?.map(str::to_owned);
    result.max_duration_ms = limit(options.max_duration_ms);
    result.max_bytes = limit(options.max_bytes);
    Ok(result)
}

fn limit(number: u64) -> Option<u64> {
    match number {
        0 => None,
        u64::MAX => Some(0),
        number => Some(number),
    }
}

/// What the host wants of the recording of a publication, as options of its request say.
#[derive(Clone, Default)]
pub(crate) struct PublishRecord {
    choice: Option<Option<RecordMode>>,
    details: RecordOptions,
}

impl PublishRecord {
    /// Sets an option; `None` if there is none of that name, or not with that value.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match (key, value) {
            ("record", "no") => self.choice = Some(None),
            ("record", "record") => self.choice = Some(Some(RecordMode::Record)),
            ("record", "append") => self.choice = Some(Some(RecordMode::Append)),
            ("record", "appendWithGap") => self.choice = Some(Some(RecordMode::AppendWithGap)),
            ("record_name", name) => self.details.name = Some(name.to_owned()),
            ("record_max_duration_ms", number) => {
                self.details.max_duration_ms = limit(number.parse().ok()?);
            }
            ("record_max_bytes", number) => self.details.max_bytes = limit(number.parse().ok()?),
            _ => return None,
        }
        Some(())
    }

    /// The choice for a client that asked for `asked`.
    pub(crate) fn choice(self, asked: Option<RecordMode>) -> RecordChoice {
        let untouched = self.details == RecordOptions::default();
        let mode = match self.choice {
            None if untouched => return RecordChoice::AsAsked,
            None => asked,
            Some(mode) => mode,
        };
        match mode {
            None => RecordChoice::Never,
            Some(mode) => {
                let mut options = self.details;
                options.mode = mode;
                RecordChoice::As(options)
            }
        }
    }
}
