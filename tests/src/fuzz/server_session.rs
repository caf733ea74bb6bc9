//! A server session against any client and a host that answers, refuses, delays and calls in any order.

use std::sync::Arc;

use bytes::Bytes;
use rtmp_core::Code;
use rtmp_core::session::{ConnectReply, ServerEvent, ServerSession, ServerSessionConfig, SessionLimits};
use rtmp_core::wire::chunk::{MessageType, SharedMessage, csid};
use rtmp_core::wire::deviation::Tolerance;
use rtmp_core::wire::message::data::DataMessage;
use rtmp_core::wire::status::Status;

use super::memory;
use super::peer::Peer;
use super::script::Script;

/// Byte 0: settings; then steps, each a byte and what it asks for.
pub fn run(data: &[u8]) {
    let ((), peak) = memory::peak(|| {
        let mut script = Script::new(data);
        let mut host = Host::new(script.u8());
        while !script.is_empty() {
            host.step(&mut script);
        }
        host.end();
    });
    assert!(
        peak <= (1 << 20) + 640 * data.len(),
        "{peak} bytes for {} of script",
        data.len()
    );
}

struct Host {
    session: ServerSession,
    peer: Peer,
    now: u64,
    asked_connect: bool,
    publishes: Vec<u32>,
    plays: Vec<u32>,
    calls: Vec<f64>,
    /// What the session may send: so much for each byte received and each action of the host.
    allowance: usize,
}

impl Host {
    fn new(choice: u8) -> Self {
        let mut config = ServerSessionConfig {
            lenient_streams: choice & 1 == 0,
            ..ServerSessionConfig::default()
        };
        config.send_on_bw_done = choice & 2 != 0;
        if choice & 8 != 0 {
            config.tolerance = Tolerance::Strict;
        }
        if choice & 4 != 0 {
            config.limits = small_limits();
        }
        let mut host = Self {
            session: ServerSession::new(Arc::new(config), [choice; 32], 0),
            peer: Peer::new(),
            now: 0,
            asked_connect: false,
            publishes: Vec::new(),
            plays: Vec::new(),
            calls: Vec::new(),
            allowance: 8192,
        };
        host.input(Peer::handshake());
        host
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let code = script.u8();
        self.allowance += 2048;
        match code % 16 {
            step @ 0..=5 => {
                let bytes = self.peer.step(step, script);
                self.input(bytes);
            }
            6 => self.pass(u64::from(script.u16()) * 16),
            7 => self.accept(),
            8 => self.refuse(),
            9 => self.call(script),
            10 => self.media(script),
            11 => self.speak(script),
            // An honest transport waits while the peer's window is full.
            12 if self.session.send_room(self.now) == 0 => {}
            12 => self.peer.receive(self.session.output()),
            13 => self.session.set_chunk_size(u32::from(script.u16())),
            14 => self.session.ping(),
            _ if script.u8() == 0 => self.session.close(None),
            _ => self.session.close(Some(Status::new(Code::ConnectAppShutdown))),
        }
        // A busy host looks at events later.
        if code & 0x80 == 0 {
            self.events();
        }
        let sent = self.peer.received + self.session.output().len();
        assert!(
            sent <= self.allowance,
            "{sent} bytes sent, {} allowed",
            self.allowance
        );
    }

    fn input(&mut self, bytes: Bytes) {
        self.allowance += 64 * bytes.len();
        if self.session.input(bytes, self.now).is_err() {
            assert!(self.session.is_closed());
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now += millis;
        for _ in 0..3 {
            if self.session.handle_timeout(self.now).is_err() {
                assert!(self.session.is_closed());
            }
        }
        let next = self.session.poll_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "{next:?} is due again at {}",
            self.now
        );
    }

