//! MP4 and F4V files, fragmented or not, as media messages (ISO/IEC 14496-12, F4V in FLV and F4V 10.1 part 1).
//!
//! A file may be of any size: what is read of it is the boxes that describe it, a page of each sample table at a time, and
//! the samples that are asked for. Nothing is taken into memory because the file says that there is much of it.

mod boxes;
mod cursor;
mod entry;
mod fragments;
mod movie;
mod reader;
mod table;
mod tables;
mod times;

pub use reader::Mp4Reader;

use std::io;

/// Why an MP4 file cannot be read, or not on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mp4Error {
    /// The file system failed.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A box says what cannot be.
    #[error("{what}, at byte {position}; the file is damaged or was never finished")]
    Damaged {
        /// What is wrong.
        what: &'static str,
        /// Where, in bytes from the start of the file.
        position: u64,
    },
    /// No track has a codec that RTMP carries.
    #[error("no track has a codec that RTMP carries; convert the file to H.264 and AAC, for example")]
    NoTracks,
}

/// One sample of a track: where it is and when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    /// Decoding time in units of the track.
    dts: i64,
    /// Presentation less decoding time, in units of the track.
    composition: i64,
    position: u64,
    size: u32,
    is_sync: bool,
    /// Which sample entry describes it, from 1.
    description: u32,
}

/// Samples that one search looks at: a day at 60 frames a second is a third of it.
const MAX_SAMPLES: u32 = 1 << 24;

#[cfg(test)]
mod tests;
