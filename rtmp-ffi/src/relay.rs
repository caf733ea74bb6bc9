//! Relays: streams pulled from other servers, and pushed to them.

use std::ffi::{CString, c_char, c_void};
use std::mem::size_of;
use std::ptr;
use std::sync::Arc;

use rtmp_core::session::ClientSessionConfig;
use rtmp_core::{Demand, Reconnect, Relay, RelayConfig, RelayEvent, RelayHandler, RelayState, RelayStats};

use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, Lent, add_ref, give, unref};
use crate::host::{Growing, Host};
use crate::instance::rtmpkit_instance;
use crate::queue::rtmpkit_queue;
use crate::release::{Home, Release, UserData, rtmpkit_release_fn};
use crate::server::rtmpkit_traffic;
use crate::status::{LentStatus, rtmpkit_status};
use crate::stream::rtmpkit_stream;
use crate::string::c_string;

/// A stream that is pulled from another server or pushed to one. Since 0.1.
pub struct rtmpkit_relay {
    relay: Relay,
    url: CString,
}

impl Castable for rtmpkit_relay {
    const NAME: &'static str = "relay";
    const TAG: u32 = 0x5245_4c31;
}

impl rtmpkit_relay {
    fn new(relay: Relay) -> Self {
        Self {
            url: c_string(relay.url()),
            relay,
        }
    }
}

/// Names of what a relay does now. Since 0.1.
#[repr(C)]
pub enum rtmpkit_relay_states {
    /// Nothing: nobody plays a stream that is pulled on demand, or nobody publishes one that is pushed.
    RTMPKIT_RELAY_IDLE = 0,
    /// It connects.
    RTMPKIT_RELAY_CONNECTING = 1,
    /// The other server has accepted the connection; nothing flows yet, or any more.
    RTMPKIT_RELAY_CONNECTED = 2,
    /// Media flows.
    RTMPKIT_RELAY_STREAMING = 3,
    /// It failed and will try again.
    RTMPKIT_RELAY_WAITING = 4,
    /// It is over.
    RTMPKIT_RELAY_ENDED = 5,
}

/// Names of what happens to a relay. Since 0.1.
#[repr(C)]
pub enum rtmpkit_relay_event_kinds {
    /// The other server accepted the connection. Again for a pull whose publisher there has left: the connection stays.
    RTMPKIT_RELAY_EVENT_CONNECTED = 0,
    /// A pull's first message has come; a push's other server takes what is sent.
    RTMPKIT_RELAY_EVENT_STREAMING = 1,
    /// It failed, and will be tried again in `after_ms`.
    RTMPKIT_RELAY_EVENT_RETRYING = 2,
    /// The connection was closed in order, because nobody plays or publishes here; it comes back when somebody does.
    RTMPKIT_RELAY_EVENT_IDLE = 3,
    /// It failed as often as it may; the end follows.
    RTMPKIT_RELAY_EVENT_GAVE_UP = 4,
    /// The last one: the relay was closed, by the host or with its instance, it gave up, or a recorded stream was pulled to its
    /// end.
    RTMPKIT_RELAY_EVENT_ENDED = 5,
}

/// Settings of a relay; `rtmpkit_relay_config_init` fills in the defaults. Texts are copied. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_relay_config {
    /// Set by `rtmpkit_relay_config_init`.
    pub struct_size: usize,
    /// Where callbacks run; media never passes there. NULL, the default: on the library's threads.
    pub queue: *mut rtmpkit_queue,
    /// Program and platform to announce (`flashVer`). NULL, the default: rtmpkit's.
    pub agent: *const c_char,
    /// Milliseconds after the first failure in a row; each wait is twice the one before. Default: 500.
    pub back_off_first_ms: u32,
    /// The longest wait in milliseconds. Default: 30,000.
    pub back_off_max_ms: u32,
    /// How much of a wait is random, in percent, 100 at most. Default: 25.
    pub back_off_jitter_percent: u32,
    /// Failures in a row after which the relay gives up; 0, the default, never does.
    pub back_off_max_failures: u32,
    /// Milliseconds until the other server has to have accepted the connection, and a push, at least 1. Default: 10,000.
    pub answer_timeout_ms: u32,
    /// Pull: 1 is connected only while somebody plays the stream here. Default: 0.
    pub on_demand: i32,
    /// Pull on demand: milliseconds for which it goes on after the last player has left. Default: 10,000.
    pub linger_ms: u32,
    /// Pull: milliseconds that players are held, hearing nothing, while the stream is fetched again. Default: 30,000.
    pub hold_ms: u32,
    /// Pull: connect anew when nothing has come for so many milliseconds; 0 never does. Default: 30,000.
    pub silence_ms: u32,
    /// Push: bytes that may wait before frames are dropped up to the next keyframe. Default: 8,388,608.
    pub queue_bytes: u64,
    /// Push: milliseconds of media that may wait. Default: 5,000.
    pub queue_ms: u32,
    /// How many of the other server's requests to reconnect, and of its refusals that say where to connect instead, are followed
    /// in a row; 0 follows none. Default: 5.
    /// Spec: E-RTMP v2 "Reconnect Request".
    pub reconnect_max_hops: u32,
    /// 1 follows them to any host, not only to the one connected to. Default: 0.
    pub reconnect_other_hosts: i32,
}

