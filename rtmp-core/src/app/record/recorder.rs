//! A recorder: between the stream, which must not wait, and the thread that writes.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::app::disk::Disk;
use crate::app::record::file::{Full, Limits, NotOpened, RecordingFile};
use crate::app::record::queue::{Item, Pushed, Queue};
use crate::app::record::{RecordMode, RecordStats};
use crate::app::stream::LiveMessage;
use crate::app::stream_files::{Begun, Clearable, FilesInUse, InUse, Pending, StreamFiles, Target};
use crate::wire::status::{Code, Status};

/// What is recorded, how, and where to.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The stream's name, for statuses.
    pub(crate) stream: String,
    /// The name to record it under.
    pub(crate) name: String,
    pub(crate) mode: RecordMode,
    pub(crate) limits: Limits,
    pub(crate) queue_bytes: usize,
    /// How often what is written is to survive the machine, in milliseconds, and whether the end is; 0 is never.
    pub(crate) sync_ms: u64,
    pub(crate) files: Option<StreamFiles>,
    pub(crate) in_use: FilesInUse,
    pub(crate) disk: Arc<dyn Disk>,
}

/// Takes what there is to tell about a recording, in order; `true` with the last.
pub(crate) type Teller = Box<dyn FnMut(&Arc<Recorder>, Status, bool) + Send>;

/// Records a stream to a file. What it is given waits until a thread that may block has written it.
pub(crate) struct Recorder {
    plan: Plan,
    queue: Mutex<Queue>,
    /// The part of the thread that writes.
    sink: Mutex<Sink>,
    path: OnceLock<PathBuf>,
    /// Its place among recordings and clearings.
    number: OnceLock<u64>,
    recording: AtomicBool,
    bytes: AtomicU64,
    durable_bytes: AtomicU64,
    duration_ms: AtomicU64,
    dropped: AtomicU64,
}

struct Sink {
    file: Option<Box<RecordingFile>>,
    /// Clearings of the file wait for this.
    begun: Option<Begun>,
    /// When what was written was made to survive the machine.
    synced_at: Instant,
    tell: Option<Teller>,
}

enum Opened {
    Now(Box<RecordingFile>),
    /// Another recording of the file is being finished.
    Later(PathBuf),
    Never(Status),
}

impl Recorder {
    /// A recorder whose file is not opened yet.
    pub(crate) fn new(plan: Plan, tell: Teller) -> Arc<Self> {
        let queue = Queue::new(plan.queue_bytes);
        let sink = Sink {
            file: None,
            begun: None,
            synced_at: Instant::now(),
            tell: Some(tell),
        };
        let recorder = Arc::new(Self {
            plan,
            queue: Mutex::new(queue),
            sink: Mutex::new(sink),
            path: OnceLock::new(),
            number: OnceLock::new(),
            recording: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            durable_bytes: AtomicU64::new(0),
            duration_ms: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        });
        recorder.enter();
        recorder
    }

    /// Opens the file, or writes what waits, on a thread that may block.
    pub(crate) fn start(self: &Arc<Self>) {
        let begins = !std::mem::replace(&mut self.queue.lock().running, true);
        if begins {
            self.run_surely();
        }
    }

    /// Begins with what those who join late are given, and without a keyframe in it, with the next one. True if it is time
    /// to write.
    pub(crate) fn join(&self, backlog: &[Arc<LiveMessage>], has_video: bool) -> bool {
        if has_video && !backlog.iter().any(|message| message.is_keyframe()) {
            self.queue.lock().wait_for_key();
        }
        let mut due = false;
        for message in backlog {
            due |= self.push(message) == Pushed::Due;
        }
        due
    }

    /// Takes a message. `Due` asks for [`write_soon`](Self::write_soon), once the stream's lock is free.
    pub(crate) fn push(&self, message: &Arc<LiveMessage>) -> Pushed {
        let pushed = self.queue.lock().push(message);
        if pushed == Pushed::Dropped {
            self.dropped.fetch_add(1, Relaxed);
        }
        pushed
    }

    /// Another publisher begins.
    pub(crate) fn restart(&self) {
        self.queue.lock().restart();
    }

    /// Has a thread that may block write what waits.
    pub(crate) fn write_soon(self: &Arc<Self>) {
        if self.run().is_err() {
            // The next message tries again.
            self.queue.lock().running = false;
        }
    }

    /// Takes nothing more and completes the file, on a thread that may block.
    pub(crate) fn stop(self: &Arc<Self>) {
        let mut queue = self.queue.lock();
        if std::mem::replace(&mut queue.stopping, true) || queue.ended {
            return;
        }
        if let Some(guard) = &queue.guard {
            guard.set_ending();
        }
        if !std::mem::replace(&mut queue.running, true) {
            drop(queue);
            self.run_surely();
        }
    }

    /// Opens no file if that waits for this clearing, which has ended what was to be recorded.
    pub(crate) fn clear(&self, clearing: &Pending) {
        if self.number.get().is_some_and(|number| clearing.holds_up(*number)) {
            self.queue.lock().discarded = true;
        }
    }

