//! Our client against nginx with its rtmp module, in both directions.

use rtmp_tests::media;
use rtmp_tests::nginx::Nginx;
use rtmp_tests::packets::{Packets, assert_whole};
use rtmp_tests::players::{ffmpeg_play, ffmpeg_publish, limit, rtmpdump_play};
use rtmp_tests::programs::spawn_example;

#[test]
fn our_publisher_through_nginx_reaches_ffmpeg_and_rtmpdump_unchanged() {
    let dir = media::scratch("interop_nginx_publish");
    let sample = media::h264_aac_short();
    let nginx = Nginx::start(&dir);
    let url = nginx.url("ours");

    let (by_ffmpeg, by_rtmpdump) = (dir.join("ffmpeg.flv"), dir.join("rtmpdump.flv"));
    let mut players = [ffmpeg_play(&url, &by_ffmpeg), rtmpdump_play(&url, &by_rtmpdump)];
    players.iter().for_each(|_| nginx.wait_for_player());
    let mut publisher = spawn_example("publisher", &[sample.as_os_str(), url.as_ref()]);

    publisher.wait_success(limit(media::SHORT_SECONDS));
    players.iter_mut().for_each(|p| p.wait_success(limit(0)));
    let published = Packets::of(&sample);
    assert_whole(&published, &Packets::of(&by_ffmpeg));
    assert_whole(&published, &Packets::of(&by_rtmpdump));
}

#[test]
fn our_player_gets_unchanged_what_ffmpeg_publishes_to_nginx() {
    let dir = media::scratch("interop_nginx_play");
    let sample = media::h264_mp3();
    let nginx = Nginx::start(&dir);
    let url = nginx.url("theirs");

    let out = dir.join("ours.flv");
    let mut player = spawn_example("player", &[url.as_ref(), out.as_os_str()]);
    nginx.wait_for_player();
    let mut publisher = ffmpeg_publish(&sample, &url);

    publisher.wait_success(limit(media::SHORT_SECONDS));
    player.wait_success(limit(0));
    assert_whole(&Packets::of(&sample), &Packets::of(&out));
}
