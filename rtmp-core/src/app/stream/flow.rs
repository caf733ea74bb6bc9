//! Which messages a player gets: what it asked for, and what its connection keeps up with.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::Instant;

use crate::app::stream::LiveMessage;
use crate::media::{MediaKind, Reduction};

/// How far behind a player may fall before frames are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowLimits {
    /// Bytes waiting to be sent.
    pub bytes: usize,
    /// Milliseconds of media waiting to be sent, the oldest of it for as long: what a publisher sends faster than it plays
    /// does not count against a player that takes it as fast.
    pub millis: u32,
}

impl Default for FlowLimits {
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            millis: 5_000,
        }
    }
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it.
    Send,
    /// Send the stream's headers again, then it: messages were dropped before.
    Resume,
    /// Drop it: the player does not keep up.
    Drop,
    /// Leave it out: the player has it already or does not want it.
    Skip,
}

/// Progress of a player's connection: bytes written since it began, and bytes waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) written: u64,
    pub(crate) waiting: usize,
}

/// Messages that follow each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    first: u64,
    /// The sequence number after the last; `None` when one is missing in between.
    next: Option<u64>,
    has_video: bool,
    pub(crate) bytes: usize,
    /// By [`Reduction`]: something of it may be another for a player that needs it.
    reducible: [bool; 3],
}

impl Span {
    pub(crate) fn of(message: &LiveMessage) -> Self {
        Self {
            first: message.sequence,
            next: Some(message.sequence + 1),
            has_video: message.kind == MediaKind::Video,
            bytes: message.shared.payload.len(),
            reducible: REDUCTIONS.map(|reduction| message.is_reducible(reduction)),
        }
    }

    /// Whether a player gets the messages as everybody does.
    #[inline]
    pub(crate) fn is_for(&self, reduction: Option<Reduction>) -> bool {
        reduction.is_none_or(|reduction| !self.reducible[reduction as usize])
    }

    pub(crate) fn add(&mut self, message: &LiveMessage) {
        self.next = self
            .next
            .filter(|next| *next == message.sequence)
            .map(|next| next + 1);
        self.has_video |= message.kind == MediaKind::Video;
        self.bytes += message.shared.payload.len();
        for (known, reduction) in self.reducible.iter_mut().zip(REDUCTIONS) {
            *known |= message.is_reducible(reduction);
        }
    }
}

/// In the order of their numbers.
const REDUCTIONS: [Reduction; 3] = [Reduction::Modifiers, Reduction::Multitrack, Reduction::Enhanced];

/// The state of one player of one stream.
#[derive(Debug)]
pub struct PlayerFlow {
    limits: FlowLimits,
    next_sequence: u64,
    has_video: bool,
    /// Messages are dropped until the next keyframe.
    behind: bool,
    /// Video waits for a keyframe: the player joined between two.
    needs_key: bool,
    audio: bool,
    video: bool,
    paused: bool,
    /// The player could not keep up since this was asked last.
    overrun: bool,
    /// What was queued while much waited, oldest first.
    marks: VecDeque<Mark>,
    /// Milliseconds since any moment.
    clock: fn() -> u64,
}

/// A message that was queued behind others.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Bytes written in all when it is sent.
    end: u64,
    timestamp: u32,
    queued_at: u64,
}

/// Marks are only kept for connections with at least this much waiting, and this far apart.
const MARK_FROM_BYTES: usize = 64 << 10;
const MARK_EVERY_MILLIS: u32 = 200;

impl PlayerFlow {
    /// A player that has everything before `next_sequence`; `at_keyframe` says whether that began with a keyframe.
    pub fn new(limits: FlowLimits, next_sequence: u64, has_video: bool, at_keyframe: bool) -> Self {
        Self {
            limits,
            next_sequence,
            has_video,
            behind: false,
            needs_key: !at_keyframe,
            audio: true,
            video: true,
            paused: false,
            overrun: false,
            marks: VecDeque::new(),
            clock: millis,
        }
    }

    /// Whether the player wants audio (`RTMP 1.0 7.2.2.4`).
    pub fn set_audio(&mut self, on: bool) {
        self.audio = on;
    }

