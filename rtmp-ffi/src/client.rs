//! Clients of a server.

use std::ffi::{CString, c_char, c_void};
use std::ptr;
use std::sync::OnceLock;

use rtmp_core::{Client, Code, Error, Level, Status, Value};

use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, Lent, add_ref, give, unref};
use crate::host::{Growing, Host};
use crate::instance::rtmpkit_instance;
use crate::release::Home;
use crate::server::rtmpkit_traffic;
use crate::status::rtmpkit_reply_fn;
use crate::string::c_string;
use crate::value::rtmpkit_value;

/// A client connected, or connecting, to an application instance. Dropping the handle never disconnects it. Since 0.1.
pub struct rtmpkit_client {
    pub(crate) client: Client,
    pub(crate) home: Home,
    texts: OnceLock<Texts>,
}

struct Texts {
    address: CString,
    uri: CString,
    app: CString,
    agent: CString,
    page_url: CString,
    referrer: CString,
    protocol: CString,
    connect_object: Lent<rtmpkit_value>,
}

impl Castable for rtmpkit_client {
    const NAME: &'static str = "client";
    const TAG: u32 = 0x434c_4931;
}

impl rtmpkit_client {
    pub(crate) fn new(client: Client, home: Home) -> Self {
        Self {
            client,
            home,
            texts: OnceLock::new(),
        }
    }

    fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| {
            let client = &self.client;
            Texts {
                address: c_string(&client.address().to_string()),
                uri: c_string(client.uri()),
                app: c_string(client.app()),
                agent: c_string(client.agent()),
                page_url: c_string(client.page_url()),
                referrer: c_string(client.referrer()),
                protocol: c_string(client.protocol()),
                connect_object: rtmpkit_value::lend(&Value::Object(client.connect_object().clone())),
            }
        })
    }
}

/// Who a client is; `rtmpkit_client_details_init` sets the size. The texts belong to the client's handle and are never
/// NULL. What the client says of itself is not to be trusted. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_client_details {
    /// Set by `rtmpkit_client_details_init`.
    pub struct_size: usize,
    /// Number of the client, unique in the process.
    pub id: u64,
    /// Address and port that it connects from.
    pub address: *const c_char,
    /// The URI that it asked to connect to (`tcUrl`).
    pub uri: *const c_char,
    /// The application as it named it, with instance and query.
    pub app: *const c_char,
    /// Program and platform that it announces (`flashVer`).
    pub agent: *const c_char,
    /// The page that embeds it (`pageUrl`).
    pub page_url: *const c_char,
    /// Where the connection came from (`swfUrl`).
    pub referrer: *const c_char,
    /// The transport: `rtmp`, `rtmps` over TLS, `rtmpt` in HTTP requests, `rtmpts` in those over TLS, `rtmpe` and `rtmpte` with
    /// RTMP's own encryption.
    pub protocol: *const c_char,
    /// Everything that it said in its connect command: an object, lent by the handle.
    pub connect_object: *const rtmpkit_value,
    /// 1 if the connection is encrypted by TLS.
    pub secure: i32,
    /// 1 while the connection lives.
    pub connected: i32,
}

// SAFETY: `repr(C)`, `struct_size` first, integers and raw pointers.
unsafe impl Growing for rtmpkit_client_details {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            id: 0,
            address: ptr::null(),
            uri: ptr::null(),
            app: ptr::null(),
            agent: ptr::null(),
            page_url: ptr::null(),
            referrer: ptr::null(),
            protocol: ptr::null(),
            connect_object: ptr::null(),
            secure: 0,
            connected: 0,
        }
    }
}

