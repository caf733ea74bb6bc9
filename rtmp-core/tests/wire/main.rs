//! The wire against bytes from the specification, recorded sessions, hostile peers and random input.

mod chunk_examples;
mod chunk_hostile;
mod chunk_round_trip;
mod control_messages;
mod handshake;
mod memo_5;
mod memo_6;
#[cfg(feature = "rtmpe")]
mod rtmpe;
mod transcripts;

use bytes::Bytes;
use rtmp_core::wire::chunk::{ChunkError, ChunkReader, Message, ReaderLimits};

/// Bytes from hexadecimal digits; white space is for the reader.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    digits
        .chunks_exact(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// Everything a reader makes of one more piece of input.
fn feed(reader: &mut ChunkReader, bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
    let mut input = Bytes::copy_from_slice(bytes);
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut input)? {
        messages.push(message);
    }
    assert!(input.is_empty(), "the reader left {} bytes", input.len());
    Ok(messages)
}

/// What a new reader makes of `bytes`: the same whole, in single bytes and in pieces of seven.
fn read(bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
    read_with(ReaderLimits::default(), bytes)
}

fn read_with(limits: ReaderLimits, bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
    let whole = feed(&mut ChunkReader::new(limits), bytes);
    for piece in [1, 7] {
        let mut reader = ChunkReader::new(limits);
        let pieces: Result<Vec<_>, _> = bytes.chunks(piece).map(|part| feed(&mut reader, part)).collect();
        assert_eq!(
            pieces.map(|messages| messages.concat()),
            whole,
            "in pieces of {piece}"
        );
    }
    whole
}

fn timestamps(messages: &[Message]) -> Vec<u32> {
    messages.iter().map(|message| message.timestamp).collect()
}
