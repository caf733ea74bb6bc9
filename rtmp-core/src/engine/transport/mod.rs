//! What carries a connection's bytes.

pub(crate) mod tcp;
