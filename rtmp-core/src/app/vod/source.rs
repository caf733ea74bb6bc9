//! What a recorded stream can be read from, whatever its container.

use std::io;

use crate::media::MediaMessage;
use crate::wire::status::Code;

/// A recorded stream that is open. All functions may block.
pub(crate) trait Source: Send {
    /// How long it is, in milliseconds.
    fn length_ms(&mut self) -> u64;

    /// Goes to where a decoder can start.
    fn seek(&mut self, place: Place) -> Result<Start, SourceError>;

    /// The next message; `None` at the end. Its timestamp is the low half of its time.
    fn next(&mut self) -> Result<Option<MediaMessage>, SourceError>;
}

/// Where to start, in milliseconds, counted on where timestamps wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the last keyframe that is not after this time, or at the beginning.
    AtOrBefore(u64),
    /// At the first keyframe that is not before this time.
    AtOrAfter(u64),
}

/// Where reading goes on, and what a decoder needs before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// Metadata and sequence headers, stamped with the time of the place; empty at the beginning, where they come by themselves.
    pub(crate) headers: Vec<MediaMessage>,
    /// The time of the keyframe; 0 at the beginning.
    pub(crate) at: u64,
}

/// Why a recorded stream cannot be played, or not on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SourceError {
    /// The file system failed.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is not what its name says, or is damaged.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// There is nothing in it that could be played.
    #[error("the file has no audio, video or data that can be played")]
    NoTracks,
    /// The time is after the end.
    #[error("the time is after the end, at {0} ms")]
    Beyond(u64),
}

impl SourceError {
    /// The code a player is told.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Io(_) => Code::PlayFailed,
            Self::Damaged(_) => Code::PlayFileStructureInvalid,
            Self::NoTracks => Code::PlayNoSupportedTrackFound,
            Self::Beyond(_) => Code::SeekInvalidTime,
        }
    }
}

/// The time in a container whose files are shorter than 49.7 days.
pub(super) fn narrow(time: u64) -> u32 {
    u32::try_from(time).unwrap_or(u32::MAX)
}