/// What a connection counts; of an outgoing one the traffic alone. `rtmpkit_client_counters_init` sets the size. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_client_counters {
    /// Set by `rtmpkit_client_counters_init`.
    pub struct_size: usize,
    /// Bytes and messages so far.
    pub traffic: rtmpkit_traffic,
    /// Audio messages that the client did not get, because it was too slow.
    pub dropped_audio_messages: u64,
    /// Bytes of their bodies.
    pub dropped_audio_bytes: u64,
    /// Video messages that the client did not get.
    pub dropped_video_messages: u64,
    /// Bytes of their bodies.
    pub dropped_video_bytes: u64,
    /// Data messages of streams that the client did not get.
    pub dropped_data_messages: u64,
    /// Bytes of their bodies.
    pub dropped_data_bytes: u64,
    /// Bytes that wait to be sent to it.
    pub queued_bytes: u64,
    /// Milliseconds of the last round trip; -1 before the first.
    pub ping_rtt_ms: i64,
    /// Bytes per second from it, since these were last read (at least a second ago), or since it connected.
    pub bytes_per_s_in: f64,
    /// Bytes per second to it.
    pub bytes_per_s_out: f64,
}

impl rtmpkit_client_counters {
    /// Those of an outgoing connection.
    pub(crate) fn of_traffic(traffic: rtmpkit_traffic) -> Self {
        Self {
            traffic,
            ..Self::defaults()
        }
    }
}

// SAFETY: `repr(C)`, `struct_size` first, integers.
unsafe impl Growing for rtmpkit_client_counters {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            traffic: rtmpkit_traffic::default(),
            dropped_audio_messages: 0,
            dropped_audio_bytes: 0,
            dropped_video_messages: 0,
            dropped_video_bytes: 0,
            dropped_data_messages: 0,
            dropped_data_bytes: 0,
            queued_bytes: 0,
            ping_rtt_ms: -1,
            bytes_per_s_in: 0.0,
            bytes_per_s_out: 0.0,
        }
    }
}

/// Sets the size. Pass `sizeof *details`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_details_init(
    details: *mut rtmpkit_client_details,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(details, struct_size))
}

/// Sets the size. Pass `sizeof *counters`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_counters_init(
    counters: *mut rtmpkit_client_counters,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(counters, struct_size))
}

/// Number of the client, unique in the process; 0 for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_id(client: *mut rtmpkit_client) -> u64 {
    entry!(|host| Ok(host.handle(client)?.client.id()))
}

/// The instance that the client asked for. Ownership: one reference in `*out`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_instance(
    client: *mut rtmpkit_client,
    out: *mut *mut rtmpkit_instance,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let client = host.handle(client)?;
        let instance = rtmpkit_instance::new(client.client.instance().clone(), client.home.clone());
        host.put(out, give(instance), "out")?;
        Ok(0)
    })
}

/// Reads who the client is; works after it has gone, too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_info(
    client: *mut rtmpkit_client,
    details: *mut rtmpkit_client_details,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(client)?;
        let texts = handle.texts();
        let value = rtmpkit_client_details {
            struct_size: 0,
            id: handle.client.id(),
            address: texts.address.as_ptr(),
            uri: texts.uri.as_ptr(),
            app: texts.app.as_ptr(),
            agent: texts.agent.as_ptr(),
            page_url: texts.page_url.as_ptr(),
            referrer: texts.referrer.as_ptr(),
            protocol: texts.protocol.as_ptr(),
            connect_object: texts.connect_object.as_ptr(),
            secure: handle.client.is_secure().into(),
            connected: handle.client.is_connected().into(),
        };
        host.fill(details, value, "details")
    })
}

/// Reads counters. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_stats(
    client: *mut rtmpkit_client,
    counters: *mut rtmpkit_client_counters,
) -> rtmpkit_result {
    entry!(|host| {
        let stats = host.handle(client)?.client.client_stats();
        let rtt = stats
            .ping_rtt_ms
            .map_or(-1, |millis| i64::try_from(millis).unwrap_or(i64::MAX));
        let value = rtmpkit_client_counters {
            struct_size: 0,
            traffic: stats.traffic.into(),
            dropped_audio_messages: stats.dropped_audio.messages,
            dropped_audio_bytes: stats.dropped_audio.bytes,
            dropped_video_messages: stats.dropped_video.messages,
            dropped_video_bytes: stats.dropped_video.bytes,
            dropped_data_messages: stats.dropped_data.messages,
            dropped_data_bytes: stats.dropped_data.bytes,
            queued_bytes: stats.queued_bytes,
            ping_rtt_ms: rtt,
            bytes_per_s_in: stats.bytes_per_s_in,
            bytes_per_s_out: stats.bytes_per_s_out,
        };
        host.fill(counters, value, "counters")
    })
}

