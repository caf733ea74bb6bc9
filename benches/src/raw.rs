//! Clients that cost next to nothing: what they send is encoded once for all of them, and what they receive is only
//! searched for the answer they wait for.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rtmp_core::amf::Object;
use rtmp_core::media::{MediaKind, MediaMessage};
use rtmp_core::session::ObjectEncoding;
use rtmp_core::wire::chunk::{ChunkWriter, Output, csid};
use rtmp_core::wire::message::command::Command;
use rtmp_core::wire::message::control::Control;
use socket2::SockRef;

use crate::source::{KEY_FRAME_MARK, Source, Synthetic, read_stamp};

/// S0, S1 and S2.
const HANDSHAKE: usize = 1 + 1536 + 1536;
/// The message stream that every server gives first.
const STREAM: u32 = 1;

/// What a client sends, step by step, and the answer that ends each step.
#[derive(Debug)]
pub struct Script(Vec<Step>);

#[derive(Debug)]
struct Step {
    send: Bytes,
    until: Until,
}

#[derive(Debug)]
enum Until {
    /// This many bytes have come.
    Length(usize),
    /// The first of these stands in what has come; any of the others is a refusal.
    Text(Vec<u8>, Vec<Vec<u8>>),
}

/// What ends the set-up of a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// NetStream.Play.Start.
    Started,
    /// The first bytes of a key frame of the made-up stream.
    KeyFrame,
}

impl Script {
    /// Connects to `app` at `address` and plays `stream`.
    pub fn play(address: SocketAddr, app: &str, stream: &str, joined: Joined) -> Arc<Self> {
        let mut writer = ChunkWriter::new();
        let mut steps = vec![hello(), connect(&mut writer, address, app, 128)];
        steps.push(Step {
            send: commands(&mut writer, &[(0, Command::new("createStream", 2.0, vec![]))]),
            until: answer(2.0),
        });
        let play = Command::new("play", 3.0, vec![stream.into()]);
        let end = match joined {
            Joined::Started => b"NetStream.Play.Start".to_vec(),
            Joined::KeyFrame => KEY_FRAME_MARK.to_vec(),
        };
        let refusals = [&b"NetStream.Play.StreamNotFound"[..], b"NetStream.Play.Failed"];
        steps.push(Step {
            send: commands(&mut writer, &[(STREAM, play)]),
            until: Until::Text(end, refusals.map(<[u8]>::to_vec).to_vec()),
        });
        Arc::new(Self(steps))
    }

    /// Connects to `app` at `address` and publishes `stream`, as encoders do, in chunks of `chunk_size` bytes.
    pub fn publish(address: SocketAddr, app: &str, stream: &str, chunk_size: u32) -> Arc<Self> {
        let mut writer = ChunkWriter::new();
        let mut steps = vec![hello(), connect(&mut writer, address, app, chunk_size)];
        let create = [
            (0, Command::new("releaseStream", 2.0, vec![stream.into()])),
            (0, Command::new("FCPublish", 3.0, vec![stream.into()])),
            (0, Command::new("createStream", 4.0, vec![])),
        ];
        steps.push(Step {
            send: commands(&mut writer, &create),
            until: answer(4.0),
        });
        let publish = Command::new("publish", 5.0, vec![stream.into(), "live".into()]);
        steps.push(Step {
            send: commands(&mut writer, &[(STREAM, publish)]),
            until: Until::Text(
                b"NetStream.Publish.Start".to_vec(),
                vec![b"NetStream.Publish.BadName".to_vec()],
            ),
        });
        Arc::new(Self(steps))
    }
}

/// C0 and C1.
fn hello() -> Step {
    let mut bytes = vec![0; 1 + 1536];
    bytes[0] = 3;
    bytes[9..].fill(0x2a);
    Step {
        send: bytes.into(),
        until: Until::Length(HANDSHAKE),
    }
}

