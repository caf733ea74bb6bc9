//! What a peer asks for and the host decides.

use std::ffi::{CString, c_char};
use std::ptr;

use parking_lot::Mutex;
use rtmp_core::{
    CallRequest, Code, ConnectRequest, Error, Level, Object, PlayRequest, PlayStart, PublishMode,
    PublishOptions, PublishRequest, RecordMode, ServerCall, Status, StreamLengthRequest, Takeover, Value,
};

use crate::client::rtmpkit_client;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, Lent, add_ref, unref};
use crate::recording::PublishRecord;
use crate::string::c_string;
use crate::value::{LentValues, rtmpkit_value};

/// Names of what a request is for. Since 0.1.
#[repr(C)]
pub enum rtmpkit_request_kinds {
    /// A client asks to connect.
    RTMPKIT_REQUEST_CONNECT = 1,
    /// A client asks to publish.
    RTMPKIT_REQUEST_PUBLISH = 2,
    /// A client asks to play.
    RTMPKIT_REQUEST_PLAY = 3,
    /// A peer calls a method.
    RTMPKIT_REQUEST_CALL = 4,
    /// A client asks how long a stream is.
    RTMPKIT_REQUEST_STREAM_LENGTH = 5,
}

/// Names of ways to publish. Since 0.1.
#[repr(C)]
pub enum rtmpkit_publish_modes {
    /// Not stored.
    RTMPKIT_PUBLISH_LIVE = 0,
    /// Stored, replacing what there was.
    RTMPKIT_PUBLISH_RECORD = 1,
    /// Stored at the end of what there is.
    RTMPKIT_PUBLISH_APPEND = 2,
    /// As append, keeping the time gap.
    RTMPKIT_PUBLISH_APPEND_WITH_GAP = 3,
}

/// A decision that the host has to make. It may be made in the callback; or add a reference, return, and answer later
/// from any thread. A request let go unanswered is refused, one kept too long times out; how long a call by the server of
/// an outgoing connection may be kept is that server's to say. Since 0.1.
pub struct rtmpkit_request {
    ask: Ask,
    client: Option<Lent<rtmpkit_client>>,
    name: CString,
    query: CString,
    /// Who a client that connects says it is.
    user: CString,
    args: LentValues,
    options: Mutex<Options>,
}

/// What the host set for its acceptance.
#[derive(Clone, Default)]
struct Options {
    takeover: Option<bool>,
    hold_ms: Option<u32>,
    record: PublishRecord,
}

enum Ask {
    Connect(ConnectRequest),
    Publish(PublishRequest),
    Play(PlayRequest),
    Call(CallRequest),
    Length(StreamLengthRequest),
    /// A call by the server of an outgoing connection.
    Peer(ServerCall),
}

impl Castable for rtmpkit_request {
    const NAME: &'static str = "request";
    const TAG: u32 = 0x5245_5131;
}

impl rtmpkit_request {
    pub(crate) fn connect(request: ConnectRequest, client: Lent<rtmpkit_client>) -> Self {
        let app = request.app();
        let name = c_string(app.split_once('?').map_or(app, |(name, _)| name));
        let (query, args) = (c_string(request.query()), LentValues::new(request.args()));
        Self {
            client: Some(client),
            name,
            query,
            user: request
                .login()
                .map_or_else(CString::default, |login| c_string(&login.user)),
            args,
            ask: Ask::Connect(request),
            options: Mutex::default(),
        }
    }

    pub(crate) fn publish(request: PublishRequest, client: Lent<rtmpkit_client>) -> Self {
        let (name, query) = (c_string(request.stream_name()), c_string(request.query()));
        Self {
            client: Some(client),
            name,
            query,
            user: CString::default(),
            args: LentValues::new(&[]),
            ask: Ask::Publish(request),
            options: Mutex::default(),
        }
    }

    pub(crate) fn play(request: PlayRequest, client: Lent<rtmpkit_client>) -> Self {
        let (name, query) = (c_string(request.stream_name()), c_string(request.query()));
        Self {
            client: Some(client),
            name,
            query,
            user: CString::default(),
            args: LentValues::new(&[]),
            ask: Ask::Play(request),
            options: Mutex::default(),
        }
    }

