//! Information objects: what became of a connection, a stream, a call.

use std::ffi::{CString, c_char, c_void};
use std::mem::size_of;
use std::ptr;

use rtmp_core::{Code, Level, Status, Value};

use crate::handle::Lent;
use crate::host::Growing;
use crate::release::UserData;
use crate::string::c_string;
use crate::value::rtmpkit_value;

/// Names of how grave a status is. Since 0.1.
#[repr(C)]
pub enum rtmpkit_levels {
    /// Something happened as asked.
    RTMPKIT_LEVEL_STATUS = 0,
    /// Something works worse than asked.
    RTMPKIT_LEVEL_WARNING = 1,
    /// Something failed.
    RTMPKIT_LEVEL_ERROR = 2,
}

/// A status as it is on the wire. It belongs to the library and is valid until the callback returns. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_status {
    /// Size of this struct in the library that runs.
    pub struct_size: usize,
    /// One of `rtmpkit_levels`.
    pub level: i32,
    /// The number for it among `rtmpkit_results`: `RTMPKIT_ERR_REJECTED` or `RTMPKIT_ERR_CLOSED` for errors, else 0.
    pub result: i32,
    /// The code, for example `NetStream.Publish.BadName`. Never NULL.
    pub code: *const c_char,
    /// Text for a person. Never NULL.
    pub description: *const c_char,
    /// The other members: an object. Never NULL.
    pub info: *const rtmpkit_value,
}

// SAFETY: `repr(C)`, `struct_size` first, integers and raw pointers.
unsafe impl Growing for rtmpkit_status {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            level: 0,
            result: 0,
            code: ptr::null(),
            description: ptr::null(),
            info: ptr::null(),
        }
    }
}

/// Takes the answer to a call: exactly one of `result` and `error` is not NULL, and both belong to the library. It is
/// called once per call that was taken, also when no answer comes. Since 0.1.
pub type rtmpkit_reply_fn = Option<
    unsafe extern "C" fn(user_data: *mut c_void, result: *const rtmpkit_value, error: *const rtmpkit_status),
>;

/// A status lent to a callback.
pub(crate) struct LentStatus {
    status: rtmpkit_status,
    _texts: [CString; 2],
    _info: Lent<rtmpkit_value>,
}

impl LentStatus {
    pub(crate) fn new(status: &Status) -> Self {
        let texts = [c_string(&status.code), c_string(&status.description)];
        let info = rtmpkit_value::lend(&Value::Object(status.info.clone()));
        let result = match status.level {
            Level::Error if status.is(Code::ConnectClosed) => -3,
            Level::Error => -10,
            _ => 0,
        };
        let level = match status.level {
            Level::Status => rtmpkit_levels::RTMPKIT_LEVEL_STATUS,
            Level::Warning => rtmpkit_levels::RTMPKIT_LEVEL_WARNING,
            Level::Error => rtmpkit_levels::RTMPKIT_LEVEL_ERROR,
        };
        let status = rtmpkit_status {
            struct_size: size_of::<rtmpkit_status>(),
            level: level as i32,
            result,
            code: texts[0].as_ptr(),
            description: texts[1].as_ptr(),
            info: info.as_ptr(),
        };
        Self {
            status,
            _texts: texts,
            _info: info,
        }
    }

    pub(crate) fn as_ptr(&self) -> *const rtmpkit_status {
        &raw const self.status
    }
}

/// The host's reply function for one call. It is called with the answer when this is dropped, so that none is lost.
pub(crate) struct ReplyTo {
    function: rtmpkit_reply_fn,
    user_data: UserData,
    answer: Result<Value, Status>,
}

impl ReplyTo {
    /// Until it is answered, the answer is that none will come.
    pub(crate) fn new(function: rtmpkit_reply_fn, user_data: *mut c_void) -> Self {
        let answer = Err(Status::new(Code::CallFailed).with_description("The connection is closed."));
        Self {
            function,
            user_data: UserData(user_data),
            answer,
        }
    }

    pub(crate) fn set(&mut self, answer: Result<Value, Status>) {
        self.answer = answer;
    }

    /// The call was not taken: the host is not told.
    pub(crate) fn forget(mut self) {
        self.function = None;
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        let function = self.function.take();
        match &self.answer {
            Ok(value) => {
                let value = rtmpkit_value::lend(value);
                call_host!(function, self.user_data.0, value.as_ptr(), ptr::null());
            }
            Err(status) => {
                let status = LentStatus::new(status);
                call_host!(function, self.user_data.0, ptr::null(), status.as_ptr());
            }
        }
    }
}
