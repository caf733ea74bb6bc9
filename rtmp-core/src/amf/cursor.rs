//! Bounds-checked reading of big-endian fields.

use super::AmfError;

pub(super) struct Cursor<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.data.get(self.position..).unwrap_or_default()
    }

    pub(super) fn remaining(&self) -> usize {
        self.data.len().saturating_sub(self.position)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let Some(bytes) = self.rest().get(..count) else {
            return Err(self.truncated(count));
        };
        self.position += count;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let Some(bytes) = self.rest().first_chunk::<N>() else {
            return Err(self.truncated(N));
        };
        self.position += N;
        Ok(*bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, AmfError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, AmfError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, AmfError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, AmfError> {
        self.array().map(f64::from_be_bytes)
    }

    /// Refuses a declared count of items whose smallest encoding would not fit what is left.
    pub(super) fn check_count(&self, count: usize, smallest: usize) -> Result<(), AmfError> {
        match count.checked_mul(smallest) {
            Some(needed) if needed <= self.remaining() => Ok(()),
            needed => Err(self.truncated(needed.unwrap_or(usize::MAX))),
        }
    }

    pub(super) fn truncated(&self, needed: usize) -> AmfError {
        AmfError::Truncated {
            offset: self.position,
            needed,
            remaining: self.remaining(),
        }
    }
}
