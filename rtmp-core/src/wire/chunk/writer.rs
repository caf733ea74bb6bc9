//! Messages to chunks.

use bytes::Bytes;
use smallvec::SmallVec;

use super::header::{EXTENDED, HeaderBytes};
use super::output::Output;
use super::shared::{Run, Runs, SharedMessage, Step, extended_timestamp};
use super::{DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE, Message, MessageType};

/// Chunks up to this length are copied into the output; longer ones are referenced.
const COPIED_CHUNK: usize = 1024;

/// Chunk streams that a connection usually sends on.
const USUAL: usize = 6;

/// The sending side of a chunk stream connection: picks the most compact header every receiver understands.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk_size: u32,
    /// What is sent most comes first.
    streams: SmallVec<[Previous; USUAL]>,
}

/// The last message sent on a chunk stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Previous {
    csid: u32,
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

    /// Like [`write_shared`](Self::write_shared) for one message after the other, each on the chunk stream it was
    /// prepared for, with all of them in one piece that receivers share when they need the same headers, as nearly all
    /// players of a stream do. `runs` belongs to these messages.
    pub fn write_run<'a>(
        &mut self,
        stream_id: u32,
        messages: impl Iterator<Item = &'a SharedMessage> + Clone,
        runs: &mut Runs,
        out: &mut Output,
    ) {
        match self.take_run(stream_id, messages.clone(), runs) {
            Some(number) => out.push_shared(&runs.0[number].bytes),
            None => {
                for message in messages {
                    self.write_shared(message.csid, stream_id, message, out);
                }
            }
        }
    }

    /// The number of the run that this receiver shares, which counts as written then. `None`, and nothing written, when there
    /// are too many different ones.
    pub(crate) fn take_run<'a>(
        &mut self,
        stream_id: u32,
        messages: impl Iterator<Item = &'a SharedMessage>,
        runs: &mut Runs,
    ) -> Option<usize> {
        let stands_before = |run: &Run| self.stands_before(run, stream_id);
        if let Some(number) = runs.0.iter().position(stands_before) {
            for step in &runs.0[number].steps {
                self.set_previous(step.after);
            }
            return Some(number);
        }
        if runs.is_full() {
            return None;
        }
        let run = self.new_run(stream_id, messages);
        runs.0.push(run);
        Some(runs.0.len() - 1)
    }

    fn stands_before(&self, run: &Run, stream_id: u32) -> bool {
        run.stream_id == stream_id
            && run.chunk_size == self.chunk_size
            && run
                .steps
                .iter()
                .all(|step| self.previous(step.after.csid) == step.before.as_ref())
    }

    fn new_run<'a>(&mut self, stream_id: u32, messages: impl Iterator<Item = &'a SharedMessage>) -> Run {
        let mut output = Output::new();
        let mut before: Vec<(u32, Option<Previous>)> = Vec::new();
        for message in messages {
            let csid = message.csid;
            if before.iter().all(|(known, _)| *known != csid) {
                before.push((csid, self.previous(csid).copied()));
            }
            self.write_shared(csid, stream_id, message, &mut output);
        }
        let step = |(csid, before)| {
            let after = *self.previous(csid)?;
            Some(Step { before, after })
        };
        Run {
            chunk_size: self.chunk_size,
            stream_id,
            steps: before.into_iter().filter_map(step).collect(),
            bytes: output.take_bytes().into(),
        }
    }

    fn previous(&self, csid: u32) -> Option<&Previous> {
        self.streams.iter().find(|stream| stream.csid == csid)
    }

    fn set_previous(&mut self, previous: Previous) {
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

    /// Writes `messages` as a run and one by one with writers that stand alike; the bytes, and where they lie.
    fn run(
        writer: &mut ChunkWriter,
        stream_id: u32,
        messages: &[SharedMessage],
        runs: &mut Runs,
    ) -> (Vec<u8>, usize, *const u8) {
        let mut twin = ChunkWriter {
            chunk_size: writer.chunk_size,
            streams: writer.streams.clone(),
        };
        let (mut out, mut plain) = (Output::new(), Output::new());
        writer.write_run(stream_id, messages.iter(), runs, &mut out);
        for message in messages {
            twin.write_shared(message.csid, stream_id, message, &mut plain);
        }
        for stream in &twin.streams {
            assert_eq!(writer.previous(stream.csid), Some(stream));
        }
        assert_eq!(writer.streams.len(), twin.streams.len());
        let mut slices = [std::io::IoSlice::new(&[]); 8];
        let (pieces, place) = (out.io_slices(&mut slices), slices[0].as_ptr());
        let bytes = out.take_bytes();
        assert_eq!(bytes, plain.take_bytes());
        (bytes, pieces, place)
    }

    fn audio(timestamp: u32) -> SharedMessage {
        SharedMessage::new(MessageType::AUDIO, timestamp, vec![8; 300].into(), 4096, 4)
    }

    fn video(timestamp: u32) -> SharedMessage {
        SharedMessage::new(MessageType::VIDEO, timestamp, vec![9; 9000].into(), 4096, 6)
    }

    fn player() -> ChunkWriter {
        let mut writer = ChunkWriter::new();
        writer.set_chunk_size(4096);
        writer
    }

    #[test]
    fn players_that_stand_alike_share_a_run() {
        let (mut one, mut other) = (player(), player());
        let batches = [
            vec![video(0), audio(3), audio(26), video(40)],
            vec![audio(49), video(80), audio(72)],
            vec![video(120)],
        ];
        for messages in batches {
            let mut runs = Runs::default();
            let first = run(&mut one, 1, &messages, &mut runs);
            assert_eq!(first, run(&mut other, 1, &messages, &mut runs));
            assert_eq!((first.1, runs.0.len()), (1, 1));
        }
    }

    #[test]
    fn a_run_is_not_for_players_whose_last_headers_differ() {
        let messages = [audio(49), video(80)];
        let at = |audio_at, video_at| {
            let mut writer = player();
            run(
                &mut writer,
                1,
                &[audio(audio_at), video(video_at)],
                &mut Runs::default(),
            );
            writer
        };
        let mut runs = Runs::default();
        let first = run(&mut at(26, 40), 1, &messages, &mut runs);
        let others = [
            // Another time of the last video message, of the last audio message; no message before.
            run(&mut at(26, 20), 1, &messages, &mut runs),
            run(&mut at(3, 40), 1, &messages, &mut runs),
            run(&mut player(), 1, &messages, &mut runs),
        ];
        assert!(others.iter().all(|other| other.1 == 1 && other.0 != first.0));
        assert_eq!(first.2, run(&mut at(26, 40), 1, &messages, &mut runs).2);
        // There are no more than four; the next is written message by message.
        assert!(run(&mut at(13, 40), 1, &messages, &mut runs).1 > 1);
        assert_eq!(runs.0.len(), 4);
    }

    #[test]
    fn a_run_is_not_for_another_message_stream_or_chunk_size() {
        let messages = [audio(49), video(80)];
        let mut runs = Runs::default();
        let first = run(&mut player(), 1, &messages, &mut runs);
        let other_stream = run(&mut player(), 2, &messages, &mut runs);
        let other_size = run(&mut ChunkWriter::new(), 1, &messages, &mut runs);
        assert_ne!(first.0, other_stream.0);
        assert_ne!(first.0.len(), other_size.0.len());
        assert_eq!((runs.0.len(), other_size.1), (3, 1));
    }

    #[test]
    fn a_message_that_changes_nothing_still_tells_players_apart() {
        // The second of two equal messages leaves the chunk stream as it stands, behind the header of format 3.
        let again = [audio(0)];
        let mut steady = player();
        run(&mut steady, 1, &[audio(0), audio(0)], &mut Runs::default());
        let mut joined = player();
        run(&mut joined, 1, &[audio(0)], &mut Runs::default());
        let mut runs = Runs::default();
        let short = run(&mut steady, 1, &again, &mut runs);
        let long = run(&mut joined, 1, &again, &mut runs);
        assert_eq!((short.0[0], long.0[0]), (0xC4, 0x84));
    }

    #[test]
    fn an_oversized_payload_is_refused() {
        let mut out = Output::new();
        let message = message(0, MessageType::VIDEO, 1, vec![0; 0x100_0000]);
        assert!(!ChunkWriter::new().write(6, &message, &mut out));
        assert!(out.is_empty());
    }
}
