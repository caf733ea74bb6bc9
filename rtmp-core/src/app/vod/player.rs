//! When what of a recorded stream is sent: as much ahead as the client buffers, then as time goes by. Knows no clock and
//! no file: it is told the time (milliseconds of any monotonic clock) and given what was read. Media time is counted on where
//! timestamps wrap.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::app::vod::file::{Batch, End};
use crate::app::vod::source::{SourceError, Start};
use crate::media::video::VideoCommand;
use crate::media::{FrameFlags, MediaKind, MediaMessage, inspect};
use crate::time::Unwrap;

/// One player of one recorded stream.
#[derive(Debug)]
pub(crate) struct Player {
    queue: VecDeque<Timed>,
    /// The times of what is queued.
    times: Unwrap,
    queued_bytes: usize,
    /// Nothing will be read after what is in the queue.
    end: Option<End>,
    /// Where playing began, or was sought to.
    target: u64,
    /// Where `play` began.
    began: u64,
    /// Only up to here.
    until: Option<u64>,
    /// Another goes on from here.
    cut: Option<u64>,
    pace: Pace,
    clock: Option<Clock>,
    paused_at: Option<u64>,
    /// The client sees the place it sought to while it pauses.
    shows_picture: bool,
    lead_in: LeadIn,
    audio: bool,
    video: bool,
    needs_key: bool,
    /// The client has what is up to this time, headers and all.
    after: Option<u64>,
    /// A picture was sent since the target.
    pictured: bool,
    last: Option<u64>,
    sent_bytes: u64,
}

/// A message and its time.
#[derive(Debug)]
struct Timed {
    time: u64,
    message: MediaMessage,
}

/// How far ahead of time messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// What the client buffers, in milliseconds.
    Buffer(u32),
    /// All at once.
    AtOnce,
}

/// Which media time is played when.
#[derive(Debug, Clone, Copy)]
struct Clock {
    media: u64,
    at: u64,
}

/// What leads up to a seek target: pictures that are decoded and not shown, between two commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeadIn {
    None,
    /// The client understands it, if there is one.
    Possible,
    /// The command that began it was sent; its first byte.
    Begun(u8),
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this.
    Send(MediaMessage),
    /// Nothing until this time; `None` until something else happens.
    Wait(Option<u64>),
    /// Everything was sent.
    Over,
    /// What follows cannot be read.
    Failed(SourceError),
}

/// Read on when less than this waits.
const LOW_BYTES: usize = 128 << 10;
const LOW_MS: u64 = 2_000;
/// Messages due this soon are sent with those that are due, in milliseconds.
const TOGETHER_MS: u64 = 10;
/// Where sound alone goes on for this long there is no picture to wait for, in milliseconds.
const FAR_MS: u64 = 1_000;

impl Player {
    /// A player that starts at `target` and plays for `duration` milliseconds, or to the end. `lead_in`: the client
    /// understands the commands around what leads up to a place it sought.
    pub(crate) fn new(target: u64, duration: Option<u64>, pace: Pace, lead_in: bool) -> Self {
        let until = duration.map(|duration| target.saturating_add(duration));
        Self {
            queue: VecDeque::new(),
            times: Unwrap::default(),
            queued_bytes: 0,
            end: None,
            target,
            began: target,
            until,
            cut: None,
            pace,
            clock: None,
            paused_at: None,
            shows_picture: false,
            lead_in: if lead_in { LeadIn::Possible } else { LeadIn::None },
            audio: true,
            video: true,
            needs_key: false,
            after: None,
            pictured: false,
            last: None,
            sent_bytes: 0,
        }
    }

    /// What the source says about where it starts.
    pub(crate) fn start(&mut self, start: Start) {
        if start.at >= self.target {
            self.lead_in = LeadIn::None;
        }
        self.times = match start.at {
            0 => Unwrap::default(),
            at => Unwrap::after(at),
        };
        start.headers.into_iter().for_each(|header| self.push(header));
    }

    /// What was read.
    pub(crate) fn add(&mut self, batch: Batch) {
        batch.messages.into_iter().for_each(|message| self.push(message));
        self.end = batch.end;
    }

    /// Whether more should be read.
    pub(crate) fn wants_more(&self) -> bool {
        let span = match (self.queue.front(), self.queue.back()) {
            (Some(first), Some(last)) => last.time.saturating_sub(first.time),
            _ => 0,
        };
        self.end.is_none() && self.queued_bytes < LOW_BYTES && span < LOW_MS
    }

