//! Players that do not read for a while, so that sends stop in the middle of a message: they lose nothing, and what is
//! counted is what they got.

use rtmp_core::{
    AcceptAll, ApplicationConfig, Engine, EngineConfig, FourCc, Frame, ServerConfig, wire::chunk::MessageType,
};

use crate::support::{Served, listen, wait_until};
use crate::wire::Wire;

const PLAYERS: usize = 4;
/// More than the sockets of both sides hold by themselves.
const FRAMES: u64 = 300;

fn picture(number: u64) -> Vec<u8> {
    vec![number as u8; 60_000 + usize::try_from(number).unwrap() * 131]
}

fn player(served: &Served) -> Wire {
    let mut wire = Wire::connected(served, "live");
    wire.command(0, "createStream", 2.0, &[]);
    wire.answer(2.0).unwrap();
    wire.command(1, "play", 3.0, &["cam".into()]);
    wire.wait_status("NetStream.Play.Start");
    wire
}

fn nothing_is_lost(io_uring: bool) {
    let mut engine = EngineConfig::default();
    (engine.workers, engine.io_uring) = (1, io_uring);
    let mut config = ServerConfig::default();
    (config.player_limits.bytes, config.player_limits.millis) = (64 << 20, 60_000);
    let application = ApplicationConfig::default();
    let served = listen(Engine::new(engine).unwrap(), AcceptAll, config, application);
    let mut players: Vec<Wire> = (0..PLAYERS).map(|_| player(&served)).collect();
    let instance = served.server.instance("live").unwrap();
    let publication = instance.stream("cam").unwrap().publish().unwrap();
    for number in 0..FRAMES {
        let frame = Frame::video(FourCc::AVC1, number * 20, number % 50 == 0, 0, &picture(number));
        publication.write(&frame).unwrap();
        // One by one: what comes together is queued.
        wait_until("it is sent or queued", || {
            let clients = instance.clients();
            clients.iter().all(|client| client.stats().messages_out > number)
        });
    }
    // Somebody waits now: the sockets are full.
    wait_until("media waits", || {
        instance
            .clients()
            .iter()
            .all(|client| client.client_stats().queued_bytes > 0)
    });
    for wire in &mut players {
        for number in 0..FRAMES {
            let message = loop {
                let message = wire.next().expect("the stream goes on");
                if message.kind == MessageType::VIDEO {
                    break message;
                }
            };
            assert_eq!(u64::from(message.timestamp), number * 20);
            assert!(message.payload.ends_with(&picture(number)), "picture {number}");
        }
    }
    wait_until("all is counted", || {
        let stats = |client: &rtmp_core::Client| client.client_stats();
        let mut counted: Vec<u64> = instance
            .clients()
            .iter()
            .map(|client| stats(client).traffic.bytes_out)
            .collect();
        let mut got: Vec<u64> = players.iter().map(Wire::received).collect();
        counted.sort_unstable();
        got.sort_unstable();
        counted == got
            && instance.clients().iter().all(|client| {
                let stats = stats(client);
                (
                    stats.queued_bytes,
                    stats.traffic.messages_out,
                    stats.traffic.messages_dropped,
                ) == (0, FRAMES, 0)
            })
    });
}

#[test]
fn who_reads_late_gets_everything() {
    nothing_is_lost(true);
}

#[test]
fn who_reads_late_gets_everything_without_io_uring() {
    nothing_is_lost(false);
}
