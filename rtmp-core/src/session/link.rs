//! What both sides of a connection do below commands: handshake, chunks, windows, pings.

use crate::amf::{self, ClassRegistry};
use crate::session::config::{SessionLimits, SessionTimeouts};
use crate::session::error::SessionError;
use crate::session::ping::Ping;
#[cfg(feature = "rtmpe")]
use crate::session::sealed::Sealed;
use crate::session::window::{MIN_LIMIT, Window};
use crate::wire::chunk::{ChunkReader, ChunkWriter, Output, csid};
use crate::wire::deviation::{Deviation, Tally, Tolerance};
use crate::wire::handshake::{Handshake, HandshakeKind, Swf};
use crate::wire::message::aggregate::Aggregate;
use crate::wire::message::command::{Command, CommandError, ObjectEncoding};
use crate::wire::message::control::{Control, LimitType};
use crate::wire::message::data::DataMessage;
use crate::wire::message::user_control::UserControl;
use crate::wire::message::{Message, MessageType};
use bytes::Bytes;
use std::sync::Arc;

/// What the link does not settle by itself.
#[derive(Debug)]
pub(crate) enum Incoming {
    Message(Message),
    User(UserControl),
    PingReply(u64),
}

/// The lower half of a session.
pub(crate) struct Link {
    /// `None` once done.
    handshake: Option<Box<Handshake>>,
    opened_ms: u64,
    ready_ms: u64,
    pub(crate) reader: ChunkReader,
    pub(crate) writer: ChunkWriter,
    pub(crate) output: Output,
    pub(crate) window: Window,
    pub(crate) ping: Ping,
    pub(crate) tally: Tally,
    /// The key of SWF verification; a client's, once the handshake is done.
    swf_key: Option<Box<[u8; 32]>>,
    #[cfg(feature = "rtmpe")]
    sealed: Option<Box<Sealed>>,
    /// The classes the host knows.
    pub(crate) classes: Option<Arc<ClassRegistry>>,
    /// The Window Acknowledgement Size we told the peer last.
    own_window: u32,
}

impl Link {
    pub(crate) fn new(
        handshake: Handshake,
        limits: &SessionLimits,
        timeouts: &SessionTimeouts,
        tolerance: Tolerance,
        now: u64,
    ) -> Self {
        Self {
            handshake: Some(Box::new(handshake)),
            opened_ms: now,
            ready_ms: now,
            reader: ChunkReader::new(limits.reader()),
            writer: ChunkWriter::new(),
            output: Output::new(),
            window: Window::new(),
            ping: Ping::new(timeouts.ping_interval_ms, timeouts.ping_timeout_ms, now),
            tally: Tally::new(tolerance),
            swf_key: None,
            #[cfg(feature = "rtmpe")]
            sealed: None,
            classes: None,
            own_window: 0,
        }
    }

    /// Begins the handshake from our side; the client's job.
    pub(crate) fn start(&mut self, now: u64) {
        self.opened_ms = now;
        if let Some(handshake) = &mut self.handshake {
            handshake.start(&mut self.output);
        }
    }

    /// Counts new bytes and feeds the handshake; `true` when what is left in `data` is chunks.
    pub(crate) fn receive(&mut self, data: &mut Bytes, now: u64) -> Result<bool, SessionError> {
        self.window.received(data.len());
        if self.ping.heard(now) {
            self.tally.note(Deviation::PingUnanswered);
        }
        if let Some(handshake) = &mut self.handshake {
            if !handshake.input(data, &mut self.output)? {
                return Ok(false);
            }
            let is_plain = handshake.kind() != HandshakeKind::Encrypted;
            self.tally.note_if(
                is_plain && handshake.peer_version() != 3,
                Deviation::HandshakeVersion,
            );
            if !handshake.is_server() {
                self.swf_key = Some(Box::new(handshake.swf_verification_key()));
            }
            #[cfg(feature = "rtmpe")]
            if let Some(ciphers) = handshake.take_ciphers() {
                self.sealed = Some(Box::new(Sealed::new(ciphers, &mut self.output)));
            }
            self.tally
                .note_if(!handshake.is_echoed(), Deviation::HandshakeEcho);
            self.handshake = None;
            self.ready_ms = now;
        }
        #[cfg(feature = "rtmpe")]
        if let Some(sealed) = &mut self.sealed {
            sealed.open(data);
        }
        self.check()?;
        Ok(true)
    }

