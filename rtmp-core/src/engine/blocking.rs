//! Threads for what may block: name lookups, and files.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use parking_lot::Mutex;

use crate::engine::ThreadStart;
use crate::engine::mailbox::enter_library_thread;
use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// A few threads and a bounded queue of jobs for them. The threads end with the pool.
#[derive(Debug)]
pub(crate) struct BlockingPool {
    jobs: SyncSender<Job>,
}

const THREADS: usize = 2;
const QUEUE: usize = 1024;

impl BlockingPool {
    pub(crate) fn start(thread_start: &ThreadStart) -> Result<Self> {
        let (jobs, source) = sync_channel::<Job>(QUEUE);
        let source = Arc::new(Mutex::new(source));
        for number in 0..THREADS {
            let (source, thread_start) = (Arc::clone(&source), thread_start.clone());
            thread::Builder::new()
                .name(format!("rtmpkit-disk-{number}"))
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
}

fn serve(source: &Mutex<Receiver<Job>>) {
    enter_library_thread();
    loop {
        let job = source.lock().recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}
