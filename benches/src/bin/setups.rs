//! Set-ups of players beside the peers: bursts of clients that connect, create a stream and play, all at once. Rate,
//! times, CPU time, and the memory of players that wait for a stream that nobody publishes.
//!
//! `cargo run --release -p rtmp-benches --bin setups -- --burst 1000 --bursts 5 --runs 5`
//!
//! `cargo build --release -p rtmp-core --example server -p rtmp-benches --bins` builds all it needs. Everything stays on
//! 127.0.0.1.

use std::process::ExitCode;
use std::time::Duration;

use rtmp_benches::candidate::Candidate;
use rtmp_benches::figures::{Column, Sample};
use rtmp_benches::load::percentile;
use rtmp_benches::process::{Usage, raise_descriptor_limit};
use rtmp_benches::raw::{Joined, Script};
use rtmp_benches::rounds::{Common, number, numbers};
use rtmp_benches::setup::{Burst, Publisher};

const USAGE: &str = "setups [options]

  --burst N,...          clients that come at once, one table for each (1000)
  --bursts N             bursts of each run (5); unless the stream is published, all stay until the last has come
  --published yes        the stream is published, and a set-up is done with the first bytes of a key frame, not with
                         NetStream.Play.Start
";

const fn column(key: &'static str, title: &'static str) -> Column {
    Column { key, title }
}

const COLUMNS: &[Column] = &[
    column("setups_per_second", "per second"),
    column("setup_p50_ms", "p50 ms"),
    column("setup_p99_ms", "p99 ms"),
    column("cpu_ms_per_setup", "CPU ms each"),
    column("failed", "failed"),
    column("memory_per_idle_player_kib", "KiB idle"),
    column("client_cpu_percent", "client CPU %"),
];

struct Load {
    burst: usize,
    bursts: usize,
    joined: Joined,
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
    let mut common = Common::new(0, 5);
    let (mut sizes, mut bursts, mut joined) = (vec![1000], 5, Joined::Started);
    common.parse(USAGE, |name, value| {
        match name {
            "--burst" => sizes = numbers(&value()?)?,
            "--bursts" => bursts = number(&value()?)? as usize,
            "--published" if value()? == "yes" => joined = Joined::KeyFrame,
            "--published" => {}
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let mut servers = common.servers(&[("rtmpkit", &[]), ("rtmpkit-2-workers", &["--workers", "2"])])?;
    servers.retain(|server| common.wants(&server.name));
    let each = Duration::from_secs(1 + bursts as u64);
    if common.announce(servers.len() * sizes.len() * common.runs, each) {
        return Ok(());
    }
    let mut results = Vec::new();
    for burst in sizes {
        let load = Load {
            burst,
            bursts,
            joined,
        };
        let figures = common.alternate(
            &servers,
            |server| &server.name,
            (burst, "set-ups at once"),
            COLUMNS,
            |server| measure(server, &load),
        );
        common.show("set-ups at once", &figures, "nginx-rtmp");
        results.extend(figures);
    }
    common.finish("setups", "at once", &results)
}

fn measure(candidate: &Candidate, load: &Load) -> Result<Sample, String> {
    let server = candidate.start()?;
    let _publisher = match load.joined {
        Joined::Started => None,
        Joined::KeyFrame => Some(Publisher::start(server.address())?),
    };
    let script = Script::play(server.address(), "live", "s", load.joined);
    let idle = Usage::of(server.pid).resident as f64;
    let mut held = Vec::new();
    let (mut times, mut rates) = (Vec::new(), Vec::new());
    let (mut cpu, mut client, mut wall) = (0.0, 0.0, 0.0);
    for _ in 0..load.bursts {
        let usage = || [server.pid, std::process::id()].map(|pid| Usage::of(pid).cpu);
        let before = usage();
        let burst = Burst::run(server.address(), &script, load.burst)?;
        let after = usage();
        cpu += (after[0] - before[0]).as_secs_f64();
        client += (after[1] - before[1]).as_secs_f64();
        wall += burst.took.as_secs_f64();
        rates.push(burst.times.len() as f64 / burst.took.as_secs_f64());
        times.extend(burst.times.iter().map(|time| time.as_micros() as u64));
        if load.joined == Joined::Started {
            held.push(burst);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let resident = Usage::of(server.pid).resident as f64;
    let memory = (resident - idle) / 1024.0 / times.len().max(1) as f64;
    let failed = load.burst * load.bursts - times.len();
    times.sort_unstable();
    rates.sort_by(f64::total_cmp);
    let done = times.len().max(1) as f64;
    Ok(vec![
        rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN),
        percentile(&times, 50) as f64 / 1000.0,
        percentile(&times, 99) as f64 / 1000.0,
        cpu * 1000.0 / done,
        failed as f64,
        if held.is_empty() { f64::NAN } else { memory },
        client / wall * 100.0,
    ])
}
