//! Log messages: each engine has a sink of its own, which its threads carry in a thread-local.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::error::{Failure, rtmpkit_result};
use crate::release::{UserData, rtmpkit_release_fn};
use crate::string::c_string;

/// Names of log levels; a sink gets its own level and all before it. Since 0.1.
#[repr(C)]
pub enum rtmpkit_log_levels {
    /// Nothing.
    RTMPKIT_LOG_OFF = 0,
    /// The library or the machine fails.
    RTMPKIT_LOG_ERROR = 1,
    /// A peer was disconnected, or something is turned away.
    RTMPKIT_LOG_WARN = 2,
    /// Connections and streams come and go.
    RTMPKIT_LOG_INFO = 3,
    /// For those who look for a fault.
    RTMPKIT_LOG_DEBUG = 4,
    /// Everything.
    RTMPKIT_LOG_TRACE = 5,
}

/// Takes a message of an engine's log. Both texts are the library's, valid until it returns.
/// Threads: any of the engine's, several at once, and those that dispatch its queues; inside `rtmpkit_log` too. It must not
/// block; it may call the library, but what that logs comes here again. Since 0.1.
pub type rtmpkit_log_fn = Option<
    unsafe extern "C" fn(user_data: *mut c_void, level: i32, target: *const c_char, message: *const c_char),
>;

/// Writes a message into the log of the engine that this thread belongs to, or whose queue it dispatches; elsewhere it is
/// dropped. `level` is one of `rtmpkit_log_levels`, 1 to 5; `target` names the part of the program, NULL is `host`.
/// Errors: `RTMPKIT_ERR_INVALID_ARGUMENT`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_log(
    level: i32,
    target: *const c_char,
    message: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let level = Level::iter().find(|known| number(*known) == level);
        let level = level.ok_or_else(|| Failure::invalid("level: use 1 to 5"))?;
        let target = host.optional_text(target, "target")?.unwrap_or("host");
        ::log::log!(target: target, level, "{}", host.text(message, "message")?);
        Ok(0)
    })
}

/// Where the messages of one engine go.
pub(crate) struct Sink {
    level: LevelFilter,
    log_fn: rtmpkit_log_fn,
    user_data: UserData,
    on_release: rtmpkit_release_fn,
    armed: AtomicBool,
}

impl Sink {
    /// A sink that announces its end only once it is armed.
    pub(crate) fn new(
        level: LevelFilter,
        log_fn: rtmpkit_log_fn,
        user_data: UserData,
        on_release: rtmpkit_release_fn,
    ) -> Self {
        Self {
            level,
            log_fn,
            user_data,
            on_release,
            armed: AtomicBool::new(false),
        }
    }

    /// The engine was created.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.armed.load(Ordering::Acquire) {
            call_host!(self.on_release, self.user_data.0);
        }
    }
}

thread_local! {
    static SINK: RefCell<Option<Arc<Sink>>> = const { RefCell::new(None) };
}

/// The level of a number of [`rtmpkit_log_levels`].
pub(crate) fn level(number: i32) -> Option<LevelFilter> {
    LevelFilter::iter().nth(usize::try_from(number).ok()?)
}

/// Whether this thread's messages go to a host.
pub(crate) fn has_sink() -> bool {
    SINK.try_with(|sink| sink.borrow().is_some()).unwrap_or(false)
}

/// Sends this thread's messages to a sink until the guard is dropped.
pub(crate) fn enter(sink: &Arc<Sink>) -> Entered {
    Entered(SINK.with(|own| own.borrow_mut().replace(Arc::clone(sink))))
}

/// Sends this thread's messages to a sink for good.
pub(crate) fn adopt(sink: &Arc<Sink>) {
    SINK.with(|own| *own.borrow_mut() = Some(Arc::clone(sink)));
}

/// What the thread had before [`enter`].
pub(crate) struct Entered(Option<Arc<Sink>>);

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = SINK.try_with(|own| std::mem::swap(&mut *own.borrow_mut(), &mut self.0));
    }
}

/// Becomes the process's logger, unless a host in Rust has one: then messages go there.
pub(crate) fn install(level: LevelFilter) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = log::set_logger(&ToSinks);
    });
    if level > log::max_level() {
        log::set_max_level(level);
    }
}

struct ToSinks;

impl Log for ToSinks {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        current().is_some_and(|sink| metadata.level() <= sink.level)
    }

    fn log(&self, record: &Record<'_>) {
        let Some(sink) = current().filter(|sink| record.level() <= sink.level) else {
            return;
        };
        let (target, message): (CString, CString) =
            (c_string(record.target()), c_string(&record.args().to_string()));
        call_host!(
            sink.log_fn,
            sink.user_data.0,
            number(record.level()),
            target.as_ptr(),
            message.as_ptr()
        );
    }

    fn flush(&self) {}
}

/// The sink is taken out of the cell, so that a log function may call the library.
fn current() -> Option<Arc<Sink>> {
    SINK.try_with(|sink| sink.borrow().clone()).ok().flatten()
}

fn number(level: Level) -> i32 {
    match level {
        Level::Error => 1,
        Level::Warn => 2,
        Level::Info => 3,
        Level::Debug => 4,
        Level::Trace => 5,
    }
}
