//! The RTMP handshake, both sides.
