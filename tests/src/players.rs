//! Other people's clients as processes: FFmpeg publishing and playing, rtmpdump playing.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::Process;
use crate::programs::{START, workspace};

/// FFmpeg publishing `file` to `url` in real time without touching the packets.
pub fn ffmpeg_publish(file: &Path, url: &str) -> Process {
    ffmpeg_publish_with(file, url, &[])
}

/// The same with options for the output.
pub fn ffmpeg_publish_with(file: &Path, url: &str, options: &[&str]) -> Process {
    let mut command = ffmpeg();
    command
        .args(["-progress", "pipe:1", "-stats_period", "0.2", "-re", "-i"])
        .arg(file);
    command.args(["-map", "0", "-c", "copy", "-f", "flv"]);
    command.args(options).arg(url);
    Process::spawn("ffmpeg publisher", command)
}

/// Waits until FFmpeg has published for at least a part of a second.
pub fn wait_until_published(publisher: &Process) {
    publisher.wait_for_line("out_time=00:00:0", START);
}

/// FFmpeg playing `url` into the FLV file `out`, timestamps as received, until the stream ends.
pub fn ffmpeg_play(url: &str, out: &Path) -> Process {
    ffmpeg_play_with(url, out, &[])
}

/// The same with options for the input.
pub fn ffmpeg_play_with(url: &str, out: &Path, options: &[&str]) -> Process {
    let mut command = ffmpeg();
    command
        .args(["-y", "-copyts"])
        .args(options)
        .args(["-i", url, "-map", "0", "-c", "copy", "-f", "flv"])
        .arg(out);
    Process::spawn("ffmpeg player", command)
}

/// rtmpdump playing `url` into the FLV file `out` until the stream ends.
pub fn rtmpdump_play(url: &str, out: &Path) -> Process {
    let mut command = Command::new("rtmpdump");
    command
        .args(["--live", "--timeout", "30", "-r", url, "-o"])
        .arg(out);
    Process::spawn("rtmpdump", command)
}

/// Waits until the server has told rtmpdump that the stream plays.
pub fn wait_until_playing(rtmpdump: &Process) {
    rtmpdump.wait_for_line("Starting Live Stream", START);
}

/// A newer FFmpeg than the machine's, by PyAV: runs `tests/python/av_rtmp.py` with `args`.
pub fn newer_ffmpeg<A: AsRef<OsStr>>(args: &[A]) -> Process {
    let python = workspace().join("target/venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run tests/setup.sh",
        python.display()
    );
    let mut command = Command::new(python);
    command
        .arg(workspace().join("tests/python/av_rtmp.py"))
        .args(args);
    Process::spawn("newer ffmpeg", command)
}

/// How long a player may go on after its publisher of `seconds` began.
pub fn limit(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds)) + START
}

/// FFmpeg, quiet and without input from the terminal.
pub fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-nostats", "-loglevel", "warning"]);
    command
}
