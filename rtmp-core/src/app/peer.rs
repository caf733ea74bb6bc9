//! What the application model may ask of a connection, wherever that connection lives.

use crate::amf::{Object, Value};
use crate::app::bandwidth::{BandwidthCheck, BandwidthReply, Direction};
use crate::app::request::PublishOptions;
use crate::app::stream::Eviction;
use crate::app::vod::Outcome;
use crate::app::weight;
use crate::wire::message::Message;
use crate::wire::status::Status;

/// Answer to a call made on a peer: its result, or the status that took its place.
pub type Reply = Box<dyn FnOnce(Result<Value, Status>) + Send>;

/// The way to one connection. Sending never blocks; a connection that has ended drops what it is sent.
pub trait PeerLink: Send + Sync + std::fmt::Debug {
    /// Queues a command for the thread that owns the connection.
    fn send(&self, command: PeerCommand);
}

/// A thing that a connection is asked to do.
pub enum PeerCommand {
    /// Answer a pending request; ignored when it was answered or timed out before.
    Answer {
        /// The request's number on its connection.
        request: u64,
        /// The decision.
        answer: Answer,
    },
    /// Send a message as it is, for instance one of a shared object.
    Message(Message),
    /// Call a method of the peer.
    Call {
        /// The method.
        name: String,
        /// Its arguments.
        args: Vec<Value>,
        /// Takes the result; `None` asks for none.
        reply: Option<Reply>,
    },
    /// Measure the round-trip time: the reply is a number of milliseconds.
    Ping(Reply),
    /// Measure the bandwidth to the client.
    CheckBandwidth {
        /// In which dialect.
        kind: BandwidthCheck,
        /// Takes the outcome.
        reply: Option<BandwidthReply>,
    },
    /// Limit a direction, or lift its limit.
    LimitBandwidth {
        /// Which.
        direction: Direction,
        /// Bytes per second.
        bytes_per_s: Option<u32>,
    },
    /// What came of reading a file that is played on a message stream.
    FileRead {
        /// The message stream.
        stream_id: u32,
        /// Which wish it answers.
        ticket: u64,
        /// How it went.
        outcome: Box<Outcome>,
    },
    /// Send a status on a message stream, 0 for the connection itself.
    Status {
        /// The message stream.
        stream_id: u32,
        /// The status.
        status: Status,
    },
    /// What is published on a message stream has lost its stream.
    Evict {
        /// The message stream.
        stream_id: u32,
        /// Which publication it was.
        publisher: u64,
        /// Why.
        why: Eviction,
    },
    /// The recording of a publication is over, and all was told about it.
    Recorded {
        /// The message stream.
        stream_id: u32,
        /// Which publication it was.
        publisher: u64,
    },
    /// End the connection, after sending the status if there is one.
    Close(Option<Status>),
    /// End the connection: more waits for it than may.
    CutOff,
}

impl PeerCommand {
    /// What the command takes while it waits, in bytes; 0 for those whose number is bounded by what they are about.
    pub(crate) fn weight(&self) -> usize {
        let inside = match self {
            Self::Message(message) => message.payload.len(),
            Self::Call { name, args, .. } => name.len() + weight::of_all(args),
            Self::Status { status, .. } => {
                let members = status.info.members().iter();
                let members = members.map(|(name, value)| name.len() + weight::of(value));
                status.code.len() + status.description.len() + members.sum::<usize>()
            }
            Self::Ping(_) | Self::CheckBandwidth { .. } | Self::LimitBandwidth { .. } => 0,
            Self::Answer { .. }
            | Self::FileRead { .. }
            | Self::Evict { .. }
            | Self::Recorded { .. }
            | Self::Close(_)
            | Self::CutOff => return 0,
        };
        weight::ENTRY + inside
    }

    /// Tells whoever waits for what comes of the command that nothing will.
    pub(crate) fn fail(self, why: &Status) {
        match self {
            Self::Call {
                reply: Some(reply), ..
            }
            | Self::Ping(reply) => reply(Err(why.clone())),
            Self::CheckBandwidth {
                reply: Some(reply), ..
            } => reply(Err(why.clone())),
            _ => {}
        }
    }
}

/// The decision on a request.
pub enum Answer {
    /// Accept a connect, with properties to add to the reply and to its information object.
    Connect {
        /// Added to the first object of the reply.
        properties: Object,
        /// Added to the information object.
        info: Object,
        /// The largest chunk size the client can read, if that is less than the server's.
        max_chunk_size: Option<u32>,
    },
    /// Accept a publish.
    Publish(PublishOptions),
    /// Accept a play, under another stream name if one is given.
    Play(Option<String>),
    /// The length of a stream, in seconds.
    Length(f64),
    /// Return a value from a call.
    Return(Value),
    /// Refuse, whatever was asked.
    Refuse(Status),
}