    /// Whether the player wants video (`RTMP 1.0 7.2.2.5`); it comes back at a keyframe.
    pub fn set_video(&mut self, on: bool) {
        self.needs_key |= on && !self.video;
        self.video = on;
    }

    /// Pauses or resumes (`RTMP 1.0 7.2.2.8`); live media goes on at a keyframe.
    pub fn set_paused(&mut self, on: bool) {
        self.needs_key |= !on && self.paused;
        self.behind |= !on && self.paused;
        self.paused = on;
    }

    /// The stream ended: the next publisher's messages start afresh.
    pub fn reset(&mut self) {
        self.behind = false;
        self.needs_key = true;
        self.has_video = false;
        self.marks.clear();
    }

    /// Messages were lost behind the connection: drop to the next keyframe.
    pub(crate) fn fall_behind(&mut self) {
        self.behind = true;
        self.needs_key = true;
    }

    /// Whether messages were dropped, since this was called last, because the player could not keep up.
    pub(crate) fn take_overrun(&mut self) -> bool {
        std::mem::take(&mut self.overrun)
    }

    /// Judges the stream's next message.
    pub(crate) fn judge(&mut self, message: &LiveMessage, backlog: Backlog) -> Verdict {
        if message.sequence < self.next_sequence {
            return Verdict::Skip;
        }
        if message.sequence > self.next_sequence {
            self.behind = true;
        }
        self.next_sequence = message.sequence + 1;
        self.has_video |= message.kind == MediaKind::Video;
        if self.paused || !self.wanted(message.kind) {
            return Verdict::Skip;
        }
        if self.behind {
            return self.judge_behind(message, backlog);
        }
        if message.is_header() {
            return self.header_fits(backlog);
        }
        if self.is_full(message.shared.timestamp, backlog) {
            self.fall_behind();
            self.overrun = true;
            return Verdict::Drop;
        }
        if message.kind == MediaKind::Video && self.needs_key {
            if !message.is_keyframe() {
                return Verdict::Skip;
            }
            self.needs_key = false;
        }
        self.mark(message.shared.timestamp, backlog);
        Verdict::Send
    }

    /// Whether the player gets all of a span, as nearly all do at any time: nothing waits for it, and it wants
    /// everything. Otherwise each message is to be judged.
    #[inline]
    pub(crate) fn takes_all(&self, span: &Span, backlog: Backlog) -> bool {
        let keeps_up = backlog.waiting == 0 && span.bytes <= self.limits.bytes && !self.behind;
        let wants_all = self.audio && self.video && !self.paused && !self.needs_key;
        keeps_up && wants_all && span.next.is_some() && span.first == self.next_sequence
    }

    /// The player got all of a span.
    #[inline]
    pub(crate) fn took_all(&mut self, span: &Span) {
        self.marks.clear();
        self.next_sequence = span.next.unwrap_or(self.next_sequence);
        self.has_video |= span.has_video;
    }

    fn wanted(&self, kind: MediaKind) -> bool {
        match kind {
            MediaKind::Audio => self.audio,
            MediaKind::Video => self.video,
            MediaKind::Data => true,
        }
    }

    /// Headers are sent even to a full queue, within a quarter more; beyond that they come with [`Verdict::Resume`].
    fn header_fits(&mut self, backlog: Backlog) -> Verdict {
        if backlog.waiting > self.limits.bytes + self.limits.bytes / 4 {
            self.behind = true;
            return Verdict::Drop;
        }
        Verdict::Send
    }

    fn judge_behind(&mut self, message: &LiveMessage, backlog: Backlog) -> Verdict {
        let starts = if self.has_video && self.video {
            message.is_keyframe()
        } else {
            !message.is_header()
        };
        if !starts
            || backlog.waiting > self.limits.bytes / 2
            || self.is_late(message.shared.timestamp, backlog)
        {
            return Verdict::Drop;
        }
        self.behind = false;
        self.needs_key &= message.kind != MediaKind::Video;
        Verdict::Resume
    }

