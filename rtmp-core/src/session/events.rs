//! What a server session tells its owner.

use std::fmt;

use crate::amf::{Object, Str, Value};
use crate::media::MediaMessage;
use crate::session::capabilities::Capabilities;
use crate::wire::chunk::Message;
use crate::wire::message::command::CommandError;
use crate::wire::url::{Query, masked};

/// A client's `connect` (RTMP 1.0 7.2.1.1), taken apart.
///
/// `Debug` leaves out what may be secret: queries, and all that only the host understands.
#[derive(Clone)]
#[non_exhaustive]
pub struct ConnectRequest {
    /// Application name: the first segment of `app`, without slashes and query.
    pub app: String,
    /// Application instance: the rest of `app`, or `_definst_`.
    pub instance: String,
    /// Query of `app`, without the question mark; tokens and `authmod` authentication live here.
    pub query: Query,
    /// `tcUrl` as sent.
    pub tc_url: Str,
    /// `flashVer`: the program at the other end.
    pub flash_ver: Str,
    /// `swfUrl`.
    pub swf_url: Str,
    /// `pageUrl`.
    pub page_url: Str,
    /// Object encoding this connection uses, 0 or 3.
    pub object_encoding: u8,
    /// What the client can do with Enhanced RTMP.
    pub enhanced: Capabilities,
    /// The whole command object.
    pub object: Object,
    /// Arguments after the command object.
    pub args: Vec<Value>,
}

impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("app", &self.app)
            .field("instance", &self.instance)
            .field("query", &self.query)
            .field("tc_url", &masked(&self.tc_url))
            .field("flash_ver", &self.flash_ver)
            .field("object_encoding", &self.object_encoding)
            .field("enhanced", &self.enhanced)
            .finish_non_exhaustive()
    }
}

/// What the host adds to the answer to `connect`. Properties of the same name replace the session's own.
#[derive(Debug, Clone, Default)]
pub struct ConnectReply {
    /// Added to the properties object (`fmsVer`, `capabilities`, ...).
    pub properties: Object,
    /// Added to the information object (`level`, `code`, ...). A `clientid` here is used in all later statuses.
    pub info: Object,
    /// The largest chunk size this client can read, when it is less than the server's (embedded devices); larger messages
    /// then go out in more chunks.
    pub max_chunk_size: Option<u32>,
}

/// `type` of a `publish` (RTMP 1.0 7.2.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublishMode {
    /// Not stored.
    Live,
    /// Stored, replacing what there was.
    Record,
    /// Stored at the end of what there is.
    Append,
    /// As `Append`, keeping the time gap.
    AppendWithGap,
}

impl PublishMode {
    /// The mode a client named; unknown ones are live.
    pub fn from_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "record" => Self::Record,
            "append" => Self::Append,
            "appendwithgap" => Self::AppendWithGap,
            _ => Self::Live,
        }
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Record => "record",
            Self::Append => "append",
            Self::AppendWithGap => "appendWithGap",
        }
    }
}

/// `start` of a `play` (RTMP 1.0 7.2.2.1). Programs send -2 or -2000, -1 or -1000, or milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlayStart {
    /// The live stream of this name, or the recorded one, or the live one as soon as there is one.
    Any,
    /// Only the live stream.
    Live,
    /// Only the recorded stream, from this many milliseconds.
    Recorded(u64),
}

