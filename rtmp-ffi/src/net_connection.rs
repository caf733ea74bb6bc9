//! Connections to other servers.

use std::ffi::{CString, c_char, c_void};
use std::ptr;
use std::sync::Arc;

use parking_lot::Mutex;
use rtmp_core::session::{ClientSessionConfig, Swf};
use rtmp_core::{
    Credentials, NetConnection, NetConnectionConfig, NetConnectionHandler, Reconnect, ServerCall, Status,
    TlsTrust,
};

use crate::client::rtmpkit_client_counters;
use crate::engine::rtmpkit_engine;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, Lent, add_ref, give, unref};
use crate::host::{Growing, Host};
use crate::queue::rtmpkit_queue;
use crate::release::{Home, Release, UserData, rtmpkit_release_fn};
use crate::request::rtmpkit_request;
use crate::server::tolerance;
use crate::status::{LentStatus, rtmpkit_reply_fn, rtmpkit_status};
use crate::string::c_string;
use crate::value::rtmpkit_value;

/// A connection to another RTMP server. Since 0.1.
pub struct rtmpkit_net_connection {
    pub(crate) connection: NetConnection,
    pub(crate) home: Home,
    uri: Mutex<Uris>,
}

/// The URIs that were handed out: their texts stay valid as long as the handle.
#[derive(Default)]
struct Uris(Vec<CString>);

impl Castable for rtmpkit_net_connection {
    const NAME: &'static str = "net_connection";
    const TAG: u32 = 0x4e43_4f31;
}

impl rtmpkit_net_connection {
    fn new(connection: NetConnection, home: Home) -> Self {
        Self {
            connection,
            home,
            uri: Mutex::default(),
        }
    }
}

/// Settings of a connection; `rtmpkit_net_connection_config_init` fills in the defaults. Texts are copied. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_net_connection_config {
    /// Set by `rtmpkit_net_connection_config_init`.
    pub struct_size: usize,
    /// Where callbacks run, those of the connection's streams included. NULL, the default: on the library's threads.
    pub queue: *mut rtmpkit_queue,
    /// Program and platform to announce (`flashVer`). NULL, the default: rtmpkit's.
    pub agent: *const c_char,
    /// `swfUrl` to announce. NULL, the default: none.
    pub referrer: *const c_char,
    /// `pageUrl` to announce. NULL, the default: none.
    pub page_url: *const c_char,
    /// Milliseconds for the handshake, and again for connect, at least 1. Default: 10,000.
    pub connect_timeout_ms: u32,
    /// Chunk size of what is sent, 1 to 0x7FFFFFFF, which means no more than 16,777,215. Default: 4,096.
    pub chunk_size: u32,
    /// 1 ends the connection at the first harmless violation of the specifications by the server. Default: 0.
    pub strict: i32,
    /// How many of the server's requests to reconnect are followed in a row, and of refusals that say where to connect instead
    /// (`ex.redirect` of `NetConnection.Connect.Rejected`), of which the host then hears nothing; 0, the default, only reports them as
    /// `NetConnection.Connect.ReconnectRequest`: see `rtmpkit_net_connection_reconnect_to`. Spec: E-RTMP v2 "Reconnect Request".
    pub reconnect_max_hops: u32,
    /// 1 follows them to any host, not only to the one connected to. Default: 0.
    pub reconnect_other_hosts: i32,
    /// Who to log in as, when the server asks for it by Adobe's or Limelight's authentication; `user:password@` in a URL comes
    /// before it. NULL, the default: nobody.
    pub user: *const c_char,
    /// Its password. NULL, the default: an empty one.
    pub password: *const c_char,
    /// The encoding of commands to ask for: 0, the default, for AMF0, 3 for AMF3.
    pub object_encoding: i32,
    /// 1 begins with the digest handshake; a server that answers with the simple one is spoken to all the same. Default: 0.
    pub digest_handshake: i32,
    /// An object whose members go into the object of connect, in place of this library's of the same name: `audioCodecs`,
    /// `videoCodecs`, `videoFunction`, `capabilities`, `fpad` and so on. It is copied. NULL, the default: none.
    pub properties: *const rtmpkit_value,
    /// For `rtmps` and `rtmpts`: PEM text of the certificates whose holders may issue a server's. NULL, the default: those that
    /// the system trusts. The name or address in the URL must be one of the certificate's.
    pub tls_authorities: *const c_char,
    /// 1 accepts any certificate of anybody: what is sent is safe from those who only listen, but not from one who answers in
    /// the server's place. Default: 0.
    pub tls_insecure_accept_any: i32,
    /// Who answers a server that verifies SWF files (user control events 26 and 27): the 32 bytes of HMAC-SHA256 of the
    /// decompressed file, under the key "Genuine Adobe Flash Player 001". Begins with the digest handshake. It is copied. NULL, the
    /// default: such servers get no answer.
    pub swf_hash: *const u8,
    /// The decompressed file's length in bytes.
    pub swf_size: u32,
}

