//! Opening a recorded stream by name, and reading ahead in it.

use std::fs;
use std::io;
use std::path::Path;

use crate::app::access::split_type;
use crate::app::stream_files::{FilesInUse, PlayGuard, StreamFiles};
use crate::app::vod::flv::FlvSource;
use crate::app::vod::mp3::{Mp3Source, TagSource};
use crate::app::vod::mp4::Mp4Source;
use crate::app::vod::source::{Source, SourceError};
use crate::media::MediaMessage;
use crate::time::distance;

/// A file that is being played.
pub(crate) struct RecordedFile {
    pub(crate) source: Box<dyn Source>,
    _in_use: PlayGuard,
}

/// Messages that were read together.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) messages: Vec<MediaMessage>,
    /// Nothing follows.
    pub(crate) end: Option<End>,
}

/// Why nothing follows.
#[derive(Debug)]
pub(crate) enum End {
    /// All was read.
    Over,
    /// The file cannot be read on.
    Failed(SourceError),
}

/// What is read at once, unless a single message is larger.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_MS: u32 = 4_000;
const BATCH_MESSAGES: usize = 1_024;

/// Opens the file of a stream; `None` if there is none. Blocks.
pub(crate) fn open(
    files: &StreamFiles,
    in_use: &FilesInUse,
    name: &str,
) -> Result<Option<RecordedFile>, SourceError> {
    let Some(path) = files.to_play(name)? else {
        return Ok(None);
    };
    // A recording that has not begun yet.
    if in_use.is_recorded(&path) && fs::metadata(&path).is_ok_and(|file| file.len() == 0) {
        return Ok(None);
    }
    let guard = in_use.play(&path);
    let source = match open_source(&path, name) {
        Err(SourceError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        source => source?,
    };
    Ok(Some(RecordedFile {
        source,
        _in_use: guard,
    }))
}

fn open_source(path: &Path, name: &str) -> Result<Box<dyn Source>, SourceError> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("");
    match ending.to_ascii_lowercase().as_str() {
        "flv" => Ok(Box::new(FlvSource::open(path)?)),
        "mp4" | "f4v" | "m4v" | "m4a" => Ok(Box::new(Mp4Source::open(path)?)),
        "mp3" if split_type(name).0 == Some("id3") => Ok(Box::new(TagSource::open(path)?)),
        "mp3" => Ok(Box::new(Mp3Source::open(path)?)),
        _ => Err(SourceError::NoTracks),
    }
}

impl RecordedFile {
    /// Reads the next few messages. Blocks.
    pub(crate) fn read(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut bytes = 0;
        while bytes < BATCH_BYTES && batch.messages.len() < BATCH_MESSAGES {
            match self.source.next() {
                Ok(Some(message)) => {
                    bytes += message.body.len();
                    batch.messages.push(message);
                }
                Ok(None) => batch.end = Some(End::Over),
                Err(error) => batch.end = Some(End::Failed(error)),
            }
            if batch.end.is_some() || span(&batch.messages) > BATCH_MS {
                break;
            }
        }
        batch
    }
}

/// The media time between the first and the last.
fn span(messages: &[MediaMessage]) -> u32 {
    match (messages.first(), messages.last()) {
        (Some(first), Some(last)) => distance(first.timestamp, last.timestamp).max(0).unsigned_abs(),
        _ => 0,
    }
}
