//! A value that threads wait for.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use pyo3::prelude::*;

/// A value under a lock, and those who wait for it to change. Nobody runs Python while holding the lock.
#[derive(Debug, Default)]
pub(crate) struct Monitor<T> {
    value: Mutex<T>,
    changed: Condvar,
}

/// How long a wait may go on before signals (Ctrl-C) are looked at.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

impl<T: Send> Monitor<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock()
    }

    /// Changes the value and wakes all who wait.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.value.lock());
        self.changed.notify_all();
        result
    }

    /// Waits, detached from Python, until `ready` gives something; `None` when the time is up. A signal ends the wait
    /// with its exception.
    pub(crate) fn wait<R: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<Duration>,
        mut ready: impl FnMut(&mut T) -> Option<R> + Send,
    ) -> PyResult<Option<R>> {
        let deadline = Deadline::after(timeout);
        loop {
            let found = py.detach(|| {
                let mut value = self.value.lock();
                let found = ready(&mut value);
                if found.is_some() {
                    return found;
                }
                self.changed.wait_for(&mut value, deadline.slice());
                ready(&mut value)
            });
            if found.is_some() || deadline.has_passed() {
                return Ok(found);
            }
            py.check_signals()?;
        }
    }
}

/// When a wait ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// The moment `timeout` from now; never, without one.
    pub(crate) fn after(timeout: Option<Duration>) -> Self {
        Self(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    pub(crate) fn has_passed(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    /// How long to wait now: not past the end, and not past the next look at signals.
    pub(crate) fn slice(&self) -> Duration {
        self.0.map_or(SLICE, |end| {
            end.saturating_duration_since(Instant::now()).min(SLICE)
        })
    }
}

/// Seconds as Python gives them; `None`, like infinity, waits for ever.
pub(crate) fn seconds(timeout: Option<f64>) -> PyResult<Option<Duration>> {
    match timeout {
        None => Ok(None),
        Some(seconds) if seconds.is_infinite() && seconds > 0.0 => Ok(None),
        Some(seconds) => Duration::try_from_secs_f64(seconds)
            .map(Some)
            .map_err(|_| crate::errors::config_error(format!("timeout {seconds}: use seconds, 0 or more"))),
    }
}
