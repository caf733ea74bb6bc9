//! FFmpeg publishes into our server; FFmpeg and rtmpdump play from it. What they get is what went in.

use std::path::Path;

use rtmp_tests::media;
use rtmp_tests::packets::{Packets, assert_tail, assert_whole};
use rtmp_tests::players::{
    ffmpeg_play, ffmpeg_publish, limit, rtmpdump_play, wait_until_playing, wait_until_published,
};
use rtmp_tests::programs::Server;

#[test]
fn h264_and_aac_pass_unchanged() {
    passes_unchanged("h264_aac", &media::h264_aac(), media::LONG_SECONDS);
}

#[test]
fn h264_and_mp3_pass_unchanged() {
    passes_unchanged("h264_mp3", &media::h264_mp3(), media::SHORT_SECONDS);
}

/// One player is there before the publisher, two join soon after it began, two more when it has gone on for a while.
fn passes_unchanged(name: &str, sample: &Path, seconds: u32) {
    let dir = media::scratch(&format!("interop_ffmpeg_{name}"));
    let server = Server::start();
    let url = server.url(name);

    let mut early = rtmpdump_play(&url, &dir.join("early.flv"));
    wait_until_playing(&early);
    let mut publisher = ffmpeg_publish(sample, &url);
    wait_until_published(&publisher);
    let mut players = vec![
        (ffmpeg_play(&url, &dir.join("ffmpeg.flv")), dir.join("ffmpeg.flv")),
        (
            rtmpdump_play(&url, &dir.join("rtmpdump.flv")),
            dir.join("rtmpdump.flv"),
        ),
    ];
    publisher.wait_for_line("out_time=00:00:03", limit(seconds));
    players.push((
        ffmpeg_play(&url, &dir.join("ffmpeg_late.flv")),
        dir.join("ffmpeg_late.flv"),
    ));
    players.push((
        rtmpdump_play(&url, &dir.join("rtmpdump_late.flv")),
        dir.join("rtmpdump_late.flv"),
    ));

    publisher.wait_success(limit(seconds));
    let published = Packets::of(sample);
    early.wait_success(limit(0));
    assert_whole(&published, &Packets::of(&dir.join("early.flv")));
    for (mut player, file) in players {
        player.wait_success(limit(0));
        assert_tail(&published, &Packets::of(&file));
    }
}
