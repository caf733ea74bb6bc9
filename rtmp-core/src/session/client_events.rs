//! What a client session tells its owner, and what it is asked to play.

use crate::amf::{Object, Value};
use crate::media::MediaMessage;
use crate::session::capabilities::Capabilities;
use crate::session::events::PlayStart;
use crate::wire::chunk::Message;
use crate::wire::message::user_control::UserControl;
use crate::wire::status::Status;

/// What happened on a client session.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server accepted `connect`.
    Connected {
        /// The information object of the answer.
        status: Status,
        /// The properties object of the answer (`fmsVer`, `capabilities`, ...).
        properties: Object,
        /// What the server can do with Enhanced RTMP, from either object.
        enhanced: Capabilities,
    },
    /// The server refused `connect`; the session is over. See [`redirect_target`].
    Rejected(Status),
    /// A stream was created.
    StreamCreated {
        /// What `create_stream`, `publish_stream` or `play_stream` returned.
        request: f64,
        /// Its message stream.
        stream_id: u32,
    },
    /// A stream was not created.
    StreamFailed {
        /// What `create_stream`, `publish_stream` or `play_stream` returned.
        request: f64,
        /// Why.
        status: Status,
    },
    /// `onStatus`: on a stream, or on the connection itself (0).
    Status {
        /// Message stream.
        stream_id: u32,
        /// The information object.
        status: Status,
    },
    /// `onPlayStatus`: the end of a recorded stream, a switch in the play list.
    PlayStatus {
        /// Message stream.
        stream_id: u32,
        /// The information object.
        status: Status,
    },
    /// Audio, video or data.
    Media {
        /// Message stream.
        stream_id: u32,
        /// The message.
        message: MediaMessage,
    },
    /// Stream Begin, EOF, Dry, Is Recorded, Buffer Empty or Ready, or another user control event.
    UserControl(UserControl),
    /// The server calls a method: answer with `reply_call` unless `transaction_id` is 0.
    Call {
        /// Transaction, 0 when no answer is wanted.
        transaction_id: f64,
        /// Method.
        name: String,
        /// Command object, nearly always null.
        object: Value,
        /// Arguments.
        args: Vec<Value>,
    },
    /// The server answered a call of ours, or did not in time (`Err` with an error status).
    CallReply {
        /// Transaction that `call` gave.
        transaction_id: f64,
        /// Result or error value.
        result: Result<Value, Value>,
    },
    /// A shared object message, untouched.
    SharedObject {
        /// Type 19 or 16.
        message: Message,
    },
    /// A ping was answered.
    PingReply {
        /// Round trip in milliseconds.
        rtt_ms: u64,
    },
    /// The server ended the connection (`close`, `onFCUnsubscribe`), or this side did. Comes once.
    Closed,
}

/// Where a refused client shall connect instead: `ex.redirect` of the status. Limit how often you follow, and mind that
/// the server chose the target (RTMP 302 redirect of Flash Media Server).
pub fn redirect_target(status: &Status) -> Option<&str> {
    status.info.get("ex")?.get("redirect")?.as_str()
}

/// What `play2` does with a stream (RTMP 1.0 7.2.2.2, `flash.net.NetStreamPlayTransitions`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transition {
    /// Play it after what is on the play list.
    Append,
    /// Put it on the play list, to be started by one that is appended later.
    AppendAndWait,
    /// Clear the play list and play it now.
    Reset,
    /// Go on with it where another connection ended.
    Resume,
    /// Stop playing.
    Stop,
    /// Play it in the place of another, which it has nothing to do with.
    Swap,
    /// Play it in the place of another rendition of the same content, from the next keyframe on.
    Switch,
}

impl Transition {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::AppendAndWait => "appendAndWait",
            Self::Reset => "reset",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Swap => "swap",
            Self::Switch => "switch",
        }
    }

    /// The transition of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        use Transition::{Append, AppendAndWait, Reset, Resume, Stop, Swap, Switch};
        [Append, AppendAndWait, Reset, Resume, Stop, Swap, Switch]
            .into_iter()
            .find(|transition| transition.name() == name)
    }
}

/// What to play in the place of what, and how (`flash.net.NetStreamPlayOptions`).
#[derive(Debug, Clone)]
pub struct Play2Options {
    /// Stream name, with prefix (`mp4:`) and query.
    pub name: String,
    /// The stream whose place it takes; `None` for the one that plays.
    pub old_name: Option<String>,
    /// What is done.
    pub transition: Transition,
    /// Live, recorded, or whichever there is.
    pub start: PlayStart,
    /// At most this many milliseconds; `None` to the end.
    pub duration: Option<u64>,
    /// Where in the stream to switch or resume, in milliseconds; `None` as soon as it can be.
    pub offset: Option<u64>,
}

impl Play2Options {
    /// Plays `name`, live or recorded, by a transition.
    pub fn new(name: impl Into<String>, transition: Transition) -> Self {
        Self {
            name: name.into(),
            old_name: None,
            transition,
            start: PlayStart::Any,
            duration: None,
            offset: None,
        }
    }

    /// The object that is sent. Its times are seconds.
    pub(crate) fn to_object(&self) -> Object {
        let seconds = |millis: Option<u64>, none: f64| millis.map_or(none, |millis| millis as f64 / 1000.0);
        let start = match self.start {
            PlayStart::Any => -2.0,
            PlayStart::Live => -1.0,
            PlayStart::Recorded(millis) => seconds(Some(millis), 0.0),
        };
        Object::new()
            .with("streamName", self.name.as_str())
            .with("oldStreamName", self.old_name.as_deref().unwrap_or_default())
            .with("start", start)
            .with("len", seconds(self.duration, -1.0))
            .with("offset", seconds(self.offset, -1.0))
            .with("transition", self.transition.name())
    }
}

/// What to play, and how.
#[derive(Debug, Clone)]
pub struct PlayOptions {
    /// Stream name, with prefix (`mp4:`) and query.
    pub name: String,
    /// Live, recorded, or whichever there is.
    pub start: PlayStart,
    /// At most this many milliseconds; `None` to the end.
    pub duration: Option<u64>,
    /// Clear the server's play list and start now, or add to its end.
    pub reset: bool,
}

impl PlayOptions {
    /// Plays `name`, live or recorded, to the end.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            start: PlayStart::Any,
            duration: None,
            reset: true,
        }
    }

    /// The arguments of `play`, as few as say what is meant: several servers stumble over the later ones.
    pub(crate) fn args(&self) -> Vec<Value> {
        let start = match self.start {
            PlayStart::Any => -2000.0,
            PlayStart::Live => -1000.0,
            PlayStart::Recorded(millis) => millis as f64,
        };
        let mut args = vec![Value::from(self.name.as_str()), Value::Number(start)];
        if self.duration.is_some() || !self.reset {
            args.push(Value::Number(
                self.duration.map_or(-1000.0, |millis| millis as f64),
            ));
        }
        if !self.reset {
            args.push(Value::Boolean(false));
        }
        args
    }
}
