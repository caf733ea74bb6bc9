//! Stands in for io_uring on systems without it: there is never a ring.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;

use crate::engine::transport::Sent;

/// Sends in one batch.
pub(crate) const BATCH: usize = 256;

/// A ring that cannot be.
pub(crate) struct Ring(Infallible);

/// A batch that cannot be.
pub(crate) struct Batch<'ring, 'data>(Infallible, PhantomData<(&'ring (), &'data [u8])>);

impl Ring {
    pub(crate) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn batch(&mut self) -> Batch<'_, '_> {
        match self.0 {}
    }
}

impl<'data> Batch<'_, 'data> {
    pub(crate) fn add(&mut self, _: BorrowedFd<'data>, _: impl Iterator<Item = &'data [u8]>) {
        match self.0 {}
    }

    pub(crate) fn send(self, _: &mut Vec<Sent>) -> io::Result<()> {
        match self.0 {}
    }
}
