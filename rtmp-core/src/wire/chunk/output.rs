//! Bytes waiting to be sent.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Bodies up to this length are copied next to their header: cheaper than a reference count and an `iovec`.
const COPY_LIMIT: usize = 64;
/// Slices above this length get a buffer of their own rather than growing the inline store.
const OWN_BUFFER: usize = 4096;
/// What an emptied queue keeps for its next use.
const KEPT_INLINE: usize = 256;
const KEPT_SEGMENTS: usize = 128;

/// A queue of bytes to send: small pieces stored inline, large ones held by reference.
///
/// An `Output` that never was used, or that [`release`](Self::release) was called on while empty, holds no heap memory.
#[derive(Default)]
pub struct Output {
    segments: VecDeque<Segment>,
    /// The bytes of all inline segments in order; those before `inline_start` are sent.
    inline: Vec<u8>,
    inline_start: usize,
    len: usize,
    consumed: u64,
}

enum Segment {
    Inline(usize),
    Shared(Bytes),
}

impl Output {
    /// An empty queue. Allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes were sent since the queue was made: those [`consume`](Self::consume) and
    /// [`take_bytes`](Self::take_bytes) took out.
    #[inline]
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Counts bytes as sent that went past the queue while nothing waited in it.
    #[cfg(feature = "engine")]
    #[inline]
    pub(crate) fn count_passed(&mut self, count: usize) {
        self.consumed += count as u64;
    }

    /// Queues what could not be sent of bytes that were counted with [`count_passed`](Self::count_passed).
    #[cfg(feature = "engine")]
    pub(crate) fn take_back(&mut self, rest: Bytes) {
        self.consumed -= rest.len() as u64;
        self.push_bytes(rest);
    }

    /// Appends a copy of `bytes`. Neighbouring small pieces become one segment.
    pub fn push_slice(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if bytes.len() > OWN_BUFFER {
            self.len += bytes.len();
            self.segments
                .push_back(Segment::Shared(Bytes::copy_from_slice(bytes)));
            return;
        }
        self.make_room(bytes.len());
        self.inline.extend_from_slice(bytes);
        self.len += bytes.len();
        if let Some(Segment::Inline(len)) = self.segments.back_mut() {
            *len += bytes.len();
        } else {
            self.segments.push_back(Segment::Inline(bytes.len()));
        }
    }

    /// Appends a reference to `bytes`, or a copy when they are so few that a copy is cheaper.
    pub fn push_bytes(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_LIMIT {
            self.push_slice(&bytes);
        } else {
            self.len += bytes.len();
            self.segments.push_back(Segment::Shared(bytes));
        }
    }

    /// Like [`push_bytes`](Self::push_bytes), but takes a reference count only when it keeps one.
    #[inline]
    pub fn push_shared(&mut self, bytes: &Bytes) {
        if bytes.len() <= COPY_LIMIT {
            self.push_slice(bytes);
        } else {
            self.len += bytes.len();
            self.segments.push_back(Segment::Shared(bytes.clone()));
        }
    }

