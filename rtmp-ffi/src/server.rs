//! Servers: listeners, limits, applications.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rtmp_core::{Deviations, FlowLimits, Object, Server, ServerConfig, Tolerance, TrafficStats, Value};

use crate::engine::rtmpkit_engine;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, Slot, add_ref, give, unref};
use crate::host::{Growing, Host};
use crate::net_connection::valid_chunk_size;
use crate::queue::rtmpkit_queue;
use crate::release::{Home, Release, UserData, rtmpkit_release_fn};
use crate::value::rtmpkit_value;

/// A server of RTMP applications. Since 0.1.
pub struct rtmpkit_server {
    server: Slot<Open>,
    engine: Arc<crate::handle::Handle<rtmpkit_engine>>,
}

#[derive(Clone)]
struct Open {
    server: Server,
    _release: Arc<Release>,
}

impl Castable for rtmpkit_server {
    const NAME: &'static str = "server";
    const TAG: u32 = 0x5352_5631;
}

impl rtmpkit_server {
    pub(crate) fn server(&self) -> Result<Server, Failure> {
        Ok(self.server.get("server")?.server)
    }

    pub(crate) fn home(&self, host: &Host, queue: *mut rtmpkit_queue) -> Result<Home, Failure> {
        self.engine.home(host, queue)
    }
}

/// Settings of a server; `rtmpkit_server_config_init` fills in the defaults. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_server_config {
    /// Set by `rtmpkit_server_config_init`.
    pub struct_size: usize,
    /// Where the server's own callbacks run. NULL, the default: on the library's threads.
    pub queue: *mut rtmpkit_queue,
    /// Connections at once; 0 is no limit. Default: 65,536.
    pub max_connections: u32,
    /// Connections at once from one address; 0, the default, is no limit.
    pub max_connections_per_address: u32,
    /// Bytes that may wait for a player before frames are dropped to the next keyframe. Default: 8 MiB.
    pub player_queue_bytes: u64,
    /// Milliseconds of media that may wait for a player. Default: 5,000.
    pub player_queue_ms: u32,
    /// Milliseconds without progress in sending after which a peer is disconnected, at least 1. Default: 15,000.
    pub stall_timeout_ms: u32,
    /// Milliseconds for the handshake, and again for connect, at least 1. Default: 10,000.
    pub connect_timeout_ms: u32,
    /// Chunk size of what the server sends, 1 to 0x7FFFFFFF, which means no more than 16,777,215. Default: 65,536.
    pub chunk_size: u32,
    /// 1 ends connections at the first harmless violation of the specifications; 0, the default, accepts and counts them:
    /// `rtmpkit_server_deviations`.
    pub strict: i32,
    /// 1 lets clients encrypt by RTMPE when they ask for it, if `rtmpkit_has_feature("rtmpe")`; without that it does nothing.
    /// Default: 0.
    pub accept_rtmpe: i32,
    /// 1, the default, sends players what they announced to understand (`capsEx`, `fourCcList`): of a multitrack stream the lowest
    /// track, and legacy headers where there are some for those that announced nothing of Enhanced RTMP. 0 sends every player
    /// every message as it was published.
    pub reduce_for_players: i32,
}

// SAFETY: `repr(C)`, `struct_size` first, integers and a raw pointer.
unsafe impl Growing for rtmpkit_server_config {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            queue: ptr::null_mut(),
            max_connections: 65_536,
            max_connections_per_address: 0,
            player_queue_bytes: 8 << 20,
            player_queue_ms: 5_000,
            stall_timeout_ms: 15_000,
            connect_timeout_ms: 10_000,
            chunk_size: 65_536,
            strict: 0,
            accept_rtmpe: 0,
            reduce_for_players: 1,
        }
    }
}

/// What happens to a server. NULL members do nothing. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_server_events {
    /// Set by `rtmpkit_server_events_init`.
    pub struct_size: usize,
    /// Rule 7: comes after `rtmpkit_server_close`, or after the last unref.
    pub on_release: rtmpkit_release_fn,
}

// SAFETY: `repr(C)`, `struct_size` first, optional function pointers.
unsafe impl Growing for rtmpkit_server_events {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            on_release: None,
        }
    }
}

