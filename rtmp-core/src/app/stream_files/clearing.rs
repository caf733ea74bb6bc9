//! The order of recordings and clearings: a clearing ends the recordings that began before it and deletes when they are over;
//! recordings that begin after it open their file when it is done.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::app::stream_files::{Selection, StreamFiles};

/// The recordings that are not over and the clearings that are not done. Clones name the same register.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clearings(Arc<Mutex<Register>>);

#[derive(Default)]
struct Register {
    /// Recordings and clearings are numbered as they begin.
    last: u64,
    recordings: BTreeMap<u64, Known>,
    clearings: BTreeMap<u64, Clearing>,
}

/// A recording, which may not have opened its file yet.
#[derive(Clone)]
struct Known {
    target: Target,
    recording: Weak<dyn Clearable>,
}

/// The file that a recording is for.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) files: StreamFiles,
    /// The stream's name.
    pub(crate) name: String,
}

#[derive(Clone)]
struct Meant {
    files: StreamFiles,
    selection: Selection,
}

struct Clearing {
    meant: Meant,
    /// The recordings that it ends.
    awaited: Vec<u64>,
    /// Deletes, once they are over.
    deletion: Option<Job>,
    /// Recordings that begin after it.
    waiting: Vec<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

/// What a clearing ends.
pub(crate) trait Clearable: Send + Sync {
    /// Completes the file, soon.
    fn end(self: Arc<Self>);
}

/// A recording is not over until this is dropped.
#[derive(Debug)]
pub(crate) struct Begun(Place);

/// A clearing is not done until this is dropped.
#[derive(Debug)]
pub(crate) struct Pending(Place);

#[derive(Debug)]
struct Place {
    clearings: Clearings,
    number: u64,
}

impl Clearings {
    /// Takes note of a recording, before it opens its file.
    pub(crate) fn recording(&self, target: Target, recording: Weak<dyn Clearable>) -> Begun {
        let mut register = self.0.lock();
        register.last += 1;
        let number = register.last;
        register.recordings.insert(number, Known { target, recording });
        Begun(self.place(number))
    }

    /// Takes note of a clearing. Recordings of what it means that begin from now on wait for it.
    pub(crate) fn clearing(&self, files: StreamFiles, selection: Selection) -> Pending {
        let mut register = self.0.lock();
        register.last += 1;
        let number = register.last;
        let clearing = Clearing {
            meant: Meant { files, selection },
            awaited: Vec::new(),
            deletion: None,
            waiting: Vec::new(),
        };
        register.clearings.insert(number, clearing);
        Pending(self.place(number))
    }

    fn place(&self, number: u64) -> Place {
        Place {
            clearings: self.clone(),
            number,
        }
    }
}

impl Begun {
    /// Numbers of those that began later are higher.
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// Gives the job back if the recording may open its file now; keeps it until a clearing that came before is done. Blocks.
    pub(crate) fn unless_cleared(&self, job: Job) -> Option<Job> {
        let Place { clearings, number } = &self.0;
        let (target, earlier) = {
            let register = clearings.0.lock();
            let target = register.recordings.get(number).map(|known| known.target.clone());
            let earlier = register.clearings.range(..number);
            let earlier: Vec<_> = earlier.map(|(number, it)| (*number, it.meant.clone())).collect();
            (target, earlier)
        };
        // Not under the lock: it may look at the disk.
        let meant = |meant: &Meant| target.as_ref().is_some_and(|target| meant.takes(target));
        let met: Vec<u64> = earlier
            .into_iter()
            .filter_map(|(number, it)| meant(&it).then_some(number))
            .collect();
        let mut register = clearings.0.lock();
        for number in met {
            if let Some(clearing) = register.clearings.get_mut(&number) {
                clearing.waiting.push(job);
                return None;
            }
        }
        Some(job)
    }
}

impl Pending {
    /// Whether the recording of that [number](Begun::number) waits for it. Blocks if it is of another instance.
    pub(crate) fn holds_up(&self, recording: u64) -> bool {
        let Place { clearings, number } = &self.0;
        let register = clearings.0.lock();
        let target = register
            .recordings
            .get(&recording)
            .map(|known| known.target.clone());
        let meant = register.clearings.get(number).map(|it| it.meant.clone());
        drop(register);
        let takes = meant
            .zip(target)
            .is_some_and(|(meant, target)| meant.takes(&target));
        recording > *number && takes
    }

