//! Subscriptions: the frames of a live stream as an iterator.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Release};
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::prelude::*;
use rtmp_core as core;

use crate::errors::{OrRaise, timeout as timed_out};
use crate::frame::Frame;
use crate::monitor::{Deadline, seconds};
use crate::queue::dispatch_to;

/// The frames of a live stream. Iterate it, plainly or with `async for`; use it in a `with` or `async with` statement,
/// or close it.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Subscription {
    core: Mutex<Option<core::Subscription>>,
    queue: Arc<core::Queue>,
    feed: Arc<Feed>,
    closed: AtomicBool,
    /// Frames dropped by the time it was closed.
    dropped: AtomicU64,
    follow: bool,
    timeout: Option<Duration>,
    name: String,
}

/// What came out of the queue and was not taken yet: the queue is what is bounded, this holds one event's worth.
#[derive(Default)]
struct Feed {
    items: Mutex<VecDeque<Item>>,
}

enum Item {
    Frame(core::Frame),
    End,
}

enum Next {
    Frame(core::Frame),
    End,
    Nothing,
}

impl core::Subscriber for Feed {
    fn on_frame(&self, frame: &core::Frame) {
        self.items.lock().push_back(Item::Frame(frame.clone()));
    }

    fn on_unpublish(&self) {
        self.items.lock().push_back(Item::End);
    }
}

impl Subscription {
    pub(crate) fn start(
        stream: &core::Stream,
        timeout: Option<f64>,
        follow: bool,
        capacity: usize,
        skip_backlog: bool,
    ) -> PyResult<Self> {
        let timeout = seconds(timeout)?;
        let queue = Arc::new(core::Queue::new(capacity).or_raise()?);
        let feed = Arc::new(Feed::default());
        let mut options = core::SubscribeOptions::default();
        options.dispatch = dispatch_to(&queue);
        options.skip_backlog = skip_backlog;
        let subscription = stream.subscribe(options, Arc::clone(&feed) as Arc<dyn core::Subscriber>);
        Ok(Self {
            core: Mutex::new(Some(subscription)),
            queue,
            feed,
            closed: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            follow,
            timeout,
            name: format!("{}/{}", stream.instance().name(), stream.name()),
        })
    }

    /// What there is now, after waiting at most `wait` for it.
    fn take(&self, wait: Duration) -> core::Result<Next> {
        loop {
            let item = self.feed.items.lock().pop_front();
            match item {
                Some(Item::Frame(frame)) => return Ok(Next::Frame(frame)),
                Some(Item::End) if !self.follow => return Ok(Next::End),
                Some(Item::End) => {}
                None if self.closed.load(Acquire) => return Ok(Next::End),
                None => {
                    if self.queue.dispatch(1, wait)? == 0 {
                        let closed = self.closed.load(Acquire);
                        return Ok(if closed { Next::End } else { Next::Nothing });
                    }
                }
            }
        }
    }
}

#[pymethods]
impl Subscription {
    /// The next frame; `None` when the publisher left or the subscription was closed. Raises `Timeout` when none comes
    /// within `timeout` seconds.
    #[pyo3(signature = (timeout = None))]
    fn read(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Frame>> {
        let timeout = seconds(timeout)?.or(self.timeout);
        let deadline = Deadline::after(timeout);
        loop {
            match py.detach(|| self.take(deadline.slice())).or_raise()? {
                Next::Frame(frame) => return Ok(Some(frame.into())),
                Next::End => return Ok(None),
                Next::Nothing if deadline.has_passed() => return Err(timed_out("waiting for a frame")),
                Next::Nothing => py.check_signals()?,
            }
        }
    }

    /// What there is now: a frame, `None` at the end, or `...` while nothing is there.
    fn _poll(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(match self.take(Duration::ZERO).or_raise()? {
            Next::Frame(frame) => Py::new(py, Frame::from(frame))?.into_any(),
            Next::End => py.None(),
            Next::Nothing => py.Ellipsis(),
        })
    }

    /// A descriptor that is readable while frames wait.
    fn _fd(&self) -> RawFd {
        self.queue.fd()
    }

    /// Seconds that an iteration waits for a frame; `None` waits for ever.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        self.timeout.map(|timeout| timeout.as_secs_f64())
    }

    /// Frames dropped because they were not taken fast enough.
    #[getter]
    fn dropped(&self) -> u64 {
        let core = self.core.lock();
        core.as_ref()
            .map_or_else(|| self.dropped.load(Acquire), core::Subscription::dropped)
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Acquire)
    }

    /// Ends the subscription.
    fn close(&self) {
        if let Some(subscription) = self.core.lock().take() {
            subscription.close();
            self.dropped.store(subscription.dropped(), Release);
        }
        self.closed.store(true, Release);
        self.queue.wakeup();
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Frame>> {
        self.read(py, None)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, PyAny>) {
        self.close();
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        asynchronous(slf.py(), "next_item")?.call1((slf, "waiting for a frame"))
    }

    fn __aenter__<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        asynchronous(slf.py(), "entered")?.call1((slf,))
    }

    #[pyo3(signature = (*_args))]
    fn __aexit__<'py>(slf: Bound<'py, Self>, _args: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().close();
        asynchronous(slf.py(), "entered")?.call1((slf.py().None(),))
    }

    fn __repr__(&self) -> String {
        format!("<Subscription to {}>", self.name)
    }
}

fn asynchronous<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("rtmpkit._waiting")?.getattr(name)
}
