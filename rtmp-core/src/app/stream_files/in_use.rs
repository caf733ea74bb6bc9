//! Which recorded streams are being written and read: a file is recorded by one at a time, and not begun anew while it is
//! played.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

/// The files in use, by the paths that [`StreamFiles`](super::StreamFiles) gives. Clones name the same register.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilesInUse(Arc<Mutex<HashMap<PathBuf, Uses>>>);

#[derive(Debug, Default)]
struct Uses {
    recorded: bool,
    players: usize,
}

/// Why a file cannot be recorded to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InUse {
    /// Another records to it.
    Recorded,
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
    /// Takes a file for recording; nobody may use it yet.
    pub(crate) fn record(&self, path: &Path) -> Result<RecordGuard, InUse> {
        let mut files = self.0.lock();
        match files.get(path) {
            Some(uses) if uses.recorded => return Err(InUse::Recorded),
            Some(_) => return Err(InUse::Played),
            None => {}
        }
        files.entry(path.to_owned()).or_default().recorded = true;
        Ok(RecordGuard(self.one(path)))
    }

    /// Notes that a file is played. One that is being recorded may be played as far as it goes.
    pub(crate) fn play(&self, path: &Path) -> PlayGuard {
        self.0.lock().entry(path.to_owned()).or_default().players += 1;
        PlayGuard(self.one(path))
    }

    fn one(&self, path: &Path) -> Use {
        Use {
            files: self.clone(),
            path: path.to_owned(),
        }
    }
}

impl Use {
    fn end(&self, end: impl FnOnce(&mut Uses)) {
        let mut files = self.files.0.lock();
        if let Some(uses) = files.get_mut(&self.path) {
            end(uses);
            if !uses.recorded && uses.players == 0 {
                files.remove(&self.path);
            }
        }
    }
}

impl Drop for RecordGuard {
    fn drop(&mut self) {
        self.0.end(|uses| uses.recorded = false);
    }
}

impl Drop for PlayGuard {
    fn drop(&mut self) {
        self.0.end(|uses| uses.players = uses.players.saturating_sub(1));
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
}
