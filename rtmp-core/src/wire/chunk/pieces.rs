//! Memory for message bodies that are copied: next to each other in blocks, since one allocation for each body costs more
//! than copying it.

use bytes::{Bytes, BytesMut};

/// The first block of a connection; each next one is twice as large.
const FIRST_BLOCK: usize = 4 << 10;

/// Hands out pieces of blocks. A block is freed with the last of its pieces, so pieces that live long are better copied.
#[derive(Debug, Default)]
pub struct Pieces {
    block: BytesMut,
    /// Bytes of the block in use when it was new.
    size: usize,
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
            self.size = (self.size * 2)
                .clamp(FIRST_BLOCK, Self::LARGEST_BLOCK)
                .max(length);
            self.block = BytesMut::with_capacity(self.size);
        }
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

    #[test]
    fn pieces_lie_next_to_each_other_and_keep_what_they_hold() {
        let mut pieces = Pieces::default();
        let copies: Vec<Bytes> = (0..200u8).map(|i| pieces.copy(&[i; 100])).collect();
        for (i, copy) in copies.iter().enumerate() {
            assert_eq!(copy[..], [i as u8; 100]);
        }
        assert_eq!(copies[0].as_ptr().wrapping_add(100), copies[1].as_ptr());
    }

    #[test]
    fn a_piece_grows_no_further_than_its_room() {
        let mut pieces = Pieces::default();
        let (mut first, second) = (pieces.take(3), pieces.copy(b"xyz"));
        first.extend_from_slice(b"abcdef");
        assert_eq!((&first[..], &second[..]), (&b"abcdef"[..], &b"xyz"[..]));
    }

    #[test]
    fn blocks_begin_small_and_stay_below_their_bound() {
        let mut pieces = Pieces::default();
        pieces.take(1);
        assert!(pieces.size <= FIRST_BLOCK);
        for _ in 0..100 {
            pieces.take(Pieces::LONGEST);
        }
        assert_eq!(pieces.size, Pieces::LARGEST_BLOCK);
        pieces.take(Pieces::LONGEST + 1);
        assert_eq!(pieces.size, Pieces::LARGEST_BLOCK);
    }
}
