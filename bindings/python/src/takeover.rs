//! What one publisher may do to another, and how long messages may wait for others.

use pyo3::prelude::*;
use rtmp_core as core;

use crate::errors::config_error;
use crate::monitor::seconds;

/// What a publisher may do to the one before it, and what happens to the players when it leaves: `Takeover.refuse()`,
/// `Takeover.replace()` or `Takeover.hold(5.0)`.
#[pyclass(frozen, eq, hash, module = "rtmpkit._rtmpkit")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Takeover {
    replaces: bool,
    hold_ms: u32,
}

impl Takeover {
    pub(crate) fn core(self) -> core::Takeover {
        core::Takeover {
            replace: self.replaces,
            hold_ms: self.hold_ms,
        }
    }

    fn new(replaces: bool, hold: f64) -> PyResult<Self> {
        let hold_ms = seconds(Some(hold))?.and_then(|hold| u32::try_from(hold.as_millis()).ok());
        let hold_ms = hold_ms.ok_or_else(|| config_error("players cannot be held for ever: use seconds"))?;
        Ok(Self { replaces, hold_ms })
    }
}

#[pymethods]
impl Takeover {
    /// The second publisher is refused; when the first leaves its players are told at once.
    #[staticmethod]
    fn refuse() -> PyResult<Self> {
        Self::new(false, 0.0)
    }

    /// The second publisher takes the stream from the first, and players go on without a break. When it leaves they are
    /// held for `hold` seconds.
    #[staticmethod]
    #[pyo3(signature = (*, hold = 0.0))]
    fn replace(hold: f64) -> PyResult<Self> {
        Self::new(true, hold)
    }

    /// The second publisher is refused while the first is there; when it leaves, players are held for `seconds`, and
    /// whoever publishes in that time goes on where it stopped.
    #[staticmethod]
    fn hold(seconds: f64) -> PyResult<Self> {
        Self::new(false, seconds)
    }

    /// Whether it takes the stream from a publisher that is still there.
    #[getter]
    fn replaces(&self) -> bool {
        self.replaces
    }

    /// Seconds that players are held when the publisher leaves.
    #[getter]
    fn hold_seconds(&self) -> f64 {
        f64::from(self.hold_ms) / 1000.0
    }

    fn __repr__(&self) -> String {
        match (self.replaces, self.hold_ms) {
            (false, 0) => "Takeover.refuse()".to_owned(),
            (false, _) => format!("Takeover.hold({})", self.hold_seconds()),
            (true, 0) => "Takeover.replace()".to_owned(),
            (true, _) => format!("Takeover.replace(hold={})", self.hold_seconds()),
        }
    }
}

/// `low_latency`, `balanced` or `throughput`.
pub(crate) fn latency_named(name: &str) -> PyResult<core::Latency> {
    core::Latency::named(name).ok_or_else(|| {
        config_error(format!(
            "latency {name:?}: use low_latency, balanced or throughput"
        ))
    })
}

/// The name of a latency; `custom` if it has none.
pub(crate) fn latency_name(latency: core::Latency) -> &'static str {
    let named = ["low_latency", "balanced", "throughput"];
    let found = named
        .into_iter()
        .find(|name| core::Latency::named(name) == Some(latency));
    found.unwrap_or("custom")
}
