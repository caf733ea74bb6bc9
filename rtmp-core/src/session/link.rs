//! What both sides of a connection do below commands: handshake, chunks, windows, pings.

use crate::session::config::{SessionLimits, SessionTimeouts};
use crate::session::error::SessionError;
use crate::session::ping::Ping;
use crate::session::window::{MIN_LIMIT, Window};
use crate::wire::chunk::{ChunkReader, ChunkWriter, Output, csid};
use crate::wire::handshake::Handshake;
use crate::wire::message::command::{Command, ObjectEncoding};
use crate::wire::message::control::{Control, LimitType};
use crate::wire::message::user_control::UserControl;
use crate::wire::message::{Message, MessageType};
use bytes::Bytes;

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
    handshake: Option<Handshake>,
    opened_ms: u64,
    ready_ms: u64,
    reader: ChunkReader,
    pub(crate) writer: ChunkWriter,
    pub(crate) output: Output,
    pub(crate) window: Window,
    pub(crate) ping: Ping,
    /// The Window Acknowledgement Size we told the peer last.
    own_window: u32,
}

impl Link {
    pub(crate) fn new(
        handshake: Handshake,
        limits: &SessionLimits,
        timeouts: &SessionTimeouts,
        now: u64,
    ) -> Self {
        Self {
            handshake: Some(handshake),
            opened_ms: now,
            ready_ms: now,
            reader: ChunkReader::new(limits.reader()),
            writer: ChunkWriter::new(),
            output: Output::new(),
            window: Window::new(),
            ping: Ping::new(timeouts.ping_interval_ms, timeouts.ping_timeout_ms, now),
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
        self.ping.heard(now);
        if let Some(handshake) = &mut self.handshake {
            if !handshake.input(data, &mut self.output)? {
                return Ok(false);
            }
            self.handshake = None;
            self.ready_ms = now;
        }
        Ok(true)
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
        while let Some(message) = self.reader.read(data)? {
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
        Ok(None)
    }

    /// Control messages too short to read are ignored; a chunk size that cannot be ends the connection.
    fn control(&mut self, message: &Message) -> Result<(), SessionError> {
        let Ok(control) = Control::load(message) else {
            return Ok(());
        };
        match control {
            Control::SetChunkSize(size) => self.reader.set_chunk_size(size)?,
            Control::Abort(csid) => self.reader.abort(csid),
            Control::Acknowledgement(sequence) => {
                self.window.peer_acknowledged(sequence, self.output.consumed());
            }
            Control::WindowAckSize(size) => self.window.set_peer_window(size),
            Control::SetPeerBandwidth { size, limit } => self.limit_set(size, limit),
        }
        Ok(())
    }

    /// Answered with a window of that size when it differs from ours (RTMP 1.0 5.4.5). A size of 0 would stall for ever,
    /// unknown limit types mean nothing.
    fn limit_set(&mut self, size: u32, limit: LimitType) {
        if size == 0 || matches!(limit, LimitType::Unknown(_)) {
            return;
        }
        self.window.set_send_limit(size, limit, self.output.consumed());
        if size != self.own_window {
            self.send_window(size);
        }
    }

    /// How many of the waiting bytes may be sent now: all, unless the peer set a limit.
    #[inline]
    pub(crate) fn send_room(&mut self, now: u64) -> usize {
        self.window.send_room(self.output.consumed(), now)
    }

    fn user_control(&mut self, message: &Message, now: u64) -> Option<Incoming> {
        match UserControl::load(message).ok()? {
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

    pub(crate) fn write(&mut self, csid: u32, message: &Message) {
        self.writer.write(csid, message, &mut self.output);
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
