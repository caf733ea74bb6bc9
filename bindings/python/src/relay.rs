//! Relays: streams pulled from other servers, and pushed to them.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::prelude::*;
use rtmp_core as core;

use crate::errors::{OrRaise, config_error, timeout as timed_out};
use crate::instance::Stream;
use crate::monitor::{Deadline, seconds};
use crate::stats::TrafficStats;
use crate::status::Status;

/// A stream that is pulled from another server, or pushed to one. The media never passes Python. Iterate it for what happens to
/// it, plainly or with `async for`; use it in a `with` or `async with` statement, or close it. It is closed when it is collected,
/// too.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct Relay {
    core: core::Relay,
    told: Arc<Told>,
    timeout: Option<Duration>,
}

/// What happened to a relay.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
#[derive(Clone)]
pub(crate) struct RelayEvent {
    core: core::RelayEvent,
}

/// What a relay has done so far.
#[pyclass(frozen, get_all, module = "rtmpkit._rtmpkit")]
pub(crate) struct RelayStats {
    /// `idle`, `connecting`, `connected`, `streaming`, `waiting` or `ended`.
    state: &'static str,
    /// Connections begun.
    attempts: u64,
    /// Failures in a row; a connection on which media flowed for 10 s ends the row.
    failures: u32,
    /// Failures in all.
    failures_total: u64,
    /// Media messages passed on.
    messages: u64,
    /// Bytes of their bodies.
    bytes: u64,
    /// Media messages of a push that were dropped because the other server is too slow.
    dropped_messages: u64,
    /// Bytes of their bodies.
    dropped_bytes: u64,
    /// Events that were forgotten because the program did not take them: the newest 256 are kept.
    dropped_events: u64,
    /// Bytes and messages of all its connections.
    traffic: TrafficStats,
}

/// What Python has not taken yet: the newest events, and a queue that says that there are some.
struct Told {
    queue: core::Queue,
    dispatch: core::Dispatch,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: VecDeque<core::RelayEvent>,
    dropped: u64,
    signalled: bool,
    ended: bool,
}

/// Events that are kept for a program that does not take them; then the oldest go.
const KEPT: usize = 256;

/// What a wait is for.
const WAITING: &str = "waiting for an event of the relay";

enum Next {
    Event(core::RelayEvent),
    End,
    Nothing,
}

/// What both kinds of relay can be told.
pub(crate) struct Settings {
    pub(crate) back_off: (f64, f64),
    pub(crate) jitter: f64,
    pub(crate) max_failures: u32,
    pub(crate) answer_timeout: f64,
    pub(crate) follow_reconnects: bool,
    pub(crate) timeout: Option<f64>,
}

impl core::RelayHandler for Told {
    fn on_event(&self, _relay: &core::Relay, event: &core::RelayEvent) {
        let mut state = self.state.lock();
        if state.events.len() >= KEPT {
            state.events.pop_front();
            state.dropped += 1;
        }
        state.events.push_back(event.clone());
        state.ended |= *event == core::RelayEvent::Ended;
        let signalled = std::mem::replace(&mut state.signalled, true);
        drop(state);
        if !signalled {
            self.dispatch.run(|| ());
        }
    }
}

impl Relay {
    pub(crate) fn pull(
        instance: &core::Instance,
        url: &str,
        name: Option<&str>,
        settings: &Settings,
        change: impl FnOnce(&mut core::RelayConfig) -> PyResult<()>,
    ) -> PyResult<Self> {
        let parsed = core::RtmpUrl::parse(url).map_err(core::Error::from).or_raise()?;
        let far = core::wire::url::split_query(&parsed.stream_name).0;
        let name = name.unwrap_or(far);
        Self::start(settings, change, |config, told| {
            core::Relay::pull(instance, url, name, config, told)
        })
    }

    pub(crate) fn push(
        stream: &core::Stream,
        url: &str,
        settings: &Settings,
        change: impl FnOnce(&mut core::RelayConfig) -> PyResult<()>,
    ) -> PyResult<Self> {
        Self::start(settings, change, |config, told| {
            core::Relay::push(stream, url, config, told)
        })
    }

    fn start(
        settings: &Settings,
        change: impl FnOnce(&mut core::RelayConfig) -> PyResult<()>,
        start: impl FnOnce(core::RelayConfig, Arc<dyn core::RelayHandler>) -> core::Result<core::Relay>,
    ) -> PyResult<Self> {
        let mut config = core::RelayConfig::default();
        if !(0.0..=1.0).contains(&settings.jitter) {
            return Err(config_error(format!(
                "jitter {}: use 0.0 to 1.0",
                settings.jitter
            )));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 100.
        let jitter_percent = (settings.jitter * 100.0).round() as u8;
        config.back_off = core::BackOff {
            first_ms: short("back_off", settings.back_off.0)?,
            max_ms: short("back_off", settings.back_off.1)?,
            jitter_percent,
            max_failures: settings.max_failures,
        };
        config.answer_timeout_ms = short("answer_timeout", settings.answer_timeout)?;
        if !settings.follow_reconnects {
            config.reconnect = core::Reconnect::Report;
        }
        change(&mut config)?;
        let timeout = seconds(settings.timeout)?;
        let queue = core::Queue::new(4).or_raise()?;
        let told = Arc::new(Told {
            dispatch: queue.to_dispatch(),
            queue,
            state: Mutex::default(),
        });
        let core = start(config, Arc::clone(&told) as _).or_raise()?;
        Ok(Self { core, told, timeout })
    }

    /// What there is now, after waiting at most `wait` for it.
    fn take(&self, wait: Duration) -> core::Result<Next> {
        for wait in [Duration::ZERO, wait] {
            self.told.queue.dispatch(1, wait)?;
            let mut state = self.told.state.lock();
            if let Some(event) = state.events.pop_front() {
                // The descriptor stays readable while there is more.
                let more = !state.events.is_empty() || state.ended;
                state.signalled = more;
                drop(state);
                if more {
                    self.told.dispatch.run(|| ());
                }
                return Ok(Next::Event(event));
            }
            if state.ended {
                return Ok(Next::End);
            }
            state.signalled = false;
        }
        Ok(Next::Nothing)
    }
}

#[pymethods]
impl Relay {
    /// The other server's URL, without user, password and queries.
    #[getter]
    fn url(&self) -> &str {
        self.core.url()
    }

