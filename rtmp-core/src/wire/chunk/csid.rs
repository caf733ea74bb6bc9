//! Chunk stream ids this library sends on.
//!
//! RTMP 1.0 5.3.1.1 fixes only id 2. The others follow what encoders and players do; receivers must not rely on them.
//! All stay below 64, so that every basic header is one byte.

use super::MessageType;

/// Protocol control and user control messages.
pub const CONTROL: u32 = 2;
/// Commands of the connection (message stream 0).
pub const COMMAND: u32 = 3;
/// Audio messages.
pub const AUDIO: u32 = 4;
/// Status events of a stream.
pub const STATUS: u32 = 5;
/// Data messages of a stream.
pub const DATA: u32 = 5;
/// Video messages.
pub const VIDEO: u32 = 6;

/// The smallest id a chunk may carry.
pub const MIN: u32 = 2;
/// The largest id the three-byte basic header can express.
pub const MAX: u32 = 65_599;

/// The chunk stream that audio, video or data goes out on.
#[inline]
pub(crate) fn of_media(kind: MessageType) -> u32 {
    match kind {
        MessageType::AUDIO => AUDIO,
        MessageType::VIDEO => VIDEO,
        _ => DATA,
    }
}
