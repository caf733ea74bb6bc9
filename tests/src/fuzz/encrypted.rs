//! RTMPE: sessions of both sides behind the encrypted handshake, against peers whose keys, digests and versions are of any kind.

use std::sync::Arc;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use rtmp_core::session::{
    ClientEvent, ClientSession, ClientSessionConfig, ConnectReply, PublishMode, ServerEvent, ServerSession,
    ServerSessionConfig,
};
use rtmp_core::wire::chunk::Output;
use rtmp_core::wire::handshake::{Ciphers, Handshake};

use super::memory;
use super::peer::Peer;
use super::script::{Script, pieces};
use super::server_session::small_limits;

/// Byte 0: settings; then versions, changes of the peer's hello, cuts, and steps of the session.
pub fn run(data: &[u8]) {
    let ((), peak) = memory::peak(|| {
        let mut script = Script::new(data);
        match script.u8() {
            choice if choice & 1 == 0 => server(choice, &mut script),
            choice => client(choice, &mut script),
        }
    });
    assert!(
        peak <= (1 << 20) + 640 * data.len(),
        "{peak} bytes for {} of script",
        data.len()
    );
}

const PLAYER: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER: &[u8] = b"Genuine Adobe Flash Media Server 001";

/// Byte 0 of a hello: those that ask for encryption, others, and those that are none.
const VERSIONS: [u8; 8] = [6, 8, 9, 6, 3, 0, 31, 255];

fn server(choice: u8, script: &mut Script<'_>) {
    let mut config = ServerSessionConfig {
        accept_encryption: true,
        ..ServerSessionConfig::default()
    };
    if choice & 4 != 0 {
        config.limits = small_limits();
    }
    let mut session = ServerSession::new(Arc::new(config), [choice; 32], 0);
    let mut other = Handshake::client_encrypted(1, [!choice; 32]);
    let mut up = Output::new();
    other.start(&mut up);
    let mut hello = up.take_bytes();
    let honest = change(&mut hello, script, PLAYER);
    let cuts = cuts(script);
    if let Err(error) = fed(&hello, cuts, |piece| session.input(piece, 0)) {
        assert!(session.is_closed() && !honest, "{error}");
        return;
    }
    let answer = session.output().take_bytes();
    if other.input(&mut answer.clone().into(), &mut up).is_err() {
        assert!(!honest);
    }
    let mut far = Far::new(other.take_ciphers(), honest);
    if fed(&up.take_bytes(), cuts, |piece| session.input(piece, 0)).is_err() {
        return assert!(session.is_closed());
    }
    let (mut now, mut plays, mut publishes) = (0, Vec::new(), Vec::new());
    while !script.is_empty() {
        match script.u8() % 8 {
            step @ 0..=5 => {
                let bytes = far.says(step, script);
                if fed(&bytes, cuts, |piece| session.input(piece, now)).is_err() {
                    assert!(session.is_closed());
                }
            }
            6 => {
                now += u64::from(script.u16()) * 16;
                if session.handle_timeout(now).is_err() {
                    assert!(session.is_closed());
                }
            }
            _ => {
                plays
                    .drain(..)
                    .for_each(|stream_id| session.accept_play(stream_id));
                publishes
                    .drain(..)
                    .for_each(|stream_id| session.accept_publish(stream_id));
                let _ = session.call("method", vec![1.into()], true);
            }
        }
        while let Some(event) = session.poll_event() {
            match event {
                ServerEvent::Connect(_) => session.accept_connect(ConnectReply::default()),
                ServerEvent::Publish { stream_id, .. } => publishes.push(stream_id),
                ServerEvent::Play { stream_id, .. } => plays.push(stream_id),
                _ => {}
            }
        }
        let _ = session.send_room(now);
        far.hears(session.output());
    }
}