    /// Ends the recordings that began before it; once they are over `delete` is called and told whether there were any. Blocks.
    pub(crate) fn end_recordings(self, delete: impl FnOnce(Self, bool) + Send + 'static) {
        let (clearings, number) = (self.0.clearings.clone(), self.0.number);
        let (meant, earlier) = {
            let register = clearings.0.lock();
            let earlier = register.recordings.range(..number);
            let earlier: Vec<_> = earlier.map(|(number, known)| (*number, known.clone())).collect();
            (
                register.clearings.get(&number).map(|it| it.meant.clone()),
                earlier,
            )
        };
        let meant = |target: &Target| meant.as_ref().is_some_and(|meant| meant.takes(target));
        let ended: Vec<(u64, Known)> = earlier
            .into_iter()
            .filter(|(_, known)| meant(&known.target))
            .collect();
        for recording in ended.iter().filter_map(|(_, known)| known.recording.upgrade()) {
            recording.end();
        }
        let any = !ended.is_empty();
        let mut register = clearings.0.lock();
        let awaited = ended.iter().map(|(number, _)| *number);
        let awaited: Vec<u64> = awaited
            .filter(|number| register.recordings.contains_key(number))
            .collect();
        match register
            .clearings
            .get_mut(&number)
            .filter(|_| !awaited.is_empty())
        {
            Some(clearing) => {
                clearing.awaited = awaited;
                clearing.deletion = Some(Box::new(move || delete(self, any)));
            }
            None => {
                drop(register);
                delete(self, any);
            }
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Place { clearings, number } = &self.0;
        let mut register = clearings.0.lock();
        register.recordings.remove(number);
        let mut due = Vec::new();
        for clearing in register.clearings.values_mut() {
            clearing.awaited.retain(|awaited| awaited != number);
            if clearing.awaited.is_empty() {
                due.extend(clearing.deletion.take());
            }
        }
        drop(register);
        due.into_iter().for_each(|delete| delete());
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Place { clearings, number } = &self.0;
        let done = clearings.0.lock().clearings.remove(number);
        let waiting = done.map(|clearing| clearing.waiting);
        waiting.into_iter().flatten().for_each(|job| job());
    }
}

impl Meant {
    fn takes(&self, target: &Target) -> bool {
        self.files
            .path_of(target)
            .is_some_and(|path| self.selection.takes_file(&path))
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (recordings, clearings) = (self.recordings.len(), self.clearings.len());
        write!(f, "recordings {recordings}, clearings {clearings}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Clearable for Counting {
        fn end(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    fn files() -> StreamFiles {
        StreamFiles::new(Path::new("/nowhere"), "live", "live/_definst_")
    }

    fn begin(clearings: &Clearings, name: &str) -> (Begun, Arc<Counting>) {
        let recording = Arc::new(Counting::default());
        let known: Arc<dyn Clearable> = recording.clone();
        let target = Target {
            files: files(),
            name: name.to_owned(),
        };
        (clearings.recording(target, Arc::downgrade(&known)), recording)
    }

    fn counter() -> (Arc<AtomicUsize>, impl Fn() -> Job) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let job = move || {
            let counted = Arc::clone(&counted);
            Box::new(move || _ = counted.fetch_add(1, SeqCst)) as Job
        };
        (count, job)
    }

    #[test]
    fn a_clearing_ends_earlier_recordings_and_later_ones_wait_for_it() {
        let clearings = Clearings::default();
        let (before, recording) = begin(&clearings, "cam");
        let (other, untouched) = begin(&clearings, "other");
        let (deleted, deletion) = counter();
        let (opened, opening) = counter();
        let pending = clearings.clearing(files(), Selection::one("flv:cam").unwrap());
        let (after, next) = begin(&clearings, "flv:cam.flv");
        assert!(pending.holds_up(after.number()) && !pending.holds_up(before.number()));
        let delete = deletion();
        pending.end_recordings(move |_, any| {
            assert!(any);
            delete();
        });
        assert_eq!(recording.0.load(SeqCst), 1);
        assert_eq!(untouched.0.load(SeqCst) + next.0.load(SeqCst), 0);
        assert!(
            before.unless_cleared(opening()).is_some(),
            "it is what the clearing waits for"
        );
        assert!(other.unless_cleared(opening()).is_some());
        assert!(after.unless_cleared(opening()).is_none());
        assert_eq!((deleted.load(SeqCst), opened.load(SeqCst)), (0, 0));
        drop(before);
        assert_eq!((deleted.load(SeqCst), opened.load(SeqCst)), (1, 1));
        assert!(after.unless_cleared(opening()).is_some());
        assert!(clearings.0.lock().clearings.is_empty());
    }

    #[test]
    fn a_clearing_without_recordings_deletes_at_once() {
        let clearings = Clearings::default();
        let (_other, recording) = begin(&clearings, "cam");
        let (deleted, deletion) = counter();
        for name in ["mp4:cam", "cam2", "a/cam"] {
            let delete = deletion();
            let pending = clearings.clearing(files(), Selection::one(name).unwrap());
            pending.end_recordings(move |_, any| {
                assert!(!any);
                delete();
            });
        }
        assert_eq!((deleted.load(SeqCst), recording.0.load(SeqCst)), (3, 0));
    }
}