    /// Goes on elsewhere in the stream: what waited is forgotten, and what was asked of it (audio, video, pause, pace, end)
    /// stays.
    pub(crate) fn restart(&mut self, target: u64, lead_in: bool) {
        self.queue.clear();
        self.times = Unwrap::default();
        self.queued_bytes = 0;
        self.end = None;
        self.target = target;
        self.clock = None;
        self.lead_in = if lead_in { LeadIn::Possible } else { LeadIn::None };
        self.shows_picture = self.paused_at.is_some();
        self.after = None;
        self.cut = None;
        self.pictured = false;
        self.last = None;
    }

    /// Goes on after a time, in the middle of what the client decodes already.
    pub(crate) fn restart_after(&mut self, time: u64) {
        self.restart(time, false);
        self.shows_picture = false;
        self.after = Some(time);
    }

    /// What to do at `now`.
    pub(crate) fn step(&mut self, now: u64) -> Step {
        loop {
            if self.paused_at.is_some() && !self.shows_picture {
                return Step::Wait(None);
            }
            let Some(front) = self.queue.front() else {
                return match self.end.take() {
                    None => Step::Wait(None),
                    Some(End::Over) => {
                        self.end = Some(End::Over);
                        Step::Over
                    }
                    Some(End::Failed(error)) => {
                        self.end = Some(End::Over);
                        Step::Failed(error)
                    }
                };
            };
            let (kind, time) = (front.message.kind, front.time);
            let flags = inspect(kind, &front.message.body);
            let is_frame = kind != MediaKind::Data && !is_header(flags);
            if is_frame && self.is_after_end(time) {
                return Step::Over;
            }
            if self.is_left_out(kind, time, flags, is_frame) {
                self.pop();
                continue;
            }
            if let Some(command) = self.command(kind, time, is_frame) {
                return Step::Send(command);
            }
            if self.paused_at.is_some() && is_frame && kind == MediaKind::Audio && self.is_far(time) {
                self.shows_picture = false;
                continue;
            }
            let due = self.due(time, is_frame, now);
            if due > now.saturating_add(TOGETHER_MS) {
                return Step::Wait(Some(due));
            }
            return match self.pop() {
                Some(Timed { time, message }) => self.sent(time, message, flags, is_frame),
                None => Step::Wait(None),
            };
        }
    }

    /// How long the client goes on playing what it was sent, in milliseconds.
    pub(crate) fn ahead(&self, now: u64) -> u64 {
        let (Some(clock), Some(last)) = (self.clock, self.last) else {
            return 0;
        };
        let over = clock.at.saturating_add(last.saturating_sub(clock.media));
        over.saturating_sub(self.paused_at.unwrap_or(now))
    }

    /// The clock starts this much later: the client still plays what came before.
    pub(crate) fn follow(&mut self, ahead: u64, now: u64) {
        self.clock = Some(Clock {
            media: self.target,
            at: now.saturating_add(ahead),
        });
    }

    /// Takes the place of another that played the same content up to here.
    pub(crate) fn continue_from(&mut self, other: &Self) {
        self.clock = other.clock;
        self.pace = other.pace;
        self.began = other.began;
        self.paused_at = other.paused_at;
        self.until = other.until;
        self.audio = other.audio;
        self.video = other.video;
        self.sent_bytes = other.sent_bytes;
    }

    /// Ends before this time, where another takes over.
    pub(crate) fn cut_at(&mut self, time: u64) {
        self.cut = Some(time);
    }

    pub(crate) fn pause(&mut self, now: u64) {
        self.paused_at.get_or_insert(now);
    }

    /// Goes on, where the client stands at `position` if it says so, in timestamps or counted on; true if what it has not played was sent already and lost,
    /// so that reading has to go back there.
    pub(crate) fn unpause(&mut self, position: Option<u64>, now: u64) -> bool {
        self.shows_picture = false;
        let Some(paused_at) = self.paused_at.take() else {
            return false;
        };
        if let Some(clock) = &mut self.clock {
            clock.at = clock.at.saturating_add(now.saturating_sub(paused_at));
            if let Some(position) = position {
                *clock = Clock {
                    media: position,
                    at: now,
                };
            }
        }
        position.is_some_and(|position| self.last.is_some_and(|last| position < last))
    }

