//! The command line of the load tool.

use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub const USAGE: &str = "\
load --url rtmp://127.0.0.1:PORT/app/stream [options]

Publishes one stream in real time, plays it many times and counts what was lost.

  --players N             players (100)
  --seconds S             how long to measure once all have joined (10)
  --synthetic-bitrate B   bits per second of a made-up H.264 + AAC stream, k and M understood (2.5M); each video
                          message carries its number and the time it was sent
  --publish FILE.flv      publish this file instead, over and over; messages are told apart by timestamp
  --threads N             threads for the players (1)
  --join-rate N           players that connect per second (500)
  --stall N               players more that stop reading (0), counted apart
  --stall-seconds S       for how long (20), from the beginning of the measurement
  --burst N               players that join all at once when the measurement is over, three times, and leave when they
                          have their first key frame; counted apart
  --server-pid PID        also report that process's CPU time and memory
  --json                  print one JSON object instead of the table

Ends with an error when a player that did not stall lost a video message or never got a key frame.
";

/// How the load is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to publish and play.
    pub url: String,
    /// Players.
    pub players: usize,
    /// How long to measure.
    pub measure: Duration,
    /// What to publish.
    pub source: SourceKind,
    /// Threads of players.
    pub threads: usize,
    /// Players that connect per second.
    pub join_rate: usize,
    /// Players that join all at once afterwards.
    pub burst: usize,
    /// Players more that stop reading.
    pub stalled: usize,
    /// For how long they do.
    pub stall: Duration,
    /// The server's process.
    pub server_pid: Option<u32>,
    /// JSON instead of a table.
    pub json: bool,
}

/// What is published.
#[derive(Debug, Clone)]
pub enum SourceKind {
    /// A made-up stream.
    Synthetic {
        /// Its bit rate.
        bits_per_second: u64,
    },
    /// An FLV file, over and over.
    File(PathBuf),
}

impl Options {
    /// Reads the arguments after the program's name. `Err` holds what was wrong, empty when help was asked for.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            url: String::new(),
            players: 100,
            measure: Duration::from_secs(10),
            source: SourceKind::Synthetic {
                bits_per_second: 2_500_000,
            },
            threads: 1,
            join_rate: 500,
            burst: 0,
            stalled: 0,
            stall: Duration::from_secs(20),
            server_pid: None,
            json: false,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--url" => options.url = value()?,
                "--players" => options.players = number(&arg, &value()?)?,
                "--seconds" => options.measure = Duration::from_secs(number(&arg, &value()?)?),
                "--synthetic-bitrate" => {
                    options.source = SourceKind::Synthetic {
                        bits_per_second: bitrate(&value()?)?,
                    };
                }
                "--publish" => options.source = SourceKind::File(value()?.into()),
                "--threads" => options.threads = number::<usize>(&arg, &value()?)?.max(1),
                "--join-rate" => options.join_rate = number::<usize>(&arg, &value()?)?.max(1),
                "--burst" => options.burst = number(&arg, &value()?)?,
                "--stall" => options.stalled = number(&arg, &value()?)?,
                "--stall-seconds" => options.stall = Duration::from_secs(number(&arg, &value()?)?),
                "--server-pid" => options.server_pid = Some(number(&arg, &value()?)?),
                "--json" => options.json = true,
                "--help" | "-h" => return Err(String::new()),
                _ => return Err(format!("unknown argument {arg}")),
            }
        }
        if options.url.is_empty() {
            return Err("--url is missing".to_owned());
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name}: {text:?} is no number"))
}

/// `2.5M`, `800k` or plain bits per second, at least 100k so that a frame holds its number and time.
fn bitrate(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1e3),
        None => text
            .strip_suffix(['m', 'M'])
            .map_or((text, 1.0), |digits| (digits, 1e6)),
    };
    let value: f64 = digits
        .parse()
        .map_err(|_| format!("--synthetic-bitrate: {text:?} is no bit rate"))?;
    let bits = value * factor;
    if !(1e5..=1e9).contains(&bits) {
        return Err(format!(
            "--synthetic-bitrate: {text} is not between 100k and 1000M"
        ));
    }
    Ok(bits as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn bit_rates_have_suffixes() {
        assert_eq!(bitrate("2.5M"), Ok(2_500_000));
        assert_eq!(bitrate("800k"), Ok(800_000));
        assert!(bitrate("12").is_err());
    }

    #[test]
    fn the_url_is_required() {
        assert!(parse("--players 3").is_err());
        assert_eq!(
            parse("--url rtmp://127.0.0.1/live/s --players 3").map(|o| o.players),
            Ok(3)
        );
    }
}
