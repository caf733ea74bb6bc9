//! How long a stream's messages may wait for others, so that several go out in one send.

/// How long messages may wait on their way to a player. Fewer sends cost less; each is dearer than the bytes in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Milliseconds that audio and data may wait for the next video message to ride along with.
    pub audio_wait_ms: u16,
    /// Milliseconds that video may wait for more of its kind.
    pub video_wait_ms: u16,
    /// Milliseconds that video may wait besides when the worker is busy; the wait grows with the load.
    pub load_wait_ms: u16,
}

impl Latency {
    /// Every message is sent at once.
    pub const LOW_LATENCY: Self = Self {
        audio_wait_ms: 0,
        video_wait_ms: 0,
        load_wait_ms: 0,
    };

    /// Video is sent at once, audio rides along with it or waits 25 ms; under load video waits up to 40 ms.
    pub const BALANCED: Self = Self {
        audio_wait_ms: 25,
        video_wait_ms: 0,
        load_wait_ms: 40,
    };

    /// Everything that comes within 350 ms is sent together.
    pub const THROUGHPUT: Self = Self {
        audio_wait_ms: 350,
        video_wait_ms: 350,
        load_wait_ms: 0,
    };

    /// The setting of that name: `low_latency`, `balanced` or `throughput`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "low_latency" => Some(Self::LOW_LATENCY),
            "balanced" => Some(Self::BALANCED),
            "throughput" => Some(Self::THROUGHPUT),
            _ => None,
        }
    }

    /// How long video waits when the worker spends `load` percent of its time working.
    pub(crate) fn video_wait(self, load: u8) -> u64 {
        let over = u64::from(load.saturating_sub(FREE_LOAD));
        let span = u64::from(100 - FREE_LOAD);
        u64::from(self.video_wait_ms) + u64::from(self.load_wait_ms) * over.min(span) / span
    }
}

/// Percentage of load up to which video waits for nothing.
const FREE_LOAD: u8 = 60;

impl Default for Latency {
    fn default() -> Self {
        Self::BALANCED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_with_the_load_up_to_its_bound() {
        let waits = [0, 60, 70, 80, 100, 200].map(|load| Latency::BALANCED.video_wait(load));
        assert_eq!(waits, [0, 0, 10, 20, 40, 40]);
        assert_eq!(Latency::LOW_LATENCY.video_wait(100), 0);
        assert_eq!(Latency::THROUGHPUT.video_wait(0), 350);
    }
}
