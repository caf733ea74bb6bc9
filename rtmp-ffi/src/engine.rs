//! The engine: the threads that servers and connections live on.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::log::LevelFilter;
use rtmp_core::{Dispatch, Engine, EngineConfig, Error, ThreadStart};

use crate::error::{Failure, rtmpkit_result, waited_in};
use crate::handle::{Castable, add_ref, give, unref};
use crate::host::{Growing, Host};
use crate::log::{self, Sink, rtmpkit_log_fn};
use crate::queue::rtmpkit_queue;
use crate::release::{Home, Pending, UserData, rtmpkit_release_fn};

/// Worker threads and all that lives on them. A process may have several engines; they share nothing. Since 0.1.
pub struct rtmpkit_engine {
    pub(crate) engine: Engine,
    pub(crate) sink: Option<Arc<Sink>>,
    pending: Arc<Pending>,
}

impl Castable for rtmpkit_engine {
    const NAME: &'static str = "engine";
    const TAG: u32 = 0x454e_4731;
}

impl rtmpkit_engine {
    /// Where callbacks of an object run whose configuration names `queue`.
    pub(crate) fn home(&self, host: &Host, queue: *mut rtmpkit_queue) -> Result<Home, Failure> {
        let queue = host.optional_handle(queue.cast_const())?;
        let dispatch = queue
            .as_ref()
            .map_or_else(Dispatch::inline, |queue| queue.queue.to_dispatch());
        let (engine, pending) = (self.engine.clone(), Arc::clone(&self.pending));
        Ok(Home {
            engine,
            dispatch,
            queued: queue.is_some(),
            pending,
        })
    }
}

/// Settings of an engine; `rtmpkit_engine_config_init` fills in the defaults. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_engine_config {
    /// Set by `rtmpkit_engine_config_init`.
    pub struct_size: usize,
    /// Worker threads; 0, the default, takes as many as the machine has cores. More than 1,024 are 1,024.
    pub workers: u32,
    /// Which messages `log_fn` gets, one of `rtmpkit_log_levels`. Default: `RTMPKIT_LOG_WARN`.
    pub log_level: i32,
    /// Takes the engine's log. NULL, the default, drops it.
    pub log_fn: rtmpkit_log_fn,
    /// Passed to `log_fn` and `log_release`.
    pub log_user_data: *mut c_void,
    /// Called once when nothing will be logged any more, on the thread that found out; also of an engine that logs nothing.
    /// Default: NULL.
    pub log_release: rtmpkit_release_fn,
    /// 1, the default, watches the system's network interfaces while client connections stand, on Linux where the sandbox allows
    /// it, and tells those that are connected of changes: NetConnection.Connect.NetworkChange. 0 leaves that to
    /// `rtmpkit_engine_network_changed`, as other systems do.
    pub watch_network: i32,
    /// 1, the default, sends to many players in one call to the kernel through io_uring, on Linux where the kernel and the sandbox
    /// allow it. 0 does not ask for it.
    pub io_uring: i32,
}

// SAFETY: `repr(C)`, `struct_size` first, integers, raw pointers and optional function pointers.
unsafe impl Growing for rtmpkit_engine_config {
    fn defaults() -> Self {
        let log_user_data = ptr::null_mut();
        Self {
            struct_size: 0,
            workers: 0,
            log_level: 2,
            log_fn: None,
            log_user_data,
            log_release: None,
            watch_network: 1,
            io_uring: 1,
        }
    }
}

/// What an engine counts; `rtmpkit_engine_counters_init` sets the size. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_engine_counters {
    /// Set by `rtmpkit_engine_counters_init`.
    pub struct_size: usize,
    /// Worker threads.
    pub workers: u32,
    /// 1 once `rtmpkit_engine_close` was called.
    pub closed: i32,
}

// SAFETY: `repr(C)`, `struct_size` first, integers.
unsafe impl Growing for rtmpkit_engine_counters {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            workers: 0,
            closed: 0,
        }
    }
}

/// Fills in the defaults. Pass `sizeof *config`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_engine_config_init(
    config: *mut rtmpkit_engine_config,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(config, struct_size))
}

/// Sets the size. Pass `sizeof *counters`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_engine_counters_init(
    counters: *mut rtmpkit_engine_counters,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(counters, struct_size))
}