    fn is_full(&mut self, timestamp: u32, backlog: Backlog) -> bool {
        backlog.waiting > self.limits.bytes || self.is_late(timestamp, backlog)
    }

    /// Whether more media waits than the limit in time allows.
    fn is_late(&mut self, timestamp: u32, backlog: Backlog) -> bool {
        while self.marks.front().is_some_and(|mark| mark.end <= backlog.written) {
            self.marks.pop_front();
        }
        let Some(oldest) = self.marks.front() else {
            return false;
        };
        // A jump back in time wraps to a huge distance and means nothing.
        let waiting = timestamp.wrapping_sub(oldest.timestamp);
        // The clock is only asked when it matters.
        waiting > self.limits.millis
            && waiting < 1 << 31
            && (self.clock)().saturating_sub(oldest.queued_at) >= u64::from(self.limits.millis)
    }

    fn mark(&mut self, timestamp: u32, backlog: Backlog) {
        if backlog.waiting < MARK_FROM_BYTES {
            return;
        }
        let due = self
            .marks
            .back()
            .is_none_or(|mark| timestamp.wrapping_sub(mark.timestamp) >= MARK_EVERY_MILLIS);
        if due {
            self.marks.push_back(Mark {
                end: backlog.written + backlog.waiting as u64,
                timestamp,
                queued_at: (self.clock)(),
            });
        }
    }
}

