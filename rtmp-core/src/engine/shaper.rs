//! A limit in bytes per second.

/// Lets bytes pass at a rate: a tenth of a second's worth at once, and more as time goes on. Taking more than there is makes a
/// debt.
#[derive(Debug)]
pub(crate) struct Shaper {
    bytes_per_s: u64,
    /// Thousandths of bytes.
    tokens: i64,
    counted_ms: u64,
}

/// Milliseconds whose bytes may pass at once.
const BURST_MS: i64 = 100;

impl Shaper {
    pub(crate) fn new(bytes_per_s: u32, now: u64) -> Self {
        let bytes_per_s = u64::from(bytes_per_s.max(1));
        Self {
            bytes_per_s,
            tokens: Self::burst(bytes_per_s),
            counted_ms: now,
        }
    }

    /// How many bytes may pass now.
    pub(crate) fn room(&mut self, now: u64) -> usize {
        let elapsed = i64::try_from(now.saturating_sub(self.counted_ms)).unwrap_or(i64::MAX);
        let rate = i64::try_from(self.bytes_per_s).unwrap_or(i64::MAX);
        self.counted_ms = now;
        self.tokens = self
            .tokens
            .saturating_add(elapsed.saturating_mul(rate))
            .min(Self::burst(self.bytes_per_s));
        usize::try_from(self.tokens / 1000).unwrap_or(0)
    }

    pub(crate) fn take(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(1000);
        self.tokens = self.tokens.saturating_sub(bytes);
    }

    /// When half a burst may pass again, if less can now.
    pub(crate) fn next(&self) -> Option<u64> {
        let missing = Self::burst(self.bytes_per_s) / 2 - self.tokens;
        let missing = u64::try_from(missing).ok().filter(|missing| *missing > 0)?;
        Some(self.counted_ms.saturating_add(missing.div_ceil(self.bytes_per_s)))
    }

    fn burst(bytes_per_s: u64) -> i64 {
        i64::try_from(bytes_per_s)
            .unwrap_or(i64::MAX)
            .saturating_mul(BURST_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::Shaper;

    #[test]
    fn a_second_lets_a_seconds_worth_pass() {
        let mut shaper = Shaper::new(10_000, 0);
        let (mut sent, mut now) = (0, 0);
        while now <= 1000 {
            let room = shaper.room(now);
            shaper.take(room);
            sent += room;
            now = shaper.next().unwrap();
        }
        assert!((10_000..=11_000).contains(&sent), "{sent}");
    }

    #[test]
    fn a_debt_is_worked_off_first() {
        let mut shaper = Shaper::new(10_000, 0);
        shaper.take(6_000);
        assert_eq!(shaper.room(0), 0);
        assert_eq!(shaper.next(), Some(550));
        assert_eq!(shaper.room(500), 0);
        assert_eq!(shaper.room(550), 500);
        assert_eq!(shaper.room(60_000), 1_000);
        assert_eq!(shaper.next(), None);
    }
}
