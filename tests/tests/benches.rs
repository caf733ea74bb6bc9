//! The measuring programs run, print figures and lose nothing, with few clients and for a short time.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rtmp_tests::process::Process;
use rtmp_tests::programs::{bench, example, target_dir};
use serde_json::Value;

/// They measure: one at a time.
static MACHINE: Mutex<()> = Mutex::new(());
const LIMIT: Duration = Duration::from_secs(180);

/// Runs the program `name` with `args`; the text it printed and the JSON it wrote.
fn run(name: &str, args: &[&str]) -> (String, Value) {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    example("server");
    let json: PathBuf = target_dir().join(format!("{name}-{}.json", std::process::id()));
    let mut command = Command::new(bench(name));
    command.args(args).arg("--json").arg(&json);
    let mut process = Process::spawn(name, command);
    process.wait_success(LIMIT);
    let text = std::fs::read_to_string(&json).unwrap_or_else(|e| panic!("{}: {e}", json.display()));
    std::fs::remove_file(&json).expect("a file that was just read can be removed");
    let value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("no JSON ({e}): {text}"));
    (process.log(), value)
}

/// The medians of the only server that took part.
fn medians(figures: &Value) -> &Value {
    let results = figures["results"].as_array().expect("a list of results");
    assert_eq!(results.len(), 1, "{figures}");
    &results[0]["median"]
}

fn assert_positive(figures: &Value, names: &[&str]) {
    for name in names {
        let figure = figures[name].as_f64();
        assert!(figure.is_some_and(|figure| figure > 0.0), "{name}: {figures}");
    }
}

#[test]
fn fanout_prints_costs_latency_and_joins_without_a_loss() {
    let options = ["--players", "10", "--join", "5", "--seconds", "2", "--runs", "1"];
    let (text, json) = run("fanout", &[&options[..], &["--only", "balanced"]].concat());
    let figures = medians(&json);
    assert_positive(
        figures,
        &[
            "cpu_seconds_per_gb",
            "latency_p50_ms",
            "latency_p99_ms",
            "join_p50_ms",
            "join_p99_ms",
        ],
    );
    assert_eq!(figures["lost_video"], 0.0, "{figures}");
    assert!(text.contains("CPU s/GB") && text.contains("balanced"), "{text}");
}

#[test]
fn fanout_measures_the_floor() {
    let options = [
        "--players",
        "10",
        "--seconds",
        "1",
        "--runs",
        "1",
        "--only",
        "floor",
    ];
    let (_, json) = run("fanout", &options);
    assert_positive(medians(&json), &["cpu_seconds_per_gb"]);
}

#[test]
fn fanout_measures_bare_servers_with_the_same_players() {
    for name in ["bare", "bare-io_uring", "bare-350ms"] {
        let options = ["--players", "10", "--join", "0", "--seconds", "1", "--runs", "1"];
        let (_, json) = run("fanout", &[&options[..], &["--only", name]].concat());
        let figures = medians(&json);
        assert_positive(figures, &["cpu_seconds_per_gb", "latency_p50_ms"]);
        assert_eq!(figures["lost_video"], 0.0, "{figures}");
    }
}

#[test]
fn ingest_prints_costs_without_a_loss_in_large_and_small_chunks() {
    for chunk_size in ["4096", "128"] {
        let options = [
            "--publishers",
            "6",
            "--watch",
            "3",
            "--seconds",
            "2",
            "--runs",
            "1",
        ];
        let more = ["--only", "rtmpkit", "--chunk-size", chunk_size];
        let (_, json) = run("ingest", &[&options[..], &more].concat());
        let figures = medians(&json);
        assert_positive(figures, &["cpu_seconds_per_gb", "memory_per_publisher_kib"]);
        assert_eq!(figures["lost_video"], 0.0, "{figures}");
        assert_eq!(figures["failed"], 0.0, "{figures}");
    }
}

#[test]
fn setups_prints_rate_and_times_and_none_fails() {
    for published in ["no", "yes"] {
        let options = [
            "--burst", "30", "--bursts", "2", "--runs", "1", "--only", "rtmpkit",
        ];
        let (_, json) = run("setups", &[&options[..], &["--published", published]].concat());
        let figures = medians(&json);
        assert_positive(
            figures,
            &[
                "setups_per_second",
                "setup_p50_ms",
                "setup_p99_ms",
                "cpu_ms_per_setup",
            ],
        );
        assert_eq!(figures["failed"], 0.0, "{figures}");
    }
}

#[test]
fn instructions_are_counted_per_message_and_set_up() {
    let options = [
        "--tool",
        "callgrind",
        "--players",
        "5",
        "--seconds",
        "1",
        "--setups",
        "10",
    ];
    let (text, json) = run("instructions", &options);
    let figures = &json["figures"]["instructions"];
    assert_positive(
        figures,
        &["per_delivered_message", "per_received_message", "per_setup"],
    );
    assert_eq!(json["top_functions"].as_array().map(Vec::len), Some(10), "{json}");
    assert!(text.contains("Instructions per delivered message"), "{text}");
}
