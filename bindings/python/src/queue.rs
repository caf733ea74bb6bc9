//! The queue through which the library's events reach Python.

use std::cell::Cell;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Weak};
use std::time::Duration;

use pyo3::prelude::*;
use rtmp_core as core;

use crate::errors::OrRaise;

/// A way into a queue that does not keep it alive. The events in a queue keep what they are about alive, and that keeps
/// the way into the queue: what nobody serves any more would never go.
#[derive(Debug)]
struct Entrance(Weak<core::Queue>);

impl core::Executor for Entrance {
    fn run(&self, job: Box<dyn FnOnce() + Send>) {
        if let Some(queue) = self.0.upgrade() {
            queue.run(job);
        }
    }

    fn try_run(&self, job: Box<dyn FnOnce() + Send>) -> bool {
        self.0.upgrade().is_none_or(|queue| queue.try_run(job))
    }

    fn is_overfull(&self) -> bool {
        self.0.upgrade().is_some_and(|queue| queue.is_overfull())
    }
}

/// Has handlers run where `queue` is served, as long as there is the queue.
pub(crate) fn dispatch_to(queue: &Arc<core::Queue>) -> core::Dispatch {
    core::Dispatch::to(Arc::new(Entrance(Arc::downgrade(queue))))
}

/// Events waiting for Python. Served by one thread in `serve()`, or by an event loop that watches `fd()` and calls
/// `dispatch()`.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Queue {
    pub(crate) core: Arc<core::Queue>,
    stopped: Arc<AtomicBool>,
}

thread_local! {
    /// Queues that this thread serves.
    static SERVING: Cell<usize> = const { Cell::new(0) };
}

/// Whether events wait for this thread to serve them.
pub(crate) fn is_serving() -> bool {
    SERVING.get() > 0
}

/// Events run before the server of a queue looks whether it was stopped.
const BATCH: usize = 64;

#[pymethods]
impl Queue {
    #[new]
    #[pyo3(signature = (capacity = 4096))]
    fn new(capacity: usize) -> PyResult<Self> {
        Ok(Self {
            core: Arc::new(core::Queue::new(capacity).or_raise()?),
            stopped: Arc::default(),
        })
    }

    /// A descriptor that is readable while events wait.
    fn fd(&self) -> RawFd {
        self.core.fd()
    }

    /// Runs at most `max` events that wait now and returns how many ran.
    #[pyo3(signature = (max = 256))]
    fn dispatch(&self, py: Python<'_>, max: usize) -> PyResult<usize> {
        py.detach(|| self.core.dispatch(max, Duration::ZERO)).or_raise()
    }

    /// Says that this thread serves the queue from now on, or no longer does.
    fn attend(&self, on: bool) {
        let count = SERVING.get();
        SERVING.set(if on { count + 1 } else { count.saturating_sub(1) });
    }

    /// Runs events on this thread until `stop()` was called and none is left; then closes the queue.
    fn serve(&self, py: Python<'_>) -> PyResult<()> {
        self.attend(true);
        let served = py.detach(|| {
            let served = self.serve_until_stopped();
            self.core.close();
            served
        });
        self.attend(false);
        served.or_raise()
    }

    /// Drops what waits and all that comes later: who waits for an answer learns at once that there will be none.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.core.close());
    }

    /// Ends `serve()` once the queue is empty.
    fn stop(&self) {
        self.stopped.store(true, Release);
        self.core.wakeup();
    }
}

impl Queue {
    fn serve_until_stopped(&self) -> core::Result<()> {
        loop {
            let stopped = self.stopped.load(Acquire);
            let wait = if stopped {
                Duration::ZERO
            } else {
                Duration::from_secs(60)
            };
            if self.core.dispatch(BATCH, wait)? == 0 && stopped {
                return Ok(());
            }
        }
    }
}