// SAFETY: `repr(C)`, `struct_size` first, integers and raw pointers.
unsafe impl Growing for rtmpkit_net_connection_config {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            queue: ptr::null_mut(),
            agent: ptr::null(),
            referrer: ptr::null(),
            page_url: ptr::null(),
            connect_timeout_ms: 10_000,
            chunk_size: 4096,
            strict: 0,
            reconnect_max_hops: 0,
            reconnect_other_hosts: 0,
            user: ptr::null(),
            password: ptr::null(),
            object_encoding: 0,
            digest_handshake: 0,
            properties: ptr::null(),
            tls_authorities: ptr::null(),
            tls_insecure_accept_any: 0,
            swf_hash: ptr::null(),
            swf_size: 0,
        }
    }
}

/// What happens to a connection, one event at a time and in order. NULL members take the default that is named, or do
/// nothing. The handle is lent; a reference to it does not keep the connection open. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_net_connection_events {
    /// Set by `rtmpkit_net_connection_events_init`.
    pub struct_size: usize,
    /// The state changed: `NetConnection.Connect.Success`, `.Rejected`, `.Failed`, and `.Closed` last.
    pub on_status: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            connection: *mut rtmpkit_net_connection,
            status: *const rtmpkit_status,
        ),
    >,
    /// The server calls a method. The request may be kept and answered later, from any thread; if it is let go of
    /// unanswered, and if this is NULL, the call fails with NetConnection.Call.Failed. A method that a policy forbids is
    /// refused with the code `NetConnection.Call.Prohibited`.
    pub on_call: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            connection: *mut rtmpkit_net_connection,
            request: *mut rtmpkit_request,
        ),
    >,
    /// Rule 7: comes after the last unref.
    pub on_release: rtmpkit_release_fn,
}

// SAFETY: `repr(C)`, `struct_size` first, optional function pointers.
unsafe impl Growing for rtmpkit_net_connection_events {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            on_status: None,
            on_call: None,
            on_release: None,
        }
    }
}

/// Fills in the defaults. Pass `sizeof *config`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_config_init(
    config: *mut rtmpkit_net_connection_config,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(config, struct_size))
}

/// Sets all members to NULL. Pass `sizeof *events`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_events_init(
    events: *mut rtmpkit_net_connection_events,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(events, struct_size))
}

/// Makes a connection that is not connected yet. `config` and `events` may be NULL.
/// Ownership: one reference in `*out`; the last unref closes the connection.
/// Errors: `RTMPKIT_ERR_CLOSED` if the engine is, `RTMPKIT_ERR_INVALID_ARGUMENT` for a setting out of its bounds, `properties`
/// that is no object, and both `tls_authorities` and `tls_insecure_accept_any`, `RTMPKIT_ERR_TLS` for `tls_authorities` that are
/// no certificates. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_create(
    engine: *mut rtmpkit_engine,
    config: *const rtmpkit_net_connection_config,
    events: *const rtmpkit_net_connection_events,
    user_data: *mut c_void,
    out: *mut *mut rtmpkit_net_connection,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let engine = host.handle(engine)?;
        let config = host.read_optional(config, "config")?;
        let events = host.read_optional(events, "events")?;
        let home = engine.home(&host, config.queue)?;
        let mut settings = NetConnectionConfig::default();
        settings.dispatch = home.dispatch.clone();
        settings.session = Some(session(&host, &config)?);
        if config.reconnect_max_hops > 0 {
            settings.reconnect = Reconnect::Follow {
                max_hops: config.reconnect_max_hops,
                other_hosts: config.reconnect_other_hosts != 0,
            };
        }
        settings.tls_trust = trust(&host, &config)?;
        let user_data = UserData(user_data);
        let release = Release::new(events.on_release, user_data, home.clone());
        let handler = Arc::new(Handler {
            events,
            user_data,
            home: home.clone(),
            release,
        });
        let connection = NetConnection::new(&engine.engine, settings, Arc::clone(&handler) as _)?;
        handler.release.arm();
        host.put(out, give(rtmpkit_net_connection::new(connection, home)), "out")?;
        Ok(0)
    })
}

