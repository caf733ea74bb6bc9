//! Connections that are not read because too much waits for the host.

/// When a connection is read again whose host is behind.
#[derive(Debug, Default)]
pub(crate) struct HeldBack(Option<Wait>);

#[derive(Debug, Clone, Copy)]
struct Wait {
    until: u64,
    /// Milliseconds from one try to the next: each time twice as long.
    millis: u32,
}

const LONGEST_WAIT_MS: u32 = 64;

impl HeldBack {
    /// Whether nothing is to be read now; `is_behind`: too much waits for the host.
    pub(crate) fn holds(&mut self, is_behind: bool, now: u64) -> bool {
        if !is_behind {
            self.0 = None;
            return false;
        }
        let millis = self.0.map_or(1, |wait| (wait.millis * 2).min(LONGEST_WAIT_MS));
        let until = now.saturating_add(millis.into());
        self.0 = Some(Wait { until, millis });
        true
    }

    /// When to try again.
    pub(crate) fn until(&self) -> Option<u64> {
        self.0.map(|wait| wait.until)
    }
}