/// C2 and the connect command.
fn connect(writer: &mut ChunkWriter, address: SocketAddr, app: &str, chunk_size: u32) -> Step {
    let mut bytes = BytesMut::zeroed(1536);
    if chunk_size != 128 {
        let mut out = Output::new();
        writer.write(
            csid::CONTROL,
            &Control::SetChunkSize(chunk_size).encode(),
            &mut out,
        );
        writer.set_chunk_size(chunk_size);
        bytes.extend_from_slice(&out.take_bytes());
    }
    let mut command = Command::new("connect", 1.0, vec![]);
    command.object = Object::new()
        .with("app", app)
        .with("type", "nonprivate")
        .with("flashVer", "FMLE/3.0 (compatible; bench)")
        .with("tcUrl", format!("rtmp://{address}/{app}").as_str())
        .into();
    bytes.extend_from_slice(&commands(writer, &[(0, command)]));
    Step {
        send: bytes.freeze(),
        until: answer(1.0),
    }
}

fn commands(writer: &mut ChunkWriter, commands: &[(u32, Command)]) -> Bytes {
    let mut out = Output::new();
    for (stream, command) in commands {
        let message = command.encode(*stream, ObjectEncoding::Amf0);
        writer.write(csid::COMMAND, &message, &mut out);
    }
    out.take_bytes().into()
}

/// The beginning of an answer to a transaction: name and number are the first bytes of a message, so no chunk header
/// stands between them.
fn answer(transaction: f64) -> Until {
    let text = |name: &str| {
        let mut bytes = vec![2, 0, name.len() as u8];
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&transaction.to_be_bytes());
        bytes
    };
    Until::Text(text("_result"), vec![text("_error")])
}

/// Where a client stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// In its script.
    Going,
    /// Through with it.
    Ready,
    /// Refused, or disconnected.
    Failed(String),
}

/// A client that follows a script; then it throws away what it receives, and sends what it is given.
#[derive(Debug)]
pub struct RawClient {
    socket: TcpStream,
    script: Arc<Script>,
    step: usize,
    inbox: Vec<u8>,
    /// Bytes of the inbox in which the answer is known not to begin.
    searched: usize,
    outbox: VecDeque<Bytes>,
    /// Where it stands.
    pub state: State,
    /// Bytes written.
    pub written: u64,
}

impl RawClient {
    /// Begins to connect, and registers the socket under `token`.
    pub fn connect(
        address: SocketAddr,
        script: &Arc<Script>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        // Thousands that leave at once leave no port behind that has to wait.
        SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let first = script.0.first().map(|step| step.send.clone());
        Ok(Self {
            socket,
            script: script.clone(),
            step: 0,
            inbox: Vec::new(),
            searched: 0,
            outbox: first.into_iter().collect(),
            state: State::Going,
            written: 0,
        })
    }