    pub(crate) fn call(request: CallRequest, client: Lent<rtmpkit_client>) -> Self {
        let (name, args) = (c_string(request.method()), LentValues::new(request.args()));
        Self {
            client: Some(client),
            name,
            query: CString::default(),
            user: CString::default(),
            args,
            ask: Ask::Call(request),
            options: Mutex::default(),
        }
    }

    pub(crate) fn stream_length(request: StreamLengthRequest, client: Lent<rtmpkit_client>) -> Self {
        let (name, query) = (c_string(request.stream_name()), c_string(request.query()));
        Self {
            client: Some(client),
            name,
            query,
            user: CString::default(),
            args: LentValues::new(&[]),
            ask: Ask::Length(request),
            options: Mutex::default(),
        }
    }

    pub(crate) fn peer(call: ServerCall) -> Self {
        let (name, args) = (c_string(call.method()), LentValues::new(call.args()));
        Self {
            client: None,
            name,
            query: CString::default(),
            user: CString::default(),
            args,
            ask: Ask::Peer(call),
            options: Mutex::default(),
        }
    }

    /// The connect that it is for.
    pub(crate) fn connect_request(&self) -> Result<&ConnectRequest, Failure> {
        match &self.ask {
            Ask::Connect(request) => Ok(request),
            _ => Err(wrong_kind("connect")),
        }
    }

    pub(crate) fn user(&self) -> *const c_char {
        self.user.as_ptr()
    }

    fn accept(&self, result: Option<Value>) -> Result<bool, Failure> {
        Ok(match &self.ask {
            Ask::Connect(request) => match result {
                None => request.accept(),
                Some(info) => {
                    let info = info.as_object().cloned();
                    let info =
                        info.ok_or_else(|| Failure::invalid("the result of a connect is an object or NULL"))?;
                    request.accept_with(Object::new(), info)
                }
            },
            Ask::Publish(request) => match result {
                None => self.accept_publish(request),
                Some(_) => return Err(Failure::invalid("a publish has no result: pass NULL")),
            },
            Ask::Play(request) => match &result {
                None => request.accept(),
                Some(Value::String(name)) => request.accept_as(name),
                Some(_) => {
                    return Err(Failure::invalid(
                        "the result of a play is the name of a stream or NULL",
                    ));
                }
            },
            Ask::Call(request) => request.accept(result.unwrap_or(Value::Null)),
            Ask::Length(request) => match result.map_or(Some(0.0), |result| result.as_f64()) {
                Some(seconds) => request.accept(seconds),
                None => return Err(Failure::invalid("the result is the stream's length in seconds")),
            },
            Ask::Peer(call) => call.accept(result.unwrap_or(Value::Null)),
        })
    }

    fn accept_publish(&self, request: &PublishRequest) -> bool {
        let Options {
            takeover,
            hold_ms,
            record,
        } = self.options.lock().clone();
        let is_set = takeover.is_some() || hold_ms.is_some();
        request.accept_as(PublishOptions {
            takeover: is_set.then(|| Takeover {
                replace: takeover.unwrap_or_default(),
                hold_ms: hold_ms.unwrap_or_default(),
            }),
            record: record.choice(RecordMode::of(request.mode())),
        })
    }

    fn reject(&self, status: Status) -> bool {
        match &self.ask {
            Ask::Connect(request) => request.reject_with(status),
            Ask::Publish(request) => request.reject_with(status.with("details", request.stream_name())),
            Ask::Play(request) => request.reject_with(status.with("details", request.stream_name())),
            Ask::Call(request) => request.reject_with(status),
            Ask::Length(request) => request.reject_with(status),
            Ask::Peer(call) => call.reject_with(status),
        }
    }

    fn default_code(&self) -> Code {
        match &self.ask {
            Ask::Connect(_) => Code::ConnectRejected,
            Ask::Publish(_) => Code::PublishBadName,
            Ask::Play(_) => Code::PlayFailed,
            Ask::Call(_) | Ask::Length(_) | Ask::Peer(_) => Code::CallFailed,
        }
    }
}

