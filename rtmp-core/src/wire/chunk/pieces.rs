//! Memory for message bodies that are copied: next to each other in blocks, since one allocation for each body costs more
//! than copying it.

use bytes::{Bytes, BytesMut};

/// Bytes from which on a connection gets blocks, and the size of its first one.
const FIRST_BLOCK: usize = 16 << 10;

/// Hands out pieces of blocks. A block is freed with the last of its pieces, so pieces that live long are better copied.
///
/// A block is never larger than what was handed out before: who sends little holds little. Sizes are few, so that what one
/// block leaves fits the next.
#[derive(Debug, Default)]
pub struct Pieces {
    block: BytesMut,
    /// Bytes handed out so far.
    taken: usize,
}

impl Pieces {
    /// The longest piece, in bytes.
    pub const LONGEST: usize = 16 << 10;
    /// The largest block, in bytes.
    pub const LARGEST_BLOCK: usize = 64 << 10;

    /// Room for exactly `length` bytes, at most [`LONGEST`](Self::LONGEST), else an allocation of its own.
    pub fn take(&mut self, length: usize) -> BytesMut {
        if length > Self::LONGEST {
            return BytesMut::with_capacity(length);
        }
        if self.block.capacity() < length {
            if self.taken < FIRST_BLOCK {
                self.taken += length;
                return BytesMut::with_capacity(length);
            }
            let size = 1 << self.taken.ilog2();
            self.block = BytesMut::with_capacity(Self::LARGEST_BLOCK.min(size));
        }
        self.taken = self.taken.saturating_add(length);
        let rest = self.block.split_off(length);
        std::mem::replace(&mut self.block, rest)
    }

    /// A copy of `body`.
    pub fn copy(&mut self, body: &[u8]) -> Bytes {
        let mut piece = self.take(body.len());
        piece.extend_from_slice(body);
        piece.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of somebody who has sent much.
    fn busy() -> Pieces {
        Pieces {
            taken: 1 << 20,
            ..Pieces::default()
        }
    }

    #[test]
    fn pieces_lie_next_to_each_other_and_keep_what_they_hold() {
        let mut pieces = busy();
        let copies: Vec<Bytes> = (0..200u8).map(|i| pieces.copy(&[i; 100])).collect();
        for (i, copy) in copies.iter().enumerate() {
            assert_eq!(copy[..], [i as u8; 100]);
        }
        assert_eq!(copies[0].as_ptr().wrapping_add(100), copies[1].as_ptr());
    }

    #[test]
    fn a_piece_grows_no_further_than_its_room() {
        let mut pieces = busy();
        let (mut first, second) = (pieces.take(3), pieces.copy(b"xyz"));
        first.extend_from_slice(b"abcdef");
        assert_eq!((&first[..], &second[..]), (&b"abcdef"[..], &b"xyz"[..]));
    }

    #[test]
    fn a_block_is_no_more_than_a_share_of_what_came() {
        let mut pieces = Pieces::default();
        for taken in (0..64).map(|number| number * 1000) {
            assert!(pieces.block.capacity() <= taken);
            assert_eq!(pieces.take(1000).capacity(), 1000);
        }
        (0..1000).for_each(|_| drop(pieces.take(Pieces::LONGEST)));
        assert_eq!(pieces.take(Pieces::LONGEST + 1).len(), 0);
        assert!(pieces.block.capacity() <= Pieces::LARGEST_BLOCK);
    }
}
