//! One player stops reading while others play: they lose nothing, and the server does not hoard for it. The stream has
//! 10 Mbit/s, so that 20 s of it are more than the sockets' own buffers and the player's queue together.

use rtmp_tests::load::{assert_nothing_lost, run};
use rtmp_tests::programs::Server;

/// What the server may hold more at its peak than when it had started: the player's queue is bounded to 8 MiB, the rest
/// is group of pictures, receive buffers that queued messages keep alive, and slack.
const MOST_MORE: u64 = 32 << 20;

#[test]
fn a_player_that_stops_reading_costs_the_others_nothing_and_memory_stays_bounded() {
    let server = Server::with_workers(1);
    let idle = server.process.resident_bytes();
    let figures = run(
        &server,
        25,
        &[
            "--players",
            "20",
            "--stall",
            "1",
            "--stall-seconds",
            "20",
            "--synthetic-bitrate",
            "10M",
        ],
    );
    let slow = &figures["stalled"];
    assert_nothing_lost(&figures, 20);
    assert_eq!(slow["joined"], 1, "the slow player never played: {slow}");
    assert_eq!(
        slow["misplaced_video"], 0,
        "order holds for the slow player too: {slow}"
    );
    assert_eq!(slow["undecodable_video"], 0, "a hole ends at a key frame: {slow}");
    let peak = server.process.peak_resident_bytes();
    assert!(
        peak < idle + MOST_MORE,
        "{} MiB at most, {} MiB idle",
        peak >> 20,
        idle >> 20
    );
}
