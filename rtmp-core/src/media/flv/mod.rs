//! The FLV container (FLV 10.1 Annex E): a header, then tags whose bodies are RTMP message payloads.

mod header_places;
mod index;
pub mod reader;
pub mod tag;
pub mod writer;

pub use header_places::header_places;
pub use reader::FlvReader;
pub use tag::{FileHeader, TagHeader};
pub use writer::FlvWriter;

use std::io;

/// Why an FLV file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlvError {
    /// The file system or stream failed.
    #[error("FLV input or output failed: {0}")]
    Io(#[from] io::Error),
    /// The file does not start with `FLV`.
    #[error(
        "not an FLV file: it starts with {found:02X?} where 46 4C 56 (\"FLV\") is due; check the file's type"
    )]
    NotFlv {
        /// The first bytes, at most three.
        found: Vec<u8>,
    },
    /// The file ends inside its header.
    #[error("FLV header cut short: {have} bytes where 9 are due; the file is empty or incomplete")]
    HeaderTruncated {
        /// Bytes there are.
        have: usize,
    },
    /// The header says that it is shorter than its own fields or, when appending, longer than the file.
    #[error(
        "FLV header at offset 5 declares a length of {offset} bytes, less than the 9 it has or more than the file; \
         the file is damaged"
    )]
    DataOffset {
        /// The declared length.
        offset: u32,
    },
    /// A message body does not fit a tag.
    #[error(
        "message of {size} bytes does not fit an FLV tag, which holds at most 16777215; split or drop it"
    )]
    TagTooLarge {
        /// Bytes in the body.
        size: usize,
    },
}

#[cfg(test)]
mod tests;