/// What the request is for, one of `rtmpkit_request_kinds`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_kind(request: *mut rtmpkit_request) -> i32 {
    entry!(|host| {
        let kind = match &host.handle(request)?.ask {
            Ask::Connect(_) => rtmpkit_request_kinds::RTMPKIT_REQUEST_CONNECT,
            Ask::Publish(_) => rtmpkit_request_kinds::RTMPKIT_REQUEST_PUBLISH,
            Ask::Play(_) => rtmpkit_request_kinds::RTMPKIT_REQUEST_PLAY,
            Ask::Call(_) | Ask::Peer(_) => rtmpkit_request_kinds::RTMPKIT_REQUEST_CALL,
            Ask::Length(_) => rtmpkit_request_kinds::RTMPKIT_REQUEST_STREAM_LENGTH,
        };
        Ok(kind as i32)
    })
}

/// What is asked for, without query: the application with its instance, the stream, or the method. Ownership: the
/// request's. Errors: NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_name(request: *mut rtmpkit_request) -> *const c_char {
    entry!(|host| Ok(host.handle(request)?.name.as_ptr()))
}

/// What follows the name after a question mark, where keys and tokens are; "" if nothing does. Ownership: the request's.
/// Errors: NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_query(request: *mut rtmpkit_request) -> *const c_char {
    entry!(|host| Ok(host.handle(request)?.query.as_ptr()))
}

/// The arguments of a connect or a call: `*args` points to `*count` values. Ownership: the request's. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_args(
    request: *mut rtmpkit_request,
    args: *mut *const *const rtmpkit_value,
    count: *mut usize,
) -> rtmpkit_result {
    entry!(|host| {
        let request = host.handle(request)?;
        host.want(args, "args")?;
        host.put(count, request.args.len(), "count")?;
        host.put(args, request.args.as_ptr(), "args")?;
        Ok(0)
    })
}

/// Who asks; NULL for a call by the server of an outgoing connection. Ownership: the request's. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_client(request: *mut rtmpkit_request) -> *mut rtmpkit_client {
    entry!(|host| Ok(host
        .handle(request)?
        .client
        .as_ref()
        .map_or(ptr::null_mut(), Lent::as_ptr)))
}

/// How a client wants to publish, one of `rtmpkit_publish_modes`. Errors: `RTMPKIT_ERR_WRONG_STATE` if the request is
/// for something else. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_mode(request: *mut rtmpkit_request) -> i32 {
    entry!(|host| {
        let request = host.handle(request)?;
        let Ask::Publish(publish) = &request.ask else {
            return Err(wrong_kind("publish"));
        };
        Ok(match publish.mode() {
            PublishMode::Live => rtmpkit_publish_modes::RTMPKIT_PUBLISH_LIVE,
            PublishMode::Record => rtmpkit_publish_modes::RTMPKIT_PUBLISH_RECORD,
            PublishMode::Append => rtmpkit_publish_modes::RTMPKIT_PUBLISH_APPEND,
            PublishMode::AppendWithGap => rtmpkit_publish_modes::RTMPKIT_PUBLISH_APPEND_WITH_GAP,
        } as i32)
    })
}

/// What a client wants to play: `*start_ms` is -2 for live or recorded, -1 for live, otherwise a place in the recorded
/// stream; `*duration_ms` is negative for all; `*reset` says whether its play list is cleared first. Any may be NULL.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` if the request is for something else. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_range(
    request: *mut rtmpkit_request,
    start_ms: *mut i64,
    duration_ms: *mut i64,
    reset: *mut bool,
) -> rtmpkit_result {
    entry!(|host| {
        let request = host.handle(request)?;
        let Ask::Play(play) = &request.ask else {
            return Err(wrong_kind("play"));
        };
        let start = match play.start() {
            PlayStart::Any => -2,
            PlayStart::Live => -1,
            PlayStart::Recorded(millis) => i64::try_from(millis).unwrap_or(i64::MAX),
        };
        let duration = play
            .duration()
            .map_or(-1, |millis| i64::try_from(millis).unwrap_or(i64::MAX));
        host.put_optional(start_ms, start)?;
        host.put_optional(duration_ms, duration)?;
        host.put_optional(reset, play.reset())?;
        Ok(0)
    })
}