/// Bytes and messages. Part of other structs: it has no size and never changes. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct rtmpkit_traffic {
    /// Bytes received, handshake included.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Media messages received.
    pub messages_in: u64,
    /// Media messages queued for sending.
    pub messages_out: u64,
    /// Media messages dropped because a receiver was too slow.
    pub messages_dropped: u64,
}

impl From<TrafficStats> for rtmpkit_traffic {
    fn from(stats: TrafficStats) -> Self {
        Self {
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            messages_in: stats.messages_in,
            messages_out: stats.messages_out,
            messages_dropped: stats.messages_dropped,
        }
    }
}

/// What a server counts; `rtmpkit_server_counters_init` sets the size. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_server_counters {
    /// Set by `rtmpkit_server_counters_init`.
    pub struct_size: usize,
    /// Connections now, those still connecting included.
    pub connections: u64,
    /// Connections taken since the start.
    pub accepted: u64,
    /// Connections turned away by a limit.
    pub turned_away: u64,
    /// Sums over all connections.
    pub traffic: rtmpkit_traffic,
    /// Clients disconnected or refused because more waited for them than may: they did not read, their worker was held up, or
    /// the host asked for too much before it accepted them.
    pub overrun: u64,
}

// SAFETY: `repr(C)`, `struct_size` first, integers.
unsafe impl Growing for rtmpkit_server_counters {
    fn defaults() -> Self {
        let traffic = rtmpkit_traffic::default();
        Self {
            struct_size: 0,
            connections: 0,
            accepted: 0,
            turned_away: 0,
            traffic,
            overrun: 0,
        }
    }
}

/// Fills in the defaults. Pass `sizeof *config`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_config_init(
    config: *mut rtmpkit_server_config,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(config, struct_size))
}

/// Sets all members to NULL. Pass `sizeof *events`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_events_init(
    events: *mut rtmpkit_server_events,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(events, struct_size))
}

/// Sets the size. Pass `sizeof *counters`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_counters_init(
    counters: *mut rtmpkit_server_counters,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(counters, struct_size))
}

/// Makes a server without applications or listeners. `config` and `events` may be NULL.
/// Ownership: one reference in `*out`; the last unref closes the server.
/// Errors: `RTMPKIT_ERR_CLOSED` if the engine is, `RTMPKIT_ERR_INVALID_ARGUMENT` for a setting out of its bounds. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_create(
    engine: *mut rtmpkit_engine,
    config: *const rtmpkit_server_config,
    events: *const rtmpkit_server_events,
    user_data: *mut c_void,
    out: *mut *mut rtmpkit_server,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let engine = host.handle(engine)?;
        let config = host.read_optional(config, "config")?;
        let events = host.read_optional(events, "events")?;
        let home = engine.home(&host, config.queue)?;
        let server = Server::new(&engine.engine, settings(&host, &config)?)?;
        let release = Release::new(events.on_release, UserData(user_data), home);
        release.arm();
        let server = Slot::new(Open {
            server,
            _release: Arc::new(release),
        });
        host.put(out, give(rtmpkit_server { server, engine }), "out")?;
        Ok(0)
    })
}

/// Listens on `rtmp://host[:port]`, `host[:port]` or `:port`, which is every address of the machine; on
/// `rtmps://host[:port]` for TLS, with a certificate set before by `rtmpkit_server_set_tls`; on `rtmpt://host[:port]` for RTMP
/// in HTTP requests, and on `rtmpts://host[:port]` for those by TLS. May be called several times. The port is 1935, 443 by TLS
/// and 80 in HTTP unless it is named; 0 takes any free one. `*port`, if `port` is not NULL, is the one bound.
/// Threads: looks a host name up on this one. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for what cannot be read, `RTMPKIT_ERR_IO`
/// for an address that is in use or not this machine's and for an unknown name, `RTMPKIT_ERR_TLS` without a certificate,
/// `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_listen(
    server: *mut rtmpkit_server,
    url: *const c_char,
    port: *mut u16,
) -> rtmpkit_result {
    entry!(|host| {
        let address = host.handle(server)?.server()?.listen(host.text(url, "url")?)?;
        host.put_optional(port, address.port())?;
        Ok(0)
    })
}