// SAFETY: `repr(C)`, `struct_size` first, integers and raw pointers.
unsafe impl Growing for rtmpkit_relay_config {
    fn defaults() -> Self {
        let core = RelayConfig::default();
        Self {
            struct_size: 0,
            queue: ptr::null_mut(),
            agent: ptr::null(),
            back_off_first_ms: core.back_off.first_ms,
            back_off_max_ms: core.back_off.max_ms,
            back_off_jitter_percent: core.back_off.jitter_percent.into(),
            back_off_max_failures: core.back_off.max_failures,
            answer_timeout_ms: core.answer_timeout_ms,
            on_demand: 0,
            linger_ms: 10_000,
            hold_ms: core.hold_ms,
            silence_ms: core.silence_ms,
            queue_bytes: core.limits.bytes as u64,
            queue_ms: core.limits.millis,
            reconnect_max_hops: 5,
            reconnect_other_hosts: 0,
        }
    }
}

/// Something that happened to a relay. It belongs to the library and is valid until the callback returns. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_relay_event {
    /// Size of this struct in the library that runs.
    pub struct_size: usize,
    /// One of `rtmpkit_relay_event_kinds`.
    pub kind: i32,
    /// Failures in a row so far; 0 but for RETRYING.
    pub failures: u32,
    /// Milliseconds until it is tried again; 0 but for RETRYING.
    pub after_ms: u64,
    /// Why it failed; NULL but for RETRYING and GAVE_UP.
    pub reason: *const rtmpkit_status,
}

/// What a relay tells, one event at a time and in order. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_relay_events {
    /// Set by `rtmpkit_relay_events_init`.
    pub struct_size: usize,
    /// Something happened. The handle is lent; a reference to it does not keep the relay going. NULL does nothing.
    pub on_event: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            relay: *mut rtmpkit_relay,
            event: *const rtmpkit_relay_event,
        ),
    >,
    /// Rule 7: comes after the last unref and the end.
    pub on_release: rtmpkit_release_fn,
}

// SAFETY: `repr(C)`, `struct_size` first, optional function pointers.
unsafe impl Growing for rtmpkit_relay_events {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            on_event: None,
            on_release: None,
        }
    }
}

/// What a relay counts; `rtmpkit_relay_counters_init` sets the size. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_relay_counters {
    /// Set by `rtmpkit_relay_counters_init`.
    pub struct_size: usize,
    /// One of `rtmpkit_relay_states`.
    pub state: i32,
    /// Failures in a row; a connection on which media flowed for 10 s ends the row.
    pub failures: u32,
    /// Failures in all.
    pub failures_total: u64,
    /// Connections begun.
    pub attempts: u64,
    /// Media messages passed on.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Media messages of a push that were dropped because the other server is too slow.
    pub dropped_messages: u64,
    /// Bytes of their bodies.
    pub dropped_bytes: u64,
    /// Bytes and messages of all its connections.
    pub traffic: rtmpkit_traffic,
}

// SAFETY: `repr(C)`, `struct_size` first, integers.
unsafe impl Growing for rtmpkit_relay_counters {
    fn defaults() -> Self {
        counters(&RelayStats::default())
    }
}

/// Fills in the defaults. Pass `sizeof *config`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_relay_config_init(
    config: *mut rtmpkit_relay_config,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(config, struct_size))
}

/// Sets all members to NULL. Pass `sizeof *events`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_relay_events_init(
    events: *mut rtmpkit_relay_events,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(events, struct_size))
}

/// Sets the size. Pass `sizeof *counters`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_relay_counters_init(
    counters: *mut rtmpkit_relay_counters,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(counters, struct_size))
}

