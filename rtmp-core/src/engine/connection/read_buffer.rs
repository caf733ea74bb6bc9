//! What connections read into.

use std::io;

use bytes::{Bytes, BytesMut};

/// The buffer that all connections of a worker read into. What was read is handed out as a slice of it. When too little
/// is left the block begins anew, if nobody keeps a slice of it, while it is still in the processor's caches; otherwise
/// a new one is taken, and the old one is freed with its last slice.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    block: BytesMut,
}

const BLOCK: usize = 64 << 10;
const LEAST_READ: usize = 16 << 10;

impl ReadBuffer {
    /// Reads once; `None` at the end. The flag says that the buffer was filled, so that more may wait.
    pub(crate) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Option<(Bytes, bool)>> {
        if self.block.len() < LEAST_READ {
            self.block.clear();
            if self.block.try_reclaim(BLOCK) {
                self.block.resize(BLOCK, 0);
            } else {
                self.block = BytesMut::zeroed(BLOCK);
            }
        }
        let room = self.block.len();
        let count = read(&mut self.block)?;
        let data = self.block.split_to(count).freeze();
        Ok((count > 0).then_some((data, count == room)))
    }
}
