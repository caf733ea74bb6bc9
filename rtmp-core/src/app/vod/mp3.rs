//! Recorded streams in MP3 files, and their tags alone.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::app::vod::source::{Place, Source, SourceError, Start, narrow};
use crate::media::MediaMessage;
use crate::media::mp3::{Mp3Error, Mp3Reader};

/// An MP3 file that is being played.
#[derive(Debug)]
pub(crate) struct Mp3Source {
    reader: Mp3Reader<BufReader<File>>,
    /// What comes first at the beginning.
    headers: VecDeque<MediaMessage>,
}

/// The tags of an MP3 file, played as a stream of one message.
#[derive(Debug)]
pub(crate) struct TagSource {
    reader: Mp3Reader<BufReader<File>>,
    is_over: bool,
}

fn open(path: &Path) -> Result<Mp3Reader<BufReader<File>>, SourceError> {
    Ok(Mp3Reader::new(BufReader::new(File::open(path)?))?)
}

impl Mp3Source {
    /// Opens a file, reads its tags and finds out how long it is.
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        let reader = open(path)?;
        let headers = reader.headers(0).into();
        Ok(Self { reader, headers })
    }
}

impl Source for Mp3Source {
    fn length_ms(&mut self) -> u64 {
        self.reader.length_ms()
    }

    fn seek(&mut self, place: Place) -> Result<Start, SourceError> {
        let end = self.reader.length_ms();
        let at = match place {
            Place::AtOrBefore(time) if time > end => return Err(SourceError::Beyond(end)),
            Place::AtOrBefore(time) => self.reader.seek_before(narrow(time))?,
            Place::AtOrAfter(time) => self
                .reader
                .seek_after(narrow(time))?
                .ok_or(SourceError::Beyond(end))?,
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

impl TagSource {
    /// Opens a file and reads its tags.
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        let reader = open(path)?;
        Ok(Self {
            reader,
            is_over: false,
        })
    }
}

impl Source for TagSource {
    fn length_ms(&mut self) -> u64 {
        self.reader.length_ms()
    }

    fn seek(&mut self, _: Place) -> Result<Start, SourceError> {
        self.is_over = false;
        Ok(Start {
            headers: Vec::new(),
            at: 0,
        })
    }

    fn next(&mut self) -> Result<Option<MediaMessage>, SourceError> {
        if self.is_over {
            return Ok(None);
        }
        self.is_over = true;
        Ok(self.reader.tag_message(0))
    }
}

impl From<Mp3Error> for SourceError {
    fn from(error: Mp3Error) -> Self {
        match error {
            Mp3Error::Io(error) => Self::Io(error),
            damaged => Self::Damaged(damaged.to_string()),
        }
    }
}
