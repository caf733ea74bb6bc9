//! The floor of fan-out: what it costs the kernel to send one stream to many sockets, with nothing of RTMP around it.
//!
//! `floor send` sends every message of a made-up stream to every socket as it comes due: one `send` per message and
//! socket, or all sockets' sends in one io_uring call, or everything of a window of time in one `send` per socket.
//! `floor sink` is the other end: it connects and throws away what it reads. `floor serve` does the same sends for the
//! publisher and the players that servers are measured with.

mod ring;
mod send;
mod serve;
mod sink;

use std::process::ExitCode;
use std::time::Duration;

/// How messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// One `send` per message and socket.
    Plain,
    /// One io_uring call per message for all sockets.
    Ring,
}

struct Args {
    address: String,
    players: usize,
    seconds: u64,
    bits_per_second: u64,
    window: Duration,
    mode: Mode,
}

const USAGE: &str = "usage: floor send|sink --address HOST:PORT --players N [--seconds S] [--bitrate BITS] \
                     [--window-ms MS] [--io-uring]
       floor serve --address HOST:PORT [--window-ms MS] [--io-uring]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut words = std::env::args().skip(1);
    let command = words.next().ok_or(USAGE)?;
    let args = parse(words)?;
    match command.as_str() {
        "send" => send::run(&args).map_err(|error| error.to_string()),
        "serve" => serve::run(&args).map_err(|error| error.to_string()),
        "sink" => sink::run(&args).map_err(|error| error.to_string()),
        _ => Err(USAGE.to_owned()),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = Args {
        address: String::new(),
        players: 0,
        seconds: 10,
        bits_per_second: 2_500_000,
        window: Duration::ZERO,
        mode: Mode::Plain,
    };
    while let Some(name) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{name} takes a value"));
        let number = |text: String| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
        match name.as_str() {
            "--address" => args.address = value()?,
            "--players" => args.players = number(value()?)? as usize,
            "--seconds" => args.seconds = number(value()?)?,
            "--bitrate" => args.bits_per_second = number(value()?)?,
            "--window-ms" => args.window = Duration::from_millis(number(value()?)?),
            "--io-uring" => args.mode = Mode::Ring,
            _ => return Err(format!("{name}: unknown option\n{USAGE}")),
        }
    }
    Ok(args)
}
