//! A stream that falls silent: FFmpeg and rtmpdump are told that it is dry, and play on.

use std::fs::File;
use std::io::BufReader;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use rtmp_core::media::flv::FlvReader;
use rtmp_core::{AcceptAll, ApplicationConfig, Engine, EngineConfig, MediaMessage, Server, ServerConfig};
use rtmp_tests::media;
use rtmp_tests::packets::{Packets, assert_whole};
use rtmp_tests::players::{ffmpeg_play, limit};
use rtmp_tests::process::Process;
use rtmp_tests::programs::START;

#[test]
fn p9_ffmpeg_and_rtmpdump_play_on_after_a_dry_stream() {
    let dir = media::scratch("interop_dry");
    let sample = media::h264_aac_short();
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let server = Server::new(&engine, ServerConfig::default()).unwrap();
    let mut config = ApplicationConfig::default();
    config.stream_dry_ms = 500;
    server.application("live", config, Arc::new(AcceptAll)).unwrap();
    let address = server.listen("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{address}/live/cam");
    let stream = server.instance("live").unwrap().stream("cam").unwrap();

    let (by_ffmpeg, by_rtmpdump) = (dir.join("ffmpeg.flv"), dir.join("rtmpdump.flv"));
    let mut ffmpeg = ffmpeg_play(&url, &by_ffmpeg);
    let mut command = Command::new("rtmpdump");
    command
        .args(["--verbose", "--live", "--timeout", "30", "-r", &url, "-o"])
        .arg(&by_rtmpdump);
    let mut rtmpdump = Process::spawn("rtmpdump", command);
    let began = Instant::now();
    while stream.stats().players < 2 {
        assert!(began.elapsed() < START, "{}", ffmpeg.log());
        std::thread::yield_now();
    }

    let publication = stream.publish().unwrap();
    let file = BufReader::new(File::open(&sample).unwrap());
    let messages: Vec<MediaMessage> = FlvReader::new(file).unwrap().map(Result::unwrap).collect();
    let (before, after) = messages.split_at(messages.len() / 2);
    before
        .iter()
        .for_each(|message| publication.write_message(message).unwrap());
    rtmpdump.wait_for_line("Stream Dry 1", limit(media::SHORT_SECONDS));
    after
        .iter()
        .for_each(|message| publication.write_message(message).unwrap());
    publication.close();

    let published = Packets::of(&sample);
    for (player, file) in [(&mut ffmpeg, by_ffmpeg), (&mut rtmpdump, by_rtmpdump)] {
        player.wait(limit(media::SHORT_SECONDS));
        assert_whole(&published, &Packets::of(&file));
    }
}
