//! A client session against any server and a host that asks for anything at any time.

use bytes::Bytes;
use rtmp_core::session::{
    ClientEvent, ClientSession, ClientSessionConfig, PlayOptions, PlayStart, PublishMode, redirect_target,
};
use rtmp_core::wire::deviation::Tolerance;
use rtmp_core::wire::message::data::DataMessage;
use rtmp_core::{MediaKind, MediaMessage};

use super::memory;
use super::peer::Peer;
use super::script::Script;
use super::server_session::small_limits;

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
    session: ClientSession,
    peer: Peer,
    now: u64,
    streams: Vec<u32>,
    calls: Vec<f64>,
    closed: usize,
    /// What the session may send: so much for each byte received and each action of the host.
    allowance: usize,
}

impl Host {
    fn new(choice: u8) -> Self {
        let mut config = ClientSessionConfig::new("live", "rtmp://127.0.0.1/live");
        config.amf3 = choice & 1 != 0;
        config.fc_publish = choice & 2 == 0;
        config.fc_subscribe = choice & 2 != 0;
        if choice & 16 != 0 {
            config.tolerance = Tolerance::Strict;
        }
        if choice & 4 != 0 {
            config.limits = small_limits();
        }
        let mut session = ClientSession::new(config, [choice; 32], 0);
        session.connect(0);
        let mut host = Self {
            session,
            peer: Peer::new(),
            now: 0,
            streams: vec![1],
            calls: Vec::new(),
            closed: 0,
            allowance: 8192,
        };
        host.input(Peer::handshake());
        if choice & 8 == 0 {
            // The answer most servers give.
            let answer =
                b"\x03\0\0\0\0\0\x47\x14\0\0\0\0\x02\0\x07_result\0\x3F\xF0\0\0\0\0\0\0\x05\x03\0\x04code\
                \x02\0\x1DNetConnection.Connect.Success\0\0\x09\0\x3F\xF0\0\0\0\0\0\0";
            host.input(Bytes::from_static(answer));
            assert!(choice & 20 != 0 || host.session.is_connected());
        }
        host.events();
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
            7 => self.ask(script),
            8 => self.steer(script),
            9 => {
                for transaction_id in std::mem::take(&mut self.calls) {
                    self.allowance += 64;
                    self.session.reply_call(transaction_id, Ok(1.into()));
                }
            }
            10 => self.send_media(script),
            11 => {
                let choice = script.u8();
                let transaction = self.session.call("method", vec![choice.into()], choice & 1 != 0);
                assert!(transaction.is_none() || self.session.is_connected());
            }
            // An honest transport waits while the peer's window is full.
            12 if self.session.send_room(self.now) == 0 => {}
            12 => self.peer.receive(self.session.output()),
            13 => self.session.set_chunk_size(u32::from(script.u16())),
            14 => self.session.ping(),
            _ => self.session.close(),
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
                ClientEvent::StreamCreated { stream_id, .. } => self.streams.push(stream_id),
                ClientEvent::Call { transaction_id, .. } => self.calls.push(transaction_id),
                ClientEvent::Rejected(status) => {
                    let _ = redirect_target(&status);
                }
                ClientEvent::Closed => self.closed += 1,
                _ => {}
            }
        }
        assert!(self.closed <= 1, "closed once");
    }

    fn stream(&self, choice: u8) -> u32 {
        self.streams
            .get(usize::from(choice) % self.streams.len())
            .copied()
            .unwrap_or(0)
    }

    fn ask(&mut self, script: &mut Script<'_>) {
        let (choice, stream_id) = (script.u8(), self.stream(script.u8()));
        let options = PlayOptions {
            start: [PlayStart::Any, PlayStart::Live, PlayStart::Recorded(u64::MAX)]
                [usize::from(choice >> 4) % 3],
            duration: (choice & 8 != 0).then_some(1000),
            reset: choice & 64 == 0,
            ..PlayOptions::new("test")
        };
        match choice % 5 {
            0 => drop(self.session.create_stream()),
            1 => drop(self.session.publish_stream("test", PublishMode::Live)),
            2 => drop(self.session.play_stream(options)),
            3 => self.session.publish(stream_id, "test", PublishMode::Append),
            _ => self.session.play(stream_id, &options),
        }
    }

    fn steer(&mut self, script: &mut Script<'_>) {
        let (choice, stream_id) = (script.u8(), self.stream(script.u8()));
        match choice % 7 {
            0 => self.session.close_stream(stream_id),
            1 => self.session.delete_stream(stream_id),
            2 => self.session.pause(stream_id, choice & 8 == 0, u32::MAX),
            3 => self.session.seek(stream_id, 1),
            4 => self.session.receive_audio(stream_id, false),
            5 => self.session.receive_video(stream_id, true),
            _ => self.session.set_buffer_length(stream_id, 0),
        }
    }

    fn send_media(&mut self, script: &mut Script<'_>) {
        let (choice, timestamp) = (script.u8(), script.u32());
        // A host waits while what it sent is not gone.
        if self.session.output().len() > 128 << 10 {
            return;
        }
        let kind = [MediaKind::Audio, MediaKind::Video, MediaKind::Data][usize::from(choice % 3)];
        // Chunks of one byte are twice as long with their headers, six times with extended timestamps: a third then.
        let length = usize::from(choice) * if timestamp >= 0xFF_FFFF { 3 } else { 10 };
        self.allowance += 2 * usize::from(choice) * 10;
        let message = MediaMessage::new(kind, timestamp, vec![choice; length]);
        let stream_id = self.stream(choice);
        match choice & 0xC0 {
            0x40 => drop(self.session.set_data_frame(stream_id, &message)),
            0x80 => self.session.send_data(
                stream_id,
                timestamp,
                &DataMessage::new("onTextData", vec![1.into()]),
            ),
            _ => drop(self.session.send_media(stream_id, &message)),
        }
    }

    /// Whatever happened, what was sent is readable and time brings the session to its end or to rest.
    fn end(mut self) {
        self.peer.receive(self.session.output());
        self.pass(200_000);
        self.pass(200_000);
        self.peer.receive(self.session.output());
        self.events();
        let _ = self.session.deviations().total();
        assert!(!format!("{:?}", self.session).is_empty());
    }
}
