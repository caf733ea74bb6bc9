//! Ingest beside the peers: many publishers of one stream each, through our server, nginx-rtmp and any other server.
//! CPU time per GB received, memory, and what was lost, seen by one player per fifty publishers.
//!
//! `cargo run --release -p rtmp-benches --bin ingest -- --publishers 300 --runs 5`
//!
//! `cargo build --release -p rtmp-core --example server -p rtmp-benches --bins` builds all it needs. Everything stays on
//! 127.0.0.1.

mod crowd;

use std::process::ExitCode;
use std::time::Duration;

use rtmp_benches::candidate::Candidate;
use rtmp_benches::figures::{Column, Sample};
use rtmp_benches::process::{Usage, raise_descriptor_limit};
use rtmp_benches::raw::{Timed, timeline};
use rtmp_benches::rounds::{Common, number, numbers};

use crowd::{Crowd, LIMIT, SETTLE};

const USAGE: &str = "ingest [options]

  --publishers N,...     publishers, one table for each (300)
  --chunk-size N         of what they send (4096); 128 is what an encoder uses that negotiates nothing
  --watch N              a player for every so many publishers, which looks for what is lost (50)
  --bitrate BITS         of each stream (2500000)
";

const fn column(key: &'static str, title: &'static str) -> Column {
    Column { key, title }
}

const COLUMNS: &[Column] = &[
    column("cpu_seconds_per_gb", "CPU s/GB"),
    column("user_percent", "user %"),
    column("memory_per_publisher_kib", "KiB/publ."),
    column("lost_video", "lost"),
    column("failed", "failed"),
    column("unsent_kib", "unsent KiB"),
    column("client_late_ms", "late ms"),
    column("client_cpu_percent", "client CPU %"),
];

struct Load {
    publishers: usize,
    chunk_size: u32,
    watch: usize,
    seconds: u64,
    timeline: Vec<Timed>,
}

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
    let mut sizes = vec![300];
    let (mut chunk_size, mut watch, mut bitrate) = (4096, 50, 2_500_000);
    common.parse(USAGE, |name, value| {
        match name {
            "--publishers" => sizes = numbers(&value()?)?,
            "--chunk-size" => chunk_size = number(&value()?)?.clamp(1, 0xff_ffff) as u32,
            "--watch" => watch = number(&value()?)?.max(1) as usize,
            "--bitrate" => bitrate = number(&value()?)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let mut servers = common.servers(&[("rtmpkit", &[]), ("rtmpkit-no-gop", &["--no-gop-cache"])])?;
    servers.retain(|server| common.wants(&server.name));
    let each = Duration::from_secs(common.seconds + 4);
    if common.announce(servers.len() * sizes.len() * common.runs, each) {
        return Ok(());
    }
    let mut load = Load {
        publishers: 0,
        chunk_size,
        watch,
        seconds: common.seconds,
        timeline: timeline(bitrate, common.seconds + LIMIT.as_secs(), chunk_size as usize),
    };
    let mut results = Vec::new();
    for publishers in sizes {
        load.publishers = publishers;
        let figures = common.alternate(
            &servers,
            |server| &server.name,
            (publishers, "publishers"),
            COLUMNS,
            |server| measure(server, &load),
        );
        common.show(
            &format!("publishers, chunks of {chunk_size}"),
            &figures,
            "nginx-rtmp",
        );
        results.extend(figures);
    }
    common.finish("ingest", "publishers", &results)
}

fn measure(candidate: &Candidate, load: &Load) -> Result<Sample, String> {
    let server = candidate.start()?;
    let idle = Usage::of(server.pid).resident as f64;
    let mut crowd = Crowd::new(server.address(), &load.timeline)?;
    crowd.publish(load.publishers, load.chunk_size)?;
    crowd.watch(load.watch)?;
    crowd.run_for(SETTLE)?;
    let usage = || (Usage::of(server.pid), Usage::of(std::process::id()));
    let (bytes, before) = (crowd.written(), usage());
    crowd.begin_measuring();
    crowd.run_for(Duration::from_secs(load.seconds))?;
    let (bytes, after) = (crowd.written() - bytes, usage());
    let unsent = crowd.waiting();
    let outcome = crowd.finish()?;
    let server_used = after.0.since(before.0);
    let client = after.1.since(before.1).cpu.as_secs_f64();
    Ok(vec![
        server_used.cpu.as_secs_f64() / (bytes as f64 / 1e9),
        server_used.user_percent(),
        (after.0.resident as f64 - idle) / 1024.0 / load.publishers.max(1) as f64,
        outcome.lost as f64,
        outcome.failed as f64,
        unsent as f64 / 1024.0,
        outcome.late.as_secs_f64() * 1000.0,
        client / load.seconds.max(1) as f64 * 100.0,
    ])
}
