//! What our server does per message, counted instead of timed: instructions in user space and atomic operations that lock
//! the bus (callgrind), and system calls (strace).
//!
//! `cargo run --release -p rtmp-benches --bin instructions -- --players 50 --seconds 4`
//!
//! Needs valgrind; strace where it is installed. `cargo build --release -p rtmp-core --example server -p rtmp-benches
//! --bins` builds the rest. Each figure is the difference of two runs, one of them twice as long (or with twice as many
//! clients), so what begins and ends a run does not count.

mod watch;

use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rtmp_benches::candidate::{Candidate, tool};
use rtmp_benches::process::raise_descriptor_limit;
use rtmp_benches::raw::{Joined, Script};
use rtmp_benches::rounds::number;
use rtmp_benches::setup::Burst;
use serde_json::{Value, json};

use watch::{Counts, Tool};

/// Functions that are printed.
const TOP: usize = 10;

const USAGE: &str = "instructions [options]

  --players N            players of the stream (50)
  --seconds S            how long the shorter runs measure (4)
  --setups N             set-ups in the shorter run (200)
  --tool NAME            only callgrind, or only strace
  --server-options 'OPTIONS'
                         of the server example, as --latency low_latency
  --json FILE            the figures
  --estimate             say how long all this takes, and do nothing
";

/// How long a watched server may take to end.
const END: Duration = Duration::from_secs(30);
/// What a run takes beside what it measures, in seconds: starting under a watcher, joining, ending.
const AROUND: u64 = 5;

struct Args {
    players: u64,
    seconds: u64,
    setups: u64,
    tool: Option<String>,
    options: Vec<String>,
    json: Option<String>,
    estimate: bool,
}

/// A run: what was counted, and what the server got and sent meanwhile.
struct Run {
    counts: Counts,
    /// Instructions of each function, under callgrind.
    functions: Counts,
    received: f64,
    delivered: f64,
}

