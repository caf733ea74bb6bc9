//! One run from the first connection to the report.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rtmp_core::wire::url::RtmpUrl;

use super::crew::{Crew, Stay};
use super::ledger::Ledger;
use super::options::{Options, SourceKind};
use super::player::Tally;
use super::publisher::publish;
use super::report::Report;
use crate::process::Usage;
use crate::source::{Looped, Source, Synthetic};

/// How long players may take to join beyond the time the join rate gives them.
const JOIN_LIMIT: Duration = Duration::from_secs(15);
/// How long what was sent may take to arrive after the last message.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Between two bursts; three of them fall on different parts of a group of two seconds.
const BURST_APART: Duration = Duration::from_millis(700);

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Messages are sent when due.
    Publish,
    /// No more are sent, the last ones may still arrive.
    Drain,
    /// Everybody goes home.
    Done,
}

/// What the threads of a run share.
pub(crate) struct Run {
    /// What was published, and the clock.
    pub(crate) ledger: Ledger,
    phase: AtomicU8,
    stall_from: AtomicU64,
    stall_until: AtomicU64,
    received: AtomicU64,
}

impl Run {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(),
            phase: AtomicU8::new(Phase::Publish as u8),
            stall_from: AtomicU64::new(u64::MAX),
            stall_until: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    /// Where the run stands.
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Publish,
            1 => Phase::Drain,
            _ => Phase::Done,
        }
    }

    /// Whether the players that stall do so now.
    pub(crate) fn stalling(&self) -> bool {
        let now = self.ledger.micros();
        (self.stall_from.load(Ordering::Relaxed)..self.stall_until.load(Ordering::Relaxed)).contains(&now)
    }

    /// Counts bytes that players read.
    pub(crate) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    fn stall_for(&self, time: Duration) {
        let now = self.ledger.micros();
        self.stall_until
            .store(now + time.as_micros() as u64, Ordering::Relaxed);
        self.stall_from.store(now, Ordering::Relaxed);
    }
}

/// Publishes, plays and measures as `options` say.
pub fn measure(options: &Options) -> Result<Report, String> {
    let url = RtmpUrl::parse(&options.url).map_err(|e| format!("{}: {e}", options.url))?;
    let addr = resolve(&url)?;
    let source = match &options.source {
        SourceKind::Synthetic { bits_per_second } => Source::Synthetic(Synthetic::new(*bits_per_second)),
        SourceKind::File(path) => Source::File(Looped::open(path)?),
    };
    let run = &Run::new();
    let url = &url;
    thread::scope(|scope| {
        // Whoever leaves early, by `?` too, sends the others home: the scope waits for them.
        let _home = SendHome(run);
        let (started, first_picture) = channel();
        let publisher = scope.spawn(move || publish(run, addr, url, source, &started));
        if let Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) =
            first_picture.recv_timeout(JOIN_LIMIT)
        {
            run.enter(Phase::Done);
            let late = publisher
                .join()
                .map_err(|_| "the publisher panicked".to_owned())?;
            return Err(late.err().unwrap_or("nothing was published".to_owned()));
        }

        let (settled, all_settled) = channel();
        let crews: Vec<_> = shares(options)
            .map(|share| {
                let settled = settled.clone();
                scope.spawn(move || {
                    Crew::new(run, addr, url)?.play(
                        share.players,
                        share.stalled,
                        share.per_second,
                        &settled,
                        Stay::ToTheEnd,
                    )
                })
            })
            .collect();
        wait_all(&all_settled, options);

        let began = Instant::now();
        let usage = || {
            let received = run.received.load(Ordering::Relaxed);
            (
                options.server_pid.map(Usage::of),
                Usage::of(std::process::id()),
                received,
            )
        };
        let before = usage();
        run.stall_for(options.stall);
        thread::sleep(options.measure);
        let (measured, after) = (began.elapsed(), usage());
        let burst = bursts(run, addr, url, options.burst)?;
        run.enter(Phase::Drain);

        let deadline = Instant::now() + DRAIN_LIMIT;
        while !crews.iter().all(|c| c.is_finished()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        run.enter(Phase::Done);
        let mut tallies: Vec<Tally> = Vec::new();
        for crew in crews {
            tallies.extend(crew.join().map_err(|_| "a player thread panicked".to_owned())??);
        }
        let publisher = publisher
            .join()
            .map_err(|_| "the publisher panicked".to_owned())??;
        Ok(Report {
            tallies,
            burst,
            published: run.ledger.count(),
            measured_bytes: after.2 - before.2,
            measured,
            server: after.0.map(|u| u.since(before.0.unwrap_or_default())),
            client: after.1.since(before.1),
            publisher,
        })
    })
}

/// `count` players that join at once, at three moments of a group of pictures, and leave.
fn bursts(run: &Run, addr: SocketAddr, url: &RtmpUrl, count: usize) -> Result<Vec<Tally>, String> {
    let mut tallies = Vec::new();
    for _ in 0..if count > 0 { 3 } else { 0 } {
        thread::sleep(BURST_APART);
        let (settled, all_settled) = channel();
        let crew = thread::scope(|scope| {
            let crew = scope.spawn(|| {
                Crew::new(run, addr, url)?.play(count, 0, f64::INFINITY, &settled, Stay::UntilJoined)
            });
            if all_settled.recv_timeout(JOIN_LIMIT).is_err() {
                // The rest of the run would wait for them for ever.
                run.enter(Phase::Done);
            }
            crew.join().map_err(|_| "a player thread panicked".to_owned())?
        });
        tallies.extend(crew?);
    }
    Ok(tallies)
}

struct SendHome<'a>(&'a Run);

impl Drop for SendHome<'_> {
    fn drop(&mut self) {
        self.0.enter(Phase::Done);
    }
}

struct Share {
    players: usize,
    stalled: usize,
    per_second: f64,
}

/// Divides the players among the threads; those that stall are of the first thread.
fn shares(options: &Options) -> impl Iterator<Item = Share> + use<> {
    let (players, threads, stalled) = (options.players, options.threads, options.stalled);
    let per_second = options.join_rate as f64 / threads as f64;
    (0..threads).map(move |i| {
        let stalled = if i == 0 { stalled } else { 0 };
        let share = players / threads + usize::from(i < players % threads);
        Share {
            players: share + stalled,
            stalled,
            per_second,
        }
    })
}

/// Waits until every crew's players have joined or failed, or the time for that is over.
fn wait_all(settled: &Receiver<()>, options: &Options) {
    let joining = Duration::from_secs_f64(options.players as f64 / options.join_rate as f64);
    let deadline = Instant::now() + joining + JOIN_LIMIT;
    for _ in 0..options.threads {
        // Who has not joined by then is counted as not joined.
        let _ = settled.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

fn resolve(url: &RtmpUrl) -> Result<SocketAddr, String> {
    let failed = |why: String| format!("{}: {why}", url.host);
    let mut found = (url.host.as_str(), url.port)
        .to_socket_addrs()
        .map_err(|e| failed(e.to_string()))?;
    found.next().ok_or_else(|| failed("no address".to_owned()))
}
