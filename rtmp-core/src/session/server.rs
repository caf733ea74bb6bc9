//! The server's side of one connection.

use crate::amf::Value;
use crate::session::capabilities::Capabilities;
use crate::session::config::ServerSessionConfig;
use crate::session::error::SessionError;
use crate::session::events::{ConnectRequest, ServerEvent};
use crate::session::link::{Incoming, Link};
use crate::session::ping::PingDue;
use crate::session::server_commands::call_failed;
use crate::session::streams::{Held, Streams};
use crate::session::transaction::Calls;
use crate::wire::chunk::{Message, MessageType, Output};
use crate::wire::deviation::Deviations;
use crate::wire::handshake::Handshake;
use crate::wire::message::command::{Command, ObjectEncoding};
use crate::wire::message::user_control::UserControl;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// The server's side of one connection: handshake, `connect`, streams, calls.
///
/// Feed received bytes to [`input`](Self::input), take events with [`poll_event`](Self::poll_event) or
/// [`swap_events`](Self::swap_events), answer the requests among them, and send what stands in
/// [`output`](Self::output). An error from any method ends the connection: send what is queued and close.
#[derive(Debug)]
pub struct ServerSession {
    pub(super) config: Arc<ServerSessionConfig>,
    pub(super) link: Link,
    pub(super) phase: Phase,
    pub(super) events: VecDeque<ServerEvent>,
    pub(super) streams: Streams,
    pub(super) calls: Calls<()>,
    /// Calls of the peer the host has not answered.
    pub(super) unanswered: usize,
    pub(super) refused_streams: usize,
    pub(super) encoding: ObjectEncoding,
    pub(super) client_id: Value,
    /// The client is known to read aggregate messages.
    pub(super) reads_aggregates: bool,
    pub(super) now: u64,
    /// What the client buffers of streams it said nothing else of, in milliseconds.
    pub(super) buffer_ms: Option<u32>,
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    fault: Option<SessionError>,
}

/// How far the connection has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// In the handshake or waiting for `connect`.
    Opening,
    /// `connect` waits for the host.
    Deciding(Box<Deciding>),
    Connected,
    Closed,
}

/// What the answer to `connect` depends on.
#[derive(Debug)]
pub(super) struct Deciding {
    pub(super) transaction_id: f64,
    pub(super) encoding: ObjectEncoding,
    /// What the client said of Enhanced RTMP.
    pub(super) enhanced: Capabilities,
    /// The command as it came, until it was read with the application's classes.
    pub(super) message: Option<Message>,
}

