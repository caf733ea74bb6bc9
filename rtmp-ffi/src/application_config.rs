//! Settings of applications.

use std::ffi::c_char;
use std::path::PathBuf;
use std::ptr;

use rtmp_core::{ApplicationConfig, Latency, Takeover};

use crate::error::{Failure, rtmpkit_result};
use crate::host::{Growing, Host};
use crate::login::to_method;
use crate::queue::rtmpkit_queue;
use crate::release::Home;

/// Names of what a publisher does when another publishes the stream. Since 0.1.
#[repr(C)]
pub enum rtmpkit_takeovers {
    /// It is refused with NetStream.Publish.BadName.
    RTMPKIT_TAKEOVER_REFUSE = 0,
    /// It takes the stream; players go on without a break.
    RTMPKIT_TAKEOVER_REPLACE = 1,
}

/// Settings of an application; `rtmpkit_application_config_init` fills in the defaults. Texts are copied. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_application_config {
    /// Set by `rtmpkit_application_config_init`.
    pub struct_size: usize,
    /// Where callbacks run. NULL, the default: on the library's threads.
    pub queue: *mut rtmpkit_queue,
    /// Milliseconds that a request may stay unanswered, at least 1. Default: 30,000.
    pub request_timeout_ms: u32,
    /// Clients in all instances together; 0, the default, is no limit.
    pub max_clients: u32,
    /// Milliseconds in which a client neither publishes nor plays, and no call or shared object's message comes or goes,
    /// after which it gets NetConnection.Connect.IdleTimeout and is disconnected; 0, the default, is no limit.
    pub idle_timeout_ms: u32,
    /// Milliseconds in which a publisher sends nothing after which it gets NetStream.Publish.Idle; 0, the default, is never.
    pub publish_idle_ms: u32,
    /// Milliseconds without client, stream or handle after which an instance goes. Default: 0.
    pub instance_idle_ms: u32,
    /// The application's configuration file, TOML; one that does not exist is empty. NULL, the default: none.
    pub config_file: *const c_char,
    /// The application's folder: recorded streams are in `streams/<instance>` in it. With it publishers may record, unless
    /// `on_publish` decides otherwise. NULL, the default: there are no recorded streams.
    pub directory: *const c_char,
    /// Bytes of media kept per stream for those who join late; 0 keeps none. Default: 32 MiB.
    pub gop_cache_bytes: u64,
    /// What a second publisher of a stream may do, one of `rtmpkit_takeovers`. Default: `RTMPKIT_TAKEOVER_REFUSE`.
    pub takeover: i32,
    /// Milliseconds that players are held when a publisher leaves: who publishes the stream meanwhile goes on where it
    /// stopped. Default: 0.
    pub hold_ms: u32,
    /// Milliseconds that audio and data may wait for the next video message, to ride along with it. Default: 25.
    pub audio_wait_ms: u16,
    /// Milliseconds that video may wait for more of its kind. Default: 0.
    pub video_wait_ms: u16,
    /// Milliseconds that video may wait besides when the worker is busy. Default: 40. With all three 0 every message is
    /// sent at once; larger ones cost less time of the processor.
    pub load_wait_ms: u16,
    /// Directory of the persistent shared objects, made if need be. NULL, the default: there are none.
    pub shared_object_directory: *const c_char,
    /// Milliseconds between two commits of changed persistent shared objects; 0 commits only when asked and when the last
    /// user leaves. Default: 120,000.
    pub shared_object_autocommit_ms: u64,
    /// Shared objects that one client may use at once. Default: 64.
    pub shared_object_max_per_client: u32,
    /// Slots of one shared object. Default: 10,000.
    pub shared_object_max_slots: u32,
    /// Bytes of one slot's value. Default: 65,536.
    pub shared_object_max_value_bytes: u32,
    /// Bytes of all names and values of one shared object, 8 MiB at most. Default: 1 MiB.
    pub shared_object_max_bytes: u32,
    /// Milliseconds that a recorded file may last: its publisher is then told NetStream.Record.DiskQuotaExceeded and .Stop, and
    /// goes on live. 0, the default, is no limit.
    pub record_max_duration_ms: u64,
    /// Bytes that a recorded file may have; 0, the default, is no limit.
    pub record_max_bytes: u64,
    /// Bytes of a recording that may wait for the disk: then messages are dropped to the next keyframe. Default: 32 MiB.
    pub record_queue_bytes: u64,
    /// How clients have to log in before `on_connect` is asked about them, one of `rtmpkit_logins`, as a user of
    /// `rtmpkit_application_set_user`. Default: `RTMPKIT_LOGIN_NONE`; `on_connect` may see to it, see
    /// `rtmpkit_request_check_login`.
    pub login: i32,
    /// Milliseconds in which a stream that is published, or held for its publisher, carries nothing after which its players
    /// get Stream Dry, and again after each further such time; looked at once a second. 0, the default, is never.
    pub stream_dry_ms: u32,
    /// Milliseconds after which what was recorded survives a power cut: so often the file is synchronised with the disk
    /// (`fdatasync`) while it is written, and once more when it is complete, before NetStream.Record.Stop. It is done on the
    /// threads that write, and keeps them, and the disk, busy. 0, the default: what the system has not written yet may be lost
    /// with the machine; it survives the end of the process anyway.
    pub record_sync_ms: u64,
    /// Persistent shared objects that `shared_object_directory` may hold, those in use that are not on disk yet included, of
    /// all instances together, and of all applications that name the directory. At the bound existing ones still open;
    /// clients' use of others is refused with SharedObject.ObjectCreationFailed, and `rtmpkit_shared_object_open` with
    /// `RTMPKIT_ERR_FULL`. 0 makes no new ones. Default: 10,000.
    pub shared_object_max_stored: u32,
}