    /// The file, once it is open.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.get().map(PathBuf::as_path)
    }

    /// Counts now.
    pub(crate) fn stats(&self) -> RecordStats {
        RecordStats {
            recording: self.recording.load(Relaxed),
            ended: self.queue.lock().ended,
            bytes: self.bytes.load(Relaxed),
            durable_bytes: self.durable_bytes.load(Relaxed),
            duration_ms: self.duration_ms.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
        }
    }

    /// Takes its place among recordings and clearings.
    fn enter(self: &Arc<Self>) {
        let Some(files) = self.plan.files.clone() else {
            return;
        };
        let name = self.plan.name.clone();
        let itself = Arc::downgrade(self);
        let begun = self
            .plan
            .in_use
            .clearings()
            .recording(Target { files, name }, itself);
        // Nobody else enters.
        let _ = self.number.set(begun.number());
        self.sink.lock().begun = Some(begun);
    }

    fn run(self: &Arc<Self>) -> crate::error::Result<()> {
        let recorder = Arc::clone(self);
        self.plan.disk.run(Box::new(move || recorder.work()))
    }

    /// Like [`run`](Self::run), for what must happen.
    fn run_surely(self: &Arc<Self>) {
        let recorder = Arc::clone(self);
        self.plan.disk.run_surely(Box::new(move || recorder.work()));
    }

    /// Opens the file, writes what waits, completes the file: whatever is due. Runs once at a time.
    fn work(self: &Arc<Self>) {
        let mut sink = self.sink.lock();
        if sink.file.is_none() && sink.tell.is_some() {
            let recorder = Arc::clone(self);
            let again = Box::new(move || recorder.run_surely());
            let again = match &sink.begun {
                Some(begun) => begun.unless_cleared(again),
                None => Some(again as Box<dyn FnOnce() + Send>),
            };
            let Some(again) = again else { return };
            if self.queue.lock().discarded {
                let status = self.failed("it was cleared before it began");
                return self.end(&mut sink, status, false);
            }
            match self.open() {
                Opened::Now(file) => {
                    sink.file = Some(file);
                    self.recording.store(true, Relaxed);
                    self.tell(&mut sink, Code::RecordStart);
                }
                Opened::Later(path) => {
                    drop(sink);
                    return self.plan.in_use.when_free(&path, again);
                }
                Opened::Never(status) => return self.end(&mut sink, status, false),
            }
        }
        loop {
            let items = self.queue.lock().take();
            let Sink { file, synced_at, .. } = &mut *sink;
            let Some(file) = file else { return };
            let mut result = items
                .iter()
                .try_for_each(|item| write(file, item))
                .and_then(|()| file.flush());
            if result.is_ok() && self.is_to_be_synced(*synced_at) {
                result = self.sync(file);
                *synced_at = Instant::now();
            }
            let (bytes, duration_ms) = file.size();
            self.bytes.store(bytes, Relaxed);
            self.duration_ms.store(duration_ms, Relaxed);
            match result {
                Ok(()) => {}
                Err(Full::Limit) => {
                    self.tell(&mut sink, Code::RecordDiskQuotaExceeded);
                    return self.end(&mut sink, self.status(Code::RecordStop), true);
                }
                Err(Full::Failed(error)) => return self.end(&mut sink, self.failed(error), false),
            }
            let mut queue = self.queue.lock();
            if queue.is_empty() {
                if queue.stopping {
                    drop(queue);
                    return self.end(&mut sink, self.status(Code::RecordStop), true);
                }
                queue.running = false;
                return;
            }
            drop(queue);
            // Others have their turn.
            if self.run().is_ok() {
                return;
            }
        }
    }

    fn is_to_be_synced(&self, synced_at: Instant) -> bool {
        self.plan.sync_ms > 0 && synced_at.elapsed() >= Duration::from_millis(self.plan.sync_ms)
    }

    /// Makes what was written survive the machine.
    fn sync(&self, file: &mut RecordingFile) -> Result<(), Full> {
        file.sync()?;
        self.durable_bytes.store(file.size().0, Relaxed);
        Ok(())
    }

    fn open(&self) -> Opened {
        let Some(files) = &self.plan.files else {
            return Opened::Never(self.failed("the application has no directory for recordings"));
        };
        let path = match files.to_record(&self.plan.name) {
            Ok(path) => path,
            Err(error) => return Opened::Never(self.failed(error)),
        };
        let guard = match self.plan.in_use.record(&path) {
            Ok(guard) => guard,
            Err(InUse::Ending) => return Opened::Later(path),
            Err(InUse::Recorded) => return Opened::Never(self.status(Code::RecordAlreadyExists)),
            Err(InUse::Played) => {
                let status = self.status(Code::RecordNoAccess);
                let description = format!("No access to record {}: it is being played.", self.plan.stream);
                return Opened::Never(status.with_description(description));
            }
        };
        match RecordingFile::open(&path, self.plan.mode, self.plan.limits) {
            Ok(file) => {
                let mut queue = self.queue.lock();
                if queue.stopping {
                    guard.set_ending();
                }
                queue.guard = Some(guard);
                // Nobody else opens.
                let _ = self.path.set(path);
                Opened::Now(Box::new(file))
            }
            Err(NotOpened::ReadOnly) => {
                let description = format!("No access to record {}: the file is read-only.", self.plan.stream);
                Opened::Never(self.status(Code::RecordNoAccess).with_description(description))
            }
            Err(NotOpened::Failed(error)) => Opened::Never(self.failed(error)),
        }
    }

    /// Completes the file, lets go of it and says the last word.
    fn end(self: &Arc<Self>, sink: &mut Sink, status: Status, complete: bool) {
        if let Some(guard) = &self.queue.lock().guard {
            guard.set_ending();
        }
        let durable = self.plan.sync_ms > 0;
        let result = match sink.file.take() {
            Some(file) if complete => {
                let (bytes, _) = file.size();
                let finished = file.finish(durable);
                if durable && finished.is_ok() {
                    self.durable_bytes.store(bytes, Relaxed);
                }
                finished
            }
            Some(file) => {
                file.salvage();
                Ok(())
            }
            None => Ok(()),
        };
        let status = match result {
            Ok(()) => status,
            Err(error) => self.failed(error),
        };
        self.recording.store(false, Relaxed);
        let guard = {
            let mut queue = self.queue.lock();
            queue.ended = true;
            queue.take();
            queue.guard.take()
        };
        drop(guard);
        if status.is(Code::RecordFailed) {
            log::warn!("{}", status.description);
        }
        if let Some(mut tell) = sink.tell.take() {
            guarded(|| tell(self, status, true));
        }
        // The host has heard of it before the file is deleted.
        drop(sink.begun.take());
    }

    fn tell(self: &Arc<Self>, sink: &mut Sink, code: Code) {
        let status = self.status(code);
        if let Some(tell) = &mut sink.tell {
            guarded(|| tell(self, status, false));
        }
    }

    fn status(&self, code: Code) -> Status {
        Status::for_stream(code, &self.plan.stream)
    }

    fn failed(&self, why: impl fmt::Display) -> Status {
        let description = format!("Failed to record {}: {why}.", self.plan.stream);
        self.status(Code::RecordFailed).with_description(description)
    }
}

