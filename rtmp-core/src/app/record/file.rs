//! The file of a recording: opened by its mode, begun by the first frame, full at its limits.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::amf::{Object, Value};
use crate::app::record::RecordMode;
use crate::app::record::clock::Clock;
use crate::app::record::disk_file::DiskFile;
use crate::app::record::headers::Headers;
use crate::app::stream::LiveMessage;
use crate::media::flv::{FlvError, FlvWriter, tag};
use crate::media::metadata::{Metadata, is_metadata};
use crate::media::{FrameFlags, MediaKind, MediaMessage, inspect};

/// When a file is full; 0 is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Milliseconds.
    pub(crate) duration_ms: u64,
    /// Bytes.
    pub(crate) bytes: u64,
}

/// Why nothing more is written.
#[derive(Debug)]
pub(super) enum Full {
    /// At a limit of the application, or the disk's owner's.
    Limit,
    /// The disk failed.
    Failed(FlvError),
}

/// Why a file was not opened.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// It may not be written.
    ReadOnly,
    /// It cannot be.
    Failed(FlvError),
}

/// A file that takes the messages of a stream.
#[derive(Debug)]
pub(super) struct RecordingFile {
    path: PathBuf,
    stage: Stage,
    /// The file was made for this recording.
    is_new: bool,
    limits: Limits,
    clock: Clock,
    /// Headers and metadata that wait for a frame to begin with.
    waiting: Vec<MediaMessage>,
    waiting_bytes: usize,
    /// What the file begins with, or the newest of it.
    metadata: Option<Object>,
    headers: Headers,
}

#[derive(Debug)]
enum Stage {
    /// Open, and as it was.
    Untouched(File),
    Writing(Box<FlvWriter<DiskFile>>),
    Over,
}

/// Room for this many entries in the keyframe index: more than an hour of keyframes 2 s apart, in 36 KiB.
const KEYFRAMES: usize = 2048;
/// Headers and metadata that come in such numbers are not waited with.
const MAX_WAITING: usize = 256;
const MAX_WAITING_BYTES: usize = 1 << 20;
/// Half the range of 32-bit timestamps: beyond, readers could not tell the direction.
const MAX_GAP_MS: u64 = 24 * 24 * 3_600_000;

impl RecordingFile {
    /// Opens a file, which is made if there is none. A file to append to is read once, and a tag that is not whole at its
    /// end is cut off. Blocks.
    pub(super) fn open(path: &Path, mode: RecordMode, limits: Limits) -> Result<Self, NotOpened> {
        let found = match fs::symlink_metadata(path) {
            Ok(found) if found.permissions().readonly() => return Err(NotOpened::ReadOnly),
            Ok(found) => Some(found),
            Err(_) => None,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(found.is_none());
        let file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied if found.is_some() => NotOpened::ReadOnly,
            _ => NotOpened::Failed(error.into()),
        })?;
        let mut recording = Self {
            path: path.to_owned(),
            stage: Stage::Over,
            is_new: found.is_none(),
            limits,
            clock: Clock::default(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            metadata: None,
            headers: Headers::default(),
        };
        let found = found.filter(|found| mode != RecordMode::Record && found.len() > 0);
        match found {
            None => recording.stage = Stage::Untouched(file),
            Some(found) => {
                let gap = match mode {
                    RecordMode::AppendWithGap => found.modified().map_or(0, millis_since),
                    _ => 0,
                };
                recording.append_to(file, gap).map_err(NotOpened::Failed)?;
            }
        }
        Ok(recording)
    }

    /// Writes a message, or keeps it until there is a frame. After an error the file takes nothing more.
    pub(super) fn write(&mut self, message: &LiveMessage) -> Result<(), Full> {
        let media = MediaMessage {
            kind: message.kind,
            timestamp: message.shared.timestamp,
            body: message.shared.payload.clone(),
        };
        if self.clock.has_begun() {
            return self.put(media);
        }
        if message.is_header() && self.waiting.len() < MAX_WAITING && self.waiting_bytes < MAX_WAITING_BYTES {
            self.waiting_bytes += media.body.len();
            self.waiting.push(media);
            return Ok(());
        }
        self.begin(&media)?;
        self.put(media)
    }

