//! What a stream over an outgoing connection received and Python has not taken yet.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtmp_core::{Code, Frame, MediaKind, NetStream, NetStreamHandler, Status};

use crate::monitor::Monitor;

/// How long frames are held back for the answer to a seek: some servers give none.
const SEEK_ANSWER: Duration = Duration::from_secs(5);

/// Frames and statuses of a stream. Filled where the connection's events run, without Python; bounded: when it is full,
/// frames are dropped to the next keyframe.
#[derive(Clone)]
pub(crate) struct Inbox(pub(crate) Arc<Monitor<State>>);

pub(crate) struct State {
    frames: VecDeque<Frame>,
    /// The answer to publish or play.
    pub(crate) started: Option<Result<Status, Status>>,
    /// Why the stream broke, after it had started.
    pub(crate) failed: Option<Status>,
    /// Frames left when the publisher went: the iteration ends behind them.
    ends: VecDeque<usize>,
    pub(crate) last: Option<Status>,
    pub(crate) closed: bool,
    /// The program closed it: what failed before is no news.
    pub(crate) ended: bool,
    /// Seeks without an answer: what waits, and what comes until then, is of the place that was left.
    seeks: u32,
    sought: Instant,
    /// The output was full and no room was told of since.
    pub(crate) full: bool,
    /// How often room was told of.
    pub(crate) rooms: u64,
    behind: bool,
    pub(crate) dropped: u64,
    capacity: usize,
}

/// What there is to take.
pub(crate) enum Next {
    /// A frame.
    Frame(Frame),
    /// The publisher left, the recording ended, or the stream was closed.
    End,
    /// The stream failed.
    Failed(Status),
}

impl Inbox {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Arc::new(Monitor::new(State {
            frames: VecDeque::new(),
            started: None,
            failed: None,
            ends: VecDeque::new(),
            last: None,
            closed: false,
            ended: false,
            seeks: 0,
            sought: Instant::now(),
            full: false,
            rooms: 0,
            behind: false,
            dropped: 0,
            capacity,
        })))
    }
}

impl State {
    /// Takes the next frame, or learns why there is none; `None` while there is none yet.
    pub(crate) fn next(&mut self, follow: bool) -> Option<Next> {
        if self.seeks > 0 && !self.closed && self.sought.elapsed() < SEEK_ANSWER {
            return None;
        }
        while self.ends.front() == Some(&0) {
            self.ends.pop_front();
            if !follow {
                return Some(Next::End);
            }
        }
        if let Some(frame) = self.frames.pop_front() {
            for end in &mut self.ends {
                *end -= 1;
            }
            return Some(Next::Frame(frame));
        }
        if let Some(status) = self.failed.take() {
            return Some(Next::Failed(status));
        }
        self.closed.then_some(Next::End)
    }

    /// A seek is about to be asked for.
    pub(crate) fn seek(&mut self) {
        self.seeks += 1;
        self.sought = Instant::now();
    }

    /// A seek was answered, or could not be asked for.
    pub(crate) fn sought(&mut self) {
        self.seeks = self.seeks.saturating_sub(1);
    }

    fn push(&mut self, frame: &Frame) {
        let header = frame.is_config() || frame.flags.contains(rtmp_core::FrameFlags::METADATA);
        let starts = frame.is_keyframe() || (frame.kind != MediaKind::Video && !self.behind);
        let full = self.frames.len() >= self.capacity;
        if !header && (full || (self.behind && !starts)) {
            self.behind |= frame.kind == MediaKind::Video || full;
            self.dropped += 1;
            return;
        }
        if frame.is_keyframe() {
            self.behind = false;
        }
        // Headers are kept when all else is dropped, but not without end.
        if full && self.frames.len() >= self.capacity.saturating_mul(2) {
            self.dropped += 1;
            return;
        }
        self.frames.push_back(frame.clone());
    }

    fn status(&mut self, status: &Status) {
        self.last = Some(status.clone());
        if status.is(Code::SeekNotify) {
            self.sought();
            self.frames.clear();
            self.ends.clear();
            self.behind = false;
        } else if status.is(Code::SeekFailed) || status.is(Code::SeekInvalidTime) {
            self.sought();
        }
        let starts = [Code::PublishStart, Code::PlayStart];
        let ends = [Code::PlayStop, Code::PlayComplete, Code::PlayUnpublishNotify];
        if starts.iter().any(|code| status.is(*code)) {
            self.started.get_or_insert_with(|| Ok(status.clone()));
        } else if ends.iter().any(|code| status.is(*code)) {
            // The end of a recording is told twice.
            if self.ends.len() < 64 && self.ends.back() != Some(&self.frames.len()) {
                self.ends.push_back(self.frames.len());
            }
        } else if status.is_error() {
            match self.started {
                None => self.started = Some(Err(status.clone())),
                Some(_) => self.failed = Some(status.clone()),
            }
        }
    }
}

impl NetStreamHandler for Inbox {
    fn on_status(&self, _stream: &NetStream, status: &Status) {
        self.0.update(|state| state.status(status));
    }

    fn on_frame(&self, _stream: &NetStream, frame: &Frame) {
        self.0.update(|state| state.push(frame));
    }

    fn on_writable(&self, _stream: &NetStream) {
        self.0.update(|state| {
            state.rooms += 1;
            state.full = false;
        });
    }

    fn on_close(&self, _stream: &NetStream) {
        self.0.update(|state| {
            state.closed = true;
            state.started.get_or_insert_with(|| {
                Err(Status::new(Code::ConnectClosed).with_description("The connection ended."))
            });
        });
    }
}