    /// The stream of ours.
    #[getter]
    fn stream(&self) -> Stream {
        self.core.stream().clone().into()
    }

    /// Whether it pulls; else it pushes.
    #[getter]
    fn pulls(&self) -> bool {
        self.core.is_pull()
    }

    /// `idle`, `connecting`, `connected`, `streaming`, `waiting` or `ended`.
    #[getter]
    fn state(&self) -> &'static str {
        state_name(self.core.stats().state)
    }

    /// Seconds that an iteration waits for an event; `None` waits for ever.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        self.timeout.map(|timeout| timeout.as_secs_f64())
    }

    /// What it has done so far.
    fn stats(&self) -> RelayStats {
        let stats = self.core.stats();
        RelayStats {
            state: state_name(stats.state),
            attempts: stats.attempts,
            failures: stats.failures,
            failures_total: stats.failures_total,
            messages: stats.messages,
            bytes: stats.bytes,
            dropped_messages: stats.dropped.messages,
            dropped_bytes: stats.dropped.bytes,
            dropped_events: self.told.state.lock().dropped,
            traffic: stats.traffic.into(),
        }
    }

    /// The next event; `None` after the last. Raises `Timeout` when none comes within `timeout` seconds.
    #[pyo3(signature = (timeout = None))]
    fn read(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<RelayEvent>> {
        let deadline = Deadline::after(seconds(timeout)?.or(self.timeout));
        loop {
            match py.detach(|| self.take(deadline.slice())).or_raise()? {
                Next::Event(core) => return Ok(Some(RelayEvent { core })),
                Next::End => return Ok(None),
                Next::Nothing if deadline.has_passed() => {
                    return Err(timed_out(WAITING));
                }
                Next::Nothing => py.check_signals()?,
            }
        }
    }

    /// What there is now: an event, `None` after the last, or `...` while nothing is there.
    fn _poll(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(match self.take(Duration::ZERO).or_raise()? {
            Next::Event(core) => Py::new(py, RelayEvent { core })?.into_any(),
            Next::End => py.None(),
            Next::Nothing => py.Ellipsis(),
        })
    }

    /// A descriptor that is readable while events wait.
    fn _fd(&self) -> RawFd {
        self.told.queue.fd()
    }

    /// Ends it: what a push has taken in is sent first; `ended` follows.
    fn close(&self) {
        self.core.close();
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<RelayEvent>> {
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
        asynchronous(slf.py(), "next_item")?.call1((slf, WAITING))
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
        let direction = if self.core.is_pull() { "from" } else { "to" };
        format!(
            "<Relay of {} {direction} {}>",
            self.core.stream().name(),
            self.core.url()
        )
    }
}

#[pymethods]
impl RelayEvent {
    /// `connected`, `streaming`, `retrying`, `idle`, `gave_up` or `ended`.
    #[getter]
    fn kind(&self) -> &'static str {
        match &self.core {
            core::RelayEvent::Connected => "connected",
            core::RelayEvent::Streaming => "streaming",
            core::RelayEvent::Retrying { .. } => "retrying",
            core::RelayEvent::GaveUp { .. } => "gave_up",
            core::RelayEvent::Ended => "ended",
            _ => "idle",
        }
    }

    /// Seconds until it is tried again, for `retrying`.
    #[getter]
    fn after(&self) -> Option<f64> {
        match &self.core {
            core::RelayEvent::Retrying { after_ms, .. } => {
                Some(Duration::from_millis(*after_ms).as_secs_f64())
            }
            _ => None,
        }
    }

    /// Failures in a row so far, for `retrying`.
    #[getter]
    fn failures(&self) -> u32 {
        match &self.core {
            core::RelayEvent::Retrying { failures, .. } => *failures,
            _ => 0,
        }
    }

    /// Why it failed, for `retrying` and `gave_up`.
    #[getter]
    fn reason(&self) -> Option<Status> {
        match &self.core {
            core::RelayEvent::Retrying { reason, .. } | core::RelayEvent::GaveUp { reason } => {
                Some(reason.clone().into())
            }
            _ => None,
        }
    }

    fn __repr__(&self) -> String {
        match self.reason() {
            Some(reason) => format!("<RelayEvent {}: {}>", self.kind(), reason.core),
            None => format!("<RelayEvent {}>", self.kind()),
        }
    }
}

/// Seconds as milliseconds that fit 32 bits.
pub(crate) fn short(name: &str, seconds: f64) -> PyResult<u32> {
    let millis = crate::settings::millis(name, seconds)?;
    u32::try_from(millis).map_err(|_| config_error(format!("{name} {seconds}: too long")))
}

fn state_name(state: core::RelayState) -> &'static str {
    match state {
        core::RelayState::Connecting => "connecting",
        core::RelayState::Connected => "connected",
        core::RelayState::Streaming => "streaming",
        core::RelayState::Waiting => "waiting",
        core::RelayState::Ended => "ended",
        _ => "idle",
    }
}

fn asynchronous<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("rtmpkit._waiting")?.getattr(name)
}
