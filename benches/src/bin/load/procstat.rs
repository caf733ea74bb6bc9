//! CPU time and memory of a process, from `/proc`.

use std::fs;
use std::time::Duration;

/// What a process has used: CPU time so far (or between two readings), memory now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Resident bytes.
    pub(crate) resident: u64,
    /// Most resident bytes it ever had.
    pub(crate) peak_resident: u64,
}

impl Usage {
    /// Reads process `pid`; all zero when there is none.
    pub(crate) fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let kib = |field: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(field));
            rest.and_then(|r| r.split_whitespace().next()?.parse::<u64>().ok())
                .unwrap_or(0)
        };
        Self {
            cpu: cpu(pid),
            resident: kib("VmRSS:") * 1024,
            peak_resident: kib("VmHWM:") * 1024,
        }
    }

    /// This reading with the CPU time since an `earlier` one.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            ..self
        }
    }
}

/// Fields 14 and 15 of `/proc/PID/stat`, counted after the command's closing parenthesis.
fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse::<u64>().ok())
        .sum();
    // SAFETY: sysconf only reads a constant of the system.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::from_secs_f64(ticks as f64 / per_second.max(1) as f64)
}
