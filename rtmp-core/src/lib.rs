//! rtmpkit's core: the RTMP protocol as sans-I/O state machines and, with the `engine` feature, a server and client on
//! their own threads.
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod amf;
pub mod media;
pub mod session;
pub mod wire;