/// Calls a method of the client. `reply` takes the answer, where the application's callbacks run; NULL asks for none. A client
/// for whom too much waits (64 MiB; 8 MiB or 1,024 calls and statuses before it is accepted) is disconnected, and `reply` takes
/// the error at once.
/// Errors: `RTMPKIT_ERR_CLOSED` if the client is gone, `RTMPKIT_ERR_INVALID_ARGUMENT`; `reply` is then not called.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_call(
    client: *mut rtmpkit_client,
    method: *const c_char,
    args: *const *const rtmpkit_value,
    count: usize,
    reply: rtmpkit_reply_fn,
    user_data: *mut c_void,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, method) = (connected(&host, client)?, host.text(method, "method")?);
        let args = host.values(args, count)?;
        if reply.is_none() {
            handle.client.call(method, args);
        } else {
            let (_question, reply) = handle.home.ask(reply, user_data);
            handle.client.call_with_reply(method, args, reply);
        }
        Ok(0)
    })
}

/// Measures the round trip to the client: `reply` takes a number of milliseconds.
/// Errors: as `rtmpkit_client_call`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_ping(
    client: *mut rtmpkit_client,
    reply: rtmpkit_reply_fn,
    user_data: *mut c_void,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = connected(&host, client)?;
        let (_question, reply) = handle.home.ask(reply, user_data);
        handle.client.ping(reply);
        Ok(0)
    })
}

/// Asks the client to connect elsewhere, or anew to the same place if `url` is NULL; `url` may be relative to what it
/// connected to, `text` may be NULL. Go on serving it until it leaves.
/// Errors: `RTMPKIT_ERR_CLOSED` if it is gone; `RTMPKIT_ERR_WRONG_STATE` if it did not announce that it can: it stays.
/// Since 0.1. Spec: E-RTMP v2 "Reconnect Request".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_request_reconnect(
    client: *mut rtmpkit_client,
    url: *const c_char,
    text: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = connected(&host, client)?;
        let url = host.optional_text(url, "url")?;
        let text = host.optional_text(text, "text")?.unwrap_or("");
        match handle.client.request_reconnect(url, text) {
            true => Ok(0),
            false => Err(Error::WrongState("the client cannot reconnect on request".to_owned()).into()),
        }
    })
}

/// Disconnects the client, after sending it a status with this code (for example
/// `NetConnection.Connect.Rejected`) and text; NULL for both sends nothing. `on_disconnect`
/// follows. A client that is gone already is no error. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_close(
    client: *mut rtmpkit_client,
    code: *const c_char,
    text: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(client)?;
        let (code, text) = (
            host.optional_text(code, "code")?,
            host.optional_text(text, "text")?,
        );
        let status = match (code, text) {
            (None, None) => None,
            (code, text) => {
                let code = code.unwrap_or(Code::ConnectClosed.as_str());
                Some(Status::custom(Level::Error, code, text.unwrap_or("")))
            }
        };
        handle.client.close(status);
        Ok(0)
    })
}

/// Adds a reference and returns `client`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_ref(client: *mut rtmpkit_client) -> *mut rtmpkit_client {
    entry!(|host| add_ref(&host, client))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_unref(client: *mut rtmpkit_client) {
    entry!(|host| unref(&host, client));
}

/// The handle of a client that is still here.
pub(crate) fn connected(
    host: &Host,
    client: *mut rtmpkit_client,
) -> Result<std::sync::Arc<crate::handle::Handle<rtmpkit_client>>, Failure> {
    let handle = host.handle(client.cast_const())?;
    match handle.client.is_connected() {
        true => Ok(handle),
        false => Err(Error::Closed("client").into()),
    }
}
