//! The publishers, and the players that watch some of them, in one thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use rtmp_benches::load::peer::{Happening, Peer, Role};
use rtmp_benches::load::wait;
use rtmp_benches::raw::{RawClient, Script, State, Timed};
use rtmp_benches::source::read_stamp;
use rtmp_core::wire::url::RtmpUrl;

/// Longest time from the first connection to the measurement, and from there to the end beside what is measured.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// Between the last player's first picture and the measurement.
pub(crate) const SETTLE: Duration = Duration::from_secs(1);
/// How long all may take to begin publishing, and to begin playing.
const START: Duration = Duration::from_secs(10);
/// How long what was sent may take to arrive.
const DRAIN: Duration = Duration::from_secs(3);
/// Streams begin at different moments of this time, which is that of a group of pictures.
const SPREAD: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(1);
/// Connections that are begun in each tick.
const TOGETHER: usize = 4;

struct Publisher {
    client: RawClient,
    began: Option<Instant>,
    /// Place in the timeline.
    next: usize,
    /// Number after that of the last picture.
    pictures: u32,
}

struct Watcher {
    peer: Peer,
    publisher: usize,
    expected: Option<u32>,
    lost: u64,
    failed: bool,
}

/// What was found in the end.
pub(crate) struct Outcome {
    pub(crate) lost: u64,
    pub(crate) failed: usize,
    /// How late, at worst, a message was handed to the kernel while measuring.
    pub(crate) late: Duration,
}

pub(crate) struct Crowd<'a> {
    address: SocketAddr,
    timeline: &'a [Timed],
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    clock: Instant,
    publishers: Vec<Publisher>,
    watchers: Vec<Watcher>,
    /// When each publisher's next message is due.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    late: Duration,
    draining: bool,
}

impl<'a> Crowd<'a> {
    pub(crate) fn new(address: SocketAddr, timeline: &'a [Timed]) -> Result<Self, String> {
        Ok(Self {
            address,
            timeline,
            poll: Poll::new().map_err(|error| error.to_string())?,
            events: Events::with_capacity(1024),
            scratch: vec![0; 256 << 10],
            clock: Instant::now(),
            publishers: Vec::new(),
            watchers: Vec::new(),
            due: BinaryHeap::new(),
            late: Duration::ZERO,
            draining: false,
        })
    }

    /// Brings in `count` publishers and waits until all publish.
    pub(crate) fn publish(&mut self, count: usize, chunk_size: u32) -> Result<(), String> {
        let deadline = Instant::now() + START;
        while self.publishers.iter().filter(|p| p.began.is_some()).count() < count {
            for number in self.publishers.len()..count.min(self.publishers.len() + TOGETHER) {
                let script = Script::publish(self.address, "live", &format!("s{number}"), chunk_size);
                let client = RawClient::connect(self.address, &script, self.poll.registry(), Token(number));
                self.publishers.push(Publisher {
                    client: client.map_err(|error| format!("publisher {number}: {error}"))?,
                    began: None,
                    next: 0,
                    pictures: 0,
                });
            }
            self.turn()?;
            if let Some(why) = self.first_failure() {
                return Err(format!("a publisher: {why}"));
            }
            if Instant::now() > deadline {
                return Err(format!("not all of {count} publishers publish after {START:?}"));
            }
        }
        Ok(())
    }

    /// Brings in a player for each `every` publishers, and waits until all have a picture.
    pub(crate) fn watch(&mut self, every: usize) -> Result<(), String> {
        for publisher in (0..self.publishers.len()).step_by(every) {
            let url = format!("rtmp://{}/live/s{publisher}", self.address);
            let url = RtmpUrl::parse(&url).map_err(|error| error.to_string())?;
            let token = Token(self.publishers.len() + self.watchers.len());
            let registry = self.poll.registry();
            let peer = Peer::connect(self.address, &url, Role::Play, registry, token, 0);
            self.watchers.push(Watcher {
                peer: peer.map_err(|error| error.to_string())?,
                publisher,
                expected: None,
                lost: 0,
                failed: false,
            });
        }
        let deadline = Instant::now() + START;
        while self.watchers.iter().any(|w| w.expected.is_none() && !w.failed) {
            self.turn()?;
            if Instant::now() > deadline {
                return Err(format!("a player has no picture after {START:?}"));
            }
        }
        Ok(())
    }

