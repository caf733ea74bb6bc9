//! Recorded streams in FLV files: where decoding can start, found by the index in the metadata where it is right and by
//! looking through the tags where not. The index is followed without looking at what lies between only where the metadata
//! also says where the codec headers are, as that of our recordings does: they may change in the middle of a file.

mod headers;
mod index;

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::app::vod::flv::headers::HeaderLog;
use crate::app::vod::flv::index::{Index, SyncPoint};
use crate::app::vod::source::{Place, Source, SourceError, Start};
use crate::media::flv::tag::{FILE_HEADER, PREVIOUS_TAG_SIZE, TAG_HEADER, TagHeader};
use crate::media::flv::{FlvError, FlvReader, header_places};
use crate::media::{FrameFlags, MediaKind, MediaMessage, Metadata, inspect};
use crate::time::{Unwrap, distance};

/// An FLV file that is being played.
#[derive(Debug)]
pub(crate) struct FlvSource {
    reader: FlvReader<BufReader<File>>,
    headers: HeaderLog,
    index: Index,
    /// What the metadata says, in milliseconds.
    declared_ms: Option<u64>,
    metadata: Option<Metadata>,
    /// The time of the last tag.
    last_ms: u64,
    /// The times of what is read.
    times: Times,
    has_video: bool,
    /// Sound and data from before the keyframe that was gone to, which stand after it in the file.
    passing_over: Option<u64>,
    /// Tags of unknown kinds that were passed over up to the last message.
    skipped: u64,
    /// Up to here every tag was looked at: the headers are known.
    looked_to: u64,
    /// The time there.
    looked_time: u64,
    /// The metadata says where all headers are.
    headers_told: bool,
}

/// What is read ahead of a seek.
const BUFFER: usize = 32 << 10;
/// How far into a file its headers are looked for.
const HEAD_MESSAGES: usize = 64;
const HEAD_BYTES: usize = 1 << 20;
/// Tags of unknown kinds in a row that mean that this is not the beginning of a tag any more.
const MAX_SKIPPED: u64 = 32;
/// Bytes of a body that say what it is.
const FIRST: usize = 64;
/// Sound is written this much ahead of pictures by some programs, in milliseconds.
const INTERLEAVING: u64 = 3_000;
/// A timestamp with its sign bit set is negative unless the file had come this far before (some 12 days).
const MAY_PASS_SIGN_BIT: u64 = 1 << 30;
/// The longest duration of metadata that is believed, in milliseconds.
const MAX_DURATION: f64 = 1e15;

/// The times of tags, counted on where timestamps wrap.
#[derive(Debug, Default)]
struct Times(Unwrap);