/// What happened on a server session. The owner answers the requests among them with the session's methods.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client asks to connect: answer with `accept_connect` or `reject_connect`. Its other commands wait until then.
    Connect(Box<ConnectRequest>),
    /// A client asks to publish: answer with `accept_publish` or `reject_publish`. What the client sends on that
    /// stream in the meantime waits: there is one request at a time.
    Publish {
        /// Message stream.
        stream_id: u32,
        /// Stream name without query.
        name: String,
        /// Query after the name, without the question mark.
        query: Query,
        /// Whether to store it.
        mode: PublishMode,
    },
    /// The client stopped publishing.
    Unpublish {
        /// Message stream.
        stream_id: u32,
    },
    /// A client asks to play: answer with `accept_play` or `reject_play`. What the client sends on that stream in the
    /// meantime waits. A play that adds to the play list (`reset` false while playing) does not make others wait; answer
    /// such in order, when their turn comes, and forget them when `StopPlay` comes first.
    Play {
        /// Message stream.
        stream_id: u32,
        /// Stream name without query.
        name: String,
        /// Query after the name, without the question mark.
        query: Query,
        /// What to play, and from where.
        start: PlayStart,
        /// At most this many milliseconds; `None` to the end.
        duration: Option<u64>,
        /// Clear the play list and start now (the usual case), or add to its end.
        reset: bool,
        /// Send a recorded stream all at once, not as time goes by (`reset` 2 and 3).
        at_once: bool,
    },
    /// A `play2` the session cannot express as `Play`: a change of rendition (`switch`, `swap`), or something unknown.
    Play2 {
        /// Message stream.
        stream_id: u32,
        /// The NetStreamPlayOptions as sent.
        options: Object,
    },
    /// The client stopped playing.
    StopPlay {
        /// Message stream.
        stream_id: u32,
    },
    /// Audio, video or data of a publisher.
    Media {
        /// Message stream.
        stream_id: u32,
        /// The message; data without `@setDataFrame` in front.
        message: MediaMessage,
    },
    /// The publisher set (`Some`) or cleared (`None`) what players who come later shall get first, for instance
    /// `onMetaData`. When set, the same message follows as `Media` for the players of now.
    DataFrame {
        /// Message stream.
        stream_id: u32,
        /// Name of the data frame.
        name: String,
        /// The data message to remember.
        message: Option<MediaMessage>,
    },
    /// A call of the application: answer with `reply_call` unless `transaction_id` is 0.
    Call {
        /// Message stream, 0 for the connection itself.
        stream_id: u32,
        /// Transaction, 0 when no answer is wanted.
        transaction_id: f64,
        /// Method.
        name: String,
        /// Command object, nearly always null.
        object: Value,
        /// Arguments.
        args: Vec<Value>,
    },
    /// The client answered a call of ours, or did not in time (`Err` with an error status).
    CallReply {
        /// Transaction that `call` gave.
        transaction_id: f64,
        /// Result or error value.
        result: Result<Value, Value>,
    },
    /// The client wants to know how long a stream is: answer seconds with `reply_call`, 0 for live or unknown.
    StreamLength {
        /// Transaction to answer.
        transaction_id: f64,
        /// Stream name as sent.
        name: String,
    },
    /// `_checkbw`, which is answered already: the client wants to know its bandwidth by `_onbwcheck` and `_onbwdone`, or goes
    /// without.
    CheckBandwidth,
    /// `receiveAudio`.
    ReceiveAudio {
        /// Message stream.
        stream_id: u32,
        /// Send audio from now on, or stop.
        on: bool,
    },
    /// `receiveVideo`.
    ReceiveVideo {
        /// Message stream.
        stream_id: u32,
        /// Send video from now on, or stop.
        on: bool,
    },
    /// `pause`: confirm with the status `NetStream.Pause.Notify` or `NetStream.Unpause.Notify`.
    Pause {
        /// Message stream.
        stream_id: u32,
        /// Pause or resume; `None` toggles.
        pause: Option<bool>,
        /// Where the client stands, in milliseconds.
        millis: u64,
    },
    /// `seek`: confirm with `NetStream.Seek.Notify` or refuse with `NetStream.Seek.Failed`.
    Seek {
        /// Message stream.
        stream_id: u32,
        /// Target in milliseconds.
        millis: u64,
    },
    /// The client told how much it buffers.
    SetBufferLength {
        /// Message stream, 0 for all.
        stream_id: u32,
        /// Buffer in milliseconds.
        millis: u32,
    },
    /// A ping was answered.
    PingReply {
        /// Round trip in milliseconds.
        rtt_ms: u64,
    },
    /// A command could not be read, and was ignored.
    Unreadable(CommandError),
    /// A shared object message, untouched.
    SharedObject {
        /// Type 19 or 16.
        message: Message,
    },
    /// The connection is over for the protocol: the client said `close`, or the session failed (the next `input` or
    /// `handle_timeout` says why). Send what is queued and close the transport.
    Close,
}
