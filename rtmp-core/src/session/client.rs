//! The client's side of one connection.

use crate::media::{MediaKind, MediaMessage};
use crate::session::client_events::ClientEvent;
use crate::session::config::ClientSessionConfig;
use crate::session::error::SessionError;
use crate::session::events::PublishMode;
use crate::session::link::{Incoming, Link};
use crate::session::ping::PingDue;
use crate::session::streams::{Role, Streams};
use crate::session::tolerance::note_media;
use crate::session::transaction::Calls;
use crate::wire::chunk::{Message, MessageType, Output};
use crate::wire::deviation::{Deviation, Deviations};
use crate::wire::handshake::Handshake;
use crate::wire::message::aggregate::Aggregate;
use crate::wire::message::command::ObjectEncoding;
use crate::wire::message::data::{self, DataMessage};
use crate::wire::message::user_control::UserControl;
use crate::wire::status::Status;
use bytes::Bytes;
use std::collections::VecDeque;

/// The client's side of one connection: handshake, `connect`, streams, calls.
///
/// After [`connect`](Self::connect) feed received bytes to [`input`](Self::input), take events with
/// [`poll_event`](Self::poll_event) or [`swap_events`](Self::swap_events), and send what stands in
/// [`output`](Self::output). An error from any method ends the connection: send what is queued and close.
#[derive(Debug)]
pub struct ClientSession {
    pub(super) config: ClientSessionConfig,
    pub(super) link: Link,
    pub(super) phase: Phase,
    pub(super) events: VecDeque<ClientEvent>,
    pub(super) streams: Streams,
    pub(super) calls: Calls<Purpose>,
    /// Calls of the server the host has not answered.
    pub(super) unanswered: usize,
    pub(super) encoding: ObjectEncoding,
    pub(super) now: u64,
}

/// How far the connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before `connect` was called.
    Fresh,
    /// In the handshake.
    Opening,
    /// `connect` is sent.
    Connecting,
    Connected,
    Closed,
}

/// What a call of ours was for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// The host's.
    Host,
    /// Nobody waits for the answer.
    Nothing,
    CreateStream(AfterCreate),
    /// `publish` or `play`: answered by `onStatus`, rarely by `_result` too.
    Publish(u32),
    Play(u32),
}

/// What to do on a stream as soon as it exists.
#[derive(Debug)]
pub(super) enum AfterCreate {
    Nothing,
    Publish(String, PublishMode),
    Play(crate::session::client_events::PlayOptions),
}

impl ClientSession {
    /// A session that has not sent anything yet. `seed` feeds the handshake's random bytes.
    pub fn new(config: ClientSessionConfig, seed: [u8; 32], now_ms: u64) -> Self {
        let handshake = handshake(&config, seed, now_ms);
        Self {
            link: Link::new(
                handshake,
                &config.limits,
                &config.timeouts,
                config.tolerance,
                now_ms,
            ),
            phase: Phase::Fresh,
            events: VecDeque::new(),
            streams: Streams::new(config.limits.max_streams),
            calls: Calls::new(2, config.limits.max_pending_calls, config.timeouts.call_ms),
            unanswered: 0,
            encoding: ObjectEncoding::Amf0,
            now: now_ms,
            config,
        }
    }

    /// Begins: the handshake is queued for sending, `connect` follows it by itself. Does nothing the second time.
    pub fn connect(&mut self, now: u64) {
        if self.phase == Phase::Fresh {
            self.now = now;
            self.phase = Phase::Opening;
            self.link.start(now);
        }
    }

