//! Messages that follow each other, for many receivers whose chunk streams stand alike.

use bytes::Bytes;

use super::output::Output;
use super::shared::SharedMessage;
use super::writer::{ChunkWriter, Previous};

/// Messages that follow each other, headers and bodies in one piece, for all receivers that need the same headers: one
/// buffer to send, and no header to make. Made as they are needed, for the few different headers that there are.
#[derive(Debug, Default)]
pub struct Runs(Vec<Run>);

/// What receivers need whose chunk streams stand alike.
#[derive(Debug)]
struct Run {
    chunk_size: u32,
    stream_id: u32,
    /// One for each chunk stream of the messages.
    steps: Vec<Step>,
    bytes: Bytes,
}

/// How a chunk stream stands before a run, if it was used, and after it.
#[derive(Debug)]
struct Step {
    before: Option<Previous>,
    after: Previous,
}

/// Different headers of the same messages; more than this is rare enough not to copy the bodies again.
const MOST_RUNS: usize = 4;

impl Runs {
    /// The bytes of a run.
    #[cfg(feature = "engine")]
    pub(crate) fn bytes(&self, number: usize) -> Option<&Bytes> {
        self.0.get(number).map(|run| &run.bytes)
    }

    fn is_full(&self) -> bool {
        self.0.len() >= MOST_RUNS
    }
}

impl ChunkWriter {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::MessageType;

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
}
