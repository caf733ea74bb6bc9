//! HEVC by FourCC (Enhanced RTMP) from and to an FFmpeg that knows it.

use rtmp_tests::media;
use rtmp_tests::packets::{Packets, assert_tail};
use rtmp_tests::players::{limit, newer_ffmpeg};
use rtmp_tests::programs::{START, Server};

#[test]
fn hevc_by_fourcc_passes_unchanged() {
    let dir = media::scratch("interop_hevc");
    let sample = dir.join("hevc_aac.flv");
    newer_ffmpeg(&[
        "remux".as_ref(),
        media::hevc_aac_mp4().as_os_str(),
        sample.as_os_str(),
    ])
    .wait_success(START);
    let server = Server::start();
    let url = server.url("hevc");

    let mut publisher = newer_ffmpeg(&["publish".as_ref(), sample.as_os_str(), url.as_ref()]);
    publisher.wait_for_line("publishing", START);
    let mut player = newer_ffmpeg(&["list", &url]);
    publisher.wait_success(limit(media::SHORT_SECONDS));
    player.wait_success(limit(0));

    let mut list = newer_ffmpeg(&["list".as_ref(), sample.as_os_str()]);
    list.wait_success(START);
    let (published, played) = (Packets::parse(&list.log()), Packets::parse(&player.log()));
    assert!(
        published.streams.iter().any(|s| s.codec == "hevc"),
        "the sample is no HEVC: {:?}",
        published.streams
    );
    assert_tail(&published, &played);
}