/// Connects to `rtmp://[user:password@]host[:port]/app[/instance]`, or `rtmps`, `rtmpt`, `rtmpts`, with `rtmpkit_has_feature("rtmpe")` also
/// `rtmpe` and `rtmpte`, with user arguments; the outcome comes as a status. A stream's name
/// in the URL is left out. `http://` and `https://` lead to a Flash Remoting gateway, which takes calls and nothing else,
/// in the encoding of `object_encoding`; nothing is sent before the first call. After `NetConnection.Connect.Closed` it may connect again.
/// Errors: `RTMPKIT_ERR_URL`, `RTMPKIT_ERR_WRONG_STATE` if it is connecting or connected. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_connect(
    connection: *mut rtmpkit_net_connection,
    url: *const c_char,
    args: *const *const rtmpkit_value,
    count: usize,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(connection)?;
        handle
            .connection
            .connect(host.text(url, "url")?, &host.values(args, count)?)?;
        Ok(0)
    })
}

/// Calls a method of the server. `reply` takes the answer, where the connection's callbacks run; NULL asks for none.
/// A call made while connecting waits.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` if it is neither connecting nor connected, `RTMPKIT_ERR_FULL` when too many commands or
/// bytes wait to be sent; `reply` is then not called. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_call(
    connection: *mut rtmpkit_net_connection,
    method: *const c_char,
    args: *const *const rtmpkit_value,
    count: usize,
    reply: rtmpkit_reply_fn,
    user_data: *mut c_void,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, method) = (host.handle(connection)?, host.text(method, "method")?);
        let args = host.values(args, count)?;
        if reply.is_none() {
            handle.connection.call(method, args, None)?;
            return Ok(0);
        }
        let (question, reply) = handle.home.ask(reply, user_data);
        handle
            .connection
            .call(method, args, Some(reply))
            .inspect_err(|_| question.forget())?;
        Ok(0)
    })
}

/// Adds a header to every request from now on to a Flash Remoting gateway, in place of one of that name; NULL for `value`
/// takes it away. A service that does not know one that it `must_understand` refuses the calls. RTMP has no such headers: it
/// means nothing there. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_add_header(
    connection: *mut rtmpkit_net_connection,
    name: *const c_char,
    must_understand: bool,
    value: *const rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, name) = (host.handle(connection)?, host.text(name, "name")?);
        let value = host.optional_handle(value)?.map(|value| value.to_value());
        handle.connection.add_header(
            name,
            must_understand,
            value.unwrap_or(rtmp_core::Value::Undefined),
        );
        Ok(0)
    })
}

/// Whether the server accepted the connection and it still stands. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_is_connected(
    connection: *mut rtmpkit_net_connection,
) -> bool {
    entry!(|host| Ok(host.handle(connection)?.connection.is_connected()))
}

/// The URI connected to, "" before the first connect. Ownership: the handle's. Errors: NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_uri(
    connection: *mut rtmpkit_net_connection,
) -> *const c_char {
    entry!(|host| {
        let handle = host.handle(connection)?;
        let now = c_string(&handle.connection.uri());
        let mut given = handle.uri.lock();
        if let Some(same) = given.0.iter().find(|uri| **uri == now) {
            return Ok(same.as_ptr());
        }
        let text = now.as_ptr();
        given.0.push(now);
        Ok(text)
    })
}

/// Reads counters. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_stats(
    connection: *mut rtmpkit_net_connection,
    counters: *mut rtmpkit_client_counters,
) -> rtmpkit_result {
    entry!(|host| {
        let traffic = host.handle(connection)?.connection.stats().into();
        host.fill(counters, rtmpkit_client_counters::of_traffic(traffic), "counters")
    })
}

/// Closes the connection and its streams, after sending what is queued; `NetConnection.Connect.Closed` follows. Closing
/// what is not open does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_close(
    connection: *mut rtmpkit_net_connection,
) -> rtmpkit_result {
    entry!(|host| {
        host.handle(connection)?.connection.close();
        Ok(0)
    })
}

