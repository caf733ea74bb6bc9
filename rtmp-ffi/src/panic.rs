//! The boundary around every entry point: a panic becomes [`RTMPKIT_ERR_PANIC`](crate::rtmpkit_results), never an
//! unwinding into C.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::error::{Failure, remember};

/// Wraps the body of an entry point: gives it the [`Host`](crate::host::Host) and turns what goes wrong into the
/// return value.
macro_rules! entry {
    (|$host:ident| $body:expr) => {
        $crate::panic::boundary(|| {
            // SAFETY: only entry points use this macro, and their caller is bound by the contract of the header.
            let $host = unsafe { $crate::host::Host::trust() };
            $body
        })
    };
}

/// Calls a function pointer of the host, if there is one.
macro_rules! call_host {
    ($function:expr $(, $argument:expr)* $(,)?) => {
        if let Some(function) = $function {
            // SAFETY: the host gave the function for these arguments and promises that it returns normally.
            unsafe { function($($argument),*) }
        }
    };
}

/// As `call_host!`, for a function that returns something; `$default` if there is none.
macro_rules! ask_host {
    ($default:expr, $function:expr $(, $argument:expr)* $(,)?) => {
        match $function {
            // SAFETY: the host gave the function for these arguments and promises that it returns normally.
            Some(function) => unsafe { function($($argument),*) },
            None => $default,
        }
    };
}

/// What an entry point returns when it fails.
pub(crate) trait Outcome {
    /// The return value for a failure with this number.
    fn failed(code: i32) -> Self;
}

impl Outcome for i32 {
    fn failed(code: i32) -> Self {
        code
    }
}

impl Outcome for () {
    fn failed(_: i32) -> Self {}
}

impl Outcome for bool {
    fn failed(_: i32) -> Self {
        false
    }
}

impl Outcome for u32 {
    fn failed(_: i32) -> Self {
        0
    }
}

impl Outcome for u64 {
    fn failed(_: i32) -> Self {
        0
    }
}

impl Outcome for usize {
    fn failed(_: i32) -> Self {
        0
    }
}

impl<T> Outcome for *const T {
    fn failed(_: i32) -> Self {
        std::ptr::null()
    }
}

impl<T> Outcome for *mut T {
    fn failed(_: i32) -> Self {
        std::ptr::null_mut()
    }
}

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// Runs an entry point's body. A failure is remembered for `rtmpkit_last_error`.
pub(crate) fn boundary<R: Outcome>(body: impl FnOnce() -> Result<R, Failure>) -> R {
    let _inside = Inside::enter();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(debug_assertions)]
        assert!(!ARMED.replace(false), "panic made by a test");
        body()
    }));
    let failure = match outcome {
        Ok(Ok(value)) => return value,
        Ok(Err(failure)) => failure,
        Err(payload) => Failure::panicked(describe(&*payload)),
    };
    let code = failure.code();
    remember(&failure);
    R::failed(code)
}

/// Has the next entry point on this thread panic. For tests.
#[cfg(debug_assertions)]
#[doc(hidden)]
pub fn arm_panic() {
    ARMED.set(true);
}

/// Sends panics of the library's own code to the log instead of standard error. Other threads keep the hook there was.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if INSIDE.get() == 0 && !crate::log::has_sink() {
                return previous(info);
            }
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            log::error!("a bug in rtmpkit, at {place}: {}", describe(info.payload()));
        }));
    });
}

fn describe(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Whether this thread is inside a call of the host.
pub(crate) fn is_inside() -> bool {
    INSIDE.get() > 0
}

/// Counts the entry points that the thread is in: callbacks call back into the library.
struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.set(INSIDE.get().saturating_add(1));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get().saturating_sub(1));
    }
}
