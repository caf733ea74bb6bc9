//! The wire: handshake, chunk stream, messages, URLs, status codes. Bytes in, typed messages out; no I/O, no clock.

pub mod chunk;
pub mod deviation;
pub mod handshake;
pub mod message;
pub mod status;
pub mod tunnel;
pub mod url;
