//! The keyframe index that a recording leaves room for in its metadata.

/// Key frames seen so far, thinned so that they fit the room: once it is full, every second entry goes and from then on
/// only every second, fourth, ... key frame is kept.
#[derive(Debug)]
pub(super) struct KeyframeIndex {
    capacity: usize,
    stride: u64,
    seen: u64,
    entries: Vec<(u64, u64)>,
}

pub(super) const END_OF_OBJECT: &[u8] = &[0, 0, 9];
const KEYFRAMES: &[u8] = b"\x00\x09keyframes\x03\x00\x0Dfilepositions";
const CUSTDEF: &[u8] = b"\x00\x00\x09\x00\x07custdef";
/// Bytes of an entry: two numbers.
const ENTRY: usize = 18;

impl KeyframeIndex {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            stride: 1,
            seen: 0,
            entries: Vec::new(),
        }
    }

    /// The index that metadata written here has room for, still empty, and where in the metadata's body it is.
    pub(super) fn find(body: &[u8]) -> Option<(usize, Self)> {
        let at = body
            .windows(KEYFRAMES.len())
            .position(|window| window == KEYFRAMES)?;
        let mut room = Vec::new();
        Self::new(0).encode(&mut room);
        let taken = body.len().checked_sub(at + END_OF_OBJECT.len())?;
        let spare = taken.checked_sub(room.len())?;
        let ours = body.ends_with(END_OF_OBJECT)
            && body.windows(CUSTDEF.len()).any(|window| window == CUSTDEF)
            && spare.is_multiple_of(ENTRY);
        ours.then(|| (at, Self::new(spare / ENTRY)))
    }

    /// Notes a key frame: byte offset of its tag header, and its time in milliseconds.
    pub(super) fn push(&mut self, position: u64, timestamp: u64) {
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
        out.extend_from_slice(KEYFRAMES);
        array(out, self.entries.iter().map(|(position, _)| *position as f64));
        out.extend_from_slice(b"\x00\x05times");
        array(out, self.entries.iter().map(|(_, timestamp)| seconds(*timestamp)));
        out.extend_from_slice(CUSTDEF);
        let spare = self.capacity.saturating_sub(self.entries.len());
        array(out, std::iter::repeat_n(0.0, spare * 2));
    }
}

/// Milliseconds as metadata has them.
pub(super) fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
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
            index.push(n * 1000, n * 100);
        }
        lengths.dedup();
        assert_eq!(lengths.len(), 1);
    }

    #[test]
    fn the_room_is_found_again() {
        let mut index = KeyframeIndex::new(5);
        index.push(300, 40);
        let mut body = b"\x02\x00\x0AonMetaData...".to_vec();
        let start = body.len();
        index.encode(&mut body);
        body.extend_from_slice(END_OF_OBJECT);
        let (at, found) = KeyframeIndex::find(&body).unwrap();
        assert_eq!((at, found.capacity), (start, 5));
        body.remove(body.len() - 4);
        assert!(KeyframeIndex::find(&body).is_none());
    }

    #[test]
    fn a_full_index_is_thinned_evenly() {
        let mut index = KeyframeIndex::new(4);
        (0..17).for_each(|n| index.push(n, n));
        let positions: Vec<u64> = index.entries.iter().map(|(position, _)| *position).collect();
        assert_eq!(positions, [0, 8, 16]);
        let mut none = KeyframeIndex::new(0);
        none.push(1, 1);
        assert!(none.entries.is_empty());
    }
}