impl Clearable for Recorder {
    fn end(self: Arc<Self>) {
        self.stop();
    }
}

impl Drop for Recorder {
    /// Whoever forgot to stop it has a complete file all the same.
    fn drop(&mut self) {
        let Some(mut file) = self.sink.get_mut().file.take() else {
            return;
        };
        let items = self.queue.get_mut().take();
        if items.into_iter().all(|item| write(&mut file, &item).is_ok())
            && let Err(error) = file.finish(self.plan.sync_ms > 0)
        {
            log::warn!("recording of {}: {error}", self.plan.stream);
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({})", self.plan.name)
    }
}

fn write(file: &mut RecordingFile, item: &Item) -> Result<(), Full> {
    match item {
        Item::Message(message) => return file.write(message),
        Item::Restart => file.restart(),
    }
    Ok(())
}

/// The host's handlers must not keep a recording from its end.
fn guarded(work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        log::error!("a handler of recordings panicked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::stream_files::Selection;

    /// Runs every job at once.
    #[derive(Debug)]
    struct AtOnce;

    impl Disk for AtOnce {
        fn run(&self, job: Box<dyn FnOnce() + Send>) -> crate::error::Result<()> {
            job();
            Ok(())
        }

        fn run_surely(&self, job: Box<dyn FnOnce() + Send>) {
            job();
        }
    }

    #[test]
    fn what_was_cleared_before_it_began_opens_no_file() {
        let directory = std::env::temp_dir().join(format!("rtmpkit-cleared-{}", std::process::id()));
        let files = StreamFiles::new(&directory, "live", "live/_definst_");
        let plan = |in_use: &FilesInUse| Plan {
            stream: "cam".to_owned(),
            name: "cam".to_owned(),
            mode: RecordMode::Record,
            limits: Limits::default(),
            queue_bytes: 1000,
            sync_ms: 0,
            files: Some(files.clone()),
            in_use: in_use.clone(),
            disk: Arc::new(AtOnce),
        };
        let in_use = FilesInUse::default();
        let told = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&told);
        let tell = move |_: &Arc<Recorder>, status: Status, last| noted.lock().push((status.code, last));
        let meant = Selection::one("cam").unwrap();
        let clearing = in_use.clearings().clearing(files.clone(), meant);
        let recorder = Recorder::new(plan(&in_use), Box::new(tell));
        recorder.start();
        assert!(told.lock().is_empty(), "it waits for the clearing");
        recorder.clear(&clearing);
        recorder.stop();
        drop(clearing);
        assert_eq!(*told.lock(), [("NetStream.Record.Failed".to_owned(), true)]);
        assert!(recorder.stats().ended && recorder.path().is_none() && !directory.exists());
    }
}
