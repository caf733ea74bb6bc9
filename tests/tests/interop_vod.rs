//! FFmpeg and rtmpdump play a file from our server: every packet as it is in the file, and from where they seek to.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rtmp_core::{AcceptAll, ApplicationConfig, Engine, EngineConfig, Server, ServerConfig};
use rtmp_tests::media;
use rtmp_tests::packets::{Packets, assert_tail, assert_whole};
use rtmp_tests::players::{ffmpeg_play, limit, newer_ffmpeg};
use rtmp_tests::process::Process;

/// A server in this process with one recorded stream, `film` in FLV, `mp4:film` in MP4.
fn serve(dir: &Path, film: &Path) -> (Engine, Server, String) {
    let folder = dir.join("vod/streams/_definst_");
    fs::create_dir_all(&folder).unwrap();
    let ending = film.extension().and_then(|ending| ending.to_str()).unwrap();
    fs::copy(film, folder.join(format!("film.{ending}"))).unwrap();
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let server = Server::new(&engine, ServerConfig::default()).unwrap();
    let mut config = ApplicationConfig::default();
    config.directory = Some(dir.join("vod"));
    server.application("vod", config, Arc::new(AcceptAll)).unwrap();
    let address = server.listen("127.0.0.1:0").unwrap();
    let kind = if ending == "flv" {
        String::new()
    } else {
        format!("{ending}:")
    };
    (engine, server, format!("rtmp://{address}/vod/{kind}film"))
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

/// What FFmpeg and rtmpdump get of a file.
fn played(dir: &Path, name: &str, sample: &Path) -> [Packets; 2] {
    let (_engine, _server, url) = serve(&dir.join(name), sample);
    let out = dir.join(format!("{name}_ffmpeg.flv"));
    let ffmpeg = (ffmpeg_play(&url, &out), out);
    let dump = rtmpdump(&url, dir.join(format!("{name}_rtmpdump.flv")), &[]);
    [ffmpeg, dump].map(|(mut player, file)| {
        ends_well(&mut player);
        Packets::of(&file)
    })
}

#[test]
fn every_packet_of_an_mp4_file_is_played_wherever_it_stands() {
    let dir = media::scratch("interop_vod_mp4");
    for (name, sample) in [
        ("end", media::h264_aac_mp4("h264_aac_end", "0")),
        (
            "faststart",
            media::h264_aac_mp4("h264_aac_faststart", "faststart"),
        ),
        (
            "fragments",
            media::h264_aac_mp4("h264_aac_fragments", "frag_keyframe+empty_moov"),
        ),
        (
            "apart",
            media::h264_aac_mp4(
                "h264_aac_apart",
                "frag_keyframe+empty_moov+separate_moof+default_base_moof",
            ),
        ),
        (
            "signed",
            media::h264_aac_mp4("h264_aac_signed", "negative_cts_offsets"),
        ),
        ("mp3", media::h264_mp3_mp4()),
    ] {
        let recorded = Packets::in_ms(&sample);
        for played in played(&dir, name, &sample) {
            assert_whole(&recorded, &played);
        }
    }
}

#[test]
fn rtmpdump_gets_every_packet_once_that_buffers_less_than_the_file() {
    let dir = media::scratch("interop_vod_buffer");
    let sample = media::h264_aac_short();
    let recorded = Packets::of(&sample);
    let (_engine, _server, url) = serve(&dir, &sample);
    for millis in ["1000", "1500", "3000"] {
        let began = std::time::Instant::now();
        let (mut player, file) = rtmpdump(&url, dir.join(format!("{millis}.flv")), &["-b", millis]);
        ends_well(&mut player);
        assert_whole(&recorded, &Packets::of(&file));
        // It pauses and goes on where it was whenever it has what it buffers, to have the next at once.
        let taken = began.elapsed().as_secs_f64();
        assert!(taken < f64::from(media::SHORT_SECONDS) / 2.0, "{taken} s");
    }
}

#[test]
fn every_frame_of_an_mp3_file_is_played() {
    let dir = media::scratch("interop_vod_mp3");
    for (name, rate) in [("variable", ["-q:a", "3"]), ("constant", ["-b:a", "160k"])] {
        let sample = media::mp3(name, rate);
        let recorded = Packets::in_ms(&sample);
        for played in played(&dir, name, &sample) {
            assert_eq!(recorded.streams, played.streams);
            assert_eq!(recorded.packets.len(), played.packets.len());
            for (recorded, played) in recorded.packets.iter().zip(&played.packets) {
                assert_eq!(recorded, played);
            }
        }
    }
}

/// Plays an MP4 file made with these encoders to an FFmpeg that knows their FourCCs.
fn newer_codecs(test: &str, encoders: &[&str], expected: &[&str]) {
    let dir = media::scratch(test);
    let sample = dir.join("sample.mp4");
    let mut args = vec!["make", "4", sample.to_str().unwrap()];
    args.extend(encoders);
    newer_ffmpeg(&args).wait_success(limit(4) * 6);
    let list = |what: &OsStr| {
        let mut list = newer_ffmpeg(&["list".as_ref(), what]);
        list.wait_success(limit(4));
        Packets::parse(&list.log())
    };
    let (_engine, _server, url) = serve(&dir, &sample);
    let (mut recorded, mut played) = (list(sample.as_os_str()).from_zero(), list(url.as_ref()));
    for stream in recorded.streams.iter_mut().chain(&mut played.streams) {
        // FFmpeg shows no record of VP9 in MP4, and another part of that of FLAC than in FLV.
        if matches!(&*stream.codec, "vp9" | "flac") {
            stream.configuration.clear();
        }
    }
    let codecs: Vec<&str> = recorded.streams.iter().map(|stream| &*stream.codec).collect();
    assert_eq!(codecs, expected);
    assert_whole(&recorded, &played);
}

#[test]
fn hevc_and_aac_in_mp4_are_played() {
    newer_codecs("interop_vod_hevc", &["libx265", "aac"], &["aac", "hevc"]);
}

#[test]
fn av1_and_opus_in_mp4_are_played() {
    newer_codecs(
        "interop_vod_av1",
        &["libsvtav1", "libopus"],
        &["opus", "libdav1d"],
    );
}

#[test]
fn vp9_and_flac_in_mp4_are_played() {
    newer_codecs("interop_vod_vp9", &["libvpx-vp9", "flac"], &["flac", "vp9"]);
}

#[test]
fn avc_and_ac3_in_mp4_are_played() {
    newer_codecs("interop_vod_ac3", &["libx264", "ac3"], &["ac3", "h264"]);
}

#[test]
fn ffmpeg_and_rtmpdump_start_at_a_keyframe_before_the_place_they_seek() {
    let dir = media::scratch("interop_vod_seek");
    let flv = media::h264_aac_short();
    let mp4 = media::h264_aac_mp4("h264_aac_end", "0");
    for (name, recorded, sample) in [
        ("flv", Packets::of(&flv), &flv),
        ("mp4", Packets::in_ms(&mp4), &mp4),
    ] {
        starts_at_a_keyframe(&dir.join(name), &recorded, sample);
    }
}

fn starts_at_a_keyframe(dir: &Path, recorded: &Packets, sample: &Path) {
    let (_engine, _server, url) = serve(dir, sample);
    let out = dir.join("ffmpeg.flv");
    let mut command = rtmp_tests::players::ffmpeg();
    command
        .args([
            "-y", "-ss", "3", "-copyts", "-i", &url, "-map", "0", "-c", "copy", "-f", "flv",
        ])
        .arg(&out);
    let ffmpeg = (Process::spawn("ffmpeg seeking", command), out);
    let dump = rtmpdump(&url, dir.join("rtmpdump.flv"), &["--start", "3"]);
    // rtmpdump adds the place to the times that it gets.
    for ((mut player, file), added) in [(ffmpeg, 0), (dump, 3_000)] {
        ends_well(&mut player);
        let mut played = Packets::of(&file);
        for packet in &mut played.packets {
            packet.pts -= added;
            packet.dts -= added;
        }
        assert_tail(recorded, &played);
        let (all, part) = (recorded.of_kind("video").count(), played.of_kind("video").count());
        assert!(part < all && part > 0, "{part} of {all} pictures");
    }
}