/// Adds a reference and returns `connection`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_ref(
    connection: *mut rtmpkit_net_connection,
) -> *mut rtmpkit_net_connection {
    entry!(|host| add_ref(&host, connection))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_unref(connection: *mut rtmpkit_net_connection) {
    entry!(|host| unref(&host, connection));
}

fn session(host: &Host, config: &rtmpkit_net_connection_config) -> Result<ClientSessionConfig, Failure> {
    valid_chunk_size(config.chunk_size)?;
    let mut session = ClientSessionConfig::default();
    if let Some(agent) = host.optional_text(config.agent, "agent")? {
        session.flash_ver = agent.to_owned();
    }
    session.swf_url = host
        .optional_text(config.referrer, "referrer")?
        .map(str::to_owned);
    session.page_url = host
        .optional_text(config.page_url, "page_url")?
        .map(str::to_owned);
    let connect_timeout_ms = host.time(config.connect_timeout_ms, "connect_timeout_ms")?.into();
    session.timeouts.handshake_ms = connect_timeout_ms;
    session.timeouts.connect_ms = connect_timeout_ms;
    session.chunk_size = config.chunk_size;
    session.tolerance = tolerance(config.strict);
    if let Some(user) = host.optional_text(config.user, "user")? {
        let password = host.optional_text(config.password, "password")?;
        session.credentials = Some(Credentials {
            user: user.to_owned(),
            password: password.unwrap_or_default().to_owned(),
        });
    }
    session.amf3 = match config.object_encoding {
        0 => false,
        3 => true,
        other => return Err(Failure::invalid(format!("object_encoding {other}: use 0 or 3"))),
    };
    session.digest_handshake = config.digest_handshake != 0;
    if !config.swf_hash.is_null() {
        let bytes = host.bytes(config.swf_hash, 32, "swf_hash")?;
        session.swf = bytes.try_into().ok().map(|hash| Swf {
            hash,
            size: config.swf_size,
        });
    }
    if let Some(properties) = host.optional_handle(config.properties)? {
        let properties = properties.to_value();
        let object = properties.as_object().cloned();
        session.properties = object.ok_or_else(|| Failure::invalid("properties is no object"))?;
    }
    Ok(session)
}

/// RTMP 1.0 5.4.1.
pub(crate) fn valid_chunk_size(size: u32) -> Result<(), Failure> {
    match size {
        1..=0x7fff_ffff => Ok(()),
        _ => Err(Failure::invalid(format!(
            "chunk_size {size}: use 1 to 2147483647"
        ))),
    }
}

fn trust(host: &Host, config: &rtmpkit_net_connection_config) -> Result<TlsTrust, Failure> {
    let authorities = host.optional_text(config.tls_authorities, "tls_authorities")?;
    Ok(match (config.tls_insecure_accept_any, authorities) {
        (0, None) => TlsTrust::System,
        (0, Some(pem)) => TlsTrust::Authorities(pem.as_bytes().to_vec()),
        (_, None) => TlsTrust::InsecureAcceptAny,
        (_, Some(_)) => {
            let text = "tls_authorities and tls_insecure_accept_any: use one of them";
            return Err(Failure::invalid(text));
        }
    })
}

/// The host's functions as the core's handler.
struct Handler {
    events: rtmpkit_net_connection_events,
    user_data: UserData,
    home: Home,
    release: Release,
}

impl Handler {
    fn lend(&self, connection: &NetConnection) -> Lent<rtmpkit_net_connection> {
        Lent::new(rtmpkit_net_connection::new(connection.clone(), self.home.clone()))
    }
}

impl NetConnectionHandler for Handler {
    fn on_status(&self, connection: &NetConnection, status: &Status) {
        let status = LentStatus::new(status);
        call_host!(
            self.events.on_status,
            self.user_data.0,
            self.lend(connection).as_ptr(),
            status.as_ptr()
        );
    }

    fn on_call(&self, connection: &NetConnection, call: ServerCall) {
        if self.events.on_call.is_none() {
            call.unknown_method();
            return;
        }
        let request = Lent::new(rtmpkit_request::peer(call));
        call_host!(
            self.events.on_call,
            self.user_data.0,
            self.lend(connection).as_ptr(),
            request.as_ptr()
        );
    }
}
