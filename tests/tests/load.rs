//! 200 players of one stream of 2.5 Mbit/s: nobody loses a video message.

use std::sync::{Mutex, PoisonError};

use rtmp_tests::load::{assert_nothing_lost, run};
use rtmp_tests::programs::Server;

/// The tests of this file measure: one at a time.
static MACHINE: Mutex<()> = Mutex::new(());

#[test]
fn two_hundred_players_lose_nothing_on_one_worker() {
    two_hundred_players_on(1);
}

#[test]
fn two_hundred_players_lose_nothing_on_two_workers() {
    two_hundred_players_on(2);
}

fn two_hundred_players_on(workers: usize) {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::with_workers(workers);
    let figures = run(&server, 10, &["--players", "200"]);
    assert_nothing_lost(&figures, 200);
}
