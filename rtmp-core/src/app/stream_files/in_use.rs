//! Which recorded streams are being written and read: a file is recorded by one at a time, and not begun anew while it is
//! played.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::app::stream_files::clearing::Clearings;

/// The files in use, by the paths that [`StreamFiles`](super::StreamFiles) gives. Clones name the same register.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilesInUse(Arc<Mutex<HashMap<PathBuf, Uses>>>, Clearings);

#[derive(Default)]
struct Uses {
    recorded: bool,
    /// The recording was stopped and is being finished.
    ending: bool,
    players: usize,
    waiting: Vec<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

/// Why a file cannot be recorded to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InUse {
    /// Another records to it.
    Recorded,
    /// Another has stopped recording to it, and finishes it: see [`FilesInUse::when_free`].
    Ending,
    /// Somebody plays it.
    Played,
}

/// A file is being recorded until this is dropped.
#[derive(Debug)]
pub(crate) struct RecordGuard(Use);

/// A file is being played until this is dropped.
#[derive(Debug)]
pub(crate) struct PlayGuard(Use);

#[derive(Debug)]
struct Use {
    files: FilesInUse,
    path: PathBuf,
}

impl FilesInUse {
    /// Which recordings are for files that are to be deleted.
    pub(crate) fn clearings(&self) -> &Clearings {
        &self.1
    }

    /// Takes a file for recording; nobody may use it yet.
    pub(crate) fn record(&self, path: &Path) -> Result<RecordGuard, InUse> {
        let mut files = self.0.lock();
        match files.get(path) {
            Some(uses) if uses.ending => return Err(InUse::Ending),
            Some(uses) if uses.recorded => return Err(InUse::Recorded),
            Some(_) => return Err(InUse::Played),
            None => {}
        }
        files.entry(path.to_owned()).or_default().recorded = true;
        Ok(RecordGuard(self.one(path)))
    }

    /// Whether a file is being recorded.
    pub(crate) fn is_recorded(&self, path: &Path) -> bool {
        self.0.lock().get(path).is_some_and(|uses| uses.recorded)
    }

    /// Notes that a file is played. One that is being recorded may be played as far as it goes.
    pub(crate) fn play(&self, path: &Path) -> PlayGuard {
        self.0.lock().entry(path.to_owned()).or_default().players += 1;
        PlayGuard(self.one(path))
    }

    /// Runs `job` once the recording that is being finished is: now, if there is none.
    pub(crate) fn when_free(&self, path: &Path, job: Job) {
        let mut files = self.0.lock();
        match files.get_mut(path).filter(|uses| uses.ending) {
            Some(uses) => uses.waiting.push(job),
            None => {
                drop(files);
                job();
            }
        }
    }

    fn one(&self, path: &Path) -> Use {
        Use {
            files: self.clone(),
            path: path.to_owned(),
        }
    }
}

impl RecordGuard {
    /// The recording was stopped: whoever wants to record next waits until it is finished.
    pub(crate) fn set_ending(&self) {
        if let Some(uses) = self.0.files.0.lock().get_mut(&self.0.path) {
            uses.ending = true;
        }
    }
}

impl Use {
    fn end(&self, end: impl FnOnce(&mut Uses)) {
        let mut files = self.files.0.lock();
        let Some(uses) = files.get_mut(&self.path) else {
            return;
        };
        end(uses);
        let waiting = match uses.recorded {
            true => Vec::new(),
            false => std::mem::take(&mut uses.waiting),
        };
        if !uses.recorded && uses.players == 0 {
            files.remove(&self.path);
        }
        drop(files);
        for job in waiting {
            job();
        }
    }
}

impl Drop for RecordGuard {
    fn drop(&mut self) {
        self.0.end(|uses| (uses.recorded, uses.ending) = (false, false));
    }
}

impl Drop for PlayGuard {
    fn drop(&mut self) {
        self.0.end(|uses| uses.players = uses.players.saturating_sub(1));
    }
}

impl fmt::Debug for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recorded {}, players {}", self.recorded, self.players)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_recorded_by_one_and_not_while_it_is_played() {
        let files = FilesInUse::default();
        let path = Path::new("/streams/a.flv");
        let recording = files.record(path).unwrap();
        assert_eq!(files.record(path).unwrap_err(), InUse::Recorded);
        assert!(files.record(Path::new("/streams/b.flv")).is_ok());
        // What is there already may be watched while more is written.
        let first = files.play(path);
        drop(recording);
        let second = files.play(path);
        drop(first);
        assert_eq!(files.record(path).unwrap_err(), InUse::Played);
        drop(second);
        assert!(files.record(path).is_ok());
        assert!(files.0.lock().is_empty());
    }

    #[test]
    fn who_comes_while_a_recording_is_finished_waits() {
        let files = FilesInUse::default();
        let path = Path::new("/streams/a.flv");
        let told = Arc::new(Mutex::new(0));
        let wait = || {
            let told = Arc::clone(&told);
            files.when_free(path, Box::new(move || *told.lock() += 1));
        };
        let recording = files.record(path).unwrap();
        recording.set_ending();
        assert_eq!(files.record(path).unwrap_err(), InUse::Ending);
        wait();
        assert_eq!(*told.lock(), 0);
        drop(recording);
        assert_eq!(*told.lock(), 1);
        wait();
        assert_eq!(*told.lock(), 2, "nothing to wait for");
        assert!(files.record(path).is_ok());
    }
}
