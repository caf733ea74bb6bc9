//! The times of a recording: each publisher's begin where the file has come to.

use crate::time::Unwrap;

/// Between the last tag of what was there and the first of what is added, in milliseconds.
const STEP: u64 = 20;

/// Turns the timestamps of a stream into times in the file, which begin at 0 and do not wrap.
#[derive(Debug, Default)]
pub(super) struct Clock {
    unwrap: Unwrap,
    /// Where in the file the next publisher begins.
    start: u64,
    /// The publisher's first time, once there is one.
    first: Option<u64>,
}

impl Clock {
    /// The file has tags up to `last`, and nothing for `gap` milliseconds: what comes next is new, from whatever time on.
    pub(super) fn go_on(&mut self, last: u64, gap: u64) {
        *self = Self {
            start: last.saturating_add(gap.max(STEP)),
            ..Self::default()
        };
    }

    /// Whether the publisher has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.first.is_some()
    }

    /// The time in the file at which the publisher began, or will.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The time in the file of a message; the first begins. What is earlier than the first is put at its time.
    pub(super) fn place(&mut self, timestamp: u32) -> u64 {
        let time = self.unwrap.unwrap(timestamp);
        let first = *self.first.get_or_insert(time);
        self.start.saturating_add(time.saturating_sub(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_begin_at_zero_and_count_past_the_wrap() {
        let mut clock = Clock::default();
        assert!(!clock.has_begun());
        let times = [0xffff_ff00, 0xffff_fff0, 0xffff_fef0, 0x10].map(|timestamp| clock.place(timestamp));
        assert_eq!(times, [0, 0xf0, 0, 0x110]);
        assert!(clock.has_begun());
    }

    #[test]
    fn who_comes_next_goes_on() {
        let mut clock = Clock::default();
        clock.place(7000);
        clock.go_on(5_000_000_000, 0);
        assert_eq!(
            [3, 43].map(|timestamp| clock.place(timestamp)),
            [5_000_000_020, 5_000_000_060]
        );
        clock.go_on(1_000, 60_000);
        assert_eq!((clock.start(), clock.place(9)), (61_000, 61_000));
    }
}
