//! Where decoding can start in a file: what its metadata says, as long as that proves right, and what was seen.

/// A place where decoding can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SyncPoint {
    /// Milliseconds.
    pub(super) time: u64,
    /// Where the tag begins, in bytes.
    pub(super) position: u64,
    /// It was seen, not only told.
    pub(super) verified: bool,
}

/// The places known.
#[derive(Debug)]
pub(super) struct Index {
    beginning: u64,
    /// By the metadata: both times and places go up.
    told: Vec<SyncPoint>,
    /// Seen, by place, at least `gap` milliseconds apart.
    seen: Vec<SyncPoint>,
    gap: u64,
}

/// Places kept of what was seen; then every second goes.
const MAX_SEEN: usize = 4_096;
const FIRST_GAP: u64 = 500;
/// The largest time of an index that is believed, in milliseconds.
const MAX_TIME: f64 = 1e15;

impl Index {
    pub(super) fn new(beginning: u64) -> Self {
        Self {
            beginning,
            told: Vec::new(),
            seen: Vec::new(),
            gap: FIRST_GAP,
        }
    }

    /// Where the first tag is.
    pub(super) fn beginning(&self) -> u64 {
        self.beginning
    }

    /// Takes an index of metadata, seconds and places, if it is in order.
    pub(super) fn offer(&mut self, keyframes: &[(f64, u64)]) {
        let mut told: Vec<SyncPoint> = Vec::with_capacity(keyframes.len());
        for (seconds, position) in keyframes {
            let millis = seconds * 1000.0;
            if !(0.0..=MAX_TIME).contains(&millis) {
                return;
            }
            let point = SyncPoint {
                time: millis.round() as u64,
                position: *position,
                verified: false,
            };
            // The first entries of many files are the headers, at the time of the first picture.
            let in_order = told
                .last()
                .is_none_or(|last| last.position < point.position && last.time <= point.time);
            if !in_order {
                return;
            }
            told.push(point);
        }
        self.told = told;
    }

    /// The index of the metadata is wrong.
    pub(super) fn distrust(&mut self) {
        self.told = Vec::new();
    }

    /// Takes note of a place that was seen.
    pub(super) fn add(&mut self, point: SyncPoint) {
        let fits = self.seen.last().is_none_or(|last| {
            point.position > last.position && point.time >= last.time.saturating_add(self.gap)
        });
        if !fits {
            return;
        }
        if self.seen.len() >= MAX_SEEN {
            let mut keep = false;
            self.seen.retain(|_| {
                keep = !keep;
                keep
            });
            self.gap = self.gap.saturating_mul(2);
        }
        self.seen.push(point);
    }

    /// The last place known that is not after a time.
    pub(super) fn before(&self, time: u64) -> Option<SyncPoint> {
        let last = |points: &[SyncPoint]| {
            let after = points.partition_point(|point| point.time <= time);
            after.checked_sub(1).and_then(|at| points.get(at)).copied()
        };
        [last(&self.seen), last(&self.told)]
            .into_iter()
            .flatten()
            .max_by_key(|point| (point.time, point.verified))
    }
}
