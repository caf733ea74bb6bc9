//! What a published stream keeps of itself: how many seconds of it wait to be sent, and since when it is published.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::time::distance;

/// The media of a stream that waits to be sent, by its timestamps.
#[derive(Debug, Default)]
pub(super) struct SendBuffer {
    limit_ms: u32,
    /// Timestamps, and how many bytes had been written to the connection with the message of each.
    waiting: VecDeque<(u32, u64)>,
}

impl SendBuffer {
    pub(super) fn limit_ms(&self) -> u32 {
        self.limit_ms
    }

    /// 0 watches nothing.
    pub(super) fn set_limit(&mut self, millis: u32) {
        self.limit_ms = millis;
        if millis == 0 {
            self.waiting = VecDeque::new();
        }
    }

    /// A message was written; with it, so many bytes have been.
    pub(super) fn written(&mut self, timestamp: u32, position: u64) {
        match self.waiting.back_mut() {
            Some((newest, end)) if *newest == timestamp => *end = position,
            _ => self.waiting.push_back((timestamp, position)),
        }
    }

    /// So many bytes have been sent: whether more may be written, with only a share of `percent` of the room used.
    pub(super) fn has_room(&mut self, sent: u64, percent: u32) -> bool {
        while self.waiting.front().is_some_and(|(_, end)| *end <= sent) {
            self.waiting.pop_front();
        }
        let most = i64::from(self.limit_ms) * i64::from(percent) / 100;
        self.limit_ms == 0 || self.span_ms() <= most
    }

    /// From the oldest to the newest of what waits.
    fn span_ms(&self) -> i64 {
        let ends = self.waiting.front().zip(self.waiting.back());
        ends.map_or(0, |((oldest, _), (newest, _))| {
            i64::from(distance(*oldest, *newest))
        })
    }
}

/// How long a stream has been published.
#[derive(Debug, Default)]
pub(super) struct PublishClock {
    began: Option<Instant>,
    /// Where it stood when publishing ended.
    before: Duration,
}

impl PublishClock {
    /// The server has begun to publish, or goes on elsewhere.
    pub(super) fn start(&mut self) {
        if self.began.is_none() {
            *self = Self {
                began: Some(Instant::now()),
                before: Duration::ZERO,
            };
        }
    }

    pub(super) fn stop(&mut self) {
        self.before = self.elapsed();
        self.began = None;
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.map_or(self.before, |began| began.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_is_full_when_more_seconds_wait() {
        let mut buffer = SendBuffer::default();
        buffer.set_limit(1000);
        for number in 0..=10 {
            assert!(buffer.has_room(0, 100));
            buffer.written(number * 100, u64::from(number + 1) * 50);
        }
        assert!(buffer.has_room(0, 100), "a second waits");
        buffer.written(1100, 600);
        assert!(
            !buffer.has_room(49, 100),
            "the first message is not sent to its end"
        );
        assert!(buffer.has_room(50, 100));
        assert!(!buffer.has_room(299, 50));
        assert!(buffer.has_room(300, 50), "half a second waits");
        assert!(buffer.has_room(600, 0));
    }

    #[test]
    fn timestamps_may_wrap_and_come_out_of_order() {
        let mut buffer = SendBuffer::default();
        buffer.set_limit(100);
        buffer.written(u32::MAX - 10, 1);
        buffer.written(20, 2);
        assert!(buffer.has_room(0, 100));
        buffer.written(100, 3);
        assert!(!buffer.has_room(0, 100));
        buffer.written(u32::MAX - 50, 4);
        assert!(buffer.has_room(0, 100));
        buffer.set_limit(0);
        assert!(buffer.has_room(0, 100));
    }

    #[test]
    fn a_clock_that_stopped_stands_still() {
        let mut clock = PublishClock::default();
        assert_eq!(clock.elapsed(), Duration::ZERO);
        clock.start();
        clock.stop();
        assert_eq!(clock.elapsed(), clock.elapsed());
    }
}
