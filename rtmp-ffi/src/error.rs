//! Numbers of errors, and the last one of each thread.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};

use rtmp_core::Error;

use crate::string::c_string;

/// What functions return: 0 (`RTMPKIT_OK`) or a positive answer, or one of the negative `RTMPKIT_ERR_` numbers. Since 0.1.
pub type rtmpkit_result = i32;

/// Names of the numbers that functions return. Numbers are never reused. Since 0.1.
#[repr(C)]
pub enum rtmpkit_results {
    /// Done.
    RTMPKIT_OK = 0,
    /// An argument has a value that the function does not take; NULL where something must be.
    RTMPKIT_ERR_INVALID_ARGUMENT = -1,
    /// The object is in a state in which the call makes no sense.
    RTMPKIT_ERR_WRONG_STATE = -2,
    /// The object was closed, by the host or because its connection ended.
    RTMPKIT_ERR_CLOSED = -3,
    /// A waiting function was called on one of the library's threads.
    RTMPKIT_ERR_WRONG_THREAD = -4,
    /// Nothing of that name exists.
    RTMPKIT_ERR_NOT_FOUND = -5,
    /// The name is taken.
    RTMPKIT_ERR_ALREADY_EXISTS = -6,
    /// A bound is reached: of a queue because the peer or the host does not keep up, of a store because of its settings.
    RTMPKIT_ERR_FULL = -7,
    /// The time limit passed.
    RTMPKIT_ERR_TIMEOUT = -8,
    /// The operating system refused.
    RTMPKIT_ERR_IO = -9,
    /// The peer answered with an error status.
    RTMPKIT_ERR_REJECTED = -10,
    /// The peer broke the protocol.
    RTMPKIT_ERR_PROTOCOL = -11,
    /// A URL could not be read.
    RTMPKIT_ERR_URL = -12,
    /// An AMF value could not be read.
    RTMPKIT_ERR_AMF = -13,
    /// A configuration file, or a key or value of one, is not right.
    RTMPKIT_ERR_CONFIG = -14,
    /// A certificate or key cannot be used, or there is none.
    RTMPKIT_ERR_TLS = -15,
    /// A bug in the library; it was contained. Please report it with the log.
    RTMPKIT_ERR_PANIC = -100,
    /// The handle was made before a `fork` and is dead in the child.
    RTMPKIT_ERR_FORKED = -101,
}

const INVALID_ARGUMENT: i32 = rtmpkit_results::RTMPKIT_ERR_INVALID_ARGUMENT as i32;
const PANIC: i32 = rtmpkit_results::RTMPKIT_ERR_PANIC as i32;
const FORKED: i32 = rtmpkit_results::RTMPKIT_ERR_FORKED as i32;

/// Why an entry point failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: i32,
    text: String,
}

impl Failure {
    /// An argument that cannot be.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self {
            code: INVALID_ARGUMENT,
            text: text.into(),
        }
    }

    /// A handle from before a fork.
    pub(crate) fn forked(kind: &str) -> Self {
        Self {
            code: FORKED,
            text: format!("the {kind} was made before a fork, by the parent"),
        }
    }

    /// A panic.
    pub(crate) fn panicked(text: String) -> Self {
        Self {
            code: PANIC,
            text: format!("a bug in rtmpkit: {text}"),
        }
    }

    /// Its number.
    pub(crate) fn code(&self) -> i32 {
        self.code
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.code(),
            text: error.to_string(),
        }
    }
}

/// The error with the name of the entry point that waited, in place of the core's function.
pub(crate) fn waited_in(function: &'static str) -> impl FnOnce(Error) -> Error {
    move |error| match error {
        Error::WrongThread(_) => Error::WrongThread(function),
        Error::Timeout(_) => Error::Timeout(function),
        other => other,
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::new(CString::default());
}

/// Keeps a failure's text for `rtmpkit_last_error`.
pub(crate) fn remember(failure: &Failure) {
    // A thread that is ending has no place for it any more.
    let _ = LAST.try_with(|last| *last.borrow_mut() = c_string(&failure.text));
}

/// What a number means, in a few words. Never NULL; static. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_strerror(result: rtmpkit_result) -> *const c_char {
    text_of(result).as_ptr()
}

/// What went wrong in the last call on this thread that failed, in words for a person: which argument, which state,
/// what the system said. Never NULL; empty if no call failed. Valid until the next call on this thread that fails.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr())
        .unwrap_or(c"".as_ptr())
}

fn text_of(result: i32) -> &'static CStr {
    match result {
        0.. => c"success",
        INVALID_ARGUMENT => c"invalid argument",
        -2 => c"wrong state",
        -3 => c"closed",
        -4 => c"waits, and was called on a thread of the library",
        -5 => c"not found",
        -6 => c"already exists",
        -7 => c"full: try again when there is room",
        -8 => c"timed out",
        -9 => c"refused by the operating system",
        -10 => c"refused by the peer",
        -11 => c"the peer broke the protocol",
        -12 => c"not a usable URL",
        -13 => c"not readable as AMF",
        -14 => c"not right in a configuration file",
        -15 => c"not usable as a certificate or key",
        PANIC => c"bug in rtmpkit",
        FORKED => c"made before a fork",
        _ => c"unknown error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtmp_core::{Code, Status};
    use std::io;

    #[test]
    fn functions_that_wait_have_their_own_names() {
        let error = waited_in("rtmpkit_queue_dispatch")(Error::WrongThread("other"));
        assert!(
            error.to_string().starts_with("rtmpkit_queue_dispatch waits"),
            "{error}"
        );
        let closed = waited_in("rtmpkit_queue_dispatch")(Error::Closed("engine"));
        assert_eq!(closed.to_string(), "engine is closed");
    }

    #[test]
    fn numbers_are_those_of_the_core() {
        let url = rtmp_core::RtmpUrl::parse("nonsense").unwrap_err();
        let rejected = Box::new(Status::new(Code::ConnectRejected));
        let cases = [
            (
                Error::InvalidArgument(String::new()),
                rtmpkit_results::RTMPKIT_ERR_INVALID_ARGUMENT,
            ),
            (
                Error::WrongState(String::new()),
                rtmpkit_results::RTMPKIT_ERR_WRONG_STATE,
            ),
            (Error::Closed("x"), rtmpkit_results::RTMPKIT_ERR_CLOSED),
            (Error::WrongThread("x"), rtmpkit_results::RTMPKIT_ERR_WRONG_THREAD),
            (
                Error::NotFound(String::new()),
                rtmpkit_results::RTMPKIT_ERR_NOT_FOUND,
            ),
            (
                Error::AlreadyExists(String::new()),
                rtmpkit_results::RTMPKIT_ERR_ALREADY_EXISTS,
            ),
            (Error::Full("x"), rtmpkit_results::RTMPKIT_ERR_FULL),
            (Error::Timeout("x"), rtmpkit_results::RTMPKIT_ERR_TIMEOUT),
            (
                Error::io("x", io::ErrorKind::Other.into()),
                rtmpkit_results::RTMPKIT_ERR_IO,
            ),
            (Error::Rejected(rejected), rtmpkit_results::RTMPKIT_ERR_REJECTED),
            (Error::Url(url), rtmpkit_results::RTMPKIT_ERR_URL),
            (
                Error::Tls(rtmp_core::TlsError::NoIdentity),
                rtmpkit_results::RTMPKIT_ERR_TLS,
            ),
        ];
        for (error, name) in cases {
            let number = name as i32;
            assert_eq!(error.code(), number, "{error}");
            assert_ne!(text_of(number), c"unknown error");
        }
    }
}
