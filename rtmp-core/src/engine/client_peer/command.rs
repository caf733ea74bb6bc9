//! What the host asks of a connection and of its streams, and what that takes while it waits.

use std::sync::Arc;

use crate::amf::Value;
use crate::app::peer::Reply;
use crate::app::weight;
use crate::client::{RemoteCore, StreamCore};
use crate::media::MediaMessage;
use crate::session::{Play2Options, PlayOptions, PublishMode};
use crate::wire::message::Message;
use crate::wire::status::{Code, Status};

/// What the host asks of a connection.
pub(crate) enum ClientCommand {
    Call {
        name: String,
        args: Vec<Value>,
        reply: Option<Reply>,
    },
    Answer {
        transaction_id: f64,
        result: Result<Value, Status>,
    },
    OpenStream(Arc<StreamCore>),
    UseObject(Arc<RemoteCore>),
    /// A message as it is, counted as written by the host.
    Message(Message),
    Stream {
        stream: u64,
        command: StreamCommand,
    },
    /// Moves to another server.
    Reconnect(String),
    /// Tells the host that the network has changed.
    NetworkChanged,
    Close,
}

/// What the host asks of a stream.
#[derive(Clone)]
pub(crate) enum StreamCommand {
    Publish {
        name: String,
        mode: PublishMode,
    },
    Play(PlayOptions),
    Play2(Play2Options),
    Write(MediaMessage),
    Seek(u64),
    /// On or off, and where the stream stands.
    Pause(bool, u32),
    ReceiveAudio(bool),
    ReceiveVideo(bool),
    SetBuffer(u32),
    Close,
}

impl ClientCommand {
    /// What the command takes while it waits, in bytes; 0 for those that must not be refused, and those that count otherwise.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Call { name, args, .. } => weight::ENTRY + name.len() + weight::of_all(args),
            Self::Stream { command, .. } => command.weight(),
            Self::Reconnect(url) => weight::ENTRY + url.len(),
            Self::NetworkChanged => weight::ENTRY,
            Self::Answer { .. }
            | Self::OpenStream(_)
            | Self::UseObject(_)
            | Self::Message(_)
            | Self::Close => 0,
        }
    }

    /// Tells whoever waits for this command's outcome that there will be none.
    pub(crate) fn fail(self) {
        match self {
            Self::Call {
                reply: Some(reply), ..
            } => {
                reply(Err(
                    Status::new(Code::CallFailed).with_description("The connection ended.")
                ));
            }
            Self::OpenStream(stream) => stream.ended(),
            _ => {}
        }
    }
}

impl StreamCommand {
    /// What the command takes while it waits, in bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Close => 0,
            Self::Publish { name, .. } => weight::ENTRY + name.len(),
            _ => weight::ENTRY,
        }
    }
}
