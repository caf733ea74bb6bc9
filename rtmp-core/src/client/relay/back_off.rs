//! How long a relay waits after a failure.

/// Waiting times between failures and the next attempt: each is twice the one before, up to a bound, less a random share, so
/// that relays which failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// Milliseconds after the first failure; at least 1. Default: 500.
    pub first_ms: u32,
    /// The longest wait in milliseconds. Default: 30,000.
    pub max_ms: u32,
    /// How much of a wait is random, in percent. Default: 25.
    pub jitter_percent: u8,
    /// Failures in a row after which the relay gives up; 0 never does. Default: 0.
    pub max_failures: u32,
}

impl Default for BackOff {
    fn default() -> Self {
        Self {
            first_ms: 500,
            max_ms: 30_000,
            jitter_percent: 25,
            max_failures: 0,
        }
    }
}

impl BackOff {
    /// Milliseconds to wait after so many failures in a row, from 1; `random` is anything.
    pub(super) fn wait_ms(&self, failures: u32, random: u64) -> u64 {
        let doublings = failures.saturating_sub(1).min(31);
        let longest = u64::from(self.max_ms.max(1));
        let wait = (u64::from(self.first_ms.max(1)) << doublings).min(longest);
        let spread = wait * u64::from(self.jitter_percent.min(100)) / 100;
        (wait - random % (spread + 1)).max(1)
    }

    /// Whether that many failures are enough.
    pub(super) fn gives_up(&self, failures: u32) -> bool {
        self.max_failures != 0 && failures >= self.max_failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_less_a_random_share() {
        let back_off = BackOff {
            first_ms: 100,
            max_ms: 1_000,
            jitter_percent: 50,
            max_failures: 0,
        };
        let longest: Vec<u64> = (1..=6).map(|failures| back_off.wait_ms(failures, 0)).collect();
        assert_eq!(longest, [100, 200, 400, 800, 1_000, 1_000]);
        for random in 0..1_000 {
            assert!((50..=100).contains(&back_off.wait_ms(1, random)));
            assert!((500..=1_000).contains(&back_off.wait_ms(u32::MAX, random)));
        }
    }

    #[test]
    fn a_wait_is_never_nothing() {
        let back_off = BackOff {
            first_ms: 0,
            max_ms: 0,
            jitter_percent: 255,
            max_failures: 3,
        };
        assert_eq!(back_off.wait_ms(1, 7), 1);
        assert!(!back_off.gives_up(2) && back_off.gives_up(3));
    }
}