    fn events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                ServerEvent::Connect(_) => self.asked_connect = true,
                ServerEvent::Publish { stream_id, .. } => self.publishes.push(stream_id),
                ServerEvent::Play { stream_id, .. } => self.plays.push(stream_id),
                ServerEvent::Call { transaction_id, .. }
                | ServerEvent::StreamLength { transaction_id, .. } => {
                    self.calls.push(transaction_id);
                }
                _ => {}
            }
        }
    }

    fn accept(&mut self) {
        if std::mem::take(&mut self.asked_connect) {
            self.session.accept_connect(ConnectReply::default());
        }
        for stream_id in std::mem::take(&mut self.publishes) {
            self.allowance += 2048;
            self.session.accept_publish(stream_id);
        }
        for stream_id in std::mem::take(&mut self.plays) {
            self.allowance += 2048;
            self.session.accept_play(stream_id);
        }
        for transaction_id in std::mem::take(&mut self.calls) {
            self.session.reply_call(transaction_id, Ok(1.into()));
        }
    }

    fn refuse(&mut self) {
        if std::mem::take(&mut self.asked_connect) {
            self.session.reject_connect(Status::new(Code::ConnectRejected));
        }
        for stream_id in std::mem::take(&mut self.publishes) {
            self.allowance += 2048;
            self.session
                .reject_publish(stream_id, Status::new(Code::PublishBadName));
        }
        for stream_id in std::mem::take(&mut self.plays) {
            self.allowance += 2048;
            self.session
                .reject_play(stream_id, Status::new(Code::PlayStreamNotFound));
        }
        for transaction_id in std::mem::take(&mut self.calls) {
            self.session.reply_call(transaction_id, Err("no".into()));
        }
    }

    fn call(&mut self, script: &mut Script<'_>) {
        let choice = script.u8();
        let transaction = self.session.call("method", vec![choice.into()], choice & 1 != 0);
        assert!(transaction.is_none() || self.session.is_connected());
    }

    fn media(&mut self, script: &mut Script<'_>) {
        let (choice, timestamp) = (script.u8(), script.u32());
        let (kind, channel) = match choice % 3 {
            0 => (MessageType::AUDIO, csid::AUDIO),
            1 => (MessageType::VIDEO, csid::VIDEO),
            _ => (MessageType::DATA, csid::DATA),
        };
        let length = usize::from(choice) * 10;
        self.allowance += 2 * length;
        let size = if choice & 4 == 0 {
            self.session.chunk_size()
        } else {
            128
        };
        let message = SharedMessage::new(kind, timestamp, Bytes::from(vec![choice; length]), size, channel);
        self.session.send_media(u32::from(choice % 5), &message);
    }

    fn speak(&mut self, script: &mut Script<'_>) {
        let (choice, stream_id) = (script.u8(), u32::from(script.u8() % 5));
        match choice % 7 {
            0 => self
                .session
                .send_status(stream_id, Status::new(Code::PlayUnpublishNotify)),
            1 => self
                .session
                .send_data(stream_id, 1, &DataMessage::new("onTextData", vec!["x".into()])),
            2 => self.session.publish_notify(stream_id, "test"),
            3 => self.session.unpublish_notify(stream_id, "test"),
            4 => self.session.stream_eof(stream_id),
            5 => self.session.stream_is_recorded(stream_id),
            _ => self.session.play_complete(stream_id, 9, 1.0, 2.0),
        }
    }

    /// Whatever happened, what was sent is readable and time brings the session to its end or to rest.
    fn end(mut self) {
        self.peer.receive(self.session.output());
        self.pass(200_000);
        self.pass(200_000);
        self.peer.receive(self.session.output());
        let _ = self.session.deviations().total();
        assert!(!format!("{:?}", self.session).is_empty());
    }
}

/// Limits a short script can meet.
pub(super) fn small_limits() -> SessionLimits {
    SessionLimits {
        max_message: 2000,
        max_partial_bytes: 3000,
        max_chunk_streams: 4,
        max_streams: 2,
        max_waiting_messages: 3,
        max_waiting_bytes: 200,
        max_pending_calls: 3,
        max_name: 8,
        max_metadata: 40,
        max_data_frames: 2,
        max_aggregate_messages: 3,
        amf: super::amf0::limits(1),
    }
}
