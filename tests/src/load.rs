//! The load tool against the server example.

use std::process::Command;

use serde_json::Value;

use crate::players::limit;
use crate::process::Process;
use crate::programs::{Server, load_tool};

/// Runs the load tool for `seconds`, at 2.5 Mbit/s unless `args` say otherwise, and returns its figures. Its verdict is left to the caller.
pub fn run(server: &Server, seconds: u32, args: &[&str]) -> Value {
    let mut command = Command::new(load_tool());
    command.args([
        "--json",
        "--url",
        &server.url("load"),
        "--seconds",
        &seconds.to_string(),
    ]);
    command.args([
        "--synthetic-bitrate",
        "2.5M",
        "--server-pid",
        &server.process.pid().to_string(),
    ]);
    let mut tool = Process::spawn("load", {
        command.args(args);
        command
    });
    tool.wait(limit(seconds) * 2);
    let log = tool.log();
    let line = log
        .lines()
        .find(|l| l.starts_with('{'))
        .unwrap_or_else(|| panic!("no figures:\n{log}"));
    println!("{line}");
    serde_json::from_str(line).unwrap_or_else(|e| panic!("the figures are no JSON ({e}): {line}"))
}

/// Panics unless all `count` players that did not stall joined and got every picture.
pub fn assert_nothing_lost(figures: &Value, count: u64) {
    let players = &figures["players"];
    assert_eq!(players["joined"], count, "not everybody joined: {players}");
    for zero in ["failed", "lost_video", "misplaced_video", "undecodable_video"] {
        assert_eq!(players[zero], 0, "{zero}: {players}");
    }
}