    /// Another publisher begins, at whatever time.
    pub(super) fn restart(&mut self) {
        if let Stage::Writing(writer) = &self.stage {
            self.clock.go_on(writer.last_time(), 0);
        }
    }

    /// Hands what was written to the system, so that it survives the end of the process.
    pub(super) fn flush(&mut self) -> Result<(), Full> {
        match &mut self.stage {
            Stage::Writing(writer) => writer.flush().map_err(full),
            _ => Ok(()),
        }
    }

    /// Has what was written survive the machine: the file's contents, and that there is such a file.
    pub(super) fn sync(&mut self) -> Result<(), Full> {
        if let Stage::Writing(writer) = &mut self.stage {
            writer.flush().map_err(full)?;
            writer.get_ref().sync().map_err(|error| full(error.into()))?;
            if std::mem::take(&mut self.is_new) {
                sync_folder(&self.path).map_err(|error| full(error.into()))?;
            }
        }
        Ok(())
    }

    /// Bytes in the file, and milliseconds.
    pub(super) fn size(&self) -> (u64, u64) {
        match &self.stage {
            Stage::Writing(writer) => (writer.bytes_written(), writer.last_time()),
            _ => (0, 0),
        }
    }

    /// Completes the file: duration, size and keyframe index. One that was made for nothing is removed. `durable`: all of it
    /// survives the machine then.
    pub(super) fn finish(mut self, durable: bool) -> Result<(), FlvError> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Writing(writer) => {
                let file = writer.finish()?;
                if durable {
                    file.sync()?;
                }
                if durable && self.is_new {
                    sync_folder(&self.path)?;
                }
                Ok(())
            }
            Stage::Untouched(_) if self.is_new => Ok(fs::remove_file(&self.path)?),
            _ => Ok(()),
        }
    }

    /// Writing failed: completes what the disk has taken, as far as that can be done. A file that has nothing in it is removed.
    pub(super) fn salvage(self) {
        let Self { path, stage, .. } = self;
        // What waits is tried once more, perhaps in vain.
        drop(stage);
        let is_empty = fs::metadata(&path).is_ok_and(|file| file.len() == 0);
        let saved = if is_empty {
            fs::remove_file(&path).map_err(FlvError::from)
        } else {
            match Self::open(&path, RecordMode::Append, Limits::default()) {
                Ok(file) => file.finish(false),
                Err(NotOpened::Failed(error)) => Err(error),
                Err(NotOpened::ReadOnly) => Err(io::Error::from(io::ErrorKind::PermissionDenied).into()),
            }
        };
        if let Err(error) = saved {
            log::warn!("{} stays as it is: {error}", path.display());
        }
    }

    fn append_to(&mut self, mut file: File, gap: u64) -> Result<(), FlvError> {
        let (headers, metadata) = (&mut self.headers, &mut self.metadata);
        let mut frames = 0_u64;
        let note = |message: &MediaMessage| match message.kind {
            MediaKind::Data if metadata.is_none() => *metadata = properties(message),
            MediaKind::Data => {}
            kind => {
                frames += 1;
                if is_header(message) {
                    headers.note(kind, &message.body);
                }
            }
        };
        let same = file.try_clone()?;
        let mut writer = FlvWriter::append(DiskFile::new(same), note)?;
        if frames == 0 {
            // Nothing to go on from: metadata with room for what is to come is better than what is there.
            drop(writer);
            (self.headers, self.metadata) = Default::default();
            file.rewind()?;
            self.stage = Stage::Untouched(file);
            return Ok(());
        }
        writer.flush()?;
        file.set_len(writer.bytes_written())?;
        self.clock.go_on(writer.last_time(), gap.min(MAX_GAP_MS));
        self.stage = Stage::Writing(Box::new(writer));
        Ok(())
    }

    /// The first frame of a publisher is there: what waited for it comes before it.
    fn begin(&mut self, first: &MediaMessage) -> Result<(), Full> {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Untouched(file) => {
                let newest = waiting.iter().rposition(|message| properties(message).is_some());
                let metadata = newest.and_then(|at| properties(&waiting[at]));
                waiting.retain(|message| properties(message).is_none());
                let metadata = metadata.unwrap_or_default();
                let writer = self.overwrite(file, &metadata).map_err(full)?;
                self.metadata = Some(metadata);
                self.stage = Stage::Writing(Box::new(writer));
            }
            stage => self.stage = stage,
        }
        let begin = self.clock.start();
        for message in waiting {
            if self.is_news(&message) {
                self.put_at(begin, message)?;
            }
        }
        self.clock.place(first.timestamp);
        Ok(())
    }

    fn overwrite(&self, file: File, metadata: &Object) -> Result<FlvWriter<DiskFile>, FlvError> {
        file.set_len(0)?;
        let mut writer = FlvWriter::new(DiskFile::new(file), true, true)?;
        let room = match self.limits.bytes {
            0 => KEYFRAMES,
            limit => usize::try_from(limit / 1024).unwrap_or(KEYFRAMES).min(KEYFRAMES),
        };
        writer.write_metadata(metadata, room)?;
        Ok(writer)
    }

    /// Whether a header or metadata says what the file does not say already.
    fn is_news(&mut self, message: &MediaMessage) -> bool {
        match message.kind {
            MediaKind::Data => {
                let known = self.metadata.as_ref();
                let is_known = |(key, value): (&str, &Value)| {
                    matches!(key, "duration" | "filesize")
                        || known.and_then(|known| known.get(key)) == Some(value)
                };
                properties(message).is_none_or(|new| !new.iter().all(is_known))
            }
            kind => self.headers.note(kind, &message.body),
        }
    }

    fn put(&mut self, message: MediaMessage) -> Result<(), Full> {
        if is_header(&message) {
            self.headers.note(message.kind, &message.body);
        }
        let time = self.clock.place(message.timestamp);
        self.put_at(time, message)
    }

    fn put_at(&mut self, time: u64, mut message: MediaMessage) -> Result<(), Full> {
        let Stage::Writing(writer) = &mut self.stage else {
            return Ok(());
        };
        let Limits { duration_ms, bytes } = self.limits;
        let size = writer
            .bytes_written()
            .saturating_add(TAG + message.body.len() as u64);
        if (duration_ms > 0 && time >= duration_ms) || (bytes > 0 && size > bytes) {
            return Err(Full::Limit);
        }
        #[allow(clippy::cast_possible_truncation)] // A tag holds the low half.
        let timestamp = time as u32;
        message.timestamp = timestamp;
        writer.write(&message).map_err(full)
    }
}

