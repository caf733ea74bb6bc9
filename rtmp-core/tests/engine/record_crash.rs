//! A server that is killed while it records leaves a file that can be read, and appended to.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rtmp_core::{MediaKind, MediaMessage, RecordMode, RecordOptions};

use crate::record::{Folder, KEY, read, serve, wait_told};

/// Tells the child where to record; without it the child's test does nothing.
const DIRECTORY: &str = "RTMPKIT_TEST_RECORDING";

/// Frames that begin with a keyframe, some 500 KiB.
const BATCH: u32 = 32;

/// Not a test of its own: what [`a_killed_server_leaves_a_file_that_can_be_read`] starts, and kills.
#[test]
#[ignore = "the child of another test"]
fn child_that_records_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let folder = Folder(PathBuf::from(directory));
    let (served, told) = serve(folder.config());
    let stream = served.server.instance("live").unwrap().stream("cam").unwrap();
    let recording = stream.record(RecordOptions::new(RecordMode::Append)).unwrap();
    wait_told(&told, "NetStream.Record.Start");
    let publication = stream.publish().unwrap();
    let mut told = 0;
    let mut tell = || {
        let written = recording.stats().bytes;
        if written > told {
            told = written;
            writeln!(std::io::stdout(), "written {written}").unwrap();
        }
        written
    };
    let mut before = 0;
    for number in 0_u32.. {
        let mut body = KEY.to_vec();
        if number % BATCH != 0 {
            body[0] = 0x27;
        }
        body.resize(1000 + (number as usize * 7919) % 30_000, 1);
        let message = MediaMessage::new(MediaKind::Video, number * 40, body);
        publication.write_message(&message).unwrap();
        tell();
        if number % BATCH == BATCH - 1 {
            // A batch is more than is held back. Unbounded, a slow disk would get more keyframes than the index has room for.
            while tell() == before {
                std::thread::yield_now();
            }
            before = tell();
        }
    }
}

fn kill_after(directory: &Path, lines: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "record_crash::child_that_records_until_it_is_killed"])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut written = output.lines().filter_map(|line| {
        let line = line.ok()?;
        line.rsplit_once("written ")?.1.parse::<u64>().ok()
    });
    let told = written.by_ref().take(lines).last().expect("the child records");
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said between the last line read and its end counts too.
    written.last().unwrap_or(told)
}

#[test]
fn a_killed_server_leaves_a_file_that_can_be_read() {
    let folder = Folder::new("crash");
    let file = folder.file("cam.flv");
    let (mut before, mut tags_before) = (0, 0);
    for lines in [1, 3, 9, 20] {
        let written = kill_after(&folder.0, lines);
        assert!(written > before, "{written} bytes after {before}");
        let length = std::fs::metadata(&file).unwrap().len();
        assert!(length >= written, "{length} of {written} bytes");
        let (_, tags) = read(&file);
        assert!(tags.len() > tags_before);
        let times: Vec<u32> = tags.iter().map(|(_, time, _)| *time).collect();
        assert!(times.is_sorted(), "{times:?}");
        (before, tags_before) = (written, tags.len());
    }
    // What was never finished is completed by what is appended.
    let (served, told) = serve(folder.config());
    let stream = served.server.instance("live").unwrap().stream("cam").unwrap();
    let recording = stream.record(RecordOptions::new(RecordMode::Append)).unwrap();
    let publication = stream.publish().unwrap();
    publication
        .write_message(&MediaMessage::new(MediaKind::Video, 0, KEY))
        .unwrap();
    recording.stop();
    wait_told(&told, "NetStream.Record.Stop");
    let (metadata, tags) = read(&file);
    assert_eq!(tags.len(), tags_before + 1);
    let last = f64::from(tags[tags_before].1) / 1000.0;
    assert_eq!(metadata.duration(), Some(last));
    assert_eq!(metadata.keyframes().last().unwrap().0, last);
}
