//! The chunk reader: the same messages however the bytes are cut, within its limits, and the writer's answer reads back.

use bytes::Bytes;
use rtmp_core::wire::chunk::{
    ChunkError, ChunkReader, ChunkWriter, Message, MessageType, Output, ReaderLimits,
};
use rtmp_core::wire::deviation::Deviations;
use rtmp_core::wire::message::control::Control;

use super::memory;
use super::script::{Script, pieces};

/// What a reader may hold besides twice the payload of half-received messages: buffers of 64 chunk streams.
const OVERHEAD: usize = 512 << 10;

/// Byte 0: limits; byte 1: how many cuts follow; the cuts; the chunk stream.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let choice = script.u8();
    let limits = ReaderLimits {
        max_message: if choice & 1 == 0 { 0xFF_FFFF } else { 1000 },
        max_partial_bytes: if choice & 2 == 0 { 32 << 20 } else { 3000 },
        max_chunk_streams: if choice & 4 == 0 { 64 } else { 3 },
    };
    let count = usize::from(script.u8() % 16);
    let cuts = script.bytes(count);
    let stream = script.rest();
    let whole = read(limits, std::iter::once(stream));
    let cut = read(limits, pieces(stream, cuts));
    assert_eq!(whole, cut, "cut into {cuts:?}");
    write_back(&whole.0);
}

/// What was read, how it ended, and how many harmless violations were counted.
type Outcome = (Vec<Message>, Option<ChunkError>, Deviations);

fn read<'a>(limits: ReaderLimits, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = ChunkReader::new(limits);
    let mut messages = Vec::new();
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        let (outcome, peak) = memory::peak(|| read_piece(&mut reader, &mut input, &mut messages));
        assert!(reader.partial_bytes() <= limits.max_partial_bytes);
        assert!(
            peak <= 2 * piece.len() + size_of::<Message>() * 4 * messages.len() + OVERHEAD,
            "{peak} bytes for {} of input",
            piece.len()
        );
        if let Err(error) = outcome {
            return (messages, Some(error), deviations(&mut reader));
        }
        assert!(input.is_empty(), "{} bytes were left", input.len());
    }
    assert!(
        messages
            .iter()
            .all(|message| message.payload.len() <= limits.max_message)
    );
    (messages, None, deviations(&mut reader))
}

fn deviations(reader: &mut ChunkReader) -> Deviations {
    reader.take_deviations().unwrap_or_default()
}

fn read_piece(
    reader: &mut ChunkReader,
    input: &mut Bytes,
    messages: &mut Vec<Message>,
) -> Result<(), ChunkError> {
    while let Some(message) = reader.read(input)? {
        match Control::load(&message) {
            Ok(Control::SetChunkSize(size)) => reader.set_chunk_size(size)?,
            Ok(Control::Abort(csid)) => reader.abort(csid),
            _ => {}
        }
        messages.push(message);
    }
    Ok(())
}

/// What was read can be written and comes back. Control messages that steer the reader stay out.
fn write_back(messages: &[Message]) {
    let steers =
        |message: &&Message| matches!(message.kind, MessageType::SET_CHUNK_SIZE | MessageType::ABORT);
    let messages: Vec<&Message> = messages.iter().filter(|message| !steers(message)).collect();
    let mut writer = ChunkWriter::new();
    let mut out = Output::new();
    for (index, message) in messages.iter().enumerate() {
        assert!(writer.write(3 + index as u32 % 3, message, &mut out));
    }
    let bytes = out.take_bytes();
    let (back, error, _) = read(ReaderLimits::default(), std::iter::once(bytes.as_slice()));
    assert_eq!(error, None);
    assert!(back.iter().eq(messages), "what was written reads back");
}
