//! The handshake of both sides: the same answer however the bytes are cut, in little memory.

use bytes::Bytes;
use rtmp_core::wire::chunk::Output;
use rtmp_core::wire::handshake::Handshake;

use super::memory;
use super::script::{Script, pieces};

/// Both packets and version of one side.
const WHOLE: usize = 3073;

/// Byte 0: which side; byte 1: time; byte 2: how many cuts follow; the cuts; what the peer sends.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let side = script.u8();
    let now = u32::from(script.u8()) << 24;
    let count = usize::from(script.u8() % 8);
    let cuts = script.bytes(count);
    let input = script.rest();
    let (whole, peak) = memory::peak(|| shake(side, now, std::iter::once(input)));
    assert!(peak <= input.len() + 32_768, "{peak} bytes");
    assert_eq!(whole, shake(side, now, pieces(input, cuts)), "cut into {cuts:?}");
    if side & 4 != 0 {
        both_sides(side, now, cuts);
    }
}

#[derive(Debug, PartialEq)]
struct Outcome {
    is_done: bool,
    is_refused: bool,
    /// Bytes after the handshake.
    surplus: usize,
    sent: Vec<u8>,
    state: String,
}

fn new(side: u8, now: u32) -> Handshake {
    match side & 3 {
        0 | 3 => Handshake::server(now, [side; 32]),
        1 => Handshake::client(now, [side; 32]),
        _ => Handshake::client_with_digest(now, [side; 32]),
    }
}

fn shake<'a>(side: u8, now: u32, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut handshake = new(side, now);
    let mut out = Output::new();
    handshake.start(&mut out);
    let (mut is_done, mut is_refused, mut surplus) = (false, false, 0);
    for piece in pieces {
        if is_done {
            surplus += piece.len();
            continue;
        }
        let mut input = Bytes::copy_from_slice(piece);
        match handshake.input(&mut input, &mut out) {
            Ok(done) => is_done = done,
            Err(_) => is_refused = true,
        }
        if is_refused {
            break;
        }
        assert!(is_done || input.is_empty());
        surplus += input.len();
    }
    let sent = out.take_bytes();
    assert!(sent.len() <= WHOLE);
    assert!(!is_done || sent.len() == WHOLE);
    let state = format!(
        "{:?} {} {:?}",
        handshake.kind(),
        handshake.is_genuine(),
        handshake.swf_verification_key()
    );
    Outcome {
        is_done,
        is_refused,
        surplus,
        sent,
        state,
    }
}

/// A client and a server of ours agree, in whatever pieces they talk.
fn both_sides(side: u8, now: u32, cuts: &[u8]) {
    let mut client = new(1 + side % 2, now);
    let mut server = new(0, !now);
    let (mut up, mut down) = (Output::new(), Output::new());
    client.start(&mut up);
    let (mut client_done, mut server_done) = (false, false);
    while !up.is_empty() || !down.is_empty() {
        for piece in pieces(&up.take_bytes(), cuts) {
            server_done = server
                .input(&mut Bytes::copy_from_slice(piece), &mut down)
                .is_ok_and(|done| done);
        }
        for piece in pieces(&down.take_bytes(), cuts) {
            client_done = client
                .input(&mut Bytes::copy_from_slice(piece), &mut up)
                .is_ok_and(|done| done);
        }
    }
    assert!(client_done && server_done && client.is_genuine());
    assert_eq!(client.kind(), server.kind());
}