    pub(crate) fn run_for(&mut self, time: Duration) -> Result<(), String> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn()?;
        }
        Ok(())
    }

    pub(crate) fn begin_measuring(&mut self) {
        self.late = Duration::ZERO;
    }

    /// Bytes that the kernel took.
    pub(crate) fn written(&self) -> u64 {
        self.publishers.iter().map(|p| p.client.written).sum()
    }

    /// Bytes that the kernel did not take yet.
    pub(crate) fn waiting(&self) -> usize {
        self.publishers.iter().map(|p| p.client.waiting()).sum()
    }

    /// Sends no more pictures, waits for what is on its way. Sound goes on: some servers send when there is enough to send.
    pub(crate) fn finish(mut self) -> Result<Outcome, String> {
        let late = self.late;
        self.draining = true;
        let deadline = Instant::now() + DRAIN;
        while Instant::now() < deadline && self.watchers.iter().any(|w| self.missing(w) > 0) {
            self.turn()?;
        }
        let missing: u64 = self.watchers.iter().map(|w| w.lost + self.missing(w)).sum();
        let failed = self
            .publishers
            .iter()
            .filter(|p| p.client.state != State::Ready)
            .count();
        Ok(Outcome {
            lost: missing,
            failed: failed + self.watchers.iter().filter(|w| w.failed).count(),
            late,
        })
    }

    /// Pictures that the player of `watcher` has not got yet.
    fn missing(&self, watcher: &Watcher) -> u64 {
        let sent = self.publishers[watcher.publisher].pictures;
        u64::from(sent.saturating_sub(watcher.expected.unwrap_or(sent)))
    }

    fn first_failure(&self) -> Option<&str> {
        self.publishers.iter().find_map(|p| match &p.client.state {
            State::Failed(why) => Some(why.as_str()),
            _ => None,
        })
    }

    /// Sends what is due, then serves the sockets for at most a tick.
    fn turn(&mut self) -> Result<(), String> {
        let now = Instant::now();
        while let Some(&Reverse((due, number))) = self.due.peek() {
            if due > now {
                break;
            }
            self.due.pop();
            self.late = self.late.max(now - due);
            self.send(number)?;
        }
        wait(&mut self.poll, &mut self.events, TICK).map_err(|error| error.to_string())?;
        let tokens: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for token in tokens {
            match token.checked_sub(self.publishers.len()) {
                Some(watcher) => self.drive_watcher(watcher),
                None => self.drive_publisher(token),
            }
        }
        Ok(())
    }

    fn drive_publisher(&mut self, number: usize) {
        let publisher = &mut self.publishers[number];
        publisher.client.drive(&mut self.scratch);
        if publisher.client.state == State::Ready && publisher.began.is_none() {
            // Golden ratio: any number of them is spread evenly.
            let began = Instant::now() + SPREAD.mul_f64((number as f64 * 0.618_034).fract());
            publisher.began = Some(began);
            self.due.push(Reverse((began, number)));
        }
    }

    fn drive_watcher(&mut self, number: usize) {
        let now = self.clock.elapsed().as_millis() as u64;
        let Some(watcher) = self.watchers.get_mut(number) else {
            return;
        };
        let (expected, lost, failed) = (&mut watcher.expected, &mut watcher.lost, &mut watcher.failed);
        watcher
            .peer
            .drive(&mut self.scratch, now, &mut |happening| match happening {
                Happening::Media(message) => {
                    if let Some((picture, _)) = read_stamp(&message.body) {
                        *lost += u64::from(picture.abs_diff(expected.unwrap_or(picture)));
                        *expected = Some(picture + 1);
                    }
                }
                Happening::Ended(_) => *failed = true,
                Happening::Ready => {}
            });
    }

    /// Sends a publisher's next message.
    fn send(&mut self, number: usize) -> Result<(), String> {
        let publisher = &mut self.publishers[number];
        let message = self.timeline.get(publisher.next).ok_or("the run took too long")?;
        publisher.next += 1;
        if !self.draining || message.number.is_none() {
            publisher.pictures = message.number.map_or(publisher.pictures, |number| number + 1);
            publisher.client.push(message.bytes.clone());
            publisher.client.flush();
        }
        if let (Some(began), Some(next)) = (publisher.began, self.timeline.get(publisher.next)) {
            let due = began + Duration::from_millis(u64::from(next.due));
            self.due.push(Reverse((due, number)));
        }
        Ok(())
    }
}
