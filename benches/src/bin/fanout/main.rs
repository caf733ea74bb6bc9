//! Fan-out beside the peers: one stream to many players, through our server in each of its settings, through every
//! peer found on the machine, and through the floor program that only sends. One run, alternating, medians.
//!
//! `cargo run --release -p rtmp-benches --bin fanout -- --players 200,500 --seconds 8 --repeat 5`
//!
//! Our server, the load tool and the floor are started from the folder this program lies in:
//! `cargo build --release -p rtmp-core --example server -p rtmp-benches` builds them all. Everything stays on 127.0.0.1.

mod candidate;
mod figures;
mod plot;

use std::process::ExitCode;

use candidate::{Candidate, candidates};
use figures::{Figures, table};

struct Args {
    players: Vec<usize>,
    seconds: u64,
    repeat: usize,
    bitrate: u64,
    only: Vec<String>,
    peers: Vec<String>,
    json: Option<String>,
    svg: Option<String>,
}

const USAGE: &str =
    "usage: fanout [--players 200,500,1000] [--seconds 8] [--repeat 5] [--bitrate 2500000] [--only NAME,...]
       [--peer 'NAME=COMMAND with {port}'] [--json FILE] [--svg FILE]";

fn main() -> ExitCode {
    match args().and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let all = candidates(&args.peers)?;
    let chosen: Vec<&Candidate> = all
        .iter()
        .filter(|candidate| args.only.is_empty() || args.only.contains(&candidate.name))
        .collect();
    let mut results = Vec::new();
    for &players in &args.players {
        let mut figures: Vec<Figures> = chosen
            .iter()
            .map(|candidate| Figures::new(&candidate.name, players))
            .collect();
        for round in 0..args.repeat {
            for (candidate, figures) in chosen.iter().zip(&mut figures) {
                eprintln!(
                    "{players} players, round {} of {}: {}",
                    round + 1,
                    args.repeat,
                    candidate.name
                );
                match candidate.measure(players, args.seconds, args.bitrate) {
                    Ok(sample) => figures.samples.push(sample),
                    Err(error) => eprintln!("  {error}"),
                }
            }
        }
        println!("{}", table(players, &figures));
        results.extend(figures);
    }
    if let Some(path) = &args.json {
        let text = figures::to_json(&results).to_string();
        std::fs::write(path, text).map_err(|error| format!("{path}: {error}"))?;
    }
    if let Some(path) = &args.svg {
        std::fs::write(path, plot::svg(&results)).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

fn args() -> Result<Args, String> {
    let mut args = Args {
        players: vec![200, 500, 1000],
        seconds: 8,
        repeat: 5,
        bitrate: 2_500_000,
        only: Vec::new(),
        peers: Vec::new(),
        json: None,
        svg: None,
    };
    let mut words = std::env::args().skip(1);
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    while let Some(name) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{name}: unknown option or no value\n{USAGE}"))?;
        match name.as_str() {
            "--players" => {
                let list = value
                    .split(',')
                    .map(|text| number(text).map(|count| count as usize));
                args.players = list.collect::<Result<_, _>>()?;
            }
            "--seconds" => args.seconds = number(&value)?,
            "--repeat" => args.repeat = number(&value)? as usize,
            "--bitrate" => args.bitrate = number(&value)?,
            "--only" => args.only = value.split(',').map(str::to_owned).collect(),
            "--peer" => args.peers.push(value),
            "--json" => args.json = Some(value),
            "--svg" => args.svg = Some(value),
            _ => return Err(format!("{name}: unknown option\n{USAGE}")),
        }
    }
    Ok(args)
}
