//! FFmpeg publishes and the host records: what FFmpeg reads from the file is what it published.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rtmp_core::{
    ApplicationConfig, ApplicationHandler, Code, Engine, EngineConfig, PublishOptions, PublishRequest,
    RecordChoice, RecordMode, RecordOptions, Recording, Server, ServerConfig, Status,
};
use rtmp_tests::media;
use rtmp_tests::packets::{Packets, assert_whole};
use rtmp_tests::players::{ffmpeg_publish, limit};

/// Records every publisher, which asked for nothing of the kind.
struct Records(Mutex<Sender<PathBuf>>);

impl ApplicationHandler for Records {
    fn on_publish(&self, request: PublishRequest) {
        let record = RecordChoice::As(RecordOptions::new(RecordMode::Record));
        request.accept_as(PublishOptions {
            record,
            ..PublishOptions::default()
        });
    }

    fn on_record(&self, recording: &Recording, status: &Status) {
        if status.is(Code::RecordStop) {
            let path = recording.path().expect("it was open");
            self.0.lock().unwrap().send(path).expect("the test waits");
        }
    }
}

#[test]
fn what_ffmpeg_publishes_is_recorded_unchanged() {
    let dir = media::scratch("interop_record");
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let server = Server::new(&engine, ServerConfig::default()).unwrap();
    let (sender, complete) = channel();
    let mut config = ApplicationConfig::default();
    config.directory = Some(dir);
    let handler = Arc::new(Records(Mutex::new(sender)));
    server.application("live", config, handler).unwrap();
    let address = server.listen("127.0.0.1:0").unwrap();
    let sample = media::h264_aac_short();
    let mut publisher = ffmpeg_publish(&sample, &format!("rtmp://{address}/live/film"));
    publisher.wait_success(limit(media::SHORT_SECONDS));
    let file = complete
        .recv_timeout(Duration::from_secs(30))
        .expect("the recording is complete");
    assert!(file.ends_with("streams/_definst_/film.flv"));
    assert_whole(&Packets::of(&sample), &Packets::of(&file));

    let probe = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "format=duration:stream=codec_name",
        ])
        .args(["-of", "default=noprint_wrappers=1"])
        .arg(&file)
        .output()
        .unwrap();
    let (said, complaints) = (
        String::from_utf8_lossy(&probe.stdout),
        String::from_utf8_lossy(&probe.stderr),
    );
    assert_eq!(complaints, "", "{said}");
    assert!(
        said.contains("codec_name=h264") && said.contains("codec_name=aac"),
        "{said}"
    );
    let duration = said.lines().find_map(|line| line.strip_prefix("duration="));
    let duration: f64 = duration.expect("a duration").parse().unwrap();
    let expected = f64::from(media::SHORT_SECONDS);
    assert!((duration - expected).abs() < 0.5, "{duration}");
    assert!(fs::metadata(&file).unwrap().len() > 0);
}
