//! Our publisher, server and player together, over real sockets.

use rtmp_tests::media;
use rtmp_tests::packets::{Packets, assert_tail};
use rtmp_tests::players::limit;
use rtmp_tests::programs::{START, Server, spawn_example};

#[test]
fn our_programs_pass_a_file_through_unchanged_and_the_server_stops_cleanly() {
    let dir = media::scratch("interop_own");
    let sample = media::h264_aac_short();
    let mut server = Server::with_workers(2);
    let url = server.url("own");

    let mut publisher = spawn_example("publisher", &[sample.as_os_str(), url.as_ref()]);
    let files: Vec<_> = (0..3).map(|i| dir.join(format!("player{i}.flv"))).collect();
    let mut players: Vec<_> = files
        .iter()
        .map(|file| spawn_example("player", &[url.as_ref(), file.as_os_str()]))
        .collect();

    publisher.wait_success(limit(media::SHORT_SECONDS));
    players.iter_mut().for_each(|p| p.wait_success(limit(0)));
    let published = Packets::of(&sample);
    for file in &files {
        assert_tail(&published, &Packets::of(file));
    }
    assert!(
        server.process.terminate(START).success(),
        "SIGTERM is a clean end"
    );
}
