//! What each player of a live stream wants of it, and how long it may wait for it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rtmp_core::{
    AcceptAll, FourCc, Frame, Latency, MediaKind, NetConnection, NetStream, PlayOptions, Subscriber,
};

use crate::support::{PATIENCE, Served, StreamEvent, connected, frames, serve, stream, wait_status};

fn picture(time: u64, key: bool) -> Frame {
    Frame::video(FourCc::AVC1, time, key, 0, &[3; 200])
}

fn sound(time: u64) -> Frame {
    Frame::audio(FourCc::MP4A, time, &[4; 20])
}

struct Player {
    connection: NetConnection,
    play: NetStream,
    shown: Receiver<StreamEvent>,
}

impl Player {
    fn of(served: &Served) -> Self {
        let (connection, _statuses) = connected(&served.engine, &served.url);
        let (play, shown) = stream(&connection);
        play.play(PlayOptions::new("cam")).unwrap();
        wait_status(&shown, "NetStream.Play.Start");
        Self {
            connection,
            play,
            shown,
        }
    }

    /// Returns when the server has done what was asked of it.
    fn settled(&self) {
        let (sender, answer) = channel();
        let reply = move |_| sender.send(()).unwrap();
        self.connection
            .call("anything", Vec::new(), Some(Box::new(reply)))
            .unwrap();
        answer.recv_timeout(PATIENCE).unwrap();
    }

    fn next(&self, count: usize) -> Vec<(MediaKind, u64)> {
        let got = frames(&self.shown, count);
        got.iter().map(|frame| (frame.kind, frame.timestamp_ms)).collect()
    }
}

#[test]
fn m1_each_player_gets_the_kinds_it_wants_and_nothing_while_it_pauses() {
    use MediaKind::{Audio, Video};
    let served = serve(AcceptAll, 2);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let publication = live.publish().unwrap();
    let (deaf, blind, pausing, all) = (
        Player::of(&served),
        Player::of(&served),
        Player::of(&served),
        Player::of(&served),
    );
    deaf.play.receive_audio(false).unwrap();
    blind.play.receive_video(false).unwrap();
    pausing.play.pause(true).unwrap();
    wait_status(&pausing.shown, "NetStream.Pause.Notify");
    deaf.settled();
    blind.settled();
    for frame in [picture(0, true), sound(10), picture(40, false), sound(50)] {
        publication.write(&frame).unwrap();
    }
    assert_eq!(all.next(4), [(Video, 0), (Audio, 10), (Video, 40), (Audio, 50)]);
    assert_eq!(deaf.next(2), [(Video, 0), (Video, 40)]);
    assert_eq!(blind.next(2), [(Audio, 10), (Audio, 50)]);

    // Sound comes back at once, pictures from the next keyframe on, after a pause too.
    deaf.play.receive_audio(true).unwrap();
    blind.play.receive_video(true).unwrap();
    pausing.play.pause(false).unwrap();
    wait_status(&pausing.shown, "NetStream.Unpause.Notify");
    deaf.settled();
    blind.settled();
    for frame in [picture(80, false), sound(90), picture(120, true), sound(130)] {
        publication.write(&frame).unwrap();
    }
    assert_eq!(
        all.next(4),
        [(Video, 80), (Audio, 90), (Video, 120), (Audio, 130)]
    );
    assert_eq!(
        deaf.next(4),
        [(Video, 80), (Audio, 90), (Video, 120), (Audio, 130)]
    );
    assert_eq!(blind.next(3), [(Audio, 90), (Video, 120), (Audio, 130)]);
    assert_eq!(pausing.next(2), [(Video, 120), (Audio, 130)]);
}

/// Works hard with each frame, on the worker, so that it has no time left.
struct Busy(Mutex<Sender<()>>);

impl Subscriber for Busy {
    fn on_frame(&self, _: &Frame) {
        let until = Instant::now() + Duration::from_millis(4);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        let _ = self.0.lock().send(());
    }
}

#[test]
fn m9_video_waits_under_load_alone_and_no_longer_than_its_bound() {
    let served = serve(AcceptAll, 1);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let bound = 400;
    live.set_latency(Latency {
        audio_wait_ms: 0,
        video_wait_ms: 0,
        load_wait_ms: bound,
    });
    let publication = live.publish().unwrap();
    let player = Player::of(&served);
    let mut time = 0;
    let mut delay = || {
        let began = Instant::now();
        publication.write(&picture(time, true)).unwrap();
        frames(&player.shown, 1);
        time += 40;
        began.elapsed()
    };
    // A worker with nothing else to do sends at once.
    let idle = (0..20).map(|_| delay()).min().unwrap();
    assert!(idle < Duration::from_millis(100), "{idle:?}");

    let other = served.server.instance("live").unwrap().stream("other").unwrap();
    let (sender, done) = channel();
    let _busy = other.subscribe(Default::default(), Arc::new(Busy(Mutex::new(sender))));
    let load = other.publish().unwrap();
    // Always some frames ahead of the worker, so that it works without a break.
    let mut waited = Duration::ZERO;
    for round in 0..200 {
        load.write(&picture(round, true)).unwrap();
        if round >= 20 {
            done.recv_timeout(PATIENCE).unwrap();
        }
        if round >= 100 && round % 20 == 0 {
            for ahead in 0..20 {
                load.write(&picture(round + ahead, true)).unwrap();
            }
            let delay = delay();
            waited = waited.max(delay);
            // What the worker is at (twenty to forty frames of 4 ms) comes on top of the bound, and a machine that is busy itself.
            assert!(
                delay < Duration::from_millis(u64::from(bound) + 2_000),
                "{delay:?}"
            );
            for _ in 0..20 {
                done.recv_timeout(PATIENCE).unwrap();
            }
        }
    }
    assert!(waited > idle, "{waited:?}");
}