fn main() -> ExitCode {
    raise_descriptor_limit();
    match args().and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let tools: Vec<Tool> = [Tool::Callgrind, Tool::Strace]
        .into_iter()
        .filter(|tool| args.tool.as_deref().is_none_or(|only| only == tool.name()) && tool.is_installed())
        .collect();
    if tools.is_empty() {
        return Err("neither valgrind nor strace can be run".to_owned());
    }
    let seconds = tools.len() as u64 * (6 * args.seconds + 6 * AROUND);
    eprintln!(
        "{} runs, about {:.1} minutes",
        tools.len() * 6,
        seconds as f64 / 60.0
    );
    if args.estimate {
        return Ok(());
    }
    let options: Vec<&str> = args.options.iter().map(String::as_str).collect();
    let server = Candidate::ours("rtmpkit", &options)?;
    let mut report = Vec::new();
    let mut top = Vec::new();
    for tool in tools {
        let (figures, functions) = measure(&server, tool, args)?;
        report.extend(figures);
        top.extend(functions);
    }
    watch::clean();
    println!(
        "{:44} {:>12} {:>12} {:>12}",
        "", "delivered", "received", "set-up"
    );
    // Differences of calls that only begin or end a run are chance.
    for (name, figures) in report
        .iter()
        .filter(|(_, figures)| figures.iter().any(|f| f.abs() >= 0.005))
    {
        println!(
            "{name:44} {:>12.3} {:>12.3} {:>12.1}",
            figures[0], figures[1], figures[2]
        );
    }
    if !top.is_empty() {
        println!(
            "\nInstructions per delivered message, with the message's receiving in it, of the functions with most:"
        );
    }
    for (name, instructions) in &top {
        println!("  {instructions:>10.1}  {name}");
    }
    if let Some(path) = &args.json {
        let entry = |(name, figures): &(String, [f64; 3])| {
            let figures = json!({ "per_delivered_message": figures[0], "per_received_message": figures[1],
                                  "per_setup": figures[2] });
            (name.clone(), figures)
        };
        let object: serde_json::Map<String, Value> = report.iter().map(entry).collect();
        let top = top.iter().map(|(name, instructions)| json!([name, instructions]));
        let object = json!({ "figures": object, "top_functions": top.collect::<Vec<_>>() });
        std::fs::write(path, object.to_string()).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

type Named<T> = Vec<(String, T)>;

/// Figures per delivered message, per received message, per set-up, of everything that `tool` counts; and the functions
/// with most instructions per delivered message.
fn measure(server: &Candidate, tool: Tool, args: &Args) -> Result<(Named<[f64; 3]>, Named<f64>), String> {
    let publish = |players, seconds| loaded(server, tool, players, seconds);
    let (short, long) = (publish(0, args.seconds)?, publish(0, 2 * args.seconds)?);
    let (few, many) = (
        crowded(server, tool, args.setups)?,
        crowded(server, tool, 2 * args.setups)?,
    );
    let (brief, wide) = (
        publish(args.players, args.seconds)?,
        publish(args.players, 2 * args.seconds)?,
    );
    let mut names: Vec<&String> = wide.counts.keys().collect();
    names.sort_by(|a, b| wide.counts[*b].total_cmp(&wide.counts[*a]));
    let figures = names.into_iter().map(|name| {
        let difference = |less: &Run, more: &Run| count(more, name) - count(less, name);
        let per_received = difference(&short, &long) / (long.received - short.received);
        let of_players = difference(&brief, &wide) - per_received * (wide.received - brief.received);
        let per_delivered = of_players / (wide.delivered - brief.delivered);
        let per_setup = difference(&few, &many) / args.setups as f64;
        (name.clone(), [per_delivered, per_received, per_setup])
    });
    let top = top_functions(&brief, &wide);
    Ok((figures.collect(), top))
}

fn top_functions(less: &Run, more: &Run) -> Named<f64> {
    let delivered = more.delivered - less.delivered;
    let all = more.functions.iter().map(|(name, instructions)| {
        let before = less.functions.get(name).copied().unwrap_or(0.0);
        (name.clone(), (instructions - before) / delivered)
    });
    let mut all: Vec<(String, f64)> = all.collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(TOP);
    all
}

fn count(run: &Run, name: &str) -> f64 {
    run.counts.get(name).copied().unwrap_or(0.0)
}

/// One publisher and `players` for `seconds`.
fn loaded(server: &Candidate, watcher: Tool, players: u64, seconds: u64) -> Result<Run, String> {
    eprintln!("{watcher:?}: {players} players, {seconds} s");
    let server = server.start_under(&watcher.words())?;
    let output = Command::new(tool("load")?)
        .args(["--json", "--url", &format!("rtmp://{}/live/s", server.address())])
        .args([
            "--players",
            &players.to_string(),
            "--seconds",
            &seconds.to_string(),
        ])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_owned())?;
    let lost = value["players"]["lost_video"].as_u64().unwrap_or(0);
    if lost > 0 {
        return Err(format!("{lost} pictures were lost: give it fewer --players"));
    }
    server.terminate(END)?;
    Ok(Run {
        counts: watcher.counts()?,
        functions: watcher.functions()?,
        received: value["published_messages"].as_f64().unwrap_or(0.0),
        delivered: value["players"]["received_messages"].as_f64().unwrap_or(0.0),
    })
}

/// `count` players of a stream that nobody publishes.
fn crowded(server: &Candidate, watcher: Tool, count: u64) -> Result<Run, String> {
    eprintln!("{watcher:?}: {count} set-ups");
    let server = server.start_under(&watcher.words())?;
    let script = Script::play(server.address(), "live", "s", Joined::Started);
    let burst = Burst::run(server.address(), &script, count as usize)?;
    if burst.times.len() < count as usize {
        let why = burst.failure.unwrap_or("time is over".to_owned());
        return Err(format!("{} of {count} set-ups: {why}", burst.times.len()));
    }
    drop(burst);
    server.terminate(END)?;
    Ok(Run {
        counts: watcher.counts()?,
        functions: watcher.functions()?,
        received: 0.0,
        delivered: 0.0,
    })
}

fn args() -> Result<Args, String> {
    let mut args = Args {
        players: 50,
        seconds: 4,
        setups: 200,
        tool: None,
        options: Vec::new(),
        json: None,
        estimate: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{name} takes a value"));
        match name.as_str() {
            "--players" => args.players = number(&value()?)?.max(1),
            "--seconds" => args.seconds = number(&value()?)?.max(1),
            "--setups" => args.setups = number(&value()?)?.max(1),
            "--tool" => args.tool = Some(value()?),
            "--server-options" => args.options = value()?.split_whitespace().map(str::to_owned).collect(),
            "--json" => args.json = Some(value()?),
            "--estimate" => args.estimate = true,
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(args)
}