    /// Reads what there is, goes on in the script, and writes what the socket takes. A client that is through reads once
    /// at a time: many share this thread, and none of them is to wait for what another only throws away.
    pub fn drive(&mut self, scratch: &mut [u8]) {
        loop {
            match self.socket.read(scratch) {
                Ok(0) => return self.fail("the server closed the connection"),
                Ok(count) => {
                    if self.state == State::Going {
                        self.inbox.extend_from_slice(&scratch[..count]);
                        self.advance();
                    }
                    if self.state == State::Ready {
                        break;
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return self.fail(&e.to_string()),
            }
        }
        self.flush();
    }

    /// Queues `bytes`.
    pub fn push(&mut self, bytes: Bytes) {
        self.outbox.push_back(bytes);
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self) {
        while let Some(front) = self.outbox.front_mut() {
            match self.socket.write(front) {
                Ok(count) => {
                    self.written += count as u64;
                    let _ = front.split_to(count);
                    if front.is_empty() {
                        self.outbox.pop_front();
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return self.fail(&e.to_string()),
            }
        }
    }

    /// Bytes that wait for the socket.
    pub fn waiting(&self) -> usize {
        self.outbox.iter().map(Bytes::len).sum()
    }

    fn advance(&mut self) {
        while let Some(step) = self.script.0.get(self.step) {
            let end = match &step.until {
                Until::Length(length) => (self.inbox.len() >= *length).then_some(*length),
                Until::Text(text, refusals) => {
                    let new = &self.inbox[self.searched..];
                    let end = find(new, text).map(|end| self.searched + end);
                    let refusal = || refusals.iter().find(|refusal| find(new, refusal).is_some());
                    if end.is_none()
                        && let Some(refusal) = refusal()
                    {
                        let refusal = String::from_utf8_lossy(refusal).into_owned();
                        return self.fail(&refusal);
                    }
                    let longest = refusals.iter().chain([text]).map(Vec::len).max().unwrap_or(0);
                    self.searched = self.inbox.len().saturating_sub(longest);
                    end
                }
            };
            let Some(end) = end else { return };
            self.inbox.drain(..end);
            self.searched = 0;
            self.step += 1;
            if let Some(next) = self.script.0.get(self.step) {
                self.outbox.push_back(next.send.clone());
            }
        }
        self.state = State::Ready;
        self.inbox = Vec::new();
    }

    fn fail(&mut self, why: &str) {
        if !matches!(self.state, State::Failed(_)) {
            self.state = State::Failed(why.to_owned());
        }
        self.outbox.clear();
    }
}

/// Where `text` ends in `bytes`.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    Some(memchr::memmem::find(bytes, text)? + text.len())
}

/// A message of the made-up stream, ready to be sent.
#[derive(Debug)]
pub struct Timed {
    /// Milliseconds after the beginning.
    pub due: u32,
    /// The number of a picture.
    pub number: Option<u32>,
    /// Chunks of it.
    pub bytes: Bytes,
}

/// The made-up stream of `bits_per_second` for so many seconds, chunked as encoders do: each chunk stream begins with a
/// full header, goes on with the time since its last message.
pub fn timeline(bits_per_second: u64, seconds: u64, chunk_size: usize) -> Vec<Timed> {
    let mut source = Source::Synthetic(Synthetic::new(bits_per_second));
    let mut last = [None, None];
    let messages = std::iter::repeat_with(|| source.next());
    messages
        .take_while(|message| u64::from(message.timestamp) <= seconds * 1000)
        .map(|message| Timed {
            due: message.timestamp,
            number: read_stamp(&message.body).map(|(number, _)| number),
            bytes: chunks(&message, chunk_size, &mut last),
        })
        .collect()
}

/// RTMP 1.0 5.3.1: types 0 and 1 in front, type 3 in between. `last` has the times of the last audio and video message.
fn chunks(message: &MediaMessage, chunk_size: usize, last: &mut [Option<u32>; 2]) -> Bytes {
    let (channel, kind, last) = match message.kind {
        MediaKind::Audio => (4, 8, &mut last[0]),
        _ => (6, 9, &mut last[1]),
    };
    let (form, time) = match *last {
        None => (0, message.timestamp),
        Some(last) => (0x40, message.timestamp - last),
    };
    *last = Some(message.timestamp);
    let length = message.body.len();
    let mut out = BytesMut::with_capacity(length + length / chunk_size + 16);
    out.extend_from_slice(&[form | channel]);
    out.extend_from_slice(&time.to_be_bytes()[1..]);
    out.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind]);
    if form == 0 {
        out.extend_from_slice(&STREAM.to_le_bytes());
    }
    for (number, part) in message.body.chunks(chunk_size).enumerate() {
        if number > 0 {
            out.extend_from_slice(&[0xc0 | channel]);
        }
        out.extend_from_slice(part);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_chunked_as_the_protocol_wants() {
        let mut last = [None, None];
        let message =
            |timestamp| MediaMessage::new(MediaKind::Audio, timestamp, Bytes::from_static(b"abcde"));
        let first = chunks(&message(10), 4, &mut last);
        assert_eq!(first[..], *b"\x04\0\0\x0a\0\0\x05\x08\x01\0\0\0abcd\xc4e");
        let second = chunks(&message(33), 4, &mut last);
        assert_eq!(second[..], *b"\x44\0\0\x17\0\0\x05\x08abcd\xc4e");
    }

    #[test]
    fn an_answer_is_found_behind_other_bytes() {
        let Until::Text(text, _) = answer(1.0) else {
            unreachable!()
        };
        let mut bytes = b"other".to_vec();
        bytes.extend_from_slice(b"\x02\0\x07_result\0\x3f\xf0\0\0\0\0\0\0rest");
        assert_eq!(find(&bytes, &text), Some(bytes.len() - 4));
    }
}
