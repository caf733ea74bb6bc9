//! MP3 files as media messages: frames, tags and the index of files of variable bit rate (ISO/IEC 11172-3 2.4.1, ID3v2.2 to 2.4).
//!
//! A file is read frame by frame. What is no frame is passed over, up to a limit.

mod frame;
mod id3;
mod reader;
mod vbr;

pub use reader::Mp3Reader;

use std::io;

/// Why an MP3 file cannot be read, or not on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mp3Error {
    /// The file system failed.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// No frame is where one should be.
    #[error("no MPEG layer III frame within {0} bytes; this is no MP3 file, or a damaged one")]
    NoFrames(u64),
}

#[cfg(test)]
mod tests;
