//! What is done with files for a player on a thread that may block, and how it went.

use crate::app::stream_files::{FilesInUse, StreamFiles};
use crate::app::vod::file::{Batch, End, RecordedFile, open};
use crate::app::vod::source::{Place, SourceError, Start};

/// How a job went. The file goes to the job and comes back with the outcome.
pub(crate) enum Outcome {
    /// There is no such file.
    Missing,
    /// The file was opened, or sought in, and read from there.
    Started {
        /// The file.
        file: RecordedFile,
        /// How long it is.
        length_ms: u64,
        /// What comes first.
        start: Start,
        /// What follows.
        batch: Batch,
    },
    /// The file was read on.
    Read(RecordedFile, Batch),
    /// The job could not be done now.
    Busy(Option<RecordedFile>),
    /// The place sought is after the end, at these milliseconds.
    Beyond(RecordedFile, u64),
    /// The file cannot be played.
    Failed(SourceError),
}

/// Opens a stream's file at a place. A place after its end plays nothing.
pub(crate) fn open_at(files: &StreamFiles, in_use: &FilesInUse, name: &str, place: Place) -> Outcome {
    match reopen_at(files, in_use, name, place) {
        Outcome::Beyond(mut file, at) => Outcome::Started {
            length_ms: file.source.length_ms(),
            file,
            start: Start {
                headers: Vec::new(),
                at,
            },
            batch: Batch {
                messages: Vec::new(),
                end: Some(End::Over),
            },
        },
        outcome => outcome,
    }
}

/// Opens a stream's file again and seeks in it.
pub(crate) fn reopen_at(files: &StreamFiles, in_use: &FilesInUse, name: &str, place: Place) -> Outcome {
    match open(files, in_use, name) {
        Ok(None) => Outcome::Missing,
        Ok(Some(file)) => seek(file, place),
        Err(error) => Outcome::Failed(error),
    }
}

/// Goes to a place in a file and reads on there.
pub(crate) fn seek(mut file: RecordedFile, place: Place) -> Outcome {
    match file.source.seek(place) {
        Ok(start) => Outcome::Started {
            length_ms: file.source.length_ms(),
            batch: file.read(),
            file,
            start,
        },
        Err(SourceError::Beyond(at)) => Outcome::Beyond(file, at),
        Err(error) => Outcome::Failed(error),
    }
}

/// Reads on in a file.
pub(crate) fn read(mut file: RecordedFile) -> Outcome {
    let batch = file.read();
    Outcome::Read(file, batch)
}