// SAFETY: `repr(C)`, `struct_size` first, integers and raw pointers.
unsafe impl Growing for rtmpkit_application_config {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            queue: ptr::null_mut(),
            request_timeout_ms: 30_000,
            max_clients: 0,
            idle_timeout_ms: 0,
            publish_idle_ms: 0,
            instance_idle_ms: 0,
            config_file: ptr::null(),
            directory: ptr::null(),
            gop_cache_bytes: 32 << 20,
            takeover: rtmpkit_takeovers::RTMPKIT_TAKEOVER_REFUSE as i32,
            hold_ms: 0,
            audio_wait_ms: Latency::BALANCED.audio_wait_ms,
            video_wait_ms: Latency::BALANCED.video_wait_ms,
            load_wait_ms: Latency::BALANCED.load_wait_ms,
            shared_object_directory: ptr::null(),
            shared_object_autocommit_ms: 120_000,
            shared_object_max_per_client: 64,
            shared_object_max_slots: 10_000,
            shared_object_max_value_bytes: 65_536,
            shared_object_max_bytes: 1 << 20,
            record_max_duration_ms: 0,
            record_max_bytes: 0,
            record_queue_bytes: 32 << 20,
            login: 0,
            stream_dry_ms: 0,
            record_sync_ms: 0,
            shared_object_max_stored: 10_000,
        }
    }
}

/// Fills in the defaults. Pass `sizeof *config`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_config_init(
    config: *mut rtmpkit_application_config,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(config, struct_size))
}

/// The core's form of the settings.
pub(crate) fn settings(
    host: &Host,
    config: &rtmpkit_application_config,
    home: &Home,
) -> Result<ApplicationConfig, Failure> {
    let mut settings = ApplicationConfig::default();
    settings.dispatch = home.dispatch.clone();
    settings.request_timeout_ms = host.time(config.request_timeout_ms, "request_timeout_ms")?.into();
    settings.max_clients = config.max_clients as usize;
    settings.gop_cache_bytes = usize::try_from(config.gop_cache_bytes).unwrap_or(usize::MAX);
    settings.idle_timeout_ms = config.idle_timeout_ms.into();
    settings.publish_idle_ms = config.publish_idle_ms.into();
    settings.stream_dry_ms = config.stream_dry_ms.into();
    settings.instance_idle_ms = config.instance_idle_ms.into();
    let path = |text, what| Ok::<_, Failure>(host.optional_text(text, what)?.map(PathBuf::from));
    settings.file = path(config.config_file, "config_file")?;
    settings.directory = path(config.directory, "directory")?;
    settings.takeover = Takeover {
        replace: replaces(config.takeover)?,
        hold_ms: config.hold_ms,
    };
    settings.latency = Latency {
        audio_wait_ms: config.audio_wait_ms,
        video_wait_ms: config.video_wait_ms,
        load_wait_ms: config.load_wait_ms,
    };
    settings.record_max_duration_ms = config.record_max_duration_ms;
    settings.record_max_bytes = config.record_max_bytes;
    settings.record_queue_bytes = usize::try_from(config.record_queue_bytes).unwrap_or(usize::MAX);
    settings.record_sync_ms = config.record_sync_ms;
    settings.login = to_method(config.login)?;
    let objects = &mut settings.shared_objects;
    objects.directory = path(config.shared_object_directory, "shared_object_directory")?;
    objects.autocommit_ms = config.shared_object_autocommit_ms;
    objects.max_stored = config.shared_object_max_stored as usize;
    objects.max_per_client = config.shared_object_max_per_client as usize;
    objects.max_slots = config.shared_object_max_slots as usize;
    objects.max_value_bytes = config.shared_object_max_value_bytes as usize;
    objects.max_object_bytes = config.shared_object_max_bytes as usize;
    Ok(settings)
}

/// Whether a takeover policy, one of `rtmpkit_takeovers`, takes the stream.
pub(crate) fn replaces(takeover: i32) -> Result<bool, Failure> {
    const REFUSE: i32 = rtmpkit_takeovers::RTMPKIT_TAKEOVER_REFUSE as i32;
    const REPLACE: i32 = rtmpkit_takeovers::RTMPKIT_TAKEOVER_REPLACE as i32;
    match takeover {
        REFUSE => Ok(false),
        REPLACE => Ok(true),
        _ => Err(Failure::invalid(format!(
            "takeover {takeover}: use one of rtmpkit_takeovers"
        ))),
    }
}