impl FlvSource {
    /// Opens a file and looks at its beginning and end.
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        let mut file = File::open(path)?;
        let tail = last_timestamp(&mut file)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        let reader = FlvReader::new(BufReader::with_capacity(BUFFER, file)).map_err(damaged)?;
        let beginning = u64::from(reader.header().data_offset) + PREVIOUS_TAG_SIZE as u64;
        let mut source = Self {
            reader,
            headers: HeaderLog::default(),
            index: Index::new(beginning),
            declared_ms: None,
            metadata: None,
            last_ms: 0,
            times: Times::default(),
            has_video: false,
            passing_over: None,
            skipped: 0,
            looked_to: beginning,
            looked_time: 0,
            headers_told: false,
        };
        source.read_head()?;
        let declared = source.declared_ms.unwrap_or(0);
        let tail = tail.filter(|tail| *tail <= i32::MAX as u32 || declared >= MAY_PASS_SIGN_BIT);
        // How often it wrapped before is not in the tag.
        source.last_ms = tail.map_or(0, |tail| match declared {
            0 => tail.into(),
            declared => Unwrap::after(declared).unwrap(tail),
        });
        source.read_told_headers(length)?;
        if tail.is_none() && source.declared_ms.is_none() {
            source.find(Place::AtOrBefore(u64::MAX))?;
        }
        source.go_to(beginning, 0)?;
        Ok(source)
    }

    /// Reads the headers and what the metadata says.
    fn read_head(&mut self) -> Result<(), SourceError> {
        let (mut bytes, mut tracks, mut frames) = (0, false, [false; 3]);
        for _ in 0..HEAD_MESSAGES {
            let Some(message) = self.reader.next().transpose().map_err(damaged)? else {
                break;
            };
            bytes += message.body.len();
            let flags = inspect(message.kind, &message.body);
            let is_metadata = message.kind == MediaKind::Data && flags.contains(FrameFlags::METADATA);
            if is_metadata && self.declared_ms.is_none() {
                self.take_metadata(&message);
            }
            tracks |= !is_metadata;
            self.has_video |= message.kind == MediaKind::Video;
            let position = self.reader.last_tag_position();
            if !self.headers.add(position, &message, flags) {
                frames[message.kind as usize] = true;
            }
            if bytes >= HEAD_BYTES || (frames[0] && frames[1]) {
                break;
            }
        }
        match (tracks, self.reader.skipped() > 0 || self.reader.truncated()) {
            (true, _) => Ok(()),
            (false, true) => Err(SourceError::Damaged("it has no whole tag".to_owned())),
            (false, false) => Err(SourceError::NoTracks),
        }
    }

    fn take_metadata(&mut self, message: &MediaMessage) {
        let Some(metadata) = Metadata::parse(&message.body) else {
            return;
        };
        let duration = metadata.duration().filter(|seconds| *seconds > 0.0);
        self.declared_ms = duration.map(|seconds| (seconds * 1000.0).min(MAX_DURATION) as u64);
        self.index.offer(&metadata.keyframes());
        self.metadata = Some(metadata);
    }

    /// Reads the headers whose places the metadata tells, unless it is wrong about one of them.
    fn read_told_headers(&mut self, length: u64) -> Result<(), SourceError> {
        let metadata = self.metadata.take();
        let told = metadata.and_then(|metadata| header_places(&metadata, length));
        let mut first = [0; FIRST];
        for position in told.iter().flatten() {
            self.reader.seek_to_tag(*position).map_err(damaged)?;
            let Some((tag, have)) = self.reader.skim(&mut first).map_err(damaged)? else {
                return Ok(());
            };
            let kind = MediaKind::from_type_id(tag.tag_type).filter(|_| !tag.filtered);
            let flags = kind.map(|kind| inspect(kind, first.get(..have).unwrap_or_default()));
            let is_there = self.reader.last_tag_position() == *position;
            if !flags.is_some_and(HeaderLog::takes) || !is_there {
                return Ok(());
            }
            self.log_header(*position, tag)?;
        }
        self.headers_told = told.is_some();
        Ok(())
    }

    /// Where decoding can start for `place`, looking through tags from the nearest place known before.
    fn find(&mut self, place: Place) -> Result<Option<SyncPoint>, SourceError> {
        let time = match place {
            Place::AtOrBefore(time) | Place::AtOrAfter(time) => time,
        };
        let mut known = self.index.before(time);
        while let Some(point) = known.filter(|point| !point.verified) {
            if self.verify(point)? {
                break;
            }
            // One that is wrong makes all the others doubtful.
            self.index.distrust();
            known = self.index.before(time);
        }
        let mut from = known.map_or(self.index.beginning(), |point| point.position);
        if !self.headers_told {
            // A header that changes on the way there is not to be missed.
            from = from.min(self.looked_to);
        }
        let mut best = known;
        let known_time = known
            .filter(|point| point.position == from)
            .map(|point| point.time);
        let mut times = match known_time {
            None if from == self.index.beginning() => Times::default(),
            time => Times::after(time.unwrap_or(self.looked_time)),
        };
        self.reader.seek_to_tag(from).map_err(damaged)?;
        let mut skipped = 0;
        let mut first = [0; FIRST];
        while let Some((tag, have)) = self.reader.skim(&mut first).map_err(damaged)? {
            let Some(kind) = MediaKind::from_type_id(tag.tag_type).filter(|_| !tag.filtered) else {
                skipped += 1;
                if skipped > MAX_SKIPPED {
                    break;
                }
                continue;
            };
            skipped = 0;
            let position = self.reader.last_tag_position();
            let tag_time = times.place(tag.timestamp);
            if from <= self.looked_to && position > self.looked_to {
                (self.looked_to, self.looked_time) = (position, tag_time);
            }
            let flags = inspect(kind, first.get(..have).unwrap_or_default());
            self.has_video |= kind == MediaKind::Video;
            if HeaderLog::takes(flags) {
                self.log_header(position, tag)?;
                continue;
            }
            self.last_ms = self.last_ms.max(tag_time);
            let point = SyncPoint {
                time: tag_time,
                position,
                verified: true,
            };
            if self.is_sync(kind, flags) {
                match place {
                    Place::AtOrAfter(time) if point.time >= time => return Ok(Some(point)),
                    Place::AtOrBefore(time) if point.time <= time => best = Some(point),
                    _ => {}
                }
                self.index.add(point);
            }
            let margin = if kind == MediaKind::Video { 0 } else { INTERLEAVING };
            let over = tag_time.saturating_sub(margin) > time;
            if over && matches!(place, Place::AtOrBefore(_)) {
                break;
            }
        }
        Ok(best.filter(|_| matches!(place, Place::AtOrBefore(_))))
    }

    /// Whether decoding can start at a tag: a key picture, or any sound or data where there are no pictures.
    fn is_sync(&self, kind: MediaKind, flags: FrameFlags) -> bool {
        match kind {
            MediaKind::Video => flags.contains(FrameFlags::KEYFRAME),
            MediaKind::Audio | MediaKind::Data => !self.has_video,
        }
    }

    /// Whether there is a key picture of that time, or the header before it, at a place that the metadata names.
    fn verify(&mut self, point: SyncPoint) -> Result<bool, SourceError> {
        self.reader.seek_to_tag(point.position).map_err(damaged)?;
        let mut first = [0; FIRST];
        let Some((tag, have)) = self.reader.skim(&mut first).map_err(damaged)? else {
            return Ok(false);
        };
        let video = MediaKind::from_type_id(tag.tag_type) == Some(MediaKind::Video) && !tag.filtered;
        let key = inspect(MediaKind::Video, first.get(..have).unwrap_or_default());
        Ok(video
            && self.reader.last_tag_position() == point.position
            && key.intersects(FrameFlags::KEYFRAME | FrameFlags::CONFIG)
            && distance(tag.timestamp, point.time as u32).unsigned_abs() <= 1)
    }

    /// Goes to a tag, of which the time is known.
    fn go_to(&mut self, position: u64, time: u64) -> Result<(), SourceError> {
        self.reader.seek_to_tag(position).map_err(damaged)?;
        self.reader.expect_after(time.min(u32::MAX.into()) as u32);
        self.times = match time {
            0 => Times::default(),
            time => Times::after(time),
        };
        Ok(())
    }

    /// Reads a header whole, and goes on after it.
    fn log_header(&mut self, position: u64, tag: TagHeader) -> Result<(), SourceError> {
        if tag.data_size as usize > HeaderLog::MAX_SIZE || self.headers.knows(position) {
            return Ok(());
        }
        self.reader.seek_to_tag(position).map_err(damaged)?;
        if let Some(message) = self.reader.next().transpose().map_err(damaged)? {
            let flags = inspect(message.kind, &message.body);
            self.headers.add(position, &message, flags);
        }
        Ok(())
    }
}

