//! What a session announces, tolerates and waits for.

use std::fmt;

use crate::amf::{Object, Value};
use crate::session::auth::Credentials;
use crate::session::capabilities::{Capabilities, CodecUse};
use crate::wire::chunk::ReaderLimits;
use crate::wire::deviation::Tolerance;
use crate::wire::handshake::Swf;
use crate::wire::message::control::LimitType;
use crate::wire::url::masked;

/// Largest message accepted before `connect` was accepted, in bytes.
pub(crate) const MAX_MESSAGE_BEFORE_CONNECT: usize = 64 * 1024;

/// Largest length the 24-bit field of a chunk header can declare (RTMP 1.0 5.3.1.2.1).
pub const MAX_MESSAGE: usize = 0xFF_FFFF;

/// Bounds on what one peer may make a session hold. Shared by both sides.
#[derive(Debug, Clone)]
pub struct SessionLimits {
    /// Largest message accepted once connected, in bytes (16,777,215). Before that 64 KiB.
    pub max_message: usize,
    /// Bytes of half-received messages held at once (32 MiB).
    pub max_partial_bytes: usize,
    /// Chunk streams one peer may use (64).
    pub max_chunk_streams: usize,
    /// Message streams per connection (64).
    pub max_streams: usize,
    /// Messages held while the host decides about `connect` (256).
    pub max_waiting_messages: usize,
    /// Bytes of messages held while the host decides about `connect`, or about `publish` on one stream (4 MiB).
    pub max_waiting_bytes: usize,
    /// Calls waiting for an answer, in each direction (1,024).
    pub max_pending_calls: usize,
    /// Longest stream or application name, in bytes (256).
    pub max_name: usize,
    /// Longest data message remembered for later players, in bytes (64 KiB).
    pub max_metadata: usize,
    /// Different data frame names one publisher may set (16).
    pub max_data_frames: usize,
    /// Messages taken out of one aggregate (4,096).
    pub max_aggregate_messages: usize,
    /// AMF nesting and sizes.
    pub amf: crate::amf::Limits,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max_message: MAX_MESSAGE,
            max_partial_bytes: 32 << 20,
            max_chunk_streams: 64,
            max_streams: 64,
            max_waiting_messages: 256,
            max_waiting_bytes: 4 << 20,
            max_pending_calls: 1024,
            max_name: 256,
            max_metadata: 64 << 10,
            max_data_frames: 16,
            max_aggregate_messages: 4096,
            amf: crate::amf::Limits::default(),
        }
    }
}

impl SessionLimits {
    pub(crate) fn reader(&self) -> ReaderLimits {
        ReaderLimits {
            max_message: MAX_MESSAGE_BEFORE_CONNECT.min(self.max_message),
            max_partial_bytes: self.max_partial_bytes,
            max_chunk_streams: self.max_chunk_streams,
        }
    }
}

/// How long a session waits, in milliseconds. Shared by both sides.
#[derive(Debug, Clone)]
pub struct SessionTimeouts {
    /// For the whole handshake, counted from the session's creation (10 s).
    pub handshake_ms: u64,
    /// For `connect` (server) or its answer (client), counted from the end of the handshake (10 s).
    pub connect_ms: u64,
    /// Without any byte from the peer before a ping is sent (60 s). 0 never pings.
    pub ping_interval_ms: u64,
    /// After that ping without any byte before the peer counts as gone (30 s).
    pub ping_timeout_ms: u64,
    /// For the answer to a call of ours (30 s).
    pub call_ms: u64,
}

impl Default for SessionTimeouts {
    fn default() -> Self {
        Self {
            handshake_ms: 10_000,
            connect_ms: 10_000,
            ping_interval_ms: 60_000,
            ping_timeout_ms: 30_000,
            call_ms: 30_000,
        }
    }
}

/// Settings of the server's side, shared by all connections of a server.
#[derive(Debug, Clone)]
pub struct ServerSessionConfig {
    /// Chunk size announced before the `connect` reply, for everything the server sends (65,536).
    pub chunk_size: u32,
    /// Window Acknowledgement Size announced to the client (2,500,000).
    pub window_ack_size: u32,
    /// Set Peer Bandwidth announced to the client: bytes it may send ahead of the server's acknowledgements (2,500,000; at
    /// least 1,024).
    pub peer_bandwidth: u32,
    /// How strictly the client is to take `peer_bandwidth` (dynamic, which limits nothing by itself, as RTMP servers
    /// usually say).
    pub peer_bandwidth_limit: LimitType,
    /// `fmsVer` of the `connect` reply.
    pub server_version: String,
    /// `capabilities` of the `connect` reply (31).
    pub capabilities: f64,
    /// Send `onBWDone` after the `connect` reply (off: only some old players want it).
    pub send_on_bw_done: bool,
    /// `|RtmpSampleAccess` for audio and video (false, false).
    pub sample_access: (bool, bool),
    /// What clients that speak Enhanced RTMP are told (every codec is forwarded, all of `capsEx`). `fourCcList` is only
    /// told to clients that sent theirs.
    pub enhanced: Capabilities,
    /// Clients whose `flashVer` contains one of these texts get what waits for a new player in aggregate messages (RTMP 1.0
    /// 7.1.6): fewer, larger messages (Flash Player on Windows and Mac, and this library). Others may not read them.
    pub aggregate_agents: Vec<String>,
    /// Let clients encrypt by RTMPE when they ask for it (off: it protects from nobody who knows how it works).
    #[cfg(feature = "rtmpe")]
    pub accept_encryption: bool,
    /// Accept `publish` and `play` on message stream 0 or one never created, as many hardware encoders send them (on).
    pub lenient_streams: bool,
    /// Whether harmless violations of the specifications are accepted and counted (lenient), or end the connection.
    pub tolerance: Tolerance,
    /// Bounds.
    pub limits: SessionLimits,
    /// Waiting times.
    pub timeouts: SessionTimeouts,
}

