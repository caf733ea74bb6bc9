//! From the units of a track to milliseconds and back.

/// Units a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale(u32);

impl Scale {
    /// `None` for 0.
    pub(super) fn new(per_second: u32) -> Option<Self> {
        (per_second != 0).then_some(Self(per_second))
    }

    pub(super) fn per_second(self) -> u32 {
        self.0
    }

    /// The nearest millisecond; halves go away from zero.
    pub(super) fn to_ms(self, units: i64) -> i64 {
        let scale = i128::from(self.0);
        let doubled = i128::from(units.unsigned_abs()) * 2_000 + scale;
        clamp(units.signum() as i128 * (doubled / (2 * scale)))
    }

    /// The last time that is this millisecond, or one before it.
    pub(super) fn last_of(self, ms: i64) -> i64 {
        let bound = (2 * i128::from(ms) + 1) * i128::from(self.0);
        clamp((bound - 1).div_euclid(2_000))
    }

    /// The first time that is this millisecond, or one after it.
    pub(super) fn first_of(self, ms: i64) -> i64 {
        self.last_of(ms.saturating_sub(1)).saturating_add(1)
    }

    /// The same time in units of another scale.
    pub(super) fn convert(self, units: u64, to: Self) -> i64 {
        clamp(i128::from(units) * i128::from(to.0) / i128::from(self.0))
    }
}

fn clamp(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_to_the_nearest_millisecond() {
        let scale = Scale::new(30_000).unwrap();
        for (units, ms) in [
            (0, 0),
            (1_001, 33),
            (2_002, 67),
            (-1_001, -33),
            (15, 1),
            (-15, -1),
            (14, 0),
        ] {
            assert_eq!(scale.to_ms(units), ms, "{units}");
        }
        assert_eq!(scale.to_ms(i64::MAX), i64::MAX / 30);
        assert_eq!(Scale::new(1).unwrap().to_ms(i64::MAX), i64::MAX);
    }

    #[test]
    fn milliseconds_become_the_units_at_their_edges() {
        let scale = Scale::new(44_100).unwrap();
        for ms in 0..500 {
            assert!(scale.to_ms(scale.last_of(ms)) <= ms && scale.to_ms(scale.last_of(ms) + 1) > ms);
            assert!(scale.to_ms(scale.first_of(ms)) >= ms && scale.to_ms(scale.first_of(ms) - 1) < ms.max(1));
        }
    }
}