    /// Takes bytes as they came from the transport, in any pieces.
    pub fn input(&mut self, data: Bytes, now: u64) -> Result<(), SessionError> {
        self.now = now;
        self.guard(|session| session.read(data))
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// Exchanges the queued events for the (empty) queue given.
    pub fn swap_events(&mut self, other: &mut VecDeque<ClientEvent>) {
        std::mem::swap(&mut self.events, other);
    }

    /// Bytes to send. Valid to send at any time, also after an error.
    pub fn output(&mut self) -> &mut Output {
        self.link.wire_output()
    }

    /// How many of the bytes in [`output`](Self::output) may be sent now: `usize::MAX`, unless the server limited the bytes it
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

    /// When to call `handle_timeout`, on the clock of `now`; changes with every call of the session.
    pub fn poll_timeout(&self) -> Option<u64> {
        let timeouts = &self.config.timeouts;
        match self.phase {
            Phase::Fresh | Phase::Closed => None,
            Phase::Opening => Some(self.link.opened_ms().saturating_add(timeouts.handshake_ms)),
            Phase::Connecting => Some(self.link.ready_ms().saturating_add(timeouts.connect_ms)),
            Phase::Connected => [
                self.link.ping.deadline(),
                self.calls.deadline(),
                self.link.window.lift_deadline(),
            ]
            .into_iter()
            .flatten()
            .min(),
        }
    }

    /// Does what is due at `now`: pings, timeouts of calls; an error when the server was silent too long.
    pub fn handle_timeout(&mut self, now: u64) -> Result<(), SessionError> {
        self.now = now;
        self.guard(Self::timers)
    }

    /// Whether the protocol is over: send what is queued, then close the transport.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether the server accepted `connect` and the connection is not over.
    pub fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// The chunk size of what this side sends now; shared messages made for it need no copy.
    pub fn chunk_size(&self) -> u32 {
        self.link.writer.chunk_size()
    }

    /// The encoding `connect` settled.
    pub fn object_encoding(&self) -> ObjectEncoding {
        self.encoding
    }

    /// Bytes received from the transport, handshake included.
    pub fn bytes_received(&self) -> u64 {
        self.link.window.total_received()
    }

    /// Bytes the server says it received.
    pub fn bytes_acknowledged(&self) -> u64 {
        self.link.window.total_peer_acknowledged()
    }

    /// The settings it was made with.
    #[cfg(feature = "engine")]
    pub(crate) fn config(&self) -> &ClientSessionConfig {
        &self.config
    }

    /// What the server did against the specifications, without harm.
    pub fn deviations(&self) -> &Deviations {
        self.link.tally.counts()
    }

    /// Whether what is sent and received is encrypted by RTMPE.
    pub fn is_encrypted(&self) -> bool {
        self.link.is_encrypted()
    }

    pub(super) fn end(&mut self) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Closed;
            self.events.push_back(ClientEvent::Closed);
        }
    }

    fn guard(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
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
        if self.phase == Phase::Opening {
            self.phase = Phase::Connecting;
            self.send_connect();
        }
        while !self.is_closed() {
            match self.link.next(&mut data, self.now)? {
                Some(Incoming::Message(message)) => {
                    let before = self.events.len();
                    self.message(message)?;
                    self.link.check().inspect_err(|_| self.events.truncate(before))?;
                }
                Some(Incoming::PingReply(rtt_ms)) => self.events.push_back(ClientEvent::PingReply { rtt_ms }),
                // Type 1 is the only one known; without a file to show nothing is answered.
                Some(Incoming::User(UserControl::SwfVerifyRequest(1))) if self.config.swf.is_some() => {
                    if let Some(swf) = &self.config.swf {
                        self.link.verify_swf(swf);
                    }
                }
                Some(Incoming::User(event)) => self.events.push_back(ClientEvent::UserControl(event)),
                None => break,
            }
        }
        self.link.acknowledge();
        Ok(())
    }

    fn timers(&mut self) -> Result<(), SessionError> {
        let now = self.now;
        let timeouts = &self.config.timeouts;
        let due = self.poll_timeout().is_some_and(|due| now >= due);
        match self.phase {
            Phase::Opening if due => return Err(SessionError::HandshakeTimeout(timeouts.handshake_ms)),
            Phase::Connecting if due => return Err(SessionError::ConnectTimeout(timeouts.connect_ms)),
            Phase::Connected => {}
            _ => return Ok(()),
        }
        while let Some((transaction_id, purpose)) = self.calls.expired(now) {
            self.call_expired(transaction_id, purpose);
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

    fn message(&mut self, message: Message) -> Result<(), SessionError> {
        match message.kind {
            MessageType::AUDIO | MessageType::VIDEO => self.media(message),
            MessageType::AGGREGATE => {
                let mut aggregate = Aggregate::new(&message);
                for inner in aggregate.by_ref().take(self.config.limits.max_aggregate_messages) {
                    if matches!(inner.kind, MessageType::DATA | MessageType::DATA_AMF3) {
                        self.data(&inner);
                    } else {
                        self.media(inner);
                    }
                }
                self.link.note_aggregate(&aggregate);
            }
            MessageType::DATA | MessageType::DATA_AMF3 => self.data(&message),
            MessageType::COMMAND | MessageType::COMMAND_AMF3 => {
                if let Ok(command) = self.link.load_command(&message, &self.config.limits.amf) {
                    return self.command(message.stream_id, command);
                }
            }
            MessageType::SHARED_OBJECT | MessageType::SHARED_OBJECT_AMF3 if self.is_connected() => {
                self.events.push_back(ClientEvent::SharedObject { message });
            }
            _ => {}
        }
        Ok(())
    }

    /// Media for streams this client does not have is dropped. A player whose server starts without a status plays.
    fn media(&mut self, message: Message) {
        let Some(stream_id) = self.receiver(message.stream_id) else {
            return;
        };
        let kind = if message.kind == MessageType::AUDIO {
            MediaKind::Audio
        } else {
            MediaKind::Video
        };
        note_media(&mut self.link.tally, kind, &message.payload);
        let message = MediaMessage {
            kind,
            timestamp: message.timestamp,
            body: message.payload,
        };
        self.events.push_back(ClientEvent::Media { stream_id, message });
    }

    fn data(&mut self, message: &Message) {
        let Some(stream_id) = self.receiver(message.stream_id) else {
            return;
        };
        let body = data::body_counting(message, &mut self.link.tally).unwrap_or_default();
        let Some((name, _)) = data::split(&body) else {
            return self.link.tally.note(Deviation::Unreadable);
        };
        match name {
            "onStatus" | "onPlayStatus" => self.data_status(stream_id, &body),
            // Sample access is about a Flash Player's own rights; instructions to servers are not for clients.
            name if name.starts_with(['|', '@']) => {}
            _ => {
                if name == "onMetaData" {
                    self.link.note_metadata(&body, &self.config.limits.amf);
                }
                let kind = MediaKind::Data;
                let message = MediaMessage {
                    kind,
                    timestamp: message.timestamp,
                    body,
                };
                self.events.push_back(ClientEvent::Media { stream_id, message });
            }
        }
    }

    fn data_status(&mut self, stream_id: u32, body: &[u8]) {
        let Ok(data) = DataMessage::from_body(body, &self.config.limits.amf) else {
            return;
        };
        let Some(status) = data.args.iter().find_map(Status::from_value) else {
            return;
        };
        self.events.push_back(if data.name == "onStatus" {
            ClientEvent::Status { stream_id, status }
        } else {
            ClientEvent::PlayStatus { stream_id, status }
        });
    }

    /// The stream media on `stream_id` is for; 0 means the first, for servers that forget.
    fn receiver(&mut self, stream_id: u32) -> Option<u32> {
        let id = if stream_id == 0 {
            self.streams.first()?
        } else {
            stream_id
        };
        let stream = self.streams.get_mut(id)?;
        match stream.role {
            Role::PlayAsked => stream.role = Role::Playing,
            Role::Playing => {}
            _ => return None,
        }
        self.link
            .tally
            .note_if(stream_id == 0, Deviation::MediaOnStreamZero);
        Some(id)
    }
}

fn handshake(config: &ClientSessionConfig, seed: [u8; 32], now_ms: u64) -> Handshake {
    #[cfg(feature = "rtmpe")]
    if config.encrypted {
        return Handshake::client_encrypted(now_ms as u32, seed);
    }
    if config.digest_handshake || config.swf.is_some() {
        return Handshake::client_with_digest(now_ms as u32, seed);
    }
    Handshake::client(now_ms as u32, seed)
}
