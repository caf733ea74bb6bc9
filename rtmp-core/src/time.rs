//! 32-bit millisecond timestamps that wrap after 49.7 days (`RTMP 1.0 4`), compared by serial-number arithmetic.

/// Distance from `earlier` to `later` in milliseconds, negative if `later` is before; both may lie on either side of a
/// wrap.
pub const fn distance(earlier: u32, later: u32) -> i32 {
    later.wrapping_sub(earlier).cast_signed()
}

/// Undoes the wrap: turns the 32-bit timestamps of a stream into 64-bit ones that go on counting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unwrap {
    last: Option<u64>,
}

impl Unwrap {
    /// One that goes on from a time.
    pub const fn after(time: u64) -> Self {
        Self { last: Some(time) }
    }

    /// The time of the last timestamp, if there was one.
    pub const fn last(&self) -> Option<u64> {
        self.last
    }

    /// The 64-bit time of the next timestamp: the one nearest to the time before it, never below zero.
    pub fn unwrap(&mut self, timestamp: u32) -> u64 {
        let time = match self.last {
            None => u64::from(timestamp),
            Some(last) => {
                #[allow(clippy::cast_possible_truncation)] // The low half is what the wire carries.
                let step = i64::from(distance(last as u32, timestamp));
                last.checked_add_signed(step).unwrap_or(u64::from(timestamp))
            }
        };
        self.last = Some(time);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_past_the_wrap_and_steps_back_a_little() {
        let mut time = Unwrap::default();
        assert_eq!(time.unwrap(0xffff_fff0), 0xffff_fff0);
        assert_eq!(time.unwrap(0x10), 0x1_0000_0010);
        assert_eq!(time.unwrap(0xffff_fffe), 0xffff_fffe);
        assert_eq!(time.unwrap(5), 0x1_0000_0005);
    }

    #[test]
    fn time_never_goes_below_zero() {
        let mut time = Unwrap::default();
        assert_eq!(time.unwrap(10), 10);
        assert_eq!(time.unwrap(0xffff_fff0), 0xffff_fff0);
    }

    #[test]
    fn distance_is_signed_and_wraps() {
        assert_eq!(distance(0xffff_ffff, 1), 2);
        assert_eq!(distance(1, 0xffff_ffff), -2);
    }
}
