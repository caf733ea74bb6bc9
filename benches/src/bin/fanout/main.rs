//! Fan-out beside the peers: one stream to many players, through our server in each of its settings, through every
//! peer found on the machine, and through the floor program that only sends. One run, alternating, medians.
//!
//! `cargo run --release -p rtmp-benches --bin fanout -- --players 200,500,1000 --runs 5`
//!
//! Our server, the load tool and the floor are started from the folder this program lies in:
//! `cargo build --release -p rtmp-core --example server -p rtmp-benches --bins` builds them all. Everything stays on
//! 127.0.0.1.

mod subject;

use std::process::ExitCode;
use std::time::Duration;

use rtmp_benches::process::raise_descriptor_limit;
use rtmp_benches::rounds::{Common, number, numbers};

use subject::{COLUMNS, Load, Subject, subjects};

const USAGE: &str = "fanout [options]

  --players N,...        players, one table for each (200,500,1000)
  --join N               players that join the running stream at once, three times, before the measurement (100)
  --bitrate BITS         of the stream (2500000)
";

fn main() -> ExitCode {
    raise_descriptor_limit();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut common = Common::new(8, 5);
    let mut sizes = vec![200, 500, 1000];
    let (mut join, mut bitrate) = (100, 2_500_000);
    common.parse(USAGE, |name, value| {
        match name {
            "--players" => sizes = numbers(&value()?)?,
            "--join" => join = number(&value()?)? as usize,
            "--bitrate" => bitrate = number(&value()?)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let mut all = subjects(&common)?;
    all.retain(|subject| common.wants(subject.name()));
    let each = Duration::from_secs(common.seconds + if join > 0 { 7 } else { 4 });
    if common.announce(all.len() * sizes.len() * common.runs, each) {
        return Ok(());
    }
    let mut results = Vec::new();
    for players in sizes {
        let load = Load {
            players,
            join,
            bitrate,
            seconds: common.seconds,
        };
        let figures = common.alternate(&all, Subject::name, (players, "players"), COLUMNS, |subject| {
            subject.measure(&load)
        });
        common.show("players", &figures, "floor");
        results.extend(figures);
    }
    common.finish("fanout", "players", &results)
}
