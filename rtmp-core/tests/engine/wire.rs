//! A client by hand: commands and messages as they are on the wire, over a real socket.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use rtmp_core::amf::Limits;
use rtmp_core::session::ObjectEncoding;
use rtmp_core::wire::chunk::{ChunkReader, ChunkWriter, Message, MessageType, Output, ReaderLimits, csid};
use rtmp_core::wire::message::command::Command;
use rtmp_core::wire::message::control::Control;
use rtmp_core::wire::message::data::DataMessage;
use rtmp_core::wire::message::user_control::UserControl;
use rtmp_core::{Object, Value};

use crate::support::{PATIENCE, Served};

pub struct Wire {
    socket: TcpStream,
    reader: ChunkReader,
    writer: ChunkWriter,
    input: Bytes,
    sent: usize,
    received: usize,
}

/// Bytes of the handshake in each direction.
const HANDSHAKE: usize = 3073;

impl Wire {
    /// A client that has shaken hands.
    pub fn open(served: &Served) -> Self {
        let mut hello = vec![0; HANDSHAKE];
        hello[0] = 3;
        Self::open_with(served, &mut hello)
    }

    /// A client that has sent this for C0, C1 and C2; it becomes what the server sent for S0, S1 and S2.
    pub fn open_with(served: &Served, hello: &mut [u8]) -> Self {
        let address = served.url.trim_start_matches("rtmp://");
        let address = address.split('/').next().unwrap_or_default();
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(hello).unwrap();
        socket.read_exact(hello).unwrap();
        Self {
            socket,
            reader: ChunkReader::new(ReaderLimits::default()),
            writer: ChunkWriter::new(),
            input: Bytes::new(),
            sent: HANDSHAKE,
            received: HANDSHAKE,
        }
    }

    /// A client of an application that has been accepted.
    pub fn connected(served: &Served, app: &str) -> Self {
        let mut wire = Self::open(served);
        wire.connect(Object::new().with("app", app));
        wire.answer(1.0).unwrap();
        wire
    }

    pub fn connect(&mut self, object: Object) {
        let command = Command {
            name: "connect".to_owned(),
            transaction_id: 1.0,
            object: object.into(),
            args: Vec::new(),
        };
        self.send(&command.encode(0, ObjectEncoding::Amf0));
    }

    pub fn command(&mut self, stream_id: u32, name: &str, transaction_id: f64, args: &[Value]) {
        let command = Command::new(name, transaction_id, args.to_vec());
        self.send(&command.encode(stream_id, ObjectEncoding::Amf0));
    }

    pub fn message(&mut self, kind: MessageType, stream_id: u32, payload: &[u8]) {
        self.message_at(0, kind, stream_id, payload);
    }

    pub fn message_at(&mut self, timestamp: u32, kind: MessageType, stream_id: u32, payload: &[u8]) {
        self.send(&Message {
            timestamp,
            kind,
            stream_id,
            payload: Bytes::copy_from_slice(payload),
        });
    }

    pub fn user(&mut self, event: &UserControl) {
        self.send(&event.encode());
    }

    /// The next message; `None` when the server has closed the connection.
    pub fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.reader.read(&mut self.input).unwrap() {
                if let Ok(Control::SetChunkSize(size)) = Control::load(&message) {
                    self.reader.set_chunk_size(size).unwrap();
                }
                return Some(message);
            }
            let mut buffer = vec![0; 65_536];
            match self.socket.read(&mut buffer).unwrap() {
                0 => return None,
                count => {
                    self.received += count;
                    self.input = Bytes::copy_from_slice(&buffer[..count]);
                }
            }
        }
    }

    /// The next command of that name; what comes before it is passed over.
    pub fn wait_command(&mut self, name: &str) -> Command {
        loop {
            let message = self.next().unwrap_or_else(|| panic!("closed before {name}"));
            if let Ok(command) = Command::load(&message, &Limits::default())
                && command.name == name
            {
                return command;
            }
        }
    }

    /// The next data message of that name.
    pub fn wait_data(&mut self, name: &str) -> DataMessage {
        loop {
            let message = self.next().unwrap_or_else(|| panic!("closed before {name}"));
            if let Ok(data) = DataMessage::load(&message, &Limits::default())
                && data.name == name
            {
                return data;
            }
        }
    }

    /// The answer to a transaction.
    pub fn answer(&mut self, transaction_id: f64) -> Result<Value, Value> {
        loop {
            let message = self.next().expect("an answer before the end");
            let Ok(command) = Command::load(&message, &Limits::default()) else {
                continue;
            };
            if command.transaction_id.to_bits() == transaction_id.to_bits() {
                match command.name.as_str() {
                    "_result" => return Ok(command.arg(0).clone()),
                    "_error" => return Err(command.arg(0).clone()),
                    _ => {}
                }
            }
        }
    }

    /// The next `onStatus` of that code, as its members in order.
    pub fn wait_status(&mut self, code: &str) -> Vec<(String, Value)> {
        loop {
            let command = self.wait_command("onStatus");
            let members = members(command.arg(0));
            if members.iter().any(|(_, value)| value.as_str() == Some(code)) {
                return members;
            }
        }
    }

    /// The next bytes, before any of them was read as messages.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.socket.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Sends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.sent += bytes.len();
        self.socket.write_all(bytes).unwrap();
    }

    /// Sends bytes as they are; false when the server has closed the connection.
    pub fn try_raw(&mut self, bytes: &[u8]) -> bool {
        self.sent += bytes.len();
        self.socket.write_all(bytes).is_ok()
    }

    /// Sends bytes in hexadecimal digits.
    pub fn bytes(&mut self, digits: &str) {
        self.raw(&hex(digits));
    }

    /// The chunk size that the server announced last.
    pub fn chunk_size(&self) -> u32 {
        self.reader.chunk_size()
    }

    /// How many bytes have been sent, handshake included.
    pub fn sent(&self) -> u32 {
        u32::try_from(self.sent).unwrap()
    }

    /// How many bytes have come, handshake included.
    pub fn received(&self) -> u64 {
        self.received as u64
    }

    fn send(&mut self, message: &Message) {
        let mut output = Output::new();
        self.writer.write(csid::COMMAND, message, &mut output);
        self.raw(&output.take_bytes());
    }
}

/// Bytes of hexadecimal digits; white space is for the reader.
pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|digit| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The members of an object, in order.
pub fn members(value: &Value) -> Vec<(String, Value)> {
    let object = value.as_object().expect("an object");
    object
        .iter()
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect()
}

/// Checks an information object member by member, without its client id.
pub fn assert_info(found: &[(String, Value)], expected: &[(&str, Value)]) {
    let found: Vec<(&str, Value)> = found
        .iter()
        .filter(|(key, _)| key != "clientid")
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    assert_eq!(found, expected);
}