impl Source for FlvSource {
    fn length_ms(&mut self) -> u64 {
        self.declared_ms.unwrap_or(self.last_ms)
    }

    fn seek(&mut self, place: Place) -> Result<Start, SourceError> {
        self.skipped = self.reader.skipped();
        self.passing_over = None;
        let beginning = self.index.beginning();
        let found = match place {
            Place::AtOrBefore(0) => None,
            place => self.find(place)?,
        };
        let end = self.last_ms.max(self.declared_ms.unwrap_or(0));
        match place {
            Place::AtOrBefore(time) if time > end => return Err(SourceError::Beyond(end)),
            Place::AtOrAfter(_) if found.is_none() => return Err(SourceError::Beyond(end)),
            _ => {}
        }
        let Some(point) = found.filter(|point| !self.headers.is_before_first_frame(point.position)) else {
            self.go_to(beginning, 0)?;
            return Ok(Start {
                headers: Vec::new(),
                at: 0,
            });
        };
        self.go_to(point.position, point.time)?;
        self.skipped = self.reader.skipped();
        self.passing_over = Some(point.time);
        Ok(Start {
            headers: self.headers.at(point.position, point.time as u32),
            at: point.time,
        })
    }

    fn next(&mut self) -> Result<Option<MediaMessage>, SourceError> {
        loop {
            let message = self.reader.next().transpose().map_err(damaged)?;
            if self.reader.skipped().saturating_sub(self.skipped) > MAX_SKIPPED {
                return Err(SourceError::Damaged("tags of unknown kinds".to_owned()));
            }
            self.skipped = self.reader.skipped();
            let Some(message) = message else {
                return Ok(None);
            };
            let message_time = self.times.place(message.timestamp);
            match self.passing_over {
                Some(time) if message_time < time && message.kind != MediaKind::Video => continue,
                // The next picture is after all that was written beside the first.
                Some(time) if message.kind == MediaKind::Video && message_time > time => {
                    self.passing_over = None;
                }
                _ => {}
            }
            return Ok(Some(message));
        }
    }
}

