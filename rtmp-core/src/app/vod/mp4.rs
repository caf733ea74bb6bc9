//! Recorded streams in MP4 and F4V files.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;

use crate::app::vod::source::{Place, Source, SourceError, Start, narrow};
use crate::media::MediaMessage;
use crate::media::mp4::{Mp4Error, Mp4Reader};

/// An MP4 file that is being played.
#[derive(Debug)]
pub(crate) struct Mp4Source {
    reader: Mp4Reader<File>,
    /// What comes first at the beginning.
    headers: VecDeque<MediaMessage>,
}

impl Mp4Source {
    /// Opens a file and reads what it says of itself.
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        let mut reader = Mp4Reader::new(File::open(path)?)?;
        let headers = reader.headers(0).into();
        Ok(Self { reader, headers })
    }
}

impl Source for Mp4Source {
    fn length_ms(&mut self) -> u64 {
        self.reader.length_ms()
    }

    fn seek(&mut self, place: Place) -> Result<Start, SourceError> {
        let beyond = SourceError::Beyond(self.reader.end_ms());
        let at = match place {
            Place::AtOrBefore(time) if time > self.reader.end_ms() => return Err(beyond),
            Place::AtOrBefore(time) => self.reader.seek_before(narrow(time))?,
            Place::AtOrAfter(time) => self.reader.seek_after(narrow(time))?.ok_or(beyond)?,
        };
        self.headers.clear();
        Ok(Start {
            headers: self.reader.headers(at),
            at: at.into(),
        })
    }

    fn next(&mut self) -> Result<Option<MediaMessage>, SourceError> {
        match self.headers.pop_front() {
            Some(header) => Ok(Some(header)),
            None => Ok(self.reader.next_message()?),
        }
    }
}

impl From<Mp4Error> for SourceError {
    fn from(error: Mp4Error) -> Self {
        match error {
            Mp4Error::Io(error) => Self::Io(error),
            Mp4Error::NoTracks => Self::NoTracks,
            damaged => Self::Damaged(damaged.to_string()),
        }
    }
}