fn millis() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 0x65];
    const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 0x41];
    const AUDIO: &[u8] = &[0xaf, 1, 0x21];
    const CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x0a];

    fn message(sequence: u64, timestamp: u32, body: &'static [u8]) -> LiveMessage {
        let kind = if body == AUDIO {
            MediaKind::Audio
        } else {
            MediaKind::Video
        };
        LiveMessage::new(sequence, kind, timestamp, Bytes::from_static(body), false)
    }

    fn waiting(waiting: usize) -> Backlog {
        Backlog { written: 0, waiting }
    }

    fn flow() -> PlayerFlow {
        PlayerFlow::new(
            FlowLimits {
                bytes: 1 << 20,
                millis: 1_000,
            },
            0,
            true,
            true,
        )
    }

    #[test]
    fn a_full_queue_drops_to_the_next_keyframe_that_finds_room() {
        let mut flow = flow();
        assert_eq!(flow.judge(&message(0, 0, KEY), waiting(0)), Verdict::Send);
        assert_eq!(
            flow.judge(&message(1, 40, INTER), waiting(2 << 20)),
            Verdict::Drop
        );
        assert_eq!(flow.judge(&message(2, 50, AUDIO), waiting(0)), Verdict::Drop);
        assert_eq!(flow.judge(&message(3, 80, KEY), waiting(1 << 20)), Verdict::Drop);
        assert_eq!(flow.judge(&message(4, 120, INTER), waiting(0)), Verdict::Drop);
        assert_eq!(flow.judge(&message(5, 160, KEY), waiting(100)), Verdict::Resume);
        assert_eq!(flow.judge(&message(6, 200, INTER), waiting(100)), Verdict::Send);
    }

    #[test]
    fn a_sequence_header_passes_a_full_queue() {
        let mut flow = flow();
        assert_eq!(
            flow.judge(&message(0, 0, CONFIG), waiting((1 << 20) + 1)),
            Verdict::Send
        );
    }

    thread_local! {
        static NOW: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    #[test]
    fn a_publisher_faster_than_its_media_makes_no_player_late() {
        let mut flow = flow();
        flow.clock = || NOW.get();
        let stuck = waiting(100 << 10);
        assert_eq!(flow.judge(&message(0, 0, KEY), stuck), Verdict::Send);
        NOW.set(999);
        assert_eq!(flow.judge(&message(1, 60_000, INTER), stuck), Verdict::Send);
        NOW.set(1_000);
        assert_eq!(flow.judge(&message(2, 60_040, INTER), stuck), Verdict::Drop);
    }

    #[test]
    fn media_older_than_the_limit_in_time_is_dropped() {
        let mut flow = flow();
        flow.clock = || NOW.replace(NOW.get() + 1_000);
        let stuck = Backlog {
            written: 0,
            waiting: 100 << 10,
        };
        assert_eq!(flow.judge(&message(0, 0, KEY), stuck), Verdict::Send);
        assert_eq!(flow.judge(&message(1, 900, INTER), stuck), Verdict::Send);
        assert_eq!(flow.judge(&message(2, 1_001, INTER), stuck), Verdict::Drop);
        let moved_on = Backlog {
            written: 300 << 10,
            waiting: 100 << 10,
        };
        assert_eq!(flow.judge(&message(3, 1_040, KEY), moved_on), Verdict::Resume);
    }

    #[test]
    fn messages_of_the_backlog_are_not_sent_twice_and_a_gap_waits_for_a_keyframe() {
        let mut flow = PlayerFlow::new(FlowLimits::default(), 5, true, true);
        assert_eq!(flow.judge(&message(4, 0, INTER), waiting(0)), Verdict::Skip);
        assert_eq!(flow.judge(&message(5, 40, INTER), waiting(0)), Verdict::Send);
        assert_eq!(flow.judge(&message(7, 80, INTER), waiting(0)), Verdict::Drop);
        assert_eq!(flow.judge(&message(8, 120, KEY), waiting(0)), Verdict::Resume);
    }

    #[test]
    fn joining_between_keyframes_gives_audio_at_once_and_video_from_the_next() {
        let mut flow = PlayerFlow::new(FlowLimits::default(), 0, false, false);
        assert_eq!(flow.judge(&message(0, 0, INTER), waiting(0)), Verdict::Skip);
        assert_eq!(flow.judge(&message(1, 5, AUDIO), waiting(0)), Verdict::Send);
        assert_eq!(flow.judge(&message(2, 40, KEY), waiting(0)), Verdict::Send);
        assert_eq!(flow.judge(&message(3, 80, INTER), waiting(0)), Verdict::Send);
    }

    #[test]
    fn video_turned_off_and_on_comes_back_at_a_keyframe() {
        let mut flow = flow();
        flow.set_video(false);
        assert_eq!(flow.judge(&message(0, 0, KEY), waiting(0)), Verdict::Skip);
        assert_eq!(flow.judge(&message(1, 5, AUDIO), waiting(0)), Verdict::Send);
        flow.set_video(true);
        assert_eq!(flow.judge(&message(2, 40, INTER), waiting(0)), Verdict::Skip);
        assert_eq!(flow.judge(&message(3, 80, KEY), waiting(0)), Verdict::Send);
    }

    fn span(messages: &[LiveMessage]) -> Span {
        let mut span = Span::of(&messages[0]);
        messages[1..].iter().for_each(|message| span.add(message));
        span
    }

    #[test]
    fn who_keeps_up_and_wants_everything_takes_messages_that_follow_at_once() {
        let mut flow = flow();
        let next = [message(0, 0, KEY), message(1, 5, AUDIO), message(2, 40, INTER)];
        assert!(flow.takes_all(&span(&next), waiting(0)));
        flow.took_all(&span(&next));
        assert_eq!(
            flow.judge(&message(2, 40, INTER), waiting(0)),
            Verdict::Skip,
            "has it"
        );
        assert_eq!(flow.judge(&message(3, 80, INTER), waiting(0)), Verdict::Send);
    }

    #[test]
    fn who_does_not_has_each_message_judged() {
        let next = span(&[message(0, 0, KEY), message(1, 5, AUDIO)]);
        let hole = span(&[message(0, 0, KEY), message(2, 5, AUDIO)]);
        let later = span(&[message(1, 0, KEY)]);
        assert!(!flow().takes_all(&hole, waiting(0)));
        assert!(!flow().takes_all(&later, waiting(0)));
        assert!(!flow().takes_all(&next, waiting(1)));
        let changes: [fn(&mut PlayerFlow); 4] = [
            |flow| flow.set_audio(false),
            |flow| flow.set_video(false),
            |flow| flow.set_paused(true),
            |flow| flow.fall_behind(),
        ];
        for change in changes {
            let mut flow = flow();
            change(&mut flow);
            assert!(!flow.takes_all(&next, waiting(0)));
        }
    }
}
