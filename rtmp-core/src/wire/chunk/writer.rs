//! Messages to chunks.

use bytes::Bytes;
use smallvec::SmallVec;

use super::header::{EXTENDED, HeaderBytes};
use super::output::Output;
use super::shared::{SharedMessage, extended_timestamp};
use super::{DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE, Message, MessageType};

/// Chunks up to this length are copied into the output; longer ones are referenced.
const COPIED_CHUNK: usize = 1024;

/// Chunk streams that a connection usually sends on.
const USUAL: usize = 6;

/// The sending side of a chunk stream connection: picks the most compact header every receiver understands.
#[derive(Debug)]
pub struct ChunkWriter {
    pub(super) chunk_size: u32,
    /// What is sent most comes first.
    pub(super) streams: SmallVec<[Previous; USUAL]>,
}

/// The last message sent on a chunk stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) csid: u32,
    timestamp: u32,
    /// `None` after a format 0 header: receivers disagree about the delta a format 3 header would then inherit.
    delta: Option<u32>,
    length: u32,
    stream_id: u32,
    kind: MessageType,
}

/// What a message header says.
struct Fields {
    csid: u32,
    stream_id: u32,
    kind: MessageType,
    timestamp: u32,
    length: u32,
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkWriter {
    /// A writer with the default chunk size of 128 bytes.
    pub fn new() -> Self {
        Self {
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: SmallVec::new(),
        }
    }

    /// The chunk size in force, in bytes.
    #[inline]
    pub fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// Changes the size of all chunks that follow; values outside of 1 to 0xFFFFFF are moved into that range. The peer
    /// must have been told by a Set Chunk Size message written before.
    pub fn set_chunk_size(&mut self, size: u32) {
        self.chunk_size = size.clamp(1, MAX_CHUNK_SIZE);
    }

    /// The next message of these chunk streams has a full header, with its absolute time.
    pub fn forget(&mut self, csids: &[u32]) {
        self.streams.retain(|stream| !csids.contains(&stream.csid));
    }

    /// Appends `message` to `out` on chunk stream `csid`.
    ///
    /// Returns false, having written nothing, when the payload is longer than the 0xFFFFFF bytes RTMP can express.
    pub fn write(&mut self, csid: u32, message: &Message, out: &mut Output) -> bool {
        let Some(length) = wire_length(&message.payload) else {
            return false;
        };
        let Message {
            timestamp,
            kind,
            stream_id,
            ..
        } = *message;
        let header = self.header(&Fields {
            csid,
            stream_id,
            kind,
            timestamp,
            length,
        });
        out.push_slice(header.as_slice());
        self.body(csid, timestamp, &message.payload, out);
        true
    }

    /// Appends `message` to `out` on chunk stream `csid` for message stream `stream_id`, by reference to its prepared
    /// body when that was prepared for this chunk size and chunk stream, which costs no allocation and no copy.
    ///
    /// Returns false, having written nothing, when the payload is longer than the 0xFFFFFF bytes RTMP can express.
    pub fn write_shared(
        &mut self,
        csid: u32,
        stream_id: u32,
        message: &SharedMessage,
        out: &mut Output,
    ) -> bool {
        let Some(length) = wire_length(&message.payload) else {
            return false;
        };
        let SharedMessage { timestamp, kind, .. } = *message;
        let header = self.header(&Fields {
            csid,
            stream_id,
            kind,
            timestamp,
            length,
        });
        out.push_slice(header.as_slice());
        if message.fits(csid, self.chunk_size) {
            out.push_shared(message.body());
        } else {
            self.body(csid, timestamp, &message.payload, out);
        }
        true
    }

    pub(super) fn previous(&self, csid: u32) -> Option<&Previous> {
        self.streams.iter().find(|stream| stream.csid == csid)
    }

    pub(super) fn set_previous(&mut self, previous: Previous) {
        let is_it = |stream: &Previous| stream.csid == previous.csid;
        match self.streams.iter().position(is_it) {
            Some(place) => {
                self.streams[place] = previous;
                // A step forward each time: sound and picture are found at the front soon.
                if place > 1 {
                    self.streams.swap(place, place - 1);
                }
            }
            None => {
                self.streams.reserve_exact(1);
                self.streams.push(previous);
            }
        }
    }

    fn header(&mut self, fields: &Fields) -> HeaderBytes {
        let found = self.streams.iter_mut().find(|stream| stream.csid == fields.csid);
        let Some(previous) = found else {
            self.set_previous(Previous::after_full(fields));
            return full_header(fields);
        };
        let delta = fields.timestamp.checked_sub(previous.timestamp);
        match delta {
            Some(delta) if fields.stream_id == previous.stream_id && fields.timestamp < EXTENDED => {
                let header = delta_header(fields, previous, delta);
                *previous = Previous {
                    delta: Some(delta),
                    ..Previous::after_full(fields)
                };
                header
            }
            _ => {
                *previous = Previous::after_full(fields);
                full_header(fields)
            }
        }
    }

    fn body(&self, csid: u32, timestamp: u32, payload: &Bytes, out: &mut Output) {
        let size = self.chunk_size as usize;
        if payload.len() <= size {
            out.push_shared(payload);
            return;
        }
        let continuation = HeaderBytes::continuation(csid, extended_timestamp(timestamp));
        let mut start = 0;
        while start < payload.len() {
            let end = payload.len().min(start.saturating_add(size));
            if start > 0 {
                out.push_slice(continuation.as_slice());
            }
            if end - start <= COPIED_CHUNK {
                out.push_slice(payload.get(start..end).unwrap_or_default());
            } else {
                out.push_bytes(payload.slice(start..end));
            }
            start = end;
        }
    }
}

impl Previous {
    fn after_full(fields: &Fields) -> Self {
        let &Fields {
            csid,
            stream_id,
            kind,
            timestamp,
            length,
        } = fields;
        Self {
            csid,
            timestamp,
            delta: None,
            length,
            stream_id,
            kind,
        }
    }
}

fn wire_length(payload: &Bytes) -> Option<u32> {
    u32::try_from(payload.len())
        .ok()
        .filter(|length| *length <= MAX_CHUNK_SIZE)
}

/// Format 0: everything, with the absolute timestamp.
fn full_header(fields: &Fields) -> HeaderBytes {
    let mut header = HeaderBytes::new(0, fields.csid);
    header.put_u24(fields.timestamp.min(EXTENDED));
    header.put_u24(fields.length);
    header.put(&[fields.kind.0]);
    header.put(&fields.stream_id.to_le_bytes());
    if let Some(extended) = extended_timestamp(fields.timestamp) {
        header.put(&extended.to_be_bytes());
    }
    header
}

/// Format 1, 2 or 3. The delta is below 0xFFFFFF because the timestamp is, so it never needs the extended field.
fn delta_header(fields: &Fields, previous: &Previous, delta: u32) -> HeaderBytes {
    let alike = fields.length == previous.length && fields.kind == previous.kind;
    if alike && previous.delta == Some(delta) {
        return HeaderBytes::new(3, fields.csid);
    }
    let mut header = HeaderBytes::new(if alike { 2 } else { 1 }, fields.csid);
    header.put_u24(delta);
    if !alike {
        header.put_u24(fields.length);
        header.put(&[fields.kind.0]);
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(timestamp: u32, kind: MessageType, stream_id: u32, payload: Vec<u8>) -> Message {
        Message {
            timestamp,
            kind,
            stream_id,
            payload: payload.into(),
        }
    }

    fn written(writer: &mut ChunkWriter, csid: u32, message: &Message) -> Vec<u8> {
        let mut out = Output::new();
        assert!(writer.write(csid, message, &mut out));
        out.take_bytes()
    }

    #[test]
    fn first_example_of_the_specification() {
        let mut writer = ChunkWriter::new();
        let mut bytes = Vec::new();
        for timestamp in [1000, 1020, 1040, 1060] {
            bytes.push(written(
                &mut writer,
                3,
                &message(timestamp, MessageType::AUDIO, 12_345, vec![9; 32]),
            ));
        }
        assert_eq!(bytes[0][..12], [3, 0, 3, 0xE8, 0, 0, 0x20, 8, 0x39, 0x30, 0, 0]);
        assert_eq!(bytes[1][..4], [0x83, 0, 0, 0x14]);
        assert_eq!((bytes[2][0], bytes[3][0]), (0xC3, 0xC3));
        assert_eq!(bytes.iter().map(Vec::len).collect::<Vec<_>>(), [44, 36, 33, 33]);
    }

    #[test]
    fn second_example_of_the_specification() {
        let bytes = written(
            &mut ChunkWriter::new(),
            4,
            &message(1000, MessageType::VIDEO, 12_346, vec![9; 307]),
        );
        assert_eq!(bytes[..12], [4, 0, 3, 0xE8, 0, 1, 0x33, 9, 0x3A, 0x30, 0, 0]);
        assert_eq!(
            (bytes.len(), bytes[140], bytes[269]),
            (140 + 129 + 52, 0xC4, 0xC4)
        );
    }

    #[test]
    fn extended_timestamp_is_repeated_in_continuations() {
        let mut writer = ChunkWriter::new();
        let bytes = written(
            &mut writer,
            6,
            &message(0x0100_0000, MessageType::VIDEO, 1, vec![9; 200]),
        );
        assert_eq!(
            bytes[..16],
            [6, 0xFF, 0xFF, 0xFF, 0, 0, 0xC8, 9, 1, 0, 0, 0, 1, 0, 0, 0]
        );
        assert_eq!(bytes[144..149], [0xC6, 1, 0, 0, 0]);
        assert_eq!(bytes.len(), 16 + 128 + 5 + 72);
        let later = written(
            &mut writer,
            6,
            &message(0x0100_0028, MessageType::VIDEO, 1, vec![9; 200]),
        );
        assert_eq!(
            later[..16],
            [6, 0xFF, 0xFF, 0xFF, 0, 0, 0xC8, 9, 1, 0, 0, 0, 1, 0, 0, 0x28]
        );
    }

    #[test]
    fn timestamp_0xffffff_is_extended_and_one_less_is_not() {
        let mut writer = ChunkWriter::new();
        let least = written(
            &mut writer,
            6,
            &message(0xFF_FFFF, MessageType::VIDEO, 1, vec![0x17]),
        );
        assert_eq!(
            least,
            [
                6, 0xFF, 0xFF, 0xFF, 0, 0, 1, 9, 1, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x17
            ]
        );
        let plain = written(
            &mut ChunkWriter::new(),
            6,
            &message(0xFF_FFFE, MessageType::VIDEO, 1, vec![0x17]),
        );
        assert_eq!(plain, [6, 0xFF, 0xFF, 0xFE, 0, 0, 1, 9, 1, 0, 0, 0, 0x17]);
    }

    #[test]
    fn time_going_back_and_another_message_stream_take_a_full_header() {
        let mut writer = ChunkWriter::new();
        written(&mut writer, 4, &message(100, MessageType::AUDIO, 1, vec![1]));
        assert_eq!(
            written(&mut writer, 4, &message(90, MessageType::AUDIO, 1, vec![1]))[0],
            0x04
        );
        assert_eq!(
            written(&mut writer, 4, &message(90, MessageType::AUDIO, 2, vec![1]))[0],
            0x04
        );
        assert_eq!(
            written(&mut writer, 4, &message(90, MessageType::VIDEO, 2, vec![1]))[0],
            0x44
        );
        assert_eq!(
            written(&mut writer, 4, &message(90, MessageType::VIDEO, 2, vec![1]))[0],
            0xC4
        );
    }

    #[test]
    fn format_3_never_starts_a_message_right_after_format_0() {
        let mut writer = ChunkWriter::new();
        written(&mut writer, 4, &message(40, MessageType::AUDIO, 1, vec![1]));
        assert_eq!(
            written(&mut writer, 4, &message(80, MessageType::AUDIO, 1, vec![1])),
            [0x84, 0, 0, 40, 1]
        );
        assert_eq!(
            written(&mut writer, 4, &message(120, MessageType::AUDIO, 1, vec![1])),
            [0xC4, 1]
        );
    }

    #[test]
    fn shared_messages_give_the_same_bytes_for_every_chunk_size() {
        for chunk_size in [1, 64, 128, 4096, 60_000] {
            for (length, timestamp) in [(0, 5), (10, 6), (300, 7), (5000, 0x0200_0000)] {
                let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
                let shared =
                    SharedMessage::new(MessageType::VIDEO, timestamp, payload.clone().into(), 128, 6);
                let (mut one, mut other) = (ChunkWriter::new(), ChunkWriter::new());
                one.set_chunk_size(chunk_size);
                other.set_chunk_size(chunk_size);
                let mut out = Output::new();
                assert!(one.write_shared(6, 1, &shared, &mut out));
                let want = written(&mut other, 6, &message(timestamp, MessageType::VIDEO, 1, payload));
                assert_eq!(out.take_bytes(), want);
            }
        }
    }

    #[test]
    fn a_shared_body_is_referenced_not_copied() {
        let shared = SharedMessage::new(MessageType::VIDEO, 0, vec![7; 1000].into(), 128, 6);
        let mut out = Output::new();
        ChunkWriter::new().write_shared(6, 1, &shared, &mut out);
        let mut slices = [std::io::IoSlice::new(&[]); 4];
        assert_eq!(out.io_slices(&mut slices), 2);
        assert_eq!(slices[1].as_ptr(), shared.body().as_ptr());
    }

    #[test]
    fn an_oversized_payload_is_refused() {
        let mut out = Output::new();
        let message = message(0, MessageType::VIDEO, 1, vec![0; 0x100_0000]);
        assert!(!ChunkWriter::new().write(6, &message, &mut out));
        assert!(out.is_empty());
    }
}