    /// What the transport is to send.
    #[inline]
    pub(crate) fn wire_output(&mut self) -> &mut Output {
        #[cfg(feature = "rtmpe")]
        if let Some(sealed) = &mut self.sealed {
            return sealed.seal(&mut self.output);
        }
        &mut self.output
    }

    /// The same, as it stood then.
    #[inline]
    pub(crate) fn pending_output(&self) -> &Output {
        #[cfg(feature = "rtmpe")]
        if let Some(sealed) = &self.sealed {
            return sealed.pending();
        }
        &self.output
    }

    /// Whether anything waits to be sent.
    #[cfg(feature = "engine")]
    #[inline]
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty() || !self.pending_output().is_empty()
    }

    /// How much the transport has sent.
    #[inline]
    fn sent(&self) -> u64 {
        #[cfg(feature = "rtmpe")]
        if let Some(sealed) = &self.sealed {
            return sealed.sent();
        }
        self.output.consumed()
    }

    /// Whether bytes are encrypted on their way (RTMPE).
    pub(crate) fn is_encrypted(&self) -> bool {
        #[cfg(feature = "rtmpe")]
        return self.sealed.is_some();
        #[cfg(not(feature = "rtmpe"))]
        false
    }

    /// Proves to the server which SWF file this client is.
    pub(crate) fn verify_swf(&mut self, swf: &Swf) {
        let key = self.swf_key.as_deref().copied().unwrap_or_default();
        let response = swf.response(&key);
        self.send_user(&UserControl::SwfVerifyResponse(response));
    }

    /// Whether the peer did something its profile refuses.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), SessionError> {
        match self.tally.refused() {
            None => Ok(()),
            Some(deviation) => Err(SessionError::Deviation(deviation)),
        }
    }

    /// Reads a command, counting what is tolerated about it. One that is not readable is no reason to end the connection.
    pub(crate) fn load_command(
        &mut self,
        message: &Message,
        limits: &amf::Limits,
    ) -> Result<Command, CommandError> {
        Command::load_counting(message, limits, self.classes.as_deref(), &mut self.tally).inspect_err(
            |error| {
                log::debug!("a command was ignored: {error}");
                self.tally.note(Deviation::Unreadable);
            },
        )
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.handshake.is_none()
    }

    pub(crate) fn opened_ms(&self) -> u64 {
        self.opened_ms
    }

    pub(crate) fn ready_ms(&self) -> u64 {
        self.ready_ms
    }

    /// The next message for the session, after applying protocol control on the way.
    pub(crate) fn next(&mut self, data: &mut Bytes, now: u64) -> Result<Option<Incoming>, SessionError> {
        loop {
            let message = self.reader.read(data)?;
            if let Some(seen) = self.reader.take_deviations() {
                self.tally.absorb(&seen);
            }
            self.check()?;
            let Some(message) = message else {
                return Ok(None);
            };
            match message.kind {
                MessageType::SET_CHUNK_SIZE
                | MessageType::ABORT
                | MessageType::ACKNOWLEDGEMENT
                | MessageType::WINDOW_ACK_SIZE
                | MessageType::SET_PEER_BANDWIDTH => self.control(&message)?,
                MessageType::USER_CONTROL => {
                    if let Some(incoming) = self.user_control(&message, now) {
                        return Ok(Some(incoming));
                    }
                }
                _ => return Ok(Some(Incoming::Message(message))),
            }
        }
    }

    /// Control messages too short to read are ignored; a chunk size that cannot be ends the connection.
    fn control(&mut self, message: &Message) -> Result<(), SessionError> {
        let Ok(control) = Control::load(message) else {
            self.tally.note(Deviation::ControlTooShort);
            return self.check();
        };
        match control {
            Control::SetChunkSize(size) => self.reader.set_chunk_size(size)?,
            Control::Abort(csid) => self.reader.abort(csid),
            Control::Acknowledgement(sequence) => {
                let restarted = self.window.peer_acknowledged(sequence, self.sent());
                self.tally.note_if(restarted, Deviation::AcknowledgementRestarted);
            }
            Control::WindowAckSize(size) => self.window.set_peer_window(size),
            Control::SetPeerBandwidth { size, limit } => {
                self.tally
                    .note_if(message.payload.len() < 5, Deviation::LimitTypeMissing);
                self.limit_set(size, limit);
            }
        }
        self.check()
    }

    /// Answered with a window of that size when it differs from ours (RTMP 1.0 5.4.5). A size of 0 would stall for ever,
    /// unknown limit types mean nothing.
    fn limit_set(&mut self, size: u32, limit: LimitType) {
        if size == 0 || matches!(limit, LimitType::Unknown(_)) {
            return;
        }
        self.window.set_send_limit(size, limit, self.sent());
        if size != self.own_window {
            self.send_window(size);
        }
    }

    /// How many of the waiting bytes may be sent now: all, unless the peer set a limit.
    #[inline]
    pub(crate) fn send_room(&mut self, now: u64) -> usize {
        self.wire_output();
        self.window.send_room(self.sent(), now)
    }

    fn user_control(&mut self, message: &Message, now: u64) -> Option<Incoming> {
        let Ok(event) = UserControl::load(message) else {
            self.tally.note(Deviation::ControlTooShort);
            return None;
        };
        match event {
            UserControl::PingRequest(value) => {
                if self.ping.may_answer(now) {
                    self.send_user(&UserControl::PingResponse(value));
                }
                None
            }
            UserControl::PingResponse(value) => self.ping.answered(value, now).map(Incoming::PingReply),
            other => Some(Incoming::User(other)),
        }
    }

    /// Looks into metadata, which is passed on as it came, for what encoders get wrong.
    pub(crate) fn note_metadata(&mut self, body: &[u8], limits: &amf::Limits) {
        match DataMessage::from_body_counting(body, limits, &mut self.tally) {
            Ok(data) => self.tally.note_if(
                data.name == "onMetaData" && data.args.iter().all(amf::Value::is_null),
                Deviation::NullMetadata,
            ),
            Err(_) => self.tally.note(Deviation::Unreadable),
        }
    }

    /// Counts what is wrong with an aggregate that was read.
    pub(crate) fn note_aggregate(&mut self, aggregate: &Aggregate) {
        for _ in 0..aggregate.wrong_back_pointers() {
            self.tally.note(Deviation::BackPointer);
        }
        self.tally.note_if(aggregate.is_cut(), Deviation::AggregateCut);
    }

    /// Acknowledges what came in, when due. Once per batch of input.
    pub(crate) fn acknowledge(&mut self) {
        if let Some(sequence) = self.window.due() {
            self.send_control(&Control::Acknowledgement(sequence));
        }
    }

    pub(crate) fn allow_large_messages(&mut self, limits: &SessionLimits) {
        self.reader.set_max_message(limits.max_message);
    }

    pub(crate) fn send_ping(&mut self, now: u64) {
        let value = self.ping.start(now);
        self.send_user(&UserControl::PingRequest(value));
    }

    pub(crate) fn send_window(&mut self, size: u32) {
        self.own_window = size;
        self.send_control(&Control::WindowAckSize(size));
    }

    /// Limits what the peer may send ahead of our acknowledgements. Dynamic limits limit nothing by themselves.
    pub(crate) fn send_peer_bandwidth(&mut self, size: u32, limit: LimitType) {
        let size = size.max(MIN_LIMIT);
        if limit != LimitType::Dynamic {
            self.window.limit_peer(size);
        }
        self.send_control(&Control::SetPeerBandwidth { size, limit });
    }

    /// The chunk size the peer announced, 128 if it did not.
    pub(crate) fn peer_chunk_size(&self) -> u32 {
        self.reader.chunk_size()
    }

    /// Announces a chunk size and uses it from the next message on.
    pub(crate) fn send_chunk_size(&mut self, size: u32) {
        let size = size.clamp(1, crate::wire::chunk::MAX_CHUNK_SIZE);
        if size != self.writer.chunk_size() {
            self.send_control(&Control::SetChunkSize(size));
            self.writer.set_chunk_size(size);
        }
    }

    pub(crate) fn send_control(&mut self, control: &Control) {
        self.write(csid::CONTROL, &control.encode());
    }

    pub(crate) fn send_user(&mut self, event: &UserControl) {
        self.write(csid::CONTROL, &event.encode());
    }

    pub(crate) fn send_command(
        &mut self,
        csid: u32,
        stream_id: u32,
        command: &Command,
        encoding: ObjectEncoding,
    ) {
        self.write(csid, &command.encode(stream_id, encoding));
    }

    pub(crate) fn write(&mut self, csid: u32, message: &Message) -> bool {
        self.writer.write(csid, message, &mut self.output)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("ready", &self.is_ready())
            .field("received", &self.window.total_received())
            .field("to_send", &self.output.len())
            .finish_non_exhaustive()
    }
}
