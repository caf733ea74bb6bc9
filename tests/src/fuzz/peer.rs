//! The other end of a session under test: bytes as a script wants them, honest in their framing or not at all.

use bytes::Bytes;
use rtmp_core::amf::{Object, Value, amf0};
use rtmp_core::session::ObjectEncoding;
use rtmp_core::wire::chunk::{ChunkReader, ChunkWriter, Message, MessageType, Output, ReaderLimits, csid};
use rtmp_core::wire::message::command::Command;
use rtmp_core::wire::message::control::Control;

use super::script::Script;

/// Bytes of the handshake in each direction: C0 C1 C2, S0 S1 S2.
pub const HANDSHAKE: usize = 3073;

/// Names of commands and data messages that sessions know, of both directions.
const NAMES: [&str; 40] = [
    "connect",
    "createStream",
    "releaseStream",
    "FCPublish",
    "FCUnpublish",
    "FCSubscribe",
    "publish",
    "play",
    "play2",
    "deleteStream",
    "closeStream",
    "close",
    "pause",
    "pauseRaw",
    "seek",
    "receiveAudio",
    "receiveVideo",
    "getStreamLength",
    "checkBandwidth",
    "_checkbw",
    "initStream",
    "call",
    "_result",
    "_error",
    "onStatus",
    "onBWDone",
    "onFCPublish",
    "onFCSubscribe",
    "onFCUnsubscribe",
    "@setDataFrame",
    "@clearDataFrame",
    "onMetaData",
    "|RtmpSampleAccess",
    "onPlayStatus",
    "onTextData",
    "set_playlist",
    "setBufferTime",
    "deleteStreams",
    "",
    "a",
];

/// Writes what the peer sends and reads what it gets.
pub struct Peer {
    writer: ChunkWriter,
    reader: ChunkReader,
    handshake_left: usize,
    /// Bytes the session sent in all.
    pub received: usize,
}

impl Peer {
    /// A peer at the start of the connection.
    pub fn new() -> Self {
        Self {
            writer: ChunkWriter::new(),
            reader: ChunkReader::new(ReaderLimits::default()),
            handshake_left: HANDSHAKE,
            received: 0,
        }
    }

    /// A peer that has shaken hands.
    pub fn after_handshake() -> Self {
        Self {
            handshake_left: 0,
            ..Self::new()
        }
    }

    /// A complete handshake of zeros.
    pub fn handshake() -> Bytes {
        let mut hello = vec![0; HANDSHAKE];
        hello[0] = 3;
        hello.into()
    }

    /// The bytes of one step of the script, chosen by `step` of 0 to 5.
    pub fn step(&mut self, step: u8, script: &mut Script<'_>) -> Bytes {
        match step {
            0 => {
                let length = script.u8();
                Bytes::copy_from_slice(script.bytes(length.into()))
            }
            1 => {
                let length = script.u16();
                Bytes::copy_from_slice(script.bytes(length.into()))
            }
            2 => self.command(script),
            3 => {
                let (kind, stream_id) = (MessageType(script.u8() % 24), u32::from(script.u8() % 8));
                let (timestamp, length) = (script.u32(), script.u8());
                self.message(kind, stream_id, timestamp, script.bytes(length.into()))
            }
            4 => {
                let length = script.u8();
                self.message(MessageType::USER_CONTROL, 0, 0, script.bytes(length.into()))
            }
            _ => self.connect(script),
        }
    }

    /// Reads what a session sent: it must be readable, and begin with a handshake.
    pub fn receive(&mut self, output: &mut Output) {
        let bytes = output.take_bytes();
        self.received += bytes.len();
        let skip = self.handshake_left.min(bytes.len());
        self.handshake_left -= skip;
        let mut input = Bytes::from(bytes).slice(skip..);
        while let Some(message) = self.reader.read(&mut input).expect("readable chunks") {
            if let Ok(Control::SetChunkSize(size)) = Control::load(&message) {
                self.reader
                    .set_chunk_size(size)
                    .expect("a chunk size that can be");
            }
            if message.kind == MessageType::COMMAND {
                let limits = super::amf0::GENEROUS;
                Command::load(&message, &limits).expect("a readable command");
            }
        }
    }

    fn message(&mut self, kind: MessageType, stream_id: u32, timestamp: u32, payload: &[u8]) -> Bytes {
        let payload = Bytes::copy_from_slice(payload);
        let message = Message {
            timestamp,
            kind,
            stream_id,
            payload,
        };
        let mut out = Output::new();
        self.writer
            .write(csid::COMMAND + timestamp % 4, &message, &mut out);
        if let Ok(Control::SetChunkSize(size)) = Control::load(&message) {
            self.writer.set_chunk_size(size);
        }
        out.take_bytes().into()
    }

    /// Name, transaction, stream, choices, how many bytes of AMF0 follow; the AMF0.
    fn command(&mut self, script: &mut Script<'_>) -> Bytes {
        let name = NAMES[usize::from(script.u8()) % NAMES.len()];
        let (transaction, stream_id, choice) = (script.u8(), script.u8() % 8, script.u8());
        let kind = [
            MessageType::COMMAND,
            MessageType::COMMAND_AMF3,
            MessageType::DATA,
            MessageType::COMMAND,
        ][usize::from(choice % 4)];
        let mut body = Vec::new();
        if kind == MessageType::COMMAND_AMF3 {
            body.push(0);
        }
        amf0::encode(&name.into(), &mut body);
        if kind != MessageType::DATA {
            amf0::encode(&Value::Number(transaction.into()), &mut body);
        }
        if choice & 4 == 0 {
            amf0::encode(&Value::Null, &mut body);
        }
        if choice & 8 != 0 {
            amf0::encode(
                &["test", "other?key=1", "mp4:a/b"][usize::from(choice >> 4) % 3].into(),
                &mut body,
            );
        }
        let length = script.u8();
        body.extend_from_slice(script.bytes(length.into()));
        self.message(kind, stream_id.into(), 0, &body)
    }

    fn connect(&mut self, script: &mut Script<'_>) -> Bytes {
        let choice = script.u8();
        let mut object = Object::new().with(
            "app",
            ["live", "live/one?a=b", "", "a/../b"][usize::from(choice % 4)],
        );
        if choice & 4 != 0 {
            object.insert("objectEncoding", 3);
        }
        if choice & 8 != 0 {
            object.insert("fourCcList", vec![Value::from("*"), "hvc1".into()]);
            object.insert("capsEx", u32::from(choice));
        }
        if choice & 16 != 0 {
            object.insert("tcUrl", "rtmp://127.0.0.1/live");
            object.insert("flashVer", "FMLE/3.0");
        }
        let mut command = Command::new("connect", f64::from(choice >> 5), Vec::new());
        command.object = object.into();
        let message = command.encode(0, ObjectEncoding::Amf0);
        self.message(message.kind, 0, 0, &message.payload)
    }
}

impl Default for Peer {
    fn default() -> Self {
        Self::new()
    }
}
