//! Stands in for systems whose network is not watched: there is never a notice.

use std::convert::Infallible;
use std::io;

use mio::{Registry, Token};

use crate::engine::network::Interfaces;

/// Notices that cannot be.
pub(super) struct Notices(Infallible);

impl Notices {
    pub(super) fn open(_: &Registry, _: Token) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn drain(&self) {
        match self.0 {}
    }
}

pub(super) fn interfaces() -> io::Result<Interfaces> {
    Err(io::ErrorKind::Unsupported.into())
}
