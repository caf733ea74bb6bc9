//! Threads for what may block: name lookups, and files.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread;

use parking_lot::Mutex;

use crate::app::disk::Disk;
use crate::engine::mailbox::enter_library_thread;
use crate::engine::{Engine, EngineInner, Shared, ThreadStart};
use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// The pool as the application model uses it. A closing engine waits for its jobs.
pub(crate) struct EngineDisk(Arc<Shared>, Weak<EngineInner>);

/// A few threads and a bounded queue of jobs for them. The threads end with the pool.
#[derive(Debug)]
pub(crate) struct BlockingPool {
    jobs: SyncSender<Job>,
}

const THREADS: usize = 2;
const QUEUE: usize = 1024;

impl BlockingPool {
    pub(crate) fn start(name: &str, thread_start: &ThreadStart) -> Result<Self> {
        let (jobs, source) = sync_channel::<Job>(QUEUE);
        let source = Arc::new(Mutex::new(source));
        for number in 0..THREADS {
            let (source, thread_start) = (Arc::clone(&source), thread_start.clone());
            thread::Builder::new()
                .name(format!("rtmpkit-{name}-{number}"))
                .spawn(move || {
                    thread_start.run();
                    serve(&source);
                })
                .map_err(|error| Error::io("start a thread", error))?;
        }
        Ok(Self { jobs })
    }

    /// Queues a job; [`Error::Full`] when too many wait.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<()> {
        self.jobs.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => Error::Full("the queue of blocking jobs"),
            TrySendError::Disconnected(_) => Error::Closed("engine"),
        })
    }

    /// Queues a job that must not be dropped. When too many wait it gets a thread of its own.
    fn run_surely(&self, job: Job) {
        let (TrySendError::Full(job) | TrySendError::Disconnected(job)) = match self.jobs.try_send(job) {
            Ok(()) => return,
            Err(error) => error,
        };
        let slot = Arc::new(Mutex::new(Some(job)));
        let its = Arc::clone(&slot);
        let work = move || {
            enter_library_thread();
            let job = its.lock().take();
            if let Some(job) = job
                && catch_unwind(AssertUnwindSafe(job)).is_err()
            {
                log::error!("a job on a thread that may block panicked");
            }
        };
        let started = thread::Builder::new()
            .name("rtmpkit-disk-more".to_owned())
            .spawn(work);
        if let Err(error) = started {
            log::warn!("no thread for what has to be written: {error}");
            let job = slot.lock().take();
            if let Some(job) = job {
                job();
            }
        }
    }
}

impl EngineDisk {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self(Arc::clone(&engine.inner.shared), Arc::downgrade(&engine.inner))
    }
}

impl Disk for EngineDisk {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<()> {
        let pool = self.0.blocking.lock().clone();
        let Some(pool) = pool else {
            job();
            return Ok(());
        };
        let ending = self.0.begin();
        pool.run(move || {
            let _ending = ending;
            job();
        })
    }

    fn run_surely(&self, job: Box<dyn FnOnce() + Send>) {
        let pool = self.0.blocking.lock().clone();
        let Some(pool) = pool else { return job() };
        let ending = self.0.begin();
        pool.run_surely(Box::new(move || {
            let _ending = ending;
            job();
        }));
    }

    fn engine(&self) -> Option<Box<dyn Any>> {
        let inner = self.1.upgrade()?;
        Some(Box::new(Engine { inner }))
    }
}

impl fmt::Debug for EngineDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineDisk")
    }
}

fn serve(source: &Mutex<Receiver<Job>>) {
    enter_library_thread();
    loop {
        let job = source.lock().recv();
        match job {
            Ok(job) => {
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    log::error!("a job on a thread that may block panicked");
                }
            }
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_must_be_done_waits_for_no_room_and_not_on_the_calling_thread() {
        let pool = BlockingPool::start("test", &ThreadStart::default()).unwrap();
        let (release, blocked) = channel::<()>();
        let blocked = Arc::new(Mutex::new(blocked));
        // Both threads wait, and so does as much as fits.
        loop {
            let blocked = Arc::clone(&blocked);
            if pool.run(move || assert!(blocked.lock().recv().is_err())).is_err() {
                break;
            }
        }
        let (done, ran) = channel();
        pool.run_surely(Box::new(move || done.send(thread::current().id()).unwrap()));
        assert_ne!(ran.recv().unwrap(), thread::current().id());
        drop(release);
    }
}
