//! Threads that may block.

use std::any::Any;
use std::fmt;

use crate::error::Result;

/// Threads that may block.
pub(crate) trait Disk: Send + Sync + fmt::Debug {
    /// Runs a job soon; on the calling thread when the engine is closing. An error has dropped the job.
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<()>;

    /// Runs a job that must not be dropped soon, never on the calling thread unless the engine is closing.
    fn run_surely(&self, job: Box<dyn FnOnce() + Send>);

    /// The engine that they belong to, while there is one.
    fn engine(&self) -> Option<Box<dyn Any>> {
        None
    }
}