impl Times {
    fn after(time: u64) -> Self {
        Self(Unwrap::after(time))
    }

    /// The time of the next tag.
    fn place(&mut self, timestamp: u32) -> u64 {
        let last = self.0.last().unwrap_or(0);
        match timestamp {
            // Nothing of the kind; headers in the middle of files have it.
            0 => last,
            negative if negative > i32::MAX as u32 && last < MAY_PASS_SIGN_BIT => 0,
            timestamp => self.0.unwrap(timestamp),
        }
    }
}

/// The timestamp of the last tag of a file, if the file ends with a whole one.
fn last_timestamp(file: &mut File) -> Result<Option<u32>, SourceError> {
    let length = file.seek(SeekFrom::End(0))?;
    let least = (FILE_HEADER + PREVIOUS_TAG_SIZE + TAG_HEADER) as u64;
    let Some(end) = length
        .checked_sub(PREVIOUS_TAG_SIZE as u64)
        .filter(|end| *end >= least)
    else {
        return Ok(None);
    };
    let mut size = [0; PREVIOUS_TAG_SIZE];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut size)?;
    let size = u32::from_be_bytes(size);
    let Some(start) = end
        .checked_sub(u64::from(size))
        .filter(|start| *start >= FILE_HEADER as u64)
    else {
        return Ok(None);
    };
    let mut bytes = [0; TAG_HEADER];
    file.seek(SeekFrom::Start(start))?;
    if file.read_exact(&mut bytes).is_err() {
        return Ok(None);
    }
    let tag = TagHeader::parse(&bytes);
    let whole = tag.data_size.checked_add(TAG_HEADER as u32) == Some(size);
    let known = MediaKind::from_type_id(tag.tag_type).is_some();
    Ok((whole && known).then_some(tag.timestamp))
}

fn damaged(error: FlvError) -> SourceError {
    match error {
        FlvError::Io(error) => SourceError::Io(error),
        error => SourceError::Damaged(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