fn client(choice: u8, script: &mut Script<'_>) {
    let mut config = ClientSessionConfig::new("live", "rtmpe://127.0.0.1/live");
    config.encrypted = true;
    if choice & 4 != 0 {
        config.limits = small_limits();
    }
    let mut session = ClientSession::new(config, [choice; 32], 0);
    session.connect(0);
    let mut other = Handshake::server(1, [!choice; 32]).allow_encryption(true);
    let mut down = Output::new();
    let hello = session.output().take_bytes();
    let asked = other.input(&mut hello.into(), &mut down);
    assert!(asked.is_ok(), "our own hello is readable");
    let mut answer = down.take_bytes();
    let honest = change(&mut answer, script, SERVER);
    let cuts = cuts(script);
    if let Err(error) = fed(&answer, cuts, |piece| session.input(piece, 0)) {
        assert!(session.is_closed() && !honest, "{error}");
        return;
    }
    // The answer to S1, and what comes at once behind it, is encrypted already.
    let mut echo = Bytes::from(session.output().take_bytes());
    let _ = other.input(&mut echo, &mut down);
    let mut far = Far::new(other.take_ciphers(), honest);
    far.hears_bytes(echo.into());
    let (mut now, mut stream) = (0, 1);
    while !script.is_empty() {
        match script.u8() % 8 {
            step @ 0..=5 => {
                let bytes = far.says(step, script);
                if fed(&bytes, cuts, |piece| session.input(piece, now)).is_err() {
                    assert!(session.is_closed());
                }
            }
            6 => {
                now += u64::from(script.u16()) * 16;
                if session.handle_timeout(now).is_err() {
                    assert!(session.is_closed());
                }
            }
            _ => {
                let _ = session.create_stream();
                session.publish(stream, "test", PublishMode::Live);
            }
        }
        while let Some(event) = session.poll_event() {
            if let ClientEvent::StreamCreated { stream_id, .. } = event {
                stream = stream_id;
            }
        }
        let _ = session.send_room(now);
        far.hears(session.output());
    }
}

/// The other end once hands are shaken.
struct Far {
    peer: Peer,
    ciphers: Option<Ciphers>,
    /// Nothing of the handshake was changed: what comes is readable.
    honest: bool,
}

impl Far {
    fn new(ciphers: Option<Ciphers>, honest: bool) -> Self {
        assert!(
            ciphers.is_some() || !honest,
            "an honest peer's connection is encrypted"
        );
        Self {
            peer: Peer::after_handshake(),
            ciphers,
            honest,
        }
    }

    fn says(&mut self, step: u8, script: &mut Script<'_>) -> Vec<u8> {
        let mut bytes = Vec::from(self.peer.step(step, script));
        if let Some(ciphers) = &mut self.ciphers {
            ciphers.encrypt(&mut bytes);
        }
        bytes
    }

    fn hears(&mut self, output: &mut Output) {
        self.hears_bytes(output.take_bytes());
    }

    fn hears_bytes(&mut self, mut bytes: Vec<u8>) {
        if let Some(ciphers) = &mut self.ciphers {
            ciphers.decrypt(&mut bytes);
        }
        if self.honest {
            let mut readable = Output::new();
            readable.push_slice(&bytes);
            self.peer.receive(&mut readable);
        }
    }
}

/// How many pieces, and how long they are; by default all at once.
fn cuts<'a>(script: &mut Script<'a>) -> &'a [u8] {
    let count = usize::from(script.u8() % 4);
    script.bytes(count)
}

fn fed<E>(bytes: &[u8], cuts: &[u8], mut take: impl FnMut(Bytes) -> Result<(), E>) -> Result<(), E> {
    let cuts = if cuts.is_empty() { &[255] } else { cuts };
    pieces(bytes, cuts).try_for_each(|piece| take(Bytes::copy_from_slice(piece)))
}

/// Changes version, key and any bytes of what begins with C0 C1 or S0 S1; whether all is as it was.
fn change(hello: &mut [u8], script: &mut Script<'_>, text: &[u8]) -> bool {
    let before = hello.to_vec();
    let choice = script.u8();
    if choice & 1 != 0 {
        hello[0] = VERSIONS[usize::from(choice >> 5)];
    }
    let packet = &mut hello[1..1537];
    let key = 8 + sum(packet, 768) % 632;
    let room = &mut packet[key..key + 128];
    match (choice >> 1) % 8 {
        0 => room.fill(0),
        1 => {
            room.fill(0);
            room[127] = 1;
        }
        2 => room.fill(0xFF),
        3 => {
            let bytes = script.bytes(128);
            room[..bytes.len()].copy_from_slice(bytes);
        }
        _ => {}
    }
    for _ in 0..choice / 16 % 2 * 3 {
        let (at, value) = (usize::from(script.u16()) % 1536, script.u8());
        packet[at] = value;
    }
    if script.u8() & 1 == 0 {
        sign(packet, text);
    }
    before == hello
}

/// Puts a digest into a hello, in the block at 772.
fn sign(packet: &mut [u8], text: &[u8]) {
    let at = 776 + sum(packet, 772) % 728;
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(text).expect("a key of any length");
    mac.update(&packet[..at]);
    mac.update(&packet[at + 32..]);
    packet[at..at + 32].copy_from_slice(&mac.finalize().into_bytes());
}

/// The four bytes that choose a place.
fn sum(packet: &[u8], at: usize) -> usize {
    packet[at..at + 4].iter().map(|byte| usize::from(*byte)).sum()
}