impl Default for ServerSessionConfig {
    fn default() -> Self {
        Self {
            chunk_size: 65_536,
            window_ack_size: 2_500_000,
            peer_bandwidth: 2_500_000,
            peer_bandwidth_limit: LimitType::Dynamic,
            server_version: "FMS/3,5,7,7009".to_owned(),
            capabilities: 31.0,
            send_on_bw_done: false,
            sample_access: (false, false),
            enhanced: Capabilities::any(CodecUse::FORWARD),
            aggregate_agents: ["WIN ", "MAC ", "rtmpkit"].map(str::to_owned).to_vec(),
            #[cfg(feature = "rtmpe")]
            accept_encryption: false,
            lenient_streams: true,
            tolerance: Tolerance::default(),
            limits: SessionLimits::default(),
            timeouts: SessionTimeouts::default(),
        }
    }
}

/// Settings of the client's side of one connection.
///
/// `Debug` leaves out what may be secret: queries, and all that only the server understands.
#[derive(Clone)]
pub struct ClientSessionConfig {
    /// Application part of the URL, query included: `connect`'s `app`.
    pub app: String,
    /// `rtmp://host[:port]/app`: `connect`'s `tcUrl`. Must not hold user or password.
    pub tc_url: String,
    /// `flashVer`. Servers of some content networks only let publishers in that begin with `FMLE/3.0`.
    pub flash_ver: String,
    /// `swfUrl`, when some.
    pub swf_url: Option<String>,
    /// `pageUrl`, when some.
    pub page_url: Option<String>,
    /// Send `type: "nonprivate"`, as publishers do.
    pub nonprivate: bool,
    /// Ask for object encoding 3: commands may then carry AMF3 values.
    pub amf3: bool,
    /// What the server is told about Enhanced RTMP: every codec, all of `capsEx`. Properties that are `None` are left
    /// out.
    pub enhanced: Capabilities,
    /// More properties of the `connect` command object; they replace ours of the same name.
    pub properties: Object,
    /// Arguments after the command object.
    pub connect_args: Vec<Value>,
    /// Who to log in as, when the server asks for it by Adobe's or Limelight's authentication. The session itself is refused
    /// then; whoever opens the transport makes another one, as [`NetConnection`](crate::NetConnection) does.
    pub credentials: Option<Credentials>,
    /// Begin with the digest handshake, which proves the server to be one of Adobe's kind; a server that answers with the
    /// simple one is spoken to all the same. Every server takes the simple one, so this is off; SWF verification turns it on.
    pub digest_handshake: bool,
    /// Chunk size announced before `connect`, for everything the client sends (4,096).
    pub chunk_size: u32,
    /// Largest chunk size used for publishing (65,536): the server's own, when it announced a larger one than `chunk_size`,
    /// up to this.
    pub max_chunk_size: u32,
    /// Encrypt by RTMPE (off). A server that cannot is left.
    #[cfg(feature = "rtmpe")]
    pub encrypted: bool,
    /// The SWF file to claim to be when the server asks (none: its request is an event like others).
    pub swf: Option<Swf>,
    /// Send `releaseStream` and `FCPublish` before `createStream` when publishing (on).
    pub fc_publish: bool,
    /// Send `FCSubscribe` before playing, as some live content networks want (off).
    pub fc_subscribe: bool,
    /// Set Buffer Length sent with `play`, in milliseconds (3,000).
    pub buffer_ms: u32,
    /// Whether harmless violations of the specifications are accepted and counted (lenient), or end the connection.
    pub tolerance: Tolerance,
    /// Bounds.
    pub limits: SessionLimits,
    /// Waiting times.
    pub timeouts: SessionTimeouts,
}

impl ClientSessionConfig {
    /// Settings for `app` at `tc_url`, everything else as usual.
    pub fn new(app: impl Into<String>, tc_url: impl Into<String>) -> Self {
        Self {
            app: app.into(),
            tc_url: tc_url.into(),
            ..Self::default()
        }
    }

    /// Settings for the application of `url`. Its stream name, user and password are the caller's to use.
    pub fn from_url(url: &crate::wire::url::RtmpUrl) -> Self {
        Self::new(url.app.clone(), url.tc_url())
    }
}

impl fmt::Debug for ClientSessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSessionConfig")
            .field("app", &masked(&self.app))
            .field("tc_url", &masked(&self.tc_url))
            .field("flash_ver", &self.flash_ver)
            .field("amf3", &self.amf3)
            .field("enhanced", &self.enhanced)
            .field("credentials", &self.credentials)
            .field("limits", &self.limits)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

impl Default for ClientSessionConfig {
    fn default() -> Self {
        Self {
            app: String::new(),
            tc_url: String::new(),
            flash_ver: "FMLE/3.0 (compatible; rtmpkit)".to_owned(),
            swf_url: None,
            page_url: None,
            nonprivate: true,
            amf3: false,
            enhanced: Capabilities::any(CodecUse::ALL),
            properties: Object::new(),
            connect_args: Vec::new(),
            credentials: None,
            digest_handshake: false,
            chunk_size: 4096,
            max_chunk_size: 65_536,
            #[cfg(feature = "rtmpe")]
            encrypted: false,
            swf: None,
            fc_publish: true,
            fc_subscribe: false,
            buffer_ms: 3000,
            tolerance: Tolerance::default(),
            limits: SessionLimits::default(),
            timeouts: SessionTimeouts::default(),
        }
    }
}
