//! Raw bytes to and from a session.

use bytes::Bytes;
use rtmp_core::amf::{Limits, Object, Value};
use rtmp_core::session::{
    ConnectReply, ObjectEncoding, ServerEvent, ServerSession, ServerSessionConfig, SessionError,
};
use rtmp_core::wire::chunk::{ChunkReader, ChunkWriter, Message, MessageType, Output, ReaderLimits, csid};
use rtmp_core::wire::message::command::Command;
use rtmp_core::wire::message::control::Control;
use std::sync::Arc;

/// Bytes of the handshake in each direction: C0 C1 C2, S0 S1 S2.
pub(crate) const HANDSHAKE: usize = 3073;

/// Bytes as a peer would send them: zeros for the handshake, then chunks of 128 bytes.
pub(crate) struct Peer {
    writer: ChunkWriter,
    output: Output,
}

impl Peer {
    pub(crate) fn new() -> Self {
        let mut output = Output::new();
        let mut hello = vec![0; HANDSHAKE];
        hello[0] = 3;
        output.push_slice(&hello);
        Self {
            writer: ChunkWriter::new(),
            output,
        }
    }

    pub(crate) fn message(&mut self, kind: MessageType, stream_id: u32, timestamp: u32, payload: &[u8]) {
        let payload = Bytes::copy_from_slice(payload);
        let message = Message {
            timestamp,
            kind,
            stream_id,
            payload,
        };
        self.writer.write(csid::COMMAND, &message, &mut self.output);
    }

    pub(crate) fn command(&mut self, stream_id: u32, name: &str, transaction_id: f64, args: Vec<Value>) {
        let command = Command::new(name, transaction_id, args);
        let message = command.encode(stream_id, ObjectEncoding::Amf0);
        self.writer.write(csid::COMMAND, &message, &mut self.output);
    }

    pub(crate) fn connect(&mut self, object: impl Into<Value>) {
        let command = Command {
            name: "connect".to_owned(),
            transaction_id: 1.0,
            object: object.into(),
            args: Vec::new(),
        };
        let message = command.encode(0, ObjectEncoding::Amf0);
        self.writer.write(csid::COMMAND, &message, &mut self.output);
    }

    pub(crate) fn take(&mut self) -> Bytes {
        self.output.take_bytes().into()
    }
}

/// A server session and a raw peer.
pub(crate) struct Raw {
    pub(crate) session: ServerSession,
    pub(crate) peer: Peer,
    pub(crate) reader: Decoder,
    pub(crate) now: u64,
}

impl Raw {
    pub(crate) fn new(config: ServerSessionConfig) -> Self {
        Self {
            session: ServerSession::new(Arc::new(config), [7; 32], 0),
            peer: Peer::new(),
            reader: Decoder::new(),
            now: 0,
        }
    }

    /// Connected to `live`, replies so far read away.
    pub(crate) fn connected() -> Self {
        let mut raw = Self::new(ServerSessionConfig::default());
        raw.peer.connect(Object::new().with("app", "live"));
        raw.feed().unwrap();
        raw.session.accept_connect(ConnectReply::default());
        raw.events();
        raw.replies();
        raw
    }

    /// Gives the session what the peer wrote.
    pub(crate) fn feed(&mut self) -> Result<(), SessionError> {
        let bytes = self.peer.take();
        self.session.input(bytes, self.now)
    }

    pub(crate) fn events(&mut self) -> Vec<ServerEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// What the session answered since the last call.
    pub(crate) fn replies(&mut self) -> Vec<Message> {
        let bytes = self.session.output().take_bytes();
        self.reader.read(&bytes)
    }

    /// The commands among the answers, as name, transaction and code of the first object with one.
    pub(crate) fn reply_commands(&mut self) -> Vec<(String, f64, String)> {
        self.replies()
            .iter()
            .filter_map(command_of)
            .map(|command| summary(&command))
            .collect()
    }
}

/// Reads what one side sent, handshake included.
pub(crate) struct Decoder {
    reader: ChunkReader,
    handshake_left: usize,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self {
            reader: ChunkReader::new(ReaderLimits {
                max_message: 1 << 24,
                max_partial_bytes: 1 << 25,
                max_chunk_streams: 64,
            }),
            handshake_left: HANDSHAKE,
        }
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Message> {
        let skip = self.handshake_left.min(bytes.len());
        self.handshake_left -= skip;
        let mut input = Bytes::copy_from_slice(&bytes[skip..]);
        let mut messages = Vec::new();
        while let Some(message) = self.reader.read(&mut input).expect("readable chunks") {
            if let Ok(Control::SetChunkSize(size)) = Control::load(&message) {
                self.reader.set_chunk_size(size).expect("a good chunk size");
            }
            messages.push(message);
        }
        messages
    }
}

pub(crate) fn command_of(message: &Message) -> Option<Command> {
    Command::load(message, &Limits::default()).ok()
}

pub(crate) fn summary(command: &Command) -> (String, f64, String) {
    let code = command.args.iter().find_map(|value| value.get("code")?.as_str());
    (
        command.name.clone(),
        command.transaction_id,
        code.unwrap_or_default().to_owned(),
    )
}
