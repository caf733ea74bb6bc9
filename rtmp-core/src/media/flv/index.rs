//! The keyframe index that a recording leaves room for in its metadata.

/// Key frames seen so far, thinned so that they fit the room: once it is full, every second entry goes and from then on
/// only every second, fourth, ... key frame is kept.
#[derive(Debug)]
pub(super) struct KeyframeIndex {
    capacity: usize,
    stride: u64,
    seen: u64,
    entries: Vec<(u64, u32)>,
}

impl KeyframeIndex {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            stride: 1,
            seen: 0,
            entries: Vec::new(),
        }
    }

    /// Notes a key frame: byte offset of its tag header, and its time in milliseconds.
    pub(super) fn push(&mut self, position: u64, timestamp: u32) {
        let due = self.seen.is_multiple_of(self.stride);
        self.seen += 1;
        if !due || self.capacity == 0 {
            return;
        }
        if self.entries.len() == self.capacity {
            let mut keep = false;
            self.entries.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride = self.stride.saturating_mul(2);
            if !(self.seen - 1).is_multiple_of(self.stride) {
                return;
            }
        }
        if self.entries.len() < self.capacity {
            self.entries.push((position, timestamp));
        }
    }

    /// The two AMF0 properties, always of the same length: `keyframes` with what is known, and `custdef`, an array of
    /// zeros that fills the room.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\x00\x09keyframes\x03");
        out.extend_from_slice(b"\x00\x0Dfilepositions");
        array(out, self.entries.iter().map(|(position, _)| *position as f64));
        out.extend_from_slice(b"\x00\x05times");
        array(
            out,
            self.entries
                .iter()
                .map(|(_, timestamp)| f64::from(*timestamp) / 1000.0),
        );
        out.extend_from_slice(b"\x00\x00\x09\x00\x07custdef");
        let spare = self.capacity.saturating_sub(self.entries.len());
        array(out, std::iter::repeat_n(0.0, spare * 2));
    }
}

/// A strict array of numbers (AMF0 2.12).
fn array(out: &mut Vec<u8>, numbers: impl ExactSizeIterator<Item = f64>) {
    out.push(0x0A);
    out.extend_from_slice(&u32::try_from(numbers.len()).unwrap_or(u32::MAX).to_be_bytes());
    for number in numbers {
        out.push(0);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_stays_the_same() {
        let mut index = KeyframeIndex::new(4);
        let mut lengths = Vec::new();
        for n in 0..20 {
            let mut out = Vec::new();
            index.encode(&mut out);
            lengths.push(out.len());
            index.push(n * 1000, n as u32 * 100);
        }
        lengths.dedup();
        assert_eq!(lengths.len(), 1);
    }

    #[test]
    fn a_full_index_is_thinned_evenly() {
        let mut index = KeyframeIndex::new(4);
        (0..17).for_each(|n| index.push(n, n as u32));
        let positions: Vec<u64> = index.entries.iter().map(|(position, _)| *position).collect();
        assert_eq!(positions, [0, 8, 16]);
        let mut none = KeyframeIndex::new(0);
        none.push(1, 1);
        assert!(none.entries.is_empty());
    }
}
