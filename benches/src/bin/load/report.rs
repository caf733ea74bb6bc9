//! The figures of a run, as a table or as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::player::Tally;
use crate::procstat::Usage;

/// Everything measured in one run.
pub(crate) struct Report {
    /// One per player.
    pub(crate) tallies: Vec<Tally>,
    /// Pictures published.
    pub(crate) published: u32,
    /// From the moment all players had joined until the last picture was sent.
    pub(crate) measured: Duration,
    /// CPU time of the server during `measured`, and its memory, when its process id was given.
    pub(crate) server: Option<Usage>,
    /// CPU time of this program during `measured`.
    pub(crate) client: Usage,
    /// Worst time a message was sent after it was due, in microseconds: this program's own lateness.
    pub(crate) publisher_late: u64,
}

impl Report {
    /// Whether every player that did not stall got everything.
    pub(crate) fn is_clean(&self) -> bool {
        self.tallies.iter().filter(|t| !t.stalls).all(|t| {
            t.failure.is_none() && t.joined_after.is_some() && t.lost + t.misplaced + t.undecodable == 0
        })
    }

    /// One object, all times in milliseconds.
    pub(crate) fn to_json(&self) -> Value {
        let seconds = self.measured.as_secs_f64().max(0.001);
        let usage = |u: &Usage| {
            json!({ "cpu_percent": 100.0 * u.cpu.as_secs_f64() / seconds,
                    "rss_mib": mib(u.resident), "peak_rss_mib": mib(u.peak_resident) })
        };
        json!({
            "players": self.group(false),
            "stalled": self.group(true),
            "published_video": self.published,
            "measured_seconds": seconds,
            "publisher_late_ms": millis(self.publisher_late),
            "server": self.server.as_ref().map(usage),
            "client": usage(&self.client),
            "clean": self.is_clean(),
        })
    }

    /// The same for people.
    pub(crate) fn to_table(&self) -> String {
        let json = self.to_json();
        let mut lines = Vec::new();
        flatten("", &json, &mut lines);
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        lines
            .iter()
            .map(|(name, value)| format!("{name:width$}  {value}\n"))
            .collect()
    }

    fn group(&self, stalls: bool) -> Value {
        let group = || self.tallies.iter().filter(|t| t.stalls == stalls);
        if group().next().is_none() {
            return Value::Null;
        }
        let sum = |of: fn(&Tally) -> u64| group().map(of).sum::<u64>();
        let mut latencies: Vec<u64> = group()
            .flat_map(|t| &t.latencies)
            .map(|&l| u64::from(l))
            .collect();
        let mut joins: Vec<u64> = group().filter_map(|t| t.joined_after).collect();
        latencies.sort_unstable();
        joins.sort_unstable();
        json!({
            "count": group().count(),
            "joined": joins.len(),
            "failed": group().filter(|t| t.failure.is_some()).count(),
            "first_failure": group().find_map(|t| t.failure.clone()),
            "received_video": sum(|t| t.received),
            "lost_video": sum(|t| t.lost),
            "misplaced_video": sum(|t| t.misplaced),
            "undecodable_video": sum(|t| t.undecodable),
            "mib": mib(sum(|t| t.bytes)),
            "latency_p50_ms": millis(percentile(&latencies, 50)),
            "latency_p99_ms": millis(percentile(&latencies, 99)),
            "latency_max_ms": millis(percentile(&latencies, 100)),
            "join_p50_ms": millis(percentile(&joins, 50)),
            "join_p99_ms": millis(percentile(&joins, 99)),
        })
    }
}

fn flatten(prefix: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let name = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&name, value, lines);
            }
        }
        Value::Null => {}
        Value::Number(number) if number.is_f64() => {
            lines.push((
                prefix.to_owned(),
                format!("{:.2}", number.as_f64().unwrap_or(0.0)),
            ));
        }
        other => lines.push((prefix.to_owned(), other.to_string())),
    }
}

/// The value that `percent` of `sorted` do not exceed; 0 of nothing.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let sorted: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&sorted, 50), 100);
        assert_eq!(percentile(&sorted, 99), 198);
        assert_eq!(percentile(&sorted, 100), 200);
        assert_eq!(percentile(&[], 50), 0);
    }
}
