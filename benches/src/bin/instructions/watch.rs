//! The programs that count what another one does, and their reports.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What was counted, by name.
pub(crate) type Counts = HashMap<String, f64>;

/// A program that runs another and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Instructions, and operations that lock the bus.
    Callgrind,
    /// System calls, of all threads.
    Strace,
}

impl Tool {
    /// What the command line calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Callgrind => "callgrind",
            Self::Strace => "strace",
        }
    }

    pub(crate) fn is_installed(self) -> bool {
        let program = match self {
            Self::Callgrind => "valgrind",
            Self::Strace => "strace",
        };
        let status = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }

    /// The words before those of the program to be watched.
    pub(crate) fn words(self) -> Vec<String> {
        let report = self.report().to_string_lossy().into_owned();
        match self {
            Self::Callgrind => vec![
                "valgrind".to_owned(),
                "--quiet".to_owned(),
                "--tool=callgrind".to_owned(),
                "--collect-bus=yes".to_owned(),
                format!("--callgrind-out-file={report}"),
            ],
            // As a grandchild the watched program gets the signals that are meant for it.
            Self::Strace => ["strace", "-D", "-f", "-c", "-o", &report]
                .map(str::to_owned)
                .to_vec(),
        }
    }

    /// What it counted, once the program has ended.
    pub(crate) fn counts(self) -> Result<Counts, String> {
        let path = self.report();
        let read = || fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()));
        match self {
            Self::Callgrind => callgrind(&read()?),
            Self::Strace => {
                // It writes its report after the program's end.
                let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
                loop {
                    let counts = strace(&read().unwrap_or_default());
                    if counts.contains_key("system calls") {
                        fs::remove_file(&path).map_err(|error| error.to_string())?;
                        return Ok(counts);
                    }
                    if std::time::Instant::now() > deadline {
                        return Err("strace wrote no report".to_owned());
                    }
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
            }
        }
    }

    /// Instructions of each function of the run that has ended; strace knows none.
    pub(crate) fn functions(self) -> Result<Counts, String> {
        if self != Self::Callgrind {
            return Ok(Counts::new());
        }
        let output = Command::new("callgrind_annotate")
            .args(["--show=Ir", "--auto=no", "--threshold=100"])
            .arg(self.report())
            .output()
            .map_err(|error| format!("callgrind_annotate: {error}"))?;
        Ok(annotated(&String::from_utf8_lossy(&output.stdout)))
    }

    fn report(self) -> PathBuf {
        std::env::temp_dir().join(format!("rtmpkit-{self:?}-{}", std::process::id()))
    }
}

/// Removes the reports.
pub(crate) fn clean() {
    for tool in [Tool::Callgrind, Tool::Strace] {
        // Not there is as good.
        let _ = fs::remove_file(tool.report());
    }
}

/// The lines `events:` and `totals:` of callgrind's file.
fn callgrind(text: &str) -> Result<Counts, String> {
    let words = |name: &str| -> Vec<&str> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(Vec::new(), |line| line.split_whitespace().collect())
    };
    let (events, totals) = (words("events:"), words("totals:"));
    if events.is_empty() || totals.is_empty() {
        return Err("callgrind's report has no totals".to_owned());
    }
    let named = events.iter().zip(totals).map(|(event, total)| {
        let name = match *event {
            "Ir" => "instructions",
            "Ge" => "atomic operations that lock the bus",
            other => other,
        };
        (name.to_owned(), total.parse().unwrap_or(f64::NAN))
    });
    Ok(named.collect())
}

/// Columns of `strace -c`: share, seconds, microseconds per call, calls, errors where there are some, name.
fn strace(text: &str) -> Counts {
    let rows = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.first()?.parse::<f64>().ok()?;
        let name = match *words.last()? {
            "total" => "system calls".to_owned(),
            name => name.to_owned(),
        };
        Some((name, words.get(3)?.parse().ok()?))
    });
    rows.collect()
}

/// Lines of `callgrind_annotate`: instructions, their share in brackets, file, function, object in square brackets.
fn annotated(text: &str) -> Counts {
    let mut counts = Counts::new();
    for line in text.lines().skip_while(|line| !line.contains("file:function")) {
        if let Some((function, instructions)) = annotated_line(line.trim()) {
            *counts.entry(function.to_owned()).or_default() += instructions;
        }
    }
    counts
}

fn annotated_line(line: &str) -> Option<(&str, f64)> {
    let (instructions, rest) = line.split_once(' ')?;
    let instructions = instructions.replace(',', "").parse().ok()?;
    let (_, place) = rest.split_once(')')?;
    let function = place.split_once(':').map_or(place, |(_, function)| function);
    let function = function.rsplit_once(" [").map_or(function, |(name, _)| name);
    Some((function.trim(), instructions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_callgrind_have_the_names_of_the_events() {
        let counts = callgrind("version: 1\nevents: Ir Ge\nfn=(1) main\n1 5\ntotals: 1200 30\n").unwrap();
        assert_eq!(counts["instructions"], 1200.0);
        assert_eq!(counts["atomic operations that lock the bus"], 30.0);
    }

    #[test]
    fn calls_of_strace_are_in_the_fourth_column() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n\
                    ------ ----------- ----------- --------- --------- ----------------\n \
                    56.09    0.000152           0       180        11 io_uring_enter\n \
                    43.91    0.000119          10        11           read\n\
                    ------ ----------- ----------- --------- --------- ----------------\n\
                    100.00    0.000271           1       191        11 total\n";
        let counts = strace(text);
        assert_eq!(counts["io_uring_enter"], 180.0);
        assert_eq!(counts["read"], 11.0);
        assert_eq!(counts["system calls"], 191.0);
    }

    #[test]
    fn functions_are_read_without_file_and_object() {
        let text = "Ir                   file:function\n----\n\
                    1,200 (48.00%)  /a/b.rs:core::copy [/bin/server]\n  800 (32.00%)  ???:main [/bin/server]\n  \
                    300 (20.00%)  /a/c.rs:core::copy [/bin/server]\n";
        let counts = annotated(text);
        assert_eq!(counts["core::copy"], 1500.0, "{counts:?}");
        assert_eq!(counts["main"], 800.0, "{counts:?}");
    }
}
