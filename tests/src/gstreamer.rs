//! GStreamer's own RTMP client (`rtmp2sink`, `rtmp2src`) as processes.

use std::path::Path;
use std::process::Command;

use crate::process::Process;

/// GStreamer publishing the FLV file `file` to `url` in real time, muxed anew: the FLV file `sent` gets what is published, too.
/// Options are properties of `rtmp2sink`.
pub fn gstreamer_publish(file: &Path, url: &str, sent: &Path, options: &[&str]) -> Process {
    let mut command = launch();
    command.args(["filesrc", &at(file), "!", "flvdemux", "name=demux"]);
    command.args(["flvmux", "name=mux", "streamable=true", "!", "tee", "name=both"]);
    command.args(["demux.video", "!", "queue", "!", "h264parse", "!", "mux."]);
    command.args(["demux.audio", "!", "queue", "!", "aacparse", "!", "mux."]);
    command.args(["both.", "!", "queue", "!", "filesink", &at(sent)]);
    command.args([
        "both.",
        "!",
        "queue",
        "!",
        "rtmp2sink",
        &format!("location={url}"),
    ]);
    command.args(options);
    Process::spawn("gstreamer publisher", command)
}

/// GStreamer playing `url` into the FLV file `out` as received, until the server closes the connection: it stays when a stream
/// ends, for the next. Options are properties of `rtmp2src`.
pub fn gstreamer_play(url: &str, out: &Path, options: &[&str]) -> Process {
    let mut command = launch();
    command.args(["rtmp2src", &format!("location={url}")]);
    command.args(options).args(["!", "filesink", &at(out)]);
    Process::spawn("gstreamer player", command)
}

fn launch() -> Command {
    let mut command = Command::new("gst-launch-1.0");
    command.arg("--no-position").env("LC_ALL", "C.UTF-8");
    command
}

fn at(file: &Path) -> String {
    format!("location={}", file.display())
}