/// Pulls `url` (`rtmp://host/app/stream`) into the stream `name` of an instance, as its publisher, on the library's threads and
/// past the host. When the connection is lost it is made again; meanwhile the players are held, and then time goes on without a
/// jump back. The stream is not taken from another publisher: as long as there is one, pulling fails. A stream that has come
/// through `name` already, over other relays, is refused. `config` and `events` may be NULL.
/// Ownership: one reference in `*out`; the last unref closes the relay.
/// Errors: `RTMPKIT_ERR_URL`, `RTMPKIT_ERR_INVALID_ARGUMENT`, `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_relay_pull(
    instance: *mut rtmpkit_instance,
    url: *const c_char,
    name: *const c_char,
    config: *const rtmpkit_relay_config,
    events: *const rtmpkit_relay_events,
    user_data: *mut c_void,
    out: *mut *mut rtmpkit_relay,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let instance = host.handle(instance)?;
        let (url, name) = (host.text(url, "url")?, host.text(name, "name")?);
        let (config, handler) = start(&host, &instance.home, config, events, user_data)?;
        let relay = Relay::pull(&instance.instance, url, name, config, Arc::clone(&handler) as _)?;
        handler.release.arm();
        host.put(out, give(rtmpkit_relay::new(relay)), "out")?;
        Ok(0)
    })
}

/// Pushes a stream to `url` (`rtmp://host/app/stream`) while somebody publishes it here: metadata, sequence headers and the
/// current group of pictures first. A server that is too slow loses frames up to the next keyframe; publisher, players and other
/// pushes do not notice. `config` and `events` may be NULL.
/// Ownership and errors: as `rtmpkit_relay_pull`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_relay_push(
    stream: *mut rtmpkit_stream,
    url: *const c_char,
    config: *const rtmpkit_relay_config,
    events: *const rtmpkit_relay_events,
    user_data: *mut c_void,
    out: *mut *mut rtmpkit_relay,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let stream = host.handle(stream)?;
        let url = host.text(url, "url")?;
        let (config, handler) = start(&host, &stream.home, config, events, user_data)?;
        let relay = Relay::push(&stream.stream, url, config, Arc::clone(&handler) as _)?;
        handler.release.arm();
        host.put(out, give(rtmpkit_relay::new(relay)), "out")?;
        Ok(0)
    })
}

/// The other server's URL, without user, password and queries. Ownership: the handle's. Errors: NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_relay_url(relay: *mut rtmpkit_relay) -> *const c_char {
    entry!(|host| Ok(host.handle(relay)?.url.as_ptr()))
}

/// Reads counters. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_relay_stats(
    relay: *mut rtmpkit_relay,
    counters: *mut rtmpkit_relay_counters,
) -> rtmpkit_result {
    entry!(|host| {
        let stats = host.handle(relay)?.relay.stats();
        host.fill(counters, self::counters(&stats), "counters")
    })
}

/// Ends the relay: players of a pull hear that the publisher left, what a push has taken in is sent, the connection is closed in
/// order; then `RTMPKIT_RELAY_EVENT_ENDED` follows. Closing again does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_relay_close(relay: *mut rtmpkit_relay) -> rtmpkit_result {
    entry!(|host| {
        host.handle(relay)?.relay.close();
        Ok(0)
    })
}

/// Adds a reference and returns `relay`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_relay_ref(relay: *mut rtmpkit_relay) -> *mut rtmpkit_relay {
    entry!(|host| add_ref(&host, relay))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_relay_unref(relay: *mut rtmpkit_relay) {
    entry!(|host| unref(&host, relay));
}

fn start(
    host: &Host,
    home: &Home,
    config: *const rtmpkit_relay_config,
    events: *const rtmpkit_relay_events,
    user_data: *mut c_void,
) -> Result<(RelayConfig, Arc<Handler>), Failure> {
    let config = host.read_optional(config, "config")?;
    let events = host.read_optional(events, "events")?;
    let queue = host.optional_handle(config.queue.cast_const())?;
    let home = Home {
        dispatch: queue
            .as_ref()
            .map_or_else(rtmp_core::Dispatch::inline, |queue| queue.queue.to_dispatch()),
        queued: queue.is_some(),
        ..home.clone()
    };
    let mut settings = settings(host, &config)?;
    settings.dispatch = home.dispatch.clone();
    let user_data = UserData(user_data);
    let release = Release::new(events.on_release, user_data, home);
    let handler = Handler {
        events,
        user_data,
        release,
    };
    Ok((settings, Arc::new(handler)))
}

