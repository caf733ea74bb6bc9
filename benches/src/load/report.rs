//! The figures of a run, as a table or as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::player::Tally;
use super::publisher::Published;
use crate::process::Usage;

/// Everything measured in one run.
pub struct Report {
    /// One per player.
    pub(crate) tallies: Vec<Tally>,
    /// Players that joined at once and left.
    pub(crate) burst: Vec<Tally>,
    /// Bytes that players read during `measured`.
    pub(crate) measured_bytes: u64,
    /// Pictures published.
    pub(crate) published: u32,
    /// From the moment all players had joined until the last picture was sent.
    pub(crate) measured: Duration,
    /// CPU time of the server during `measured`, and its memory, when its process id was given.
    pub(crate) server: Option<Usage>,
    /// CPU time of this program during `measured`.
    pub(crate) client: Usage,
    /// What the publisher did; its lateness is this program's own.
    pub(crate) publisher: Published,
}

impl Report {
    /// Whether every player that did not stall got everything.
    pub fn is_clean(&self) -> bool {
        self.tallies.iter().filter(|t| !t.stalls).all(|t| {
            t.failure.is_none() && t.joined_after.is_some() && t.lost + t.misplaced + t.undecodable == 0
        })
    }

    /// One object, all times in milliseconds.
    pub fn to_json(&self) -> Value {
        let seconds = self.measured.as_secs_f64().max(0.001);
        let usage = |u: &Usage| {
            json!({ "cpu_seconds": u.cpu.as_secs_f64(),
                    "user_percent": u.user_percent(),
                    "cpu_percent": 100.0 * u.cpu.as_secs_f64() / seconds,
                    "rss_mib": mib(u.resident), "peak_rss_mib": mib(u.peak_resident) })
        };
        json!({
            "players": group(self.tallies.iter().filter(|t| !t.stalls)),
            "stalled": group(self.tallies.iter().filter(|t| t.stalls)),
            "burst": group(self.burst.iter()),
            "published_video": self.published,
            "measured_seconds": seconds,
            "measured_mib": mib(self.measured_bytes),
            "published_messages": self.publisher.messages,
            "publisher_late_ms": millis(self.publisher.late_micros),
            "server": self.server.as_ref().map(usage),
            "client": usage(&self.client),
            "clean": self.is_clean(),
        })
    }

    /// The same for people.
    pub fn to_table(&self) -> String {
        let json = self.to_json();
        let mut lines = Vec::new();
        flatten("", &json, &mut lines);
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        lines
            .iter()
            .map(|(name, value)| format!("{name:width$}  {value}\n"))
            .collect()
    }
}

/// The figures of some of the players; null when there are none.
fn group<'a>(tallies: impl Iterator<Item = &'a Tally> + Clone) -> Value {
    let tallies = || tallies.clone();
    if tallies().next().is_none() {
        return Value::Null;
    }
    let sum = |of: fn(&Tally) -> u64| tallies().map(of).sum::<u64>();
    let latencies = tallies().flat_map(|t| &t.latencies);
    let mut latencies: Vec<u64> = latencies.map(|&l| u64::from(l)).collect();
    let mut joins: Vec<u64> = tallies().filter_map(|t| t.joined_after).collect();
    latencies.sort_unstable();
    joins.sort_unstable();
    json!({
        "count": tallies().count(),
        "joined": joins.len(),
        "failed": tallies().filter(|t| t.failure.is_some()).count(),
        "first_failure": tallies().find_map(|t| t.failure.clone()),
        "received_messages": sum(|t| t.messages),
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
pub fn percentile(sorted: &[u64], percent: usize) -> u64 {
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