    /// The time that a client means: clients whose own clock wraps say its low half.
    pub(crate) fn place(&self, position: u64) -> u64 {
        match (self.last, u32::try_from(position)) {
            (Some(last), Ok(timestamp)) => Unwrap::after(last).unwrap(timestamp),
            _ => position,
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    pub(crate) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    pub(crate) fn set_audio(&mut self, on: bool) {
        self.audio = on;
    }

    /// Pictures come back at a keyframe.
    pub(crate) fn set_video(&mut self, on: bool) {
        self.needs_key |= on && !self.video;
        self.video = on;
    }

    /// The time of the last message sent.
    pub(crate) fn last(&self) -> Option<u64> {
        self.last
    }

    /// Milliseconds to be played, if an end was asked for.
    pub(crate) fn limit_ms(&self) -> Option<u64> {
        self.until.map(|until| until.saturating_sub(self.began))
    }

    /// Bytes of media sent.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    fn push(&mut self, message: MediaMessage) {
        let time = match (message.timestamp, self.times.last()) {
            // Headers in the middle of files are at 0, too.
            (0, Some(last)) => last,
            (timestamp, _) => self.times.unwrap(timestamp),
        };
        self.queued_bytes = self.queued_bytes.saturating_add(message.body.len());
        self.queue.push_back(Timed { time, message });
    }

    fn pop(&mut self) -> Option<Timed> {
        let timed = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(timed.message.body.len());
        Some(timed)
    }

    /// Whether a frame is after what was asked for. A duration of 0 is for one frame.
    fn is_after_end(&self, time: u64) -> bool {
        self.cut.is_some_and(|cut| time >= cut)
            || self.until.is_some_and(|until| match until > self.began {
                true => time >= until,
                false => self.pictured || self.is_far(time),
            })
    }

    /// Whether a frame is so far from the target that no picture belongs to that.
    fn is_far(&self, time: u64) -> bool {
        time > self.target.saturating_add(FAR_MS)
    }

    fn is_left_out(&mut self, kind: MediaKind, time: u64, flags: FrameFlags, is_frame: bool) -> bool {
        if self.after.is_some_and(|after| time <= after) {
            return true;
        }
        match kind {
            MediaKind::Audio => !self.audio && is_frame,
            MediaKind::Video if !is_frame => false,
            MediaKind::Video => {
                self.needs_key &= !flags.contains(FrameFlags::KEYFRAME);
                !self.video || self.needs_key
            }
            MediaKind::Data => false,
        }
    }

    /// A command to the client's decoder that comes before the next message.
    fn command(&mut self, kind: MediaKind, time: u64, is_frame: bool) -> Option<MediaMessage> {
        match self.lead_in {
            LeadIn::Possible if is_frame && kind == MediaKind::Video => {
                if time >= self.target {
                    self.lead_in = LeadIn::None;
                    return None;
                }
                let first = *self.queue.front()?.message.body.first()?;
                self.lead_in = LeadIn::Begun(first);
                Some(command(first, VideoCommand::StartSeek, time))
            }
            LeadIn::Begun(first) if is_frame && time >= self.target => {
                self.lead_in = LeadIn::None;
                Some(command(first, VideoCommand::EndSeek, self.target))
            }
            _ => None,
        }
    }

    /// When a message is to be sent. The clock starts with the first frame that is to be shown.
    fn due(&mut self, time: u64, is_frame: bool, now: u64) -> u64 {
        let Pace::Buffer(buffer) = self.pace else {
            return now;
        };
        if self.paused_at.is_some() {
            return now;
        }
        let clock = match self.clock {
            Some(clock) => clock,
            None if !is_frame => return now,
            None => *self.clock.insert(Clock {
                media: self.target.max(time),
                at: now,
            }),
        };
        let played = clock.at.saturating_add(time.saturating_sub(clock.media));
        played.saturating_sub(u64::from(buffer))
    }

    fn sent(&mut self, time: u64, message: MediaMessage, flags: FrameFlags, is_frame: bool) -> Step {
        if is_frame {
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
            let picture = message.kind == MediaKind::Video && !flags.contains(FrameFlags::COMMAND);
            // Where nothing leads up to it the keyframe is all there is to see.
            let reached = self.lead_in == LeadIn::None;
            self.shows_picture &= !(picture && reached);
            self.pictured |= picture;
        }
        self.sent_bytes = self.sent_bytes.saturating_add(message.body.len() as u64);
        Step::Send(message)
    }
}

fn is_header(flags: FrameFlags) -> bool {
    flags.intersects(FrameFlags::CONFIG | FrameFlags::METADATA | FrameFlags::COMMAND)
}

/// A video command for the codec, or with the Enhanced header, of a body that begins with `first`.
fn command(first: u8, command: VideoCommand, time: u64) -> MediaMessage {
    const COMMAND: u8 = 5 << 4;
    let head = match first & 0x80 {
        0 => COMMAND | (first & 0x0F),
        // Coded frames: without FourCC, the command is all that follows.
        _ => 0x80 | COMMAND | 1,
    };
    let body = Bytes::copy_from_slice(&[head, command.to_byte()]);
    MediaMessage::new(MediaKind::Video, time as u32, body)
}

#[cfg(test)]
mod tests;
