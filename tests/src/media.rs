//! Media samples, made once per machine with FFmpeg into `target/media`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::target_dir;

/// Seconds of the long samples.
pub const LONG_SECONDS: u32 = 20;
/// Seconds of the short samples.
pub const SHORT_SECONDS: u32 = 6;

const VIDEO: &[&str] = &[
    "-c:v",
    "libx264",
    "-profile:v",
    "high",
    "-bf",
    "2",
    "-preset",
    "veryfast",
];
/// Constant bit rate, 2.5 Mbit/s, a key frame every 2 s and nowhere else.
const RATE: &[&str] = &[
    "-b:v",
    "2400k",
    "-minrate",
    "2400k",
    "-maxrate",
    "2400k",
    "-bufsize",
    "1200k",
    "-nal-hrd",
    "cbr",
    "-g",
    "60",
    "-keyint_min",
    "60",
    "-sc_threshold",
    "0",
    "-pix_fmt",
    "yuv420p",
];

/// H.264 High with B-frames and AAC, [`LONG_SECONDS`], FLV.
pub fn h264_aac() -> PathBuf {
    flv(
        "h264_aac",
        LONG_SECONDS,
        &["-c:a", "aac", "-b:a", "128k", "-ar", "48000"],
    )
}

/// H.264 High with B-frames and AAC, [`SHORT_SECONDS`], FLV.
pub fn h264_aac_short() -> PathBuf {
    flv(
        "h264_aac_short",
        SHORT_SECONDS,
        &["-c:a", "aac", "-b:a", "128k", "-ar", "48000"],
    )
}

/// H.264 and MP3, [`SHORT_SECONDS`], FLV.
pub fn h264_mp3() -> PathBuf {
    flv(
        "h264_mp3",
        SHORT_SECONDS,
        &["-c:a", "libmp3lame", "-b:a", "128k", "-ar", "44100"],
    )
}

/// H.264 High with B-frames and AAC, [`SHORT_SECONDS`], MP4 as FFmpeg lays it out with these `-movflags`.
pub fn h264_aac_mp4(name: &str, flags: &str) -> PathBuf {
    sample(&format!("{name}.mp4"), SHORT_SECONDS, |command| {
        command.args(VIDEO).args(RATE);
        command.args(["-c:a", "aac", "-b:a", "128k", "-ar", "44100"]);
        command.args(["-movflags", flags, "-f", "mp4"]);
    })
}

/// H.264 and MP3, [`SHORT_SECONDS`], MP4.
pub fn h264_mp3_mp4() -> PathBuf {
    sample("h264_mp3.mp4", SHORT_SECONDS, |command| {
        command.args(VIDEO).args(RATE);
        command.args(["-c:a", "libmp3lame", "-b:a", "128k", "-ar", "48000", "-f", "mp4"]);
    })
}

/// MP3 with tags of both versions, [`SHORT_SECONDS`], of variable bit rate or constant.
pub fn mp3(name: &str, rate: [&str; 2]) -> PathBuf {
    sample(&format!("{name}.mp3"), SHORT_SECONDS, |command| {
        command
            .args(["-map", "1:a", "-c:a", "libmp3lame", "-ar", "44100"])
            .args(rate);
        command.args(["-metadata", "title=Song", "-metadata", "artist=Band"]);
        command.args(["-write_id3v1", "1", "-f", "mp3"]);
    })
}

/// HEVC with B-frames and AAC, [`SHORT_SECONDS`], MP4: FLV carries HEVC only by FourCC, which the FFmpeg that makes it may not know.
pub fn hevc_aac_mp4() -> PathBuf {
    let x265 = "log-level=error:keyint=60:min-keyint=60:scenecut=0:bframes=2";
    sample("hevc_aac.mp4", SHORT_SECONDS, |command| {
        command.args([
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-x265-params",
            x265,
            "-b:v",
            "1500k",
        ]);
        command.args([
            "-pix_fmt", "yuv420p", "-tag:v", "hvc1", "-c:a", "aac", "-b:a", "128k", "-f", "mp4",
        ]);
    })
}

/// An empty folder of the test's own under `target/`, for what it writes.
pub fn scratch(test: &str) -> PathBuf {
    let dir = target_dir().join("test-scratch").join(test);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap_or_else(|e| panic!("cannot make {}: {e}", dir.display()));
    dir
}

fn flv(name: &str, seconds: u32, audio: &[&str]) -> PathBuf {
    sample(&format!("{name}.flv"), seconds, |command| {
        command.args(VIDEO).args(RATE).args(audio).args(["-f", "flv"]);
    })
}

/// Renders a moving picture and a changing tone, so that no two packets are alike. Written beside its final name,
/// which it gets when it is whole, so that tests that run at the same time never see half a file.
fn sample(name: &str, seconds: u32, codecs: impl FnOnce(&mut Command)) -> PathBuf {
    let dir = target_dir().join("media");
    let path = dir.join(name);
    if path.exists() {
        return path;
    }
    fs::create_dir_all(&dir).unwrap_or_else(|e| panic!("cannot make {}: {e}", dir.display()));
    let part = dir.join(format!(
        "{name}.{}.{:?}.part",
        std::process::id(),
        std::thread::current().id()
    ));
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]);
    command.args([
        "-f",
        "lavfi",
        "-i",
        &format!("testsrc2=size=640x360:rate=30:duration={seconds}"),
    ]);
    command.args([
        "-f",
        "lavfi",
        "-i",
        &format!("aevalsrc=0.3*sin(2*PI*(300+40*t)*t):d={seconds}"),
    ]);
    codecs(&mut command);
    run(command.arg(&part));
    give_name(&part, &path);
    path
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e} (tests/setup.sh installs it)"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The first to be ready stays: no two renderings are alike, and others may be using it.
fn give_name(part: &Path, path: &Path) {
    match fs::hard_link(part, path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => {
            panic!("cannot name {} {}: {e}", part.display(), path.display())
        }
        _ => fs::remove_file(part).unwrap_or_else(|e| panic!("cannot remove {}: {e}", part.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rendering_that_is_ready_first_stays() {
        let dir = scratch("the_rendering_that_is_ready_first_stays");
        let path = dir.join("film.flv");
        for text in ["first", "second"] {
            let part = dir.join(format!("{text}.part"));
            fs::write(&part, text).expect("a file can be written");
            give_name(&part, &path);
            assert!(!part.exists());
        }
        assert_eq!(fs::read_to_string(path).expect("it has its name"), "first");
    }
}
