//! The chunk stream (RTMP 1.0 section 5.3): messages cut into chunks and put together again.
//!
//! [`ChunkReader`] turns received bytes into [`Message`]s, [`ChunkWriter`] turns messages into bytes queued in an
//! [`Output`]. A [`SharedMessage`] is chunked once and written to any number of peers without copying its body.

pub mod csid;
mod error;
mod extended;
mod header;
mod output;
mod pieces;
mod reader;
mod runs;
mod shared;
mod writer;

pub use error::ChunkError;
pub use output::Output;
use pieces::Pieces;
pub use reader::{ChunkReader, ReaderLimits};
pub use runs::Runs;
pub use shared::SharedMessage;
pub use writer::ChunkWriter;

pub use super::message::{Message, MessageType};

/// The chunk size of both directions until a Set Chunk Size message changes it (RTMP 1.0 5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;

/// The largest useful chunk size and the longest message: the length field has 24 bits (RTMP 1.0 5.4.1).
pub const MAX_CHUNK_SIZE: u32 = 0xFF_FFFF;
