//! Extended timestamps after format 3 headers, and what their values mean.
//!
//! RTMP 1.0 5.3.1.3 has every format 3 header repeat the extended timestamp of the header it inherits from. Old librtmp
//! and its descendants do not, and some peers send absolute times where deltas belong. The reader watches which kind of
//! peer it has.

use crate::wire::deviation::Deviation;

/// Observations in a row after which the question is settled for the connection.
const SETTLED: i8 = 3;
/// A delta longer than a day is not one.
const LONGEST_DELTA: u32 = 24 * 60 * 60 * 1000;
/// How near an absolute time must be to be taken for one, in milliseconds.
const NEAR: u32 = 60_000;
/// Some peers clear the highest bit of timestamps.
const MASK: u32 = 0x7FFF_FFFF;

/// Whether the peer repeats extended timestamps, as observed so far.
#[derive(Debug, Default)]
pub(super) struct ExtendedTimestamps {
    /// Positive: seen present so many times in a row; negative: seen absent.
    seen: i8,
}

/// What follows a format 3 header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// An extended timestamp with this value.
    Present(u32),
    /// Payload.
    Absent,
    /// Too few bytes to tell.
    Unknown,
}

impl ExtendedTimestamps {
    /// Reads after a header that continues a message whose header had `field` as extended timestamp.
    pub(super) fn in_continuation(&mut self, rest: &[u8], field: u32) -> Reading {
        if self.seen <= -SETTLED {
            return Reading::Absent;
        }
        let matches = starts_like(rest, field);
        if self.seen < SETTLED && !matches {
            self.observe(false);
            return Reading::Absent;
        }
        let Some(value) = value(rest) else {
            return Reading::Unknown;
        };
        if matches {
            self.observe(true);
        }
        Reading::Present(value)
    }

    /// Reads after a header that starts a message like the one before, which was at `timestamp`.
    pub(super) fn in_new_message(&mut self, rest: &[u8], field: u32, timestamp: u32) -> Reading {
        if self.seen <= -SETTLED {
            return Reading::Absent;
        }
        let Some(value) = value(rest) else {
            return Reading::Unknown;
        };
        // A settled peer is judged by the value, too: librtmp repeats it in continuations, but not here.
        if value & MASK == field & MASK || distance(value, timestamp) <= NEAR {
            self.observe(true);
            return Reading::Present(value);
        }
        Reading::Absent
    }

    /// The time after `delta`, sent as an extended delta: an absolute time in a delta's place is taken as such.
    pub(super) fn advance(timestamp: u32, delta: u32) -> u32 {
        if Self::is_no_delta(delta) {
            Self::nearest(timestamp, delta)
        } else {
            timestamp.wrapping_add(delta)
        }
    }

    /// Whether an extended delta must be something else.
    pub(super) fn is_no_delta(delta: u32) -> bool {
        delta > LONGEST_DELTA
    }

    /// What is wrong with `value` after a format 3 header, where `field` had to be repeated.
    pub(super) fn deviation(value: u32, field: u32) -> Option<Deviation> {
        if value == field {
            None
        } else if value & MASK == field & MASK {
            Some(Deviation::ExtendedTimestamp31Bits)
        } else {
            Some(Deviation::ExtendedTimestampAbsolute)
        }
    }

    /// The time meant by `value`, delta or absolute: the one nearer to `timestamp`.
    pub(super) fn nearest(timestamp: u32, value: u32) -> u32 {
        let as_delta = timestamp.wrapping_add(value);
        if distance(as_delta, timestamp) < distance(value, timestamp) {
            as_delta
        } else {
            value
        }
    }

    fn observe(&mut self, present: bool) {
        if self.seen.abs() < SETTLED {
            self.seen = match (present, self.seen) {
                (true, seen) => seen.max(0) + 1,
                (false, seen) => seen.min(0) - 1,
            };
        }
    }
}

fn value(rest: &[u8]) -> Option<u32> {
    rest.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Whether as much of `rest` as there is agrees with `field`.
fn starts_like(rest: &[u8], field: u32) -> bool {
    let mask = MASK.to_be_bytes();
    rest.iter()
        .zip(field.to_be_bytes())
        .zip(mask)
        .all(|((byte, want), mask)| byte & mask == want & mask)
}

/// The distance of two times modulo 2^32.
fn distance(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}