/// Sets an option of a publish before it is accepted, in place of the application's policy: `takeover` to `refuse` or
/// `replace`, `hold_ms` to a number of milliseconds; the one that is not set is `refuse` or 0. In place of what the client
/// asked for: `record` to `no`, `record`, `append` or `appendWithGap`; and for its recording, if there is one, `record_name`,
/// `record_max_duration_ms` and `record_max_bytes`, as in `rtmpkit_record_options`.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` if the request is for something else, `RTMPKIT_ERR_INVALID_ARGUMENT` for another
/// option or value. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_set_option(
    request: *mut rtmpkit_request,
    key: *const c_char,
    value: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let request = host.handle(request)?;
        let (key, value) = (host.text(key, "key")?, host.text(value, "value")?);
        let Ask::Publish(_) = &request.ask else {
            return Err(wrong_kind("publish"));
        };
        let mut options = request.options.lock();
        let unknown = || Failure::invalid(format!("option {key:?} has no value {value:?}"));
        match (key, value) {
            ("takeover", "refuse") => options.takeover = Some(false),
            ("takeover", "replace") => options.takeover = Some(true),
            ("hold_ms", value) => options.hold_ms = Some(value.parse().map_err(|_| unknown())?),
            (key, value) => options.record.set(key, value).ok_or_else(unknown)?,
        }
        Ok(0)
    })
}

/// Accepts. `result` may be NULL; otherwise it is for a connect an object whose members are added to the information
/// object, for a play the name of the stream to play instead, for a call what it returns (NULL returns null), for
/// a stream's length a number of seconds.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` if the request was answered before or timed out. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_accept(
    request: *mut rtmpkit_request,
    result: *const rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        let request = host.handle(request)?;
        let result = host.optional_handle(result)?.map(|value| value.to_value());
        first(request.accept(result)?)
    })
}

/// Refuses. `code` is the status code to send, NULL for the customary one; `text` its description, NULL for the code's;
/// `info` an object whose members are added, or NULL.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` if the request was answered before or timed out. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_reject(
    request: *mut rtmpkit_request,
    code: *const c_char,
    text: *const c_char,
    info: *const rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        let request = host.handle(request)?;
        let mut status = match host.optional_text(code, "code")? {
            Some(code) => Status::custom(Level::Error, code, ""),
            None => Status::new(request.default_code()),
        };
        if let Some(text) = host.optional_text(text, "text")? {
            status = status.with_description(text);
        }
        if let Some(info) = host.optional_handle(info)? {
            let info = info.to_value();
            let object = info
                .as_object()
                .ok_or_else(|| Failure::invalid("info is no object"))?;
            status
                .info
                .extend(object.iter().map(|(key, value)| (key, value.clone())));
        }
        first(request.reject(status))
    })
}

/// Refuses a connect and tells the client where to connect instead.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` if the request was answered before or is no connect. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_redirect(
    request: *mut rtmpkit_request,
    url: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let (request, url) = (host.handle(request)?, host.text(url, "url")?);
        first(request.connect_request()?.redirect(url, "Connect elsewhere."))
    })
}

/// Whether an answer was given, or is wanted no more: its time is up, or the client is gone. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_is_answered(request: *mut rtmpkit_request) -> bool {
    entry!(|host| {
        Ok(match &host.handle(request)?.ask {
            Ask::Connect(request) => request.is_answered(),
            Ask::Publish(request) => request.is_answered(),
            Ask::Play(request) => request.is_answered(),
            Ask::Call(request) => request.is_answered(),
            Ask::Length(request) => request.is_answered(),
            Ask::Peer(call) => call.is_answered(),
        })
    })
}

/// Adds a reference and returns `request`: keeps it for a later answer. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_ref(request: *mut rtmpkit_request) -> *mut rtmpkit_request {
    entry!(|host| add_ref(&host, request))
}

/// Gives a reference back; the last one of an unanswered request refuses it. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_unref(request: *mut rtmpkit_request) {
    entry!(|host| unref(&host, request));
}

pub(crate) fn first(first: bool) -> Result<i32, Failure> {
    match first {
        true => Ok(0),
        false => {
            Err(Error::WrongState("the request was answered before, or its time ran out".to_owned()).into())
        }
    }
}

fn wrong_kind(wanted: &str) -> Failure {
    Error::WrongState(format!("the request is no {wanted}")).into()
}