fn settings(host: &Host, config: &rtmpkit_relay_config) -> Result<RelayConfig, Failure> {
    let mut settings = RelayConfig::default();
    if let Some(agent) = host.optional_text(config.agent, "agent")? {
        settings.session = Some(ClientSessionConfig {
            flash_ver: agent.to_owned(),
            ..ClientSessionConfig::default()
        });
    }
    let jitter = u8::try_from(config.back_off_jitter_percent)
        .ok()
        .filter(|jitter| *jitter <= 100);
    settings.back_off.jitter_percent = jitter.ok_or_else(|| {
        Failure::invalid(format!(
            "back_off_jitter_percent {}: use 0 to 100",
            config.back_off_jitter_percent
        ))
    })?;
    settings.back_off.first_ms = config.back_off_first_ms;
    settings.back_off.max_ms = config.back_off_max_ms;
    settings.back_off.max_failures = config.back_off_max_failures;
    settings.answer_timeout_ms = host.time(config.answer_timeout_ms, "answer_timeout_ms")?;
    if config.on_demand != 0 {
        settings.demand = Demand::WhilePlayed {
            linger_ms: config.linger_ms,
        };
    }
    settings.hold_ms = config.hold_ms;
    settings.silence_ms = config.silence_ms;
    settings.limits.bytes = usize::try_from(config.queue_bytes).unwrap_or(usize::MAX);
    settings.limits.millis = config.queue_ms;
    settings.reconnect = match config.reconnect_max_hops {
        0 => Reconnect::Report,
        max_hops => Reconnect::Follow {
            max_hops,
            other_hosts: config.reconnect_other_hosts != 0,
        },
    };
    Ok(settings)
}

fn counters(stats: &RelayStats) -> rtmpkit_relay_counters {
    use rtmpkit_relay_states as S;
    let state = match stats.state {
        RelayState::Connecting => S::RTMPKIT_RELAY_CONNECTING,
        RelayState::Connected => S::RTMPKIT_RELAY_CONNECTED,
        RelayState::Streaming => S::RTMPKIT_RELAY_STREAMING,
        RelayState::Waiting => S::RTMPKIT_RELAY_WAITING,
        RelayState::Ended => S::RTMPKIT_RELAY_ENDED,
        _ => S::RTMPKIT_RELAY_IDLE,
    };
    rtmpkit_relay_counters {
        struct_size: 0,
        state: state as i32,
        failures: stats.failures,
        failures_total: stats.failures_total,
        attempts: stats.attempts,
        messages: stats.messages,
        bytes: stats.bytes,
        dropped_messages: stats.dropped.messages,
        dropped_bytes: stats.dropped.bytes,
        traffic: stats.traffic.into(),
    }
}

/// The host's functions as the core's handler.
struct Handler {
    events: rtmpkit_relay_events,
    user_data: UserData,
    release: Release,
}

impl RelayHandler for Handler {
    fn on_event(&self, relay: &Relay, event: &RelayEvent) {
        use rtmpkit_relay_event_kinds as K;
        let (kind, failures, after_ms, reason) = match event {
            RelayEvent::Connected => (K::RTMPKIT_RELAY_EVENT_CONNECTED, 0, 0, None),
            RelayEvent::Streaming => (K::RTMPKIT_RELAY_EVENT_STREAMING, 0, 0, None),
            RelayEvent::Idle => (K::RTMPKIT_RELAY_EVENT_IDLE, 0, 0, None),
            RelayEvent::Ended => (K::RTMPKIT_RELAY_EVENT_ENDED, 0, 0, None),
            RelayEvent::GaveUp { reason } => (K::RTMPKIT_RELAY_EVENT_GAVE_UP, 0, 0, Some(reason)),
            RelayEvent::Retrying {
                after_ms,
                failures,
                reason,
            } => (
                K::RTMPKIT_RELAY_EVENT_RETRYING,
                *failures,
                *after_ms,
                Some(reason),
            ),
            // An event of a later version.
            _ => return,
        };
        let reason = reason.map(LentStatus::new);
        let event = rtmpkit_relay_event {
            struct_size: size_of::<rtmpkit_relay_event>(),
            kind: kind as i32,
            failures,
            after_ms,
            reason: reason.as_ref().map_or(ptr::null(), LentStatus::as_ptr),
        };
        let relay = Lent::new(rtmpkit_relay::new(relay.clone()));
        call_host!(
            self.events.on_event,
            self.user_data.0,
            relay.as_ptr(),
            &raw const event
        );
    }
}