/// Winds the server down: stops listening, asks the clients that can to connect to `url` instead (NULL: to the same place;
/// it may be relative to what each connected to), serves all of them for `grace_ms` longer, and then closes; sooner when
/// all have left. `text` is for them and may be NULL. Called again it asks again, with a new time.
/// Errors: `RTMPKIT_ERR_URL`, `RTMPKIT_ERR_CLOSED`. Since 0.1. Spec: E-RTMP v2 "Reconnect Request".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_drain(
    server: *mut rtmpkit_server,
    url: *const c_char,
    text: *const c_char,
    grace_ms: u32,
) -> rtmpkit_result {
    entry!(|host| {
        let server = host.handle(server)?.server()?;
        let url = host.optional_text(url, "url")?;
        let text = host.optional_text(text, "text")?.unwrap_or("");
        server.drain(url, text, Duration::from_millis(grace_ms.into()))?;
        Ok(0)
    })
}

/// Stops listening and ends every connection, with NetConnection.Connect.AppShutdown for those connected. Closing again
/// does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_close(server: *mut rtmpkit_server) -> rtmpkit_result {
    entry!(|host| {
        if let Some(open) = host.handle(server)?.server.take() {
            open.server.close();
        }
        Ok(0)
    })
}

/// Reads counters. Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_stats(
    server: *mut rtmpkit_server,
    counters: *mut rtmpkit_server_counters,
) -> rtmpkit_result {
    entry!(|host| {
        let stats = host.handle(server)?.server()?.stats();
        let value = rtmpkit_server_counters {
            struct_size: 0,
            connections: stats.connections as u64,
            accepted: stats.accepted,
            turned_away: stats.turned_away,
            traffic: stats.traffic.into(),
            overrun: stats.overrun,
        };
        host.fill(counters, value, "counters")
    })
}

/// Counts what clients did against the specifications without harm, since the start.
/// Ownership: one reference in `*out`, to an object: the name of each violation, and how often. Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_deviations(
    server: *mut rtmpkit_server,
    out: *mut *mut rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let deviations = host.handle(server)?.server()?.deviations();
        host.put(
            out,
            give(rtmpkit_value::new(deviations_object(&deviations))),
            "out",
        )?;
        Ok(0)
    })
}

/// Adds a reference and returns `server`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_ref(server: *mut rtmpkit_server) -> *mut rtmpkit_server {
    entry!(|host| add_ref(&host, server))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_unref(server: *mut rtmpkit_server) {
    entry!(|host| unref(&host, server));
}

/// The core's form of a `strict` setting.
pub(crate) fn tolerance(strict: i32) -> Tolerance {
    match strict {
        0 => Tolerance::Lenient,
        _ => Tolerance::Strict,
    }
}

/// Counts of violations as an object of numbers.
pub(crate) fn deviations_object(deviations: &Deviations) -> Value {
    let counts = deviations.iter();
    let object = counts.fold(Object::new(), |object, (deviation, count)| {
        object.with(deviation.name(), count)
    });
    object.into()
}

fn settings(host: &Host, config: &rtmpkit_server_config) -> Result<ServerConfig, Failure> {
    valid_chunk_size(config.chunk_size)?;
    let mut settings = ServerConfig::default();
    settings.max_connections = config.max_connections as usize;
    settings.max_connections_per_address = config.max_connections_per_address as usize;
    let bytes = usize::try_from(config.player_queue_bytes)
        .unwrap_or(usize::MAX / 4)
        .min(usize::MAX / 4);
    settings.player_limits = FlowLimits {
        bytes,
        millis: config.player_queue_ms,
    };
    settings.reduce_for_players = config.reduce_for_players != 0;
    settings.stall_timeout_ms = host.time(config.stall_timeout_ms, "stall_timeout_ms")?.into();
    let connect_timeout_ms = host.time(config.connect_timeout_ms, "connect_timeout_ms")?.into();
    settings.session.timeouts.handshake_ms = connect_timeout_ms;
    settings.session.timeouts.connect_ms = connect_timeout_ms;
    settings.session.chunk_size = config.chunk_size;
    settings.session.tolerance = tolerance(config.strict);
    #[cfg(feature = "rtmpe")]
    {
        settings.session.accept_encryption = config.accept_rtmpe != 0;
    }
    Ok(settings)
}
