//! Whole recorded sessions, one direction each, through handshake and chunk reader in pieces of all sizes.

use bytes::Bytes;
use rtmp_core::wire::chunk::{ChunkReader, Message, Output, ReaderLimits};
use rtmp_core::wire::handshake::Handshake;
use rtmp_core::wire::message::Control;

use super::hex;

const PUBLISH_CLIENT: &[u8] = include_bytes!("../vectors/publish_client.bin");
const PUBLISH_SERVER: &[u8] = include_bytes!("../vectors/publish_server.bin");
const PLAY_CLIENT: &[u8] = include_bytes!("../vectors/play_client.bin");
const PLAY_SERVER: &[u8] = include_bytes!("../vectors/play_server.bin");

/// Timestamp, type, message stream and payload length of a message.
type Summary = (u32, u8, u32, usize);

fn replay(stream: &[u8], mut handshake: Handshake, piece: usize) -> Vec<Message> {
    let mut reader = ChunkReader::new(ReaderLimits::default());
    let mut messages = Vec::new();
    let mut out = Output::new();
    let mut is_open = false;
    for part in stream.chunks(piece) {
        let mut input = Bytes::copy_from_slice(part);
        if !is_open {
            is_open = handshake.input(&mut input, &mut out).unwrap();
        }
        while is_open && let Some(message) = reader.read(&mut input).unwrap() {
            if let Ok(Control::SetChunkSize(size)) = Control::load(&message) {
                reader.set_chunk_size(size).unwrap();
            }
            messages.push(message);
        }
        assert!(input.is_empty());
    }
    assert_eq!((is_open, reader.partial_bytes()), (true, 0));
    messages
}

fn check(stream: &[u8], is_from_client: bool, expected: &[Summary]) -> Vec<Message> {
    let side = if is_from_client {
        Handshake::server
    } else {
        Handshake::client
    };
    let whole = replay(stream, side(0, [1; 32]), stream.len());
    let summaries: Vec<Summary> = whole
        .iter()
        .map(|m| (m.timestamp, m.kind.0, m.stream_id, m.payload.len()))
        .collect();
    assert_eq!(summaries, expected);
    for piece in [1, 7, 1537, 3074] {
        assert_eq!(
            replay(stream, side(0, [1; 32]), piece),
            whole,
            "in pieces of {piece}"
        );
    }
    whole
}

#[test]
fn a_publisher() {
    let messages = check(
        PUBLISH_CLIENT,
        true,
        &[
            (0, 1, 0, 4),
            (0, 20, 0, 129),
            (0, 20, 0, 33),
            (0, 20, 0, 29),
            (0, 20, 0, 25),
            (0, 20, 1, 34),
            (0, 18, 1, 136),
            (0, 9, 1, 51),
            (0, 8, 1, 4),
            (0, 9, 1, 13),
            (0, 8, 1, 8),
            (23, 8, 1, 8),
            (40, 9, 1, 12),
            (0, 20, 0, 31),
            (0, 20, 0, 34),
        ],
    );
    assert_eq!(messages[8].payload, hex("af001208"));
    assert_eq!(messages[12].payload, hex("270100002800000003419a24"));
}

#[test]
fn the_server_of_a_publisher() {
    check(
        PUBLISH_SERVER,
        false,
        &[
            (0, 5, 0, 4),
            (0, 6, 0, 5),
            (0, 1, 0, 4),
            (0, 4, 0, 6),
            (0, 20, 0, 206),
            (0, 20, 0, 21),
            (0, 20, 0, 21),
            (0, 20, 0, 96),
            (0, 20, 0, 29),
            (0, 4, 0, 6),
            (0, 20, 1, 146),
            (0, 20, 1, 152),
        ],
    );
}

#[test]
fn a_player() {
    check(
        PLAY_CLIENT,
        true,
        &[
            (0, 20, 0, 189),
            (0, 5, 0, 4),
            (0, 20, 0, 25),
            (0, 20, 1, 33),
            (0, 4, 0, 10),
            (0, 20, 0, 34),
        ],
    );
}

#[test]
fn the_server_of_a_player() {
    let messages = check(
        PLAY_SERVER,
        false,
        &[
            (0, 5, 0, 4),
            (0, 6, 0, 5),
            (0, 4, 0, 6),
            (0, 20, 0, 206),
            (0, 20, 0, 29),
            (0, 4, 0, 6),
            (0, 4, 0, 6),
            (0, 20, 1, 148),
            (0, 20, 1, 142),
            (0, 18, 1, 24),
            (0, 18, 1, 44),
            (0, 18, 1, 120),
            (0, 9, 1, 51),
            (0, 8, 1, 4),
            (0, 9, 1, 300),
            (23, 8, 1, 8),
            (0x0100_0000, 9, 1, 300),
            (0x0100_0028, 9, 1, 12),
            (0, 18, 1, 118),
            (0, 20, 1, 141),
            (0, 4, 0, 6),
        ],
    );
    let frame = &messages[16].payload;
    assert_eq!(frame[..14], hex("1701000000000001236500010203"));
    assert_eq!(frame[126..130], hex("74757677"));
    assert_eq!(
        frame[254..],
        hex("f4f5 f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021")
    );
}
