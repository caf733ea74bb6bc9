//! Recording live streams to FLV files: a recorder is given the messages of a stream, keeps them in a bounded queue and has
//! a thread that may block write them.

mod attached;
mod clock;
mod disk_file;
mod file;
mod handle;
mod headers;
mod queue;
mod recorder;

pub(crate) use attached::Recorders;
pub use handle::Recording;
pub(crate) use handle::begin;
pub(crate) use queue::Pushed;
pub(crate) use recorder::{Plan, Recorder};

use crate::session::PublishMode;

/// What becomes of a file that is there when a recording begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RecordMode {
    /// It is replaced once the first audio or video comes.
    #[default]
    Record,
    /// What is recorded goes on 20 ms after its last tag. Sequence headers are written again only if they changed.
    Append,
    /// As `Append`, leaving out the time since the file was last written, 24 days at most.
    AppendWithGap,
}

impl RecordMode {
    /// What a publisher's mode says about recording; `None` for live.
    pub fn of(mode: PublishMode) -> Option<Self> {
        match mode {
            PublishMode::Live => None,
            PublishMode::Record => Some(Self::Record),
            PublishMode::Append => Some(Self::Append),
            PublishMode::AppendWithGap => Some(Self::AppendWithGap),
        }
    }
}

/// How to record a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RecordOptions {
    /// What becomes of a file that is there. Default: it is replaced.
    pub mode: RecordMode,
    /// The name under which the recording is played, folders before it and `flv:` in front allowed. Default: the stream's.
    pub name: Option<String>,
    /// Milliseconds after which the file, with all that it was appended to, is full; 0 is no limit. Default: the
    /// application's [`record_max_duration_ms`](crate::ApplicationConfig::record_max_duration_ms).
    pub max_duration_ms: Option<u64>,
    /// Bytes after which the file is full; 0 is no limit. Default: the application's
    /// [`record_max_bytes`](crate::ApplicationConfig::record_max_bytes).
    pub max_bytes: Option<u64>,
}

impl RecordOptions {
    /// The application's limits, the stream's name, and this mode.
    pub fn new(mode: RecordMode) -> Self {
        Self {
            mode,
            ..Self::default()
        }
    }
}

/// Whether a publication is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RecordChoice {
    /// If the publisher asked for it, as it asked.
    #[default]
    AsAsked,
    /// Never.
    Never,
    /// Whatever the publisher asked.
    As(RecordOptions),
}

impl RecordChoice {
    /// How a publication in this mode is recorded, if at all.
    pub(crate) fn options(self, mode: PublishMode) -> Option<RecordOptions> {
        match self {
            Self::AsAsked => RecordMode::of(mode).map(RecordOptions::new),
            Self::Never => None,
            Self::As(options) => Some(options),
        }
    }
}

/// Counts of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordStats {
    /// The file is open and takes what is published.
    pub recording: bool,
    /// The recording is over: stopped, failed or at its limit.
    pub ended: bool,
    /// Bytes in the file, those it was appended to included.
    pub bytes: u64,
    /// Bytes of the file that survive the end of the machine, by [`record_sync_ms`](crate::ApplicationConfig::record_sync_ms).
    pub durable_bytes: u64,
    /// Milliseconds in the file, those it was appended to included.
    pub duration_ms: u64,
    /// Messages dropped, up to the next keyframe each time, because the disk did not keep up.
    pub dropped: u64,
}
