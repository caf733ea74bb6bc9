//! What was measured, as medians, a table and JSON.

use serde_json::{Value, json};

/// One run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) cpu_per_gb: f64,
    pub(crate) memory_per_player_kib: f64,
    pub(crate) latency_p50_ms: f64,
    pub(crate) latency_p99_ms: f64,
    pub(crate) join_p50_ms: f64,
    pub(crate) join_p99_ms: f64,
    pub(crate) lost: f64,
}

impl Default for Sample {
    /// Nothing is known.
    fn default() -> Self {
        let unknown = f64::NAN;
        Self {
            cpu_per_gb: unknown,
            memory_per_player_kib: unknown,
            latency_p50_ms: unknown,
            latency_p99_ms: unknown,
            join_p50_ms: unknown,
            join_p99_ms: unknown,
            lost: unknown,
        }
    }
}

/// All runs of one candidate with one number of players.
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) players: usize,
    pub(crate) samples: Vec<Sample>,
}

type Column = (&'static str, fn(&Sample) -> f64);

const COLUMNS: [Column; 7] = [
    ("CPU s/GB", |sample| sample.cpu_per_gb),
    ("KiB/player", |sample| sample.memory_per_player_kib),
    ("latency p50", |sample| sample.latency_p50_ms),
    ("p99 ms", |sample| sample.latency_p99_ms),
    ("join p50", |sample| sample.join_p50_ms),
    ("p99 ms", |sample| sample.join_p99_ms),
    ("lost", |sample| sample.lost),
];

impl Figures {
    pub(crate) fn new(name: &str, players: usize) -> Self {
        Self {
            name: name.to_owned(),
            players,
            samples: Vec::new(),
        }
    }

    /// The median of CPU seconds per GB delivered.
    pub(crate) fn cpu_per_gb(&self) -> f64 {
        self.median(|sample| sample.cpu_per_gb)
    }

    fn median(&self, of: fn(&Sample) -> f64) -> f64 {
        let mut values: Vec<f64> = self
            .samples
            .iter()
            .map(of)
            .filter(|value| !value.is_nan())
            .collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// A table of medians; the column beside the CPU time is its ratio to the floor of the same run.
pub(crate) fn table(players: usize, figures: &[Figures]) -> String {
    let floor = figures
        .iter()
        .find(|figures| figures.name == "floor")
        .map_or(f64::NAN, Figures::cpu_per_gb);
    let mut text = format!("{players} players\n{:20} {:>9}", "", "to floor");
    for (name, _) in COLUMNS {
        text += &format!(" {name:>11}");
    }
    for figures in figures {
        text += &format!("\n{:20} {:>9}", figures.name, cell(figures.cpu_per_gb() / floor));
        for (_, of) in COLUMNS {
            text += &format!(" {:>11}", cell(figures.median(of)));
        }
    }
    text + "\n"
}

/// Everything, each run by itself.
pub(crate) fn to_json(figures: &[Figures]) -> Value {
    let sample = |sample: &Sample| {
        json!({
            "cpu_seconds_per_gb": sample.cpu_per_gb,
            "memory_per_player_kib": sample.memory_per_player_kib,
            "latency_p50_ms": sample.latency_p50_ms,
            "latency_p99_ms": sample.latency_p99_ms,
            "join_p50_ms": sample.join_p50_ms,
            "join_p99_ms": sample.join_p99_ms,
            "lost_video": sample.lost,
        })
    };
    let entry = |figures: &Figures| {
        let samples: Vec<Value> = figures.samples.iter().map(sample).collect();
        json!({ "name": figures.name, "players": figures.players, "samples": samples })
    };
    figures.iter().map(entry).collect()
}

fn cell(value: f64) -> String {
    if value.is_nan() {
        "-".to_owned()
    } else {
        format!("{value:.2}")
    }
}
