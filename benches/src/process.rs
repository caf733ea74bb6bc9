//! CPU time and memory of a process.

use std::fs;
use std::time::Duration;

/// What a process has used: CPU time so far (or between two readings), memory now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// The part of it that was user time, in hundredths of a second.
    pub user: Duration,
    /// Resident bytes.
    pub resident: u64,
    /// Most resident bytes it ever had.
    pub peak_resident: u64,
}

impl Usage {
    /// Reads process `pid`; all zero when there is none.
    pub fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let kib = |field: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(field));
            rest.and_then(|r| r.split_whitespace().next()?.parse::<u64>().ok())
                .unwrap_or(0)
        };
        Self {
            cpu: cpu(pid),
            user: ticks(pid, 1),
            resident: kib("VmRSS:") * 1024,
            peak_resident: kib("VmHWM:") * 1024,
        }
    }

    /// The share of user time, in percent; not a number when no time was used.
    pub fn user_percent(self) -> f64 {
        100.0 * self.user.as_secs_f64() / self.cpu.as_secs_f64()
    }

    /// This reading with the CPU time since an `earlier` one.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            user: self.user.saturating_sub(earlier.user),
            ..self
        }
    }
}

/// The process's CPU clock, which counts nanoseconds and threads that have ended; fields 14 and 15 of `/proc/PID/stat`,
/// in hundredths of a second, where that clock may not be read.
fn cpu(pid: u32) -> Duration {
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: both calls write the value they are given a pointer to, and nothing else.
    let read = unsafe {
        libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) == 0
            && libc::clock_gettime(clock, &raw mut time) == 0
    };
    match read {
        true => Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32),
        false => ticks(pid, 2),
    }
}

/// The first `count` of user and system time.
fn ticks(pid: u32, count: usize) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(count)
        .filter_map(|f| f.parse::<u64>().ok())
        .sum();
    // SAFETY: sysconf only reads a constant of the system.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::from_secs_f64(ticks as f64 / per_second.max(1) as f64)
}

/// As many descriptors as the system lets this process, and what it starts, have.
pub fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit and setrlimit read and write the struct they are given.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_and_memory_of_this_process_are_known() {
        let usage = Usage::of(std::process::id());
        assert!(usage.cpu > Duration::ZERO && usage.resident > 0 && usage.peak_resident >= usage.resident);
    }
}
