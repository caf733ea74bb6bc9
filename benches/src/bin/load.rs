//! Load tool: publishes one stream, plays it many times, and says what was lost and how late it was.
//!
//! `cargo run --release -p rtmp-benches --bin load -- --url rtmp://127.0.0.1:1935/live/s --players 200 --seconds 20`

use std::process::ExitCode;

use rtmp_benches::load::{Options, USAGE, measure};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(what) if what.is_empty() => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("load: {what}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match measure(&options) {
        Ok(report) => {
            if options.json {
                println!("{}", report.to_json());
            } else {
                print!("{}", report.to_table());
            }
            if report.is_clean() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(what) => {
            eprintln!("load: {what}");
            ExitCode::FAILURE
        }
    }
}