impl ServerSession {
    /// A session for a connection accepted at `now_ms`. `seed` feeds the handshake's random bytes and the client id.
    pub fn new(config: Arc<ServerSessionConfig>, seed: [u8; 32], now_ms: u64) -> Self {
        let id = u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]]) >> 1;
        Self {
            link: Link::new(
                handshake(&config, seed, now_ms),
                &config.limits,
                &config.timeouts,
                config.tolerance,
                now_ms,
            ),
            phase: Phase::Opening,
            events: VecDeque::new(),
            streams: Streams::new(config.limits.max_streams),
            calls: Calls::new(1, config.limits.max_pending_calls, config.timeouts.call_ms),
            unanswered: 0,
            refused_streams: 0,
            encoding: ObjectEncoding::Amf0,
            client_id: Value::from(f64::from(id)),
            reads_aggregates: false,
            now: now_ms,
            buffer_ms: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            fault: None,
            config,
        }
    }

    /// Takes bytes as they came from the transport, in any pieces. Media is delivered as slices of `data` wherever a
    /// message lies in it whole.
    pub fn input(&mut self, data: Bytes, now: u64) -> Result<(), SessionError> {
        self.now = now;
        self.guard(|session| session.read(data))
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// Exchanges the queued events for the (empty) queue given, so that a busy owner can walk through them while it calls
    /// the session, without moving each one twice.
    pub fn swap_events(&mut self, other: &mut VecDeque<ServerEvent>) {
        std::mem::swap(&mut self.events, other);
    }

    /// Bytes to send. Valid to send at any time, also after an error.
    pub fn output(&mut self) -> &mut Output {
        self.link.wire_output()
    }

    /// How many of the bytes in [`output`](Self::output) may be sent now: `usize::MAX`, unless the client limited the bytes it
    /// has not acknowledged (Set Peer Bandwidth, RTMP 1.0 5.4.5). Sent is what was consumed of the output.
    ///
    /// While this is 0 the rest waits for an acknowledgement. When none comes for 10 seconds the limit is lifted until one
    /// does: `poll_timeout` and `handle_timeout` see to it.
    #[inline]
    pub fn send_room(&mut self, now: u64) -> usize {
        self.link.send_room(now)
    }

    /// When the limit that `send_room` reports will be lifted, while bytes wait for it; part of `poll_timeout`.
    pub fn lift_deadline(&self) -> Option<u64> {
        self.link.window.lift_deadline()
    }

    /// What [`output`](Self::output) holds, to look at; as of the last call of that or of [`send_room`](Self::send_room)
    /// when it is encrypted.
    pub fn pending_output(&self) -> &Output {
        self.link.pending_output()
    }

    /// A copy of a short body, for those who keep it: a slice would keep the whole input that it came in.
    #[cfg(feature = "engine")]
    pub(crate) fn copy(&mut self, body: &[u8]) -> Bytes {
        self.link.reader.copy(body)
    }

    /// Whether anything waits to be sent, encrypted or still to be; or the end.
    #[cfg(feature = "engine")]
    pub(crate) fn has_output(&self) -> bool {
        self.link.has_output() || self.is_closed()
    }

    /// When to call `handle_timeout`, on the clock of `now`; changes with every call of the session.
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.fault.is_some() {
            return Some(self.now);
        }
        let timeouts = &self.config.timeouts;
        match self.phase {
            Phase::Opening if !self.link.is_ready() => {
                Some(self.link.opened_ms().saturating_add(timeouts.handshake_ms))
            }
            Phase::Opening => Some(self.link.ready_ms().saturating_add(timeouts.connect_ms)),
            Phase::Deciding(_) | Phase::Connected => [
                self.link.ping.deadline(),
                self.calls.deadline(),
                self.link.window.lift_deadline(),
            ]
            .into_iter()
            .flatten()
            .min(),
            Phase::Closed => None,
        }
    }

    /// Does what is due at `now`: pings, timeouts of calls; an error when the peer was silent too long.
    pub fn handle_timeout(&mut self, now: u64) -> Result<(), SessionError> {
        self.now = now;
        self.guard(Self::timers)
    }

    /// Whether the protocol is over: send what is queued, then close the transport.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether `connect` was accepted and the connection is not over.
    pub fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected)
    }

    /// The chunk size of what this side sends now; shared messages made for it need no copy.
    pub fn chunk_size(&self) -> u32 {
        self.link.writer.chunk_size()
    }

    /// The encoding `connect` settled.
    pub fn object_encoding(&self) -> ObjectEncoding {
        self.encoding
    }

    /// What the client said it buffers of a stream, in milliseconds (RTMP 1.0 7.1.7); `None` if it said nothing.
    pub fn buffer_length(&self, stream_id: u32) -> Option<u32> {
        let told = self.streams.get(stream_id).and_then(|stream| stream.buffer_ms);
        told.or(self.buffer_ms)
    }

    /// Bytes received from the transport, handshake included.
    pub fn bytes_received(&self) -> u64 {
        self.link.window.total_received()
    }

    /// Bytes the client says it received. Many clients never say, or restart the count.
    pub fn bytes_acknowledged(&self) -> u64 {
        self.link.window.total_peer_acknowledged()
    }

    /// What the client did against the specifications, without harm.
    pub fn deviations(&self) -> &Deviations {
        self.link.tally.counts()
    }

    /// Whether what is sent and received is encrypted by RTMPE.
    pub fn is_encrypted(&self) -> bool {
        self.link.is_encrypted()
    }

    /// Runs `work`; whatever fails ends the session for good.
    fn guard(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if self.is_closed() {
            return Ok(());
        }
        let result = work(self);
        if result.is_err() {
            self.phase = Phase::Closed;
        }
        result
    }

    fn read(&mut self, mut data: Bytes) -> Result<(), SessionError> {
        if !self.link.receive(&mut data, self.now)? {
            return Ok(());
        }
        while !self.is_closed() {
            match self.link.next(&mut data, self.now)? {
                Some(Incoming::Message(message)) => self.checked_message(message)?,
                Some(Incoming::PingReply(rtt_ms)) => self.events.push_back(ServerEvent::PingReply { rtt_ms }),
                Some(Incoming::User(event)) => self.user_control(&event),
                None => break,
            }
        }
        self.link.acknowledge();
        Ok(())
    }

    fn timers(&mut self) -> Result<(), SessionError> {
        let now = self.now;
        let timeouts = self.config.timeouts.clone();
        if matches!(self.phase, Phase::Opening) {
            return match self.poll_timeout() {
                Some(due) if now >= due && self.link.is_ready() => {
                    Err(SessionError::ConnectTimeout(timeouts.connect_ms))
                }
                Some(due) if now >= due => Err(SessionError::HandshakeTimeout(timeouts.handshake_ms)),
                _ => Ok(()),
            };
        }
        while let Some((transaction_id, ())) = self.calls.expired(now) {
            let result = Err(call_failed("No answer came in time."));
            self.events.push_back(ServerEvent::CallReply {
                transaction_id,
                result,
            });
        }
        self.link.window.lift_if_due(now);
        match self.link.ping.due(now) {
            PingDue::Nothing => Ok(()),
            PingDue::Send(value) => {
                self.link.send_user(&UserControl::PingRequest(value));
                Ok(())
            }
            PingDue::Dead => Err(SessionError::PeerDead(self.link.ping.silent_ms(now))),
        }
    }

    /// A message that the profile refuses does nothing: its events are taken back.
    fn checked_message(&mut self, message: Message) -> Result<(), SessionError> {
        let before = self.events.len();
        self.message(message)?;
        self.link.check().inspect_err(|_| self.events.truncate(before))
    }

    fn message(&mut self, message: Message) -> Result<(), SessionError> {
        match self.phase {
            Phase::Connected => self.connected_message(message),
            Phase::Deciding(_) => self.wait(message),
            Phase::Opening => self.first_message(&message),
            Phase::Closed => Ok(()),
        }
    }

    fn connected_message(&mut self, message: Message) -> Result<(), SessionError> {
        match message.kind {
            MessageType::AUDIO
            | MessageType::VIDEO
            | MessageType::DATA
            | MessageType::DATA_AMF3
            | MessageType::AGGREGATE => {
                self.media(message);
                Ok(())
            }
            MessageType::COMMAND | MessageType::COMMAND_AMF3 => {
                match self.link.load_command(&message, &self.config.limits.amf) {
                    Ok(command) => self.command(message.stream_id, command),
                    Err(_) if message.payload.is_empty() => Ok(()),
                    Err(error) => {
                        self.events.push_back(ServerEvent::Unreadable(error));
                        Ok(())
                    }
                }
            }
            MessageType::SHARED_OBJECT | MessageType::SHARED_OBJECT_AMF3 => {
                self.events.push_back(ServerEvent::SharedObject { message });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Before `connect` nothing else may come. Types nobody defines, and empty commands, are ignored here as anywhere.
    fn first_message(&mut self, message: &Message) -> Result<(), SessionError> {
        match message.kind {
            MessageType::COMMAND | MessageType::COMMAND_AMF3 if message.payload.is_empty() => Ok(()),
            MessageType::COMMAND | MessageType::COMMAND_AMF3 => {
                let limits = &self.config.limits.amf;
                let command = Command::load_counting(message, limits, None, &mut self.link.tally)?;
                if command.name != "connect" {
                    return Err(SessionError::NotConnected(crate::amf::printable(&command.name)));
                }
                self.connect(command, message);
                Ok(())
            }
            MessageType::AUDIO
            | MessageType::VIDEO
            | MessageType::DATA
            | MessageType::DATA_AMF3
            | MessageType::SHARED_OBJECT
            | MessageType::SHARED_OBJECT_AMF3
            | MessageType::AGGREGATE => Err(SessionError::NotConnected(format!("{:?}", message.kind))),
            _ => Ok(()),
        }
    }

    /// Keeps a message until the host has decided about `connect`.
    fn wait(&mut self, message: Message) -> Result<(), SessionError> {
        let limits = &self.config.limits;
        self.waiting_bytes = self.waiting_bytes.saturating_add(message.payload.len());
        if self.waiting.len() >= limits.max_waiting_messages || self.waiting_bytes > limits.max_waiting_bytes
        {
            return Err(SessionError::TooMuchWaiting(limits.max_waiting_messages));
        }
        self.waiting.push_back(message);
        Ok(())
    }

    /// Works through what waited. A failure here is reported by the next `input` or `handle_timeout`: the host is in the
    /// middle of an answer.
    pub(super) fn replay_waiting(&mut self) {
        self.waiting_bytes = 0;
        let mut waiting = std::mem::take(&mut self.waiting);
        while let (false, Some(message)) = (self.is_closed(), waiting.pop_front()) {
            let result = self.checked_message(message);
            self.fail_later(result);
        }
    }

    /// Works through what waited behind a request on a stream, with its media when the request was to publish and was
    /// accepted. A request among it makes the rest wait again.
    pub(super) fn replay_held(&mut self, stream_id: u32, with_media: bool) {
        let held = self.streams.get_mut(stream_id).map(|stream| stream.take_held());
        for held in held.into_iter().flatten() {
            match held {
                Held::Media(message) if with_media => self.media(message),
                Held::Media(_) => {}
                Held::Command(stream_id, command) => {
                    let result = self.command(stream_id, command);
                    self.fail_later(result);
                }
            }
            let result = self.link.check();
            self.fail_later(result);
            if self.is_closed() {
                break;
            }
        }
    }

    fn fail_later(&mut self, result: Result<(), SessionError>) {
        if let Err(error) = result {
            self.phase = Phase::Closed;
            self.fault = Some(error);
            self.events.push_back(ServerEvent::Close);
        }
    }

    fn user_control(&mut self, event: &UserControl) {
        let is_opening = matches!(self.phase, Phase::Opening);
        if let (false, &UserControl::SetBufferLength { stream_id, millis }) = (is_opening, event) {
            match self.streams.get_mut(stream_id) {
                Some(stream) => stream.buffer_ms = Some(millis),
                // A stream that does not exist yet, in which case it is the next, or 0, which is all.
                None => self.buffer_ms = Some(millis),
            }
            self.events
                .push_back(ServerEvent::SetBufferLength { stream_id, millis });
        }
    }

    pub(super) fn ask_connect(&mut self, deciding: Box<Deciding>, request: ConnectRequest) {
        self.phase = Phase::Deciding(deciding);
        self.events.push_back(ServerEvent::Connect(Box::new(request)));
    }
}

fn handshake(config: &ServerSessionConfig, seed: [u8; 32], now_ms: u64) -> Handshake {
    let handshake = Handshake::server(now_ms as u32, seed);
    #[cfg(feature = "rtmpe")]
    let handshake = handshake.allow_encryption(config.accept_encryption);
    #[cfg(not(feature = "rtmpe"))]
    let _ = config;
    handshake
}
