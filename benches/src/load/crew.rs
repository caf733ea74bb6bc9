//! A thread of players.

use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

use mio::{Events, Poll, Token};
use rtmp_core::wire::url::RtmpUrl;

use super::peer::{Happening, Peer, Role};
use super::player::Tally;
use super::publisher::wait;
use super::run::{Phase, Run};

/// How often timers, joins and the run's phase are looked at when no socket is ready.
const TICK: Duration = Duration::from_millis(10);

struct Player {
    peer: Peer,
    tally: Tally,
}

/// How long players stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    /// Until the run is done.
    ToTheEnd,
    /// Until all of the crew have got their first key frame.
    UntilJoined,
}

/// The players of one thread.
pub(crate) struct Crew<'a> {
    run: &'a Run,
    addr: SocketAddr,
    url: &'a RtmpUrl,
    players: Vec<Player>,
    poll: Poll,
    scratch: Vec<u8>,
}

impl<'a> Crew<'a> {
    /// No player yet.
    pub(crate) fn new(run: &'a Run, addr: SocketAddr, url: &'a RtmpUrl) -> Result<Self, String> {
        let poll = Poll::new().map_err(|e| e.to_string())?;
        Ok(Self {
            run,
            addr,
            url,
            players: Vec::new(),
            poll,
            scratch: vec![0; 256 << 10],
        })
    }

    /// Brings in `count` players at `per_second`, of which the first `stalled` will stop reading, and plays until the run
    /// is done. Says on `settled` when all have joined or failed.
    pub(crate) fn play(
        mut self,
        count: usize,
        stalled: usize,
        per_second: f64,
        settled: &Sender<()>,
        stay: Stay,
    ) -> Result<Vec<Tally>, String> {
        let mut events = Events::with_capacity(1024);
        let began = self.run.ledger.micros();
        let mut told = false;
        while self.run.phase() != Phase::Done {
            let elapsed = (self.run.ledger.micros() - began) as f64 / 1e6;
            while self.players.len() < count && self.players.len() as f64 <= elapsed * per_second {
                self.add(self.players.len() < stalled)?;
            }
            wait(&mut self.poll, &mut events, TICK).map_err(|e| e.to_string())?;
            for event in &events {
                self.drive(event.token().0);
            }
            self.tick();
            if !told && self.players.len() == count && self.players.iter().all(|p| p.tally.settled()) {
                told = true;
                let _ = settled.send(());
                if stay == Stay::UntilJoined {
                    break;
                }
            }
            if self.run.phase() == Phase::Drain && self.drained() {
                break;
            }
        }
        let published = self.run.ledger.count();
        let tallies = self.players.into_iter().map(|mut player| {
            if stay == Stay::ToTheEnd {
                player.tally.close(published);
            }
            player.tally.bytes = player.peer.bytes;
            player.tally
        });
        Ok(tallies.collect())
    }

    fn add(&mut self, stalls: bool) -> Result<(), String> {
        let ledger = &self.run.ledger;
        let token = Token(self.players.len());
        let tally = Tally::new(ledger.micros(), stalls);
        let peer = Peer::connect(
            self.addr,
            self.url,
            Role::Play,
            self.poll.registry(),
            token,
            ledger.millis(),
        )
        .map_err(|e| format!("cannot connect player {}: {e}", token.0))?;
        self.players.push(Player { peer, tally });
        Ok(())
    }

    fn drive(&mut self, index: usize) {
        let Some(Player { peer, tally }) = self.players.get_mut(index) else {
            return;
        };
        if tally.stalls && self.run.stalling() {
            return;
        }
        let ledger = &self.run.ledger;
        let before = peer.bytes;
        peer.drive(
            &mut self.scratch,
            ledger.millis(),
            &mut |happening| match happening {
                Happening::Media(message) => tally.see(&message, ledger, ledger.micros()),
                Happening::Ended(why) => tally.failure = Some(why),
                Happening::Ready => {}
            },
        );
        self.run.received(peer.bytes - before);
    }

    /// Timers, and players that read again without a new event because their socket was full all the time.
    fn tick(&mut self) {
        let stalling = self.run.stalling();
        for index in 0..self.players.len() {
            if self.players[index].tally.stalls && !stalling {
                self.drive(index);
            }
            let Player { peer, tally } = &mut self.players[index];
            peer.tick(self.run.ledger.millis(), &mut |happening| {
                if let Happening::Ended(why) = happening {
                    tally.failure = Some(why);
                }
            });
        }
    }

    fn drained(&self) -> bool {
        let published = self.run.ledger.count();
        self.players
            .iter()
            .all(|p| p.tally.stalls || p.tally.complete(published))
    }
}
