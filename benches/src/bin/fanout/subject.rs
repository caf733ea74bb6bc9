//! What takes part: servers under the load tool, and the floor program.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use rtmp_benches::candidate::{Candidate, free_port, quiet, tool};
use rtmp_benches::figures::{Column, Sample};
use rtmp_benches::process::Usage;
use rtmp_benches::rounds::Common;
use serde_json::Value;

const fn column(key: &'static str, title: &'static str) -> Column {
    Column { key, title }
}

pub(crate) const COLUMNS: &[Column] = &[
    column("cpu_seconds_per_gb", "CPU s/GB"),
    column("user_percent", "user %"),
    column("memory_per_player_kib", "KiB/player"),
    column("latency_p50_ms", "latency p50"),
    column("latency_p99_ms", "p99 ms"),
    column("join_p50_ms", "join p50"),
    column("join_p99_ms", "p99 ms"),
    column("lost_video", "lost"),
    column("client_cpu_percent", "client CPU %"),
];

/// Place of the pictures lost.
const LOST: usize = 7;

/// One run's load.
pub(crate) struct Load {
    pub(crate) players: usize,
    pub(crate) join: usize,
    pub(crate) bitrate: u64,
    pub(crate) seconds: u64,
}

/// A server, or the floor.
pub(crate) enum Subject {
    Server(Candidate),
    /// The floor program with these options.
    Floor(&'static str, &'static [&'static str]),
}

/// The floors, without RTMP and with it, our settings, nginx-rtmp, and what was named on the command line.
pub(crate) fn subjects(common: &Common) -> Result<Vec<Subject>, String> {
    let floors = [
        Subject::Floor("floor", &[]),
        Subject::Floor("floor-io_uring", &["--io-uring"]),
        Subject::Floor("floor-350ms", &["--window-ms", "350"]),
    ];
    let bare = [
        Candidate::bare("bare", &[])?,
        Candidate::bare("bare-io_uring", &["--io-uring"])?,
        Candidate::bare("bare-350ms", &["--window-ms", "350"])?,
    ];
    let servers = common.servers(&[
        ("low_latency", &["--latency", "low_latency"]),
        (
            "low_latency-writev",
            &["--latency", "low_latency", "--no-io-uring"],
        ),
        ("balanced", &["--latency", "balanced"]),
        ("balanced-writev", &["--latency", "balanced", "--no-io-uring"]),
        ("throughput", &["--latency", "throughput"]),
    ])?;
    Ok(floors
        .into_iter()
        .chain(bare.into_iter().chain(servers).map(Subject::Server))
        .collect())
}

impl Subject {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Server(candidate) => &candidate.name,
            Self::Floor(name, _) => name,
        }
    }

    /// One run.
    pub(crate) fn measure(&self, load: &Load) -> Result<Sample, String> {
        match self {
            Self::Server(candidate) => measure_server(candidate, load),
            Self::Floor(_, options) => measure_floor(options, load),
        }
    }
}

/// Ends the process with the value.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn measure_floor(options: &[&str], load: &Load) -> Result<Sample, String> {
    let program = tool("floor")?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let players = load.players.to_string();
    let common = ["--address", &address, "--players", &players];
    let (seconds, bitrate) = (load.seconds.to_string(), load.bitrate.to_string());
    let mut send = Command::new(&program);
    send.arg("send")
        .args(common)
        .args(["--seconds", &seconds, "--bitrate", &bitrate])
        .args(options);
    let mut sender = Killed(quiet(send.stdout(Stdio::piped()))?);
    let mut lines = BufReader::new(sender.0.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    lines.read_line(&mut line).map_err(|error| error.to_string())?;
    let _sink = Killed(quiet(Command::new(&program).arg("sink").args(common))?);
    let mut rest = String::new();
    lines
        .read_to_string(&mut rest)
        .map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_str(&rest).map_err(|error| format!("{rest:?}: {error}"))?;
    let (bytes, cpu) = (number(&value, &["bytes"]), number(&value, &["cpu_seconds"]));
    let mut sample = vec![f64::NAN; COLUMNS.len()];
    sample[0] = cpu / (bytes / 1e9);
    sample[LOST] = number(&value, &["dropped"]);
    Ok(sample)
}

fn measure_server(candidate: &Candidate, load: &Load) -> Result<Sample, String> {
    let server = candidate.start()?;
    let idle = Usage::of(server.pid).resident;
    let options = [
        ("--url", format!("rtmp://127.0.0.1:{}/live/s", server.port)),
        ("--players", load.players.to_string()),
        ("--seconds", load.seconds.to_string()),
        ("--burst", load.join.to_string()),
        ("--synthetic-bitrate", load.bitrate.to_string()),
        ("--server-pid", server.pid.to_string()),
    ];
    let mut command = Command::new(tool("load")?);
    for (name, value) in &options {
        command.args([*name, value]);
    }
    let output = command.arg("--json").stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_owned())?;
    let cpu = number(&value, &["server", "cpu_seconds"]);
    let bytes = number(&value, &["measured_mib"]) * 1_048_576.0;
    let resident = number(&value, &["server", "rss_mib"]) * 1_048_576.0;
    let joiners = if load.join > 0 { "burst" } else { "players" };
    let players = load.players.max(1) as f64;
    Ok(vec![
        cpu / (bytes / 1e9),
        number(&value, &["server", "user_percent"]),
        (resident - idle as f64) / 1024.0 / players,
        number(&value, &["players", "latency_p50_ms"]),
        number(&value, &["players", "latency_p99_ms"]),
        number(&value, &[joiners, "join_p50_ms"]),
        number(&value, &[joiners, "join_p99_ms"]),
        number(&value, &["players", "lost_video"]) + not_joined(&value, joiners),
        number(&value, &["client", "cpu_percent"]),
    ])
}

/// Players that never got a keyframe, or were disconnected.
fn not_joined(value: &Value, joiners: &str) -> f64 {
    let missing = |group: &str| {
        let counts = ["count", "joined", "failed"].map(|key| number(value, &[group, key]));
        (counts[0] - counts[1]).max(counts[2])
    };
    let others = if joiners == "burst" { missing("burst") } else { 0.0 };
    missing("players") + others
}

fn number(value: &Value, path: &[&str]) -> f64 {
    path.iter()
        .try_fold(value, |value, key| value.get(key))
        .and_then(Value::as_f64)
        .unwrap_or(f64::NAN)
}