/// Starts an engine. `config` may be NULL for the defaults.
/// Ownership: one reference in `*out`; the last unref closes the engine once nothing made on it is held either.
/// Errors: `RTMPKIT_ERR_IO` if the system gives no thread or descriptor, `RTMPKIT_ERR_INVALID_ARGUMENT` for another `log_level`.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_engine_create(
    config: *const rtmpkit_engine_config,
    out: *mut *mut rtmpkit_engine,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let config = host.read_optional(config, "config")?;
        let (sink, thread_start) = sink(&config)?;
        crate::panic::install_hook();
        let mut settings = EngineConfig::default();
        settings.workers = usize::try_from(config.workers).unwrap_or(0);
        settings.watch_network = config.watch_network != 0;
        settings.io_uring = config.io_uring != 0;
        settings.thread_start = thread_start;
        let engine = Engine::new(settings)?;
        if let Some(sink) = &sink {
            sink.arm();
        }
        host.put(
            out,
            give(rtmpkit_engine {
                engine,
                sink,
                pending: Arc::default(),
            }),
            "out",
        )?;
        Ok(0)
    })
}

/// The network has changed, for example because another one was joined or left: every `rtmpkit_net_connection` of the engine
/// that is connected is told NetConnection.Connect.NetworkChange. For hosts that know better than the interfaces show, or run
/// where those are not watched; see `watch_network` of `rtmpkit_engine_config`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_engine_network_changed(engine: *mut rtmpkit_engine) -> rtmpkit_result {
    entry!(|host| {
        host.handle(engine)?.engine.network_changed();
        Ok(0)
    })
}

/// Closes every server and connection of the engine and ends its threads. Their last events still come. Closing again does
/// nothing; what is then created on it is refused with `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_engine_close(engine: *mut rtmpkit_engine) -> rtmpkit_result {
    entry!(|host| {
        host.handle(engine)?.engine.close();
        Ok(0)
    })
}

/// Waits until the threads of a closed engine have made their last callback; negative milliseconds wait for ever.
/// Callbacks that go to a queue come when it is dispatched, and an `on_release` whose handles are still held comes when
/// they are let go.
/// Threads: not on one of the library's. Errors: `RTMPKIT_ERR_TIMEOUT`, `RTMPKIT_ERR_WRONG_THREAD`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_engine_join(engine: *mut rtmpkit_engine, timeout_ms: i32) -> rtmpkit_result {
    entry!(|host| {
        let engine = host.handle(engine)?;
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        let start = Instant::now();
        engine
            .engine
            .join(timeout)
            .map_err(waited_in("rtmpkit_engine_join"))?;
        match engine
            .pending
            .wait(timeout.map(|timeout| timeout.saturating_sub(start.elapsed())))
        {
            true => Ok(0),
            false => Err(Error::Timeout("rtmpkit_engine_join").into()),
        }
    })
}

/// Reads counters. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_engine_stats(
    engine: *mut rtmpkit_engine,
    counters: *mut rtmpkit_engine_counters,
) -> rtmpkit_result {
    entry!(|host| {
        let engine = host.handle(engine)?;
        let workers = u32::try_from(engine.engine.workers()).unwrap_or(u32::MAX);
        let closed = i32::from(engine.engine.is_closed());
        host.fill(
            counters,
            rtmpkit_engine_counters {
                struct_size: 0,
                workers,
                closed,
            },
            "counters",
        )
    })
}

/// Adds a reference and returns `engine`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_engine_ref(engine: *mut rtmpkit_engine) -> *mut rtmpkit_engine {
    entry!(|host| add_ref(&host, engine))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_engine_unref(engine: *mut rtmpkit_engine) {
    entry!(|host| unref(&host, engine));
}

/// The host's log function and what makes the engine's threads use it.
fn sink(config: &rtmpkit_engine_config) -> Result<(Option<Arc<Sink>>, ThreadStart), Failure> {
    let level = log::level(config.log_level)
        .ok_or_else(|| Failure::invalid(format!("log_level {}: use 0 to 5", config.log_level)))?;
    let logs = config.log_fn.is_some() && level != LevelFilter::Off;
    if !logs && config.log_release.is_none() {
        return Ok((None, ThreadStart::default()));
    }
    let level = if logs { level } else { LevelFilter::Off };
    let user_data = UserData(config.log_user_data);
    let sink = Arc::new(Sink::new(level, config.log_fn, user_data, config.log_release));
    if !logs {
        return Ok((Some(sink), ThreadStart::default()));
    }
    log::install(level);
    let adopted = Arc::clone(&sink);
    Ok((Some(sink), ThreadStart::new(move || log::adopt(&adopted))))
}
