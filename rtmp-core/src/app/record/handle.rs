//! The host's handle on a recording, and how recordings begin.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::app::application::Application;
use crate::app::record::file::Limits;
use crate::app::record::{Plan, RecordOptions, RecordStats, Recorder};
use crate::app::stream::Stream;
use crate::error::{Error, Result};
use crate::wire::status::Status;

/// A recording of a live stream. Clones name the same recording. One that the host began ends when its last clone is dropped;
/// one that [`on_record`](crate::ApplicationHandler::on_record) was given does not.
#[derive(Clone)]
pub struct Recording {
    recorder: Arc<Recorder>,
    stream: Stream,
    _owner: Option<Arc<Owner>>,
}

/// Ends the recording with the host's last handle.
struct Owner {
    recorder: Arc<Recorder>,
    stream: Stream,
}

impl Stream {
    /// Records the stream to `<directory>/streams/<instance>/<name>.flv` until the recording is stopped, over all publishers
    /// that come and go. It begins with what the stream keeps for those who join late.
    ///
    /// [`on_record`](crate::ApplicationHandler::on_record) hears how it goes: NetStream.Record.Start once the file is open,
    /// or .Failed, .NoAccess or .AlreadyExists. [`Error::WrongState`] if the application has no directory.
    pub fn record(&self, options: RecordOptions) -> Result<Recording> {
        let application = self.instance().application();
        let application = application.filter(|application| !application.is_closed());
        let application = application.ok_or(Error::Closed("application"))?;
        if self.instance().is_unloaded() {
            return Err(Error::Closed("instance"));
        }
        if application.config().directory.is_none() {
            let text = "the application has no directory to record in".to_owned();
            return Err(Error::WrongState(text));
        }
        let recorder = begin(self, &application, options, |_, _| ());
        recorder.start();
        self.live().attach(&recorder, None);
        let owner = Owner {
            recorder: Arc::clone(&recorder),
            stream: self.clone(),
        };
        Ok(Recording {
            recorder,
            stream: self.clone(),
            _owner: Some(Arc::new(owner)),
        })
    }
}

/// A recorder that tells the host, and `also` whoever else wants to know; `true` with the last status.
pub(crate) fn begin(
    stream: &Stream,
    application: &Application,
    options: RecordOptions,
    mut also: impl FnMut(&Status, bool) + Send + 'static,
) -> Arc<Recorder> {
    let config = application.config();
    let limits = Limits {
        duration_ms: options.max_duration_ms.unwrap_or(config.record_max_duration_ms),
        bytes: options.max_bytes.unwrap_or(config.record_max_bytes),
    };
    let plan = Plan {
        stream: stream.name().to_owned(),
        name: options.name.unwrap_or_else(|| stream.name().to_owned()),
        mode: options.mode,
        limits,
        queue_bytes: config.record_queue_bytes,
        sync_ms: config.record_sync_ms,
        files: application.stream_files(stream.instance().name()),
        in_use: application.files_in_use().clone(),
        disk: Arc::clone(application.disk()),
    };
    let (stream, application) = (stream.clone(), application.downgrade());
    let tell = move |recorder: &Arc<Recorder>, status: Status, last: bool| {
        if last {
            stream.live().detach(recorder);
        }
        also(&status, last);
        if let Some(application) = application.upgrade() {
            let recording = Recording {
                recorder: Arc::clone(recorder),
                stream: stream.clone(),
                _owner: None,
            };
            application.event(move |handler| handler.on_record(&recording, &status));
        }
    };
    Recorder::new(plan, Box::new(tell))
}

impl Recording {
    /// The stream that is recorded.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The file; `None` before NetStream.Record.Start.
    pub fn path(&self) -> Option<PathBuf> {
        self.recorder.path().map(ToOwned::to_owned)
    }

    /// Counts now.
    pub fn stats(&self) -> RecordStats {
        self.recorder.stats()
    }

    /// Ends the recording: what was published until now is written, then the file completed. NetStream.Record.Stop in
    /// [`on_record`](crate::ApplicationHandler::on_record) says that it is. Does not wait, and nothing if it has ended.
    pub fn stop(&self) {
        self.stream.live().detach(&self.recorder);
        self.recorder.stop();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.stream.live().detach(&self.recorder);
        self.recorder.stop();
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recording({:?})", self.stream)
    }
}