/// Bytes around the body of a tag.
const TAG: u64 = (tag::TAG_HEADER + tag::PREVIOUS_TAG_SIZE) as u64;

fn full(error: FlvError) -> Full {
    match &error {
        FlvError::Io(io) if io.kind() == io::ErrorKind::QuotaExceeded => Full::Limit,
        _ => Full::Failed(error),
    }
}

/// Has a file's name survive the machine. Where folders cannot be opened the system sees to it.
fn sync_folder(file: &Path) -> io::Result<()> {
    match file.parent().map(File::open) {
        Some(Ok(folder)) if cfg!(unix) => folder.sync_all(),
        _ => Ok(()),
    }
}

fn is_header(message: &MediaMessage) -> bool {
    let headers = FrameFlags::CONFIG | FrameFlags::METADATA;
    message.kind != MediaKind::Data && inspect(message.kind, &message.body).intersects(headers)
}

fn properties(message: &MediaMessage) -> Option<Object> {
    let is_metadata = message.kind == MediaKind::Data && is_metadata(&message.body);
    let metadata = is_metadata.then(|| Metadata::parse(&message.body));
    metadata.flatten().map(|metadata| metadata.properties)
}

fn millis_since(time: SystemTime) -> u64 {
    let since = SystemTime::now().duration_since(time).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
