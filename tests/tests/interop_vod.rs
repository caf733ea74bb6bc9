//! FFmpeg and rtmpdump play a file from our server: every packet as it is in the file, and from where they seek to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rtmp_core::{AcceptAll, ApplicationConfig, Engine, EngineConfig, Server, ServerConfig};
use rtmp_tests::media;
use rtmp_tests::packets::{Packets, assert_tail, assert_whole};
use rtmp_tests::players::{ffmpeg_play, limit};
use rtmp_tests::process::Process;

/// A server in this process with one recorded stream, `film`.
fn serve(dir: &Path, film: &Path) -> (Engine, Server, String) {
    let folder = dir.join("vod/streams/_definst_");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(film, folder.join("film.flv")).unwrap();
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let server = Server::new(&engine, ServerConfig::default()).unwrap();
    let mut config = ApplicationConfig::default();
    config.directory = Some(dir.join("vod"));
    server.application("vod", config, Arc::new(AcceptAll)).unwrap();
    let address = server.listen("127.0.0.1:0").unwrap();
    (engine, server, format!("rtmp://{address}/vod/film"))
}

fn rtmpdump(url: &str, out: PathBuf, args: &[&str]) -> (Process, PathBuf) {
    let mut command = Command::new("rtmpdump");
    command
        .args(["--timeout", "30", "-r", url, "-o"])
        .arg(&out)
        .args(args);
    (Process::spawn("rtmpdump", command), out)
}

/// rtmpdump ends with 2 where the last frame does not last to the end that the metadata tells.
fn ends_well(player: &mut Process) {
    let status = player.wait(limit(media::SHORT_SECONDS));
    assert!(
        matches!(status.code(), Some(0 | 2)),
        "{status}:\n{}",
        player.log()
    );
}

#[test]
fn ffmpeg_and_rtmpdump_get_every_packet_of_a_file() {
    let dir = media::scratch("interop_vod_whole");
    for (name, sample) in [("aac", media::h264_aac_short()), ("mp3", media::h264_mp3())] {
        let (_engine, _server, url) = serve(&dir.join(name), &sample);
        let out = dir.join(format!("{name}_ffmpeg.flv"));
        let ffmpeg = (ffmpeg_play(&url, &out), out);
        let dump = rtmpdump(&url, dir.join(format!("{name}_rtmpdump.flv")), &[]);
        let recorded = Packets::of(&sample);
        for (mut player, file) in [ffmpeg, dump] {
            ends_well(&mut player);
            assert_whole(&recorded, &Packets::of(&file));
        }
    }
}

#[test]
fn ffmpeg_and_rtmpdump_start_at_a_keyframe_before_the_place_they_seek() {
    let dir = media::scratch("interop_vod_seek");
    let sample = media::h264_aac_short();
    let (_engine, _server, url) = serve(&dir, &sample);
    let out = dir.join("ffmpeg.flv");
    let mut command = rtmp_tests::players::ffmpeg();
    command
        .args([
            "-y", "-ss", "3", "-copyts", "-i", &url, "-map", "0", "-c", "copy", "-f", "flv",
        ])
        .arg(&out);
    let ffmpeg = (Process::spawn("ffmpeg seeking", command), out);
    let dump = rtmpdump(&url, dir.join("rtmpdump.flv"), &["--start", "3"]);
    let recorded = Packets::of(&sample);
    // rtmpdump adds the place to the times that it gets.
    for ((mut player, file), added) in [(ffmpeg, 0), (dump, 3_000)] {
        ends_well(&mut player);
        let mut played = Packets::of(&file);
        for packet in &mut played.packets {
            packet.pts -= added;
            packet.dts -= added;
        }
        assert_tail(&recorded, &played);
        let (all, part) = (recorded.of_kind("video").count(), played.of_kind("video").count());
        assert!(part < all && part > 0, "{part} of {all} pictures");
    }
}