    /// Fills `slices` with the first waiting bytes, for a vectored write; returns how many were filled.
    pub fn io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.io_slices_within(usize::MAX, slices)
    }

    /// Like [`io_slices`](Self::io_slices), with no more than `most` bytes in all of them together.
    pub fn io_slices_within<'a>(&'a self, most: usize, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, bytes) in slices.iter_mut().zip(self.slices_within(most)) {
            *slot = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// The first waiting bytes piece by piece, no more than `most` in all.
    #[inline]
    pub fn slices_within(&self, most: usize) -> impl Iterator<Item = &[u8]> {
        let (mut inline, mut room) = (self.inline_start, most);
        self.segments.iter().map_while(move |segment| {
            let bytes = match segment {
                Segment::Inline(len) => {
                    let bytes = self.inline.get(inline..inline + len).unwrap_or_default();
                    inline += len;
                    bytes
                }
                Segment::Shared(bytes) => bytes,
            };
            let bytes = bytes.get(..room).unwrap_or(bytes);
            room -= bytes.len();
            (!bytes.is_empty()).then_some(bytes)
        })
    }

    /// In how many pieces they wait.
    pub fn pieces(&self) -> usize {
        self.segments.len()
    }

    /// Forgets the first `count` bytes, which have been sent. A count above [`len`](Self::len) empties the queue.
    pub fn consume(&mut self, count: usize) {
        if count >= self.len {
            self.consumed += self.len as u64;
            return self.clear();
        }
        let mut left = count;
        self.len -= left;
        self.consumed += left as u64;
        while left > 0 {
            let Some(front) = self.segments.front_mut() else {
                break;
            };
            let take = match front {
                Segment::Inline(len) => {
                    let take = left.min(*len);
                    *len -= take;
                    self.inline_start += take;
                    if *len > 0 {
                        break;
                    }
                    take
                }
                Segment::Shared(bytes) => {
                    let take = left.min(bytes.len());
                    if take < bytes.len() {
                        bytes.advance(take);
                        break;
                    }
                    take
                }
            };
            left -= take;
            self.segments.pop_front();
        }
    }

    /// Drops everything that waits.
    pub fn clear(&mut self) {
        self.len = 0;
        self.reset();
    }

    /// Gives back the heap memory an empty queue keeps for its next use. Call it on connections that fell idle; does
    /// nothing while bytes wait.
    pub fn release(&mut self) {
        if self.len == 0 {
            self.segments = VecDeque::new();
            self.inline = Vec::new();
            self.inline_start = 0;
        }
    }

    /// Takes everything that waits as one contiguous buffer. Copies; meant for tests and tunnels.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len);
        let mut inline = self.inline_start;
        for segment in &self.segments {
            match segment {
                Segment::Inline(len) => {
                    all.extend_from_slice(self.inline.get(inline..inline + len).unwrap_or_default());
                    inline += len;
                }
                Segment::Shared(bytes) => all.extend_from_slice(bytes),
            }
        }
        self.consumed += self.len as u64;
        self.clear();
        all
    }

    /// Moves sent inline bytes out of the way when appending would otherwise grow the store.
    fn make_room(&mut self, more: usize) {
        let would_grow = self.inline.len() + more > self.inline.capacity();
        if would_grow && self.inline_start > self.inline.len() / 2 {
            self.inline.drain(..self.inline_start);
            self.inline_start = 0;
        }
    }

    fn reset(&mut self) {
        while self.segments.pop_front().is_some() {}
        self.inline.clear();
        self.inline_start = 0;
        if self.inline.capacity() > KEPT_INLINE {
            self.inline = Vec::new();
        }
        if self.segments.capacity() > KEPT_SEGMENTS {
            self.segments = VecDeque::new();
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("len", &self.len)
            .field("segments", &self.segments.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(output: &Output, room: usize) -> Vec<Vec<u8>> {
        let mut array = vec![IoSlice::new(&[]); room];
        let filled = output.io_slices(&mut array);
        array[..filled].iter().map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn small_pieces_coalesce_and_large_ones_stay_references() {
        let body = Bytes::from(vec![7; 100]);
        let mut output = Output::new();
        output.push_slice(b"ab");
        output.push_slice(b"cd");
        output.push_bytes(body.clone());
        output.push_bytes(Bytes::from_static(b"ef"));
        assert_eq!(
            slices(&output, 8),
            [b"abcd".to_vec(), vec![7; 100], b"ef".to_vec()]
        );
        assert_eq!(slices(&output, 2).len(), 2);
        let mut array = [IoSlice::new(&[]); 3];
        output.io_slices(&mut array);
        assert_eq!(array[1].as_ptr(), body.as_ptr());
        assert_eq!(output.len(), 106);
    }

    #[test]
    fn slices_stop_at_the_bytes_asked_for() {
        let mut output = Output::new();
        output.push_slice(b"abcd");
        output.push_bytes(Bytes::from(vec![7; 100]));
        let within = |most| {
            let mut array = [IoSlice::new(&[]); 4];
            let filled = output.io_slices_within(most, &mut array);
            array[..filled]
                .iter()
                .map(|slice| slice.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(within(0), []);
        assert_eq!(within(3), [3]);
        assert_eq!(within(4), [4]);
        assert_eq!(within(50), [4, 46]);
        assert_eq!(within(1000), [4, 100]);
        output.consume(10);
        assert_eq!(output.consumed(), 10);
        assert_eq!(output.take_bytes().len() as u64 + 10, output.consumed());
    }

    #[test]
    fn any_partial_writes_give_the_same_bytes() {
        for step in 1..=40 {
            let mut output = Output::new();
            let mut want = Vec::new();
            for i in 0..20u8 {
                let piece = vec![i; usize::from(i) * 9 + 1];
                want.extend_from_slice(&piece);
                output.push_slice(&[i, i]);
                output.push_bytes(Bytes::from(piece));
                let at = want.len() - (usize::from(i) * 9 + 1);
                want.splice(at..at, [i, i]);
            }
            let mut got = Vec::new();
            while !output.is_empty() {
                let head: Vec<u8> = slices(&output, 3).concat();
                let take = step.min(head.len());
                got.extend_from_slice(&head[..take]);
                output.consume(take);
                output.push_slice(&[]);
            }
            assert_eq!(got, want);
        }
    }

    #[test]
    fn sent_inline_bytes_make_room_for_new_ones() {
        let mut output = Output::new();
        output.push_slice(&[1; 64]);
        for round in 0..10_000u32 {
            output.push_slice(&round.to_be_bytes());
            output.consume(4);
        }
        assert_eq!(output.len(), 64);
        assert!(output.inline.capacity() <= 512, "{}", output.inline.capacity());
        assert_eq!(&output.take_bytes()[60..], 9_999u32.to_be_bytes());
    }

    #[test]
    fn an_emptied_queue_keeps_little_and_a_released_one_nothing() {
        let mut output = Output::new();
        for _ in 0..10_000 {
            output.push_slice(&[1; 20]);
            output.push_bytes(Bytes::from(vec![2; 100]));
        }
        output.consume(usize::MAX);
        assert!(output.is_empty() && output.inline.capacity() <= KEPT_INLINE);
        assert!(output.segments.capacity() <= KEPT_SEGMENTS);
        output.push_slice(b"x");
        output.release();
        assert_eq!(output.take_bytes(), b"x");
        output.release();
        assert_eq!((output.inline.capacity(), output.segments.capacity()), (0, 0));
    }

    #[test]
    fn a_segment_is_no_larger_than_its_reference() {
        assert_eq!(size_of::<Segment>(), size_of::<Bytes>());
    }
}
