//! What the measuring programs that compare servers have in common: options, the order of the runs, the reports.

use std::time::Duration;

use crate::candidate::Candidate;
use crate::figures::{Column, Figures, Sample, table, to_json};
use crate::plot::svg;

/// Options that all of them take; each adds its own.
pub const COMMON_USAGE: &str = "  --seconds S            how long each run measures
  --runs N               runs of each server, of which the medians are shown
  --only NAME,...        only these servers
  --variant 'NAME=OPTIONS'
                         our server once more, with these options of the server example
  --peer 'NAME=COMMAND'  another server; {port} in the command is where it is to listen on 127.0.0.1
  --json FILE            every run and the medians
  --svg FILE             bar charts of the medians
  --estimate             say how long all this takes, and do nothing
";

/// The values of those options.
#[derive(Debug, Clone, Default)]
pub struct Common {
    /// How long each run measures.
    pub seconds: u64,
    /// Runs of each server.
    pub runs: usize,
    /// Names of the servers to run; all when there are none.
    pub only: Vec<String>,
    variants: Vec<String>,
    peers: Vec<String>,
    json: Option<String>,
    svg: Option<String>,
    estimate: bool,
}

impl Common {
    /// These defaults and nothing else.
    pub fn new(seconds: u64, runs: usize) -> Self {
        Self {
            seconds,
            runs,
            ..Self::default()
        }
    }

    /// Reads the command line: what is not common goes to `own`, which says whether it knows the option. `Err` holds what
    /// was wrong, or `usage` when help was asked for.
    pub fn parse(
        &mut self,
        usage: &str,
        mut own: impl FnMut(&str, &mut dyn FnMut() -> Result<String, String>) -> Result<bool, String>,
    ) -> Result<(), String> {
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{name} takes a value"));
            match name.as_str() {
                "--seconds" => self.seconds = number(&value()?)?,
                "--runs" => self.runs = number(&value()?)? as usize,
                "--only" => self.only = value()?.split(',').map(str::to_owned).collect(),
                "--variant" => self.variants.push(value()?),
                "--peer" => self.peers.push(value()?),
                "--json" => self.json = Some(value()?),
                "--svg" => self.svg = Some(value()?),
                "--estimate" => self.estimate = true,
                "--help" | "-h" => return Err(format!("{usage}{COMMON_USAGE}")),
                _ if own(&name, &mut value)? => {}
                _ => return Err(format!("{name}: unknown option\n{usage}{COMMON_USAGE}")),
            }
        }
        Ok(())
    }

    /// Our `servers`, the variants, nginx-rtmp where it is installed, and the peers.
    pub fn servers(&self, ours: &[(&str, &[&str])]) -> Result<Vec<Candidate>, String> {
        let ours = ours.iter().map(|(name, options)| Candidate::ours(name, options));
        let variants = self.variants.iter().map(|text| Candidate::variant(text));
        let nginx = Candidate::nginx().into_iter().map(Ok);
        let peers = self.peers.iter().map(|text| Candidate::peer(text));
        ours.chain(variants).chain(nginx).chain(peers).collect()
    }

    /// Whether the one of that `name` is to be run.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Says how long `count` runs of `each` take; true when there is no more to do.
    pub fn announce(&self, count: usize, each: Duration) -> bool {
        let all = each.as_secs_f64() * count as f64;
        eprintln!(
            "{count} runs of about {:.0} s: {:.1} minutes",
            each.as_secs_f64(),
            all / 60.0
        );
        self.estimate
    }

    /// Measures each of `subjects` as often as there are runs, in turn, every second round backwards, so that what changes
    /// on the machine meanwhile falls on all of them.
    pub fn alternate<T>(
        &self,
        subjects: &[T],
        name: impl Fn(&T) -> &str,
        (size, unit): (usize, &str),
        columns: &'static [Column],
        mut measure: impl FnMut(&T) -> Result<Sample, String>,
    ) -> Vec<Figures> {
        let all = subjects
            .iter()
            .map(|subject| Figures::new(name(subject), size, columns));
        let mut all: Vec<Figures> = all.collect();
        for round in 0..self.runs {
            let order = 0..subjects.len();
            let order: Vec<usize> = if round % 2 == 0 {
                order.collect()
            } else {
                order.rev().collect()
            };
            for at in order {
                let figures = &mut all[at];
                eprintln!(
                    "{size} {unit}, run {} of {}: {}",
                    round + 1,
                    self.runs,
                    figures.name
                );
                match measure(&subjects[at]) {
                    Ok(sample) => figures.samples.push(sample),
                    Err(why) => {
                        eprintln!("  {why}");
                        figures.failures.push(why);
                    }
                }
            }
        }
        all
    }

    /// Prints the table of one size.
    pub fn show(&self, unit: &str, figures: &[Figures], baseline: &str) {
        let size = figures.first().map_or(0, |figures| figures.size);
        println!("{}", table(&format!("{size} {unit}"), figures, baseline));
    }

    /// Writes the files that were asked for. An error when not every run came to an end.
    pub fn finish(&self, bench: &str, unit: &str, results: &[Figures]) -> Result<(), String> {
        let write = |path: &Option<String>, text: String| match path {
            Some(path) => std::fs::write(path, text).map_err(|error| format!("{path}: {error}")),
            None => Ok(()),
        };
        write(&self.json, to_json(bench, results).to_string())?;
        write(&self.svg, svg(bench, unit, results))?;
        match results.iter().map(|figures| figures.failures.len()).sum() {
            0_usize => Ok(()),
            failed => Err(format!("{failed} runs failed")),
        }
    }
}

/// A whole number.
pub fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// A list of whole numbers between commas.
pub fn numbers(text: &str) -> Result<Vec<usize>, String> {
    text.split(',')
        .map(|text| number(text).map(|number| number as usize))
        .collect()
}
