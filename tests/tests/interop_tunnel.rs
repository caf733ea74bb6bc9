//! RTMPT with other people's programs: FFmpeg publishes and plays in a tunnel, and by TLS, and so does rtmpdump.

use std::path::Path;
use std::process::Command;

use rtmp_tests::certificates::Certificates;
use rtmp_tests::media;
use rtmp_tests::packets::{Packets, assert_tail, assert_whole};
use rtmp_tests::players::{
    ffmpeg_play, ffmpeg_publish, limit, rtmpdump_play, wait_until_playing, wait_until_published,
};
use rtmp_tests::process::{Process, free_address};
use rtmp_tests::programs::{Server, example};

/// What FFmpeg has not put into a request when it closes a tunnel, it throws away (rtmphttp.c): so many packets of a kind.
const DROPPED_BY_FFMPEG: usize = 5;

#[test]
fn p17_ffmpeg_and_rtmpdump_pass_every_packet_in_a_tunnel() {
    let dir = media::scratch("interop_tunnel");
    passes_unchanged("rtmpt", &[], &dir);
}

#[test]
fn p17_ffmpeg_and_rtmpdump_pass_every_packet_in_a_tunnel_by_tls() {
    let dir = media::scratch("interop_tunnel_tls");
    let certificates = Certificates::make(&dir);
    passes_unchanged("rtmpts", &certificates.server_args(), &dir);
}

/// FFmpeg publishes in a tunnel. rtmpdump is there before, in the tunnel and without; FFmpeg joins when it has begun.
fn passes_unchanged(scheme: &str, args: &[&str], dir: &Path) {
    let plain = free_address().to_string();
    let server = Server::with_scheme(scheme, &[&["--listen", &plain], args].concat());
    let (url, sample) = (server.url("cam"), media::h264_aac());
    let [early, direct, late] = ["early.flv", "direct.flv", "late.flv"].map(|name| dir.join(name));
    let mut tunnelled = rtmpdump_play(&url, &early);
    let mut straight = rtmpdump_play(&format!("rtmp://{plain}/live/cam"), &direct);
    wait_until_playing(&tunnelled);
    wait_until_playing(&straight);
    let mut publisher = ffmpeg_publish(&sample, &url);
    wait_until_published(&publisher);
    let mut player = ffmpeg_play(&url, &late);
    publisher.wait_success(limit(media::LONG_SECONDS));

    straight.wait_success(limit(0));
    let arrived = Packets::of(&direct);
    assert_whole(
        &Packets::of(&sample).cut_to(&arrived, DROPPED_BY_FFMPEG),
        &arrived,
    );
    tunnelled.wait_success(limit(0));
    assert_whole(&arrived, &Packets::of(&early));
    player.wait_success(limit(0));
    assert_tail(&arrived, &Packets::of(&late));
}

#[test]
fn p17_our_client_publishes_in_a_tunnel_by_tls() {
    let dir = media::scratch("interop_tunnel_ours");
    let certificates = Certificates::make(&dir);
    let server = Server::with_scheme("rtmpts", &certificates.server_args());
    let (url, sample, out) = (server.url("cam"), media::h264_aac(), dir.join("out.flv"));
    let mut player = rtmpdump_play(&url, &out);
    wait_until_playing(&player);
    let mut command = Command::new(example("publisher"));
    // The system's certificates are where this variable says.
    command
        .env("SSL_CERT_FILE", &certificates.ca)
        .arg(&sample)
        .arg(&url);
    let mut publisher = Process::spawn("publisher", command);
    publisher.wait_success(limit(media::LONG_SECONDS));
    player.wait_success(limit(0));
    assert_whole(&Packets::of(&sample), &Packets::of(&out));
}
