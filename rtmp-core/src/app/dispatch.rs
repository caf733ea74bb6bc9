//! Where the host's handlers run: on the thread that met the event, or in a queue that the host serves itself.

use std::fmt;
use std::sync::Arc;

/// A queue of jobs served by a thread of the host.
pub trait Executor: Send + Sync + fmt::Debug {
    /// Appends a job. Jobs run one at a time and in order; this one is never dropped.
    fn run(&self, job: Box<dyn FnOnce() + Send>);

    /// Appends a job that may be refused when the queue is full; says whether it was taken.
    fn try_run(&self, job: Box<dyn FnOnce() + Send>) -> bool;

    /// Whether so much waits that nothing more should be read from those who bring it.
    fn is_overfull(&self) -> bool {
        false
    }
}

/// The choice between the two places.
#[derive(Debug, Clone, Default)]
pub struct Dispatch(Option<Arc<dyn Executor>>);

impl Dispatch {
    /// Handlers run at once, on the thread of the library that met the event.
    pub const fn inline() -> Self {
        Self(None)
    }

    /// Handlers run where `executor` serves its jobs.
    pub fn to(executor: Arc<dyn Executor>) -> Self {
        Self(Some(executor))
    }

    /// Runs or queues a job that must not be lost.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        match &self.0 {
            None => job(),
            Some(executor) => executor.run(Box::new(job)),
        }
    }

    /// Whether the host is so far behind that nothing more should be read from those it hears of.
    pub(crate) fn is_overfull(&self) -> bool {
        self.0.as_ref().is_some_and(|executor| executor.is_overfull())
    }

    /// Runs or queues a job that may be dropped when the host falls behind; says whether it was taken.
    pub fn try_run(&self, job: impl FnOnce() + Send + 'static) -> bool {
        match &self.0 {
            None => {
                job();
                true
            }
            Some(executor) => executor.try_run(Box::new(job)),
        }
    }
}
