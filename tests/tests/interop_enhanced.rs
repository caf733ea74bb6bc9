//! Codecs, tracks and colours of Enhanced RTMP, from and to an FFmpeg that knows them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rtmp_core::media::flv::FlvReader;
use rtmp_core::media::{Frame, MediaKind, PacketType, VideoMetadata};
use rtmp_tests::media;
use rtmp_tests::packets::{Packets, assert_tail};
use rtmp_tests::players::{limit, newer_ffmpeg};
use rtmp_tests::programs::{START, Server, spawn_example};

const SECONDS: u32 = 4;

fn sample(dir: &Path, encoders: &[&str]) -> PathBuf {
    let file = dir.join("encoded.flv");
    let seconds = SECONDS.to_string();
    let mut args = vec!["make", &seconds, file.to_str().expect("a path of ours")];
    args.extend(encoders);
    newer_ffmpeg(&args).wait_success(limit(SECONDS) * 6);
    // FFmpeg writes some headers anew when it copies; once more, and a publisher changes nothing.
    let sample = dir.join("sample.flv");
    newer_ffmpeg(&["remux".as_ref(), file.as_os_str(), sample.as_os_str()]).wait_success(START);
    sample
}

fn list(what: &Path) -> Packets {
    let mut list = newer_ffmpeg(&["list".as_ref(), what.as_os_str()]);
    list.wait_success(START);
    Packets::parse(&list.log())
}

fn codecs(packets: &Packets) -> Vec<&str> {
    packets
        .streams
        .iter()
        .map(|stream| stream.codec.as_str())
        .collect()
}

/// Publishes a sample; players join while it runs: FFmpeg, and ours, which stores what it gets.
fn relayed(dir: &Path, encoders: &[&str]) -> (Packets, Packets, Packets) {
    let sample = sample(dir, encoders);
    let stored = dir.join("stored.flv");
    let server = Server::start();
    let url = server.url("enhanced");

    let mut publisher = newer_ffmpeg(&["publish".as_ref(), sample.as_os_str(), url.as_ref()]);
    publisher.wait_for_line("publishing", START);
    let mut player = newer_ffmpeg(&["list", &url]);
    let mut ours = spawn_example("player", &[url.as_ref(), stored.as_os_str()]);
    publisher.wait_success(limit(SECONDS));
    player.wait_success(limit(0));
    ours.wait_success(limit(0));
    (list(&sample), Packets::parse(&player.log()), list(&stored))
}

/// Returns where `sample.flv`, which was published, and `stored.flv` are.
fn pass_unchanged(test: &str, encoders: &[&str], expected: &[&str]) -> PathBuf {
    let dir = media::scratch(test);
    let (published, played, stored) = relayed(&dir, encoders);
    assert_eq!(codecs(&published), expected);
    assert_tail(&published, &played);
    assert_tail(&published, &stored);
    dir
}

#[test]
fn av1_and_opus_pass_unchanged() {
    pass_unchanged("enhanced_av1", &["libsvtav1", "libopus"], &["opus", "libdav1d"]);
}

#[test]
fn vp9_and_flac_pass_unchanged() {
    pass_unchanged("enhanced_vp9", &["libvpx-vp9", "flac"], &["flac", "vp9"]);
}

#[test]
fn hevc_and_ac3_pass_unchanged() {
    pass_unchanged("enhanced_hevc", &["libx265", "ac3"], &["ac3", "hevc"]);
}

#[test]
fn avc_and_eac3_pass_unchanged() {
    pass_unchanged("enhanced_avc", &["libx264", "eac3"], &["eac3", "h264"]);
}

#[test]
fn two_tracks_of_each_kind_reach_players_that_know_them() {
    let encoders = ["libx264", "libx265", "aac", "libopus"];
    let (published, played, stored) = relayed(&media::scratch("enhanced_tracks"), &encoders);
    assert_eq!(codecs(&published), ["aac", "opus", "h264", "hevc"]);
    assert_tail(&published, &stored);
    // This FFmpeg knows tracks, but does not announce it.
    assert_eq!(codecs(&played), ["aac", "h264"]);
    let first: Vec<&str> = published.of_kind("video").map(|packet| &*packet.hash).collect();
    assert!(
        played
            .of_kind("video")
            .all(|packet| first.contains(&&*packet.hash))
    );
}

/// What an FLV file tells of the colours of its pictures.
fn colours(file: &Path) -> Vec<VideoMetadata> {
    let reader = FlvReader::new(File::open(file).expect("a file that was written"));
    let frames = reader
        .expect("FLV")
        .map(|tag| Frame::from_message(&tag.expect("a whole tag")));
    frames
        .filter(|frame| frame.packet_type == PacketType::Metadata && frame.kind == MediaKind::Video)
        .map(|frame| VideoMetadata::parse(&frame.payload))
        .collect()
}

#[test]
fn p16_ffmpeg_tells_colours_and_every_player_is_told() {
    let dir = pass_unchanged("enhanced_pq", &["libx265+pq", "libopus"], &["opus", "hevc"]);
    let sent = colours(&dir.join("sample.flv"));
    let config = sent[0]
        .color_info()
        .and_then(|info| info.config)
        .expect("colorConfig");
    assert_eq!(
        (config.primaries, config.transfer, config.matrix),
        (Some(9.0), Some(16.0), Some(9.0))
    );
    assert_eq!(colours(&dir.join("stored.flv")), sent);
}

#[test]
fn p16_mp3_by_its_fourcc_passes_unchanged() {
    let encoders = ["libx264", "aac", "libmp3lame"];
    let dir = media::scratch("enhanced_mp3");
    let (published, _, stored) = relayed(&dir, &encoders);
    assert_eq!(codecs(&published), ["aac", "mp3float", "h264"]);
    assert_tail(&published, &stored);
    let stored = fs::read(dir.join("stored.flv")).expect("what our player stored");
    // E-RTMP v2: audio of format 9, multitrack with one track, coded frames: FFmpeg names MP3 like this on a second track.
    assert!(stored.windows(6).any(|bytes| bytes == b"\x95\x01.mp3"));
}
