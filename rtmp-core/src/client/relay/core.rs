//! The life of a relay: connects, waits, tries again, as turns on the worker that it lives on.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::attempt::{Attempt, Meaning, is_circle, looped, of_connection, of_stream};
use super::pull::taken;
use super::{Demand, Relay, RelayConfig, RelayEvent, RelayHandler, RelayState, RelayStats};
use crate::app::instance::Attachment;
use crate::app::stats::{Drops, Traffic, TrafficStats};
use crate::app::stream::{Stream, Watcher};
use crate::engine::{Engine, Mailbox, Post};
use crate::error::{Error, Result};
use crate::wire::status::{Code, Status};
use crate::wire::url::{RtmpUrl, split_query};

/// What a relay hears, in its turns.
pub(crate) enum RelayInput {
    /// Somebody came or left here.
    Look,
    /// It is time.
    Timer,
    /// A status of a connection.
    Connection(u64, Status),
    /// A status of a connection's stream.
    Stream(u64, Status),
    /// The first message of a pull was published.
    Flows(u64),
    /// Publishing here failed.
    Failed(u64, Status),
    /// The host wants it to end.
    Close,
    /// The engine ends.
    Gone,
}

/// What the host's handles, the worker and the relay's connections share.
pub(crate) struct RelayCore {
    itself: Weak<Self>,
    id: u64,
    pull: bool,
    engine: Engine,
    home: Arc<Mailbox>,
    stream: Stream,
    server_url: String,
    far_name: String,
    shown_url: String,
    config: RelayConfig,
    handler: Arc<dyn RelayHandler>,
    /// A look at the stream is on its way.
    looks: AtomicBool,
    messages: AtomicU64,
    bytes: AtomicU64,
    dropped: [AtomicU64; 2],
    shown: Mutex<Shown>,
    machine: Mutex<Machine>,
}

/// What the host may read at any time.
#[derive(Default)]
struct Shown {
    stats: RelayStats,
    /// Bytes and messages of connections that are over.
    before: TrafficStats,
    now: Option<Arc<Traffic>>,
}

/// What only turns touch.
#[derive(Default)]
struct Machine {
    phase: RelayState,
    attempt: Option<Attempt>,
    /// It ends as soon as this connection has said all.
    last_words: Option<u64>,
    attempts: u64,
    failures: u32,
    /// When the phase has to be over.
    deadline: Option<u64>,
    /// When a pull that nobody plays is closed.
    linger_until: Option<u64>,
    streaming_since: u64,
    /// A pull has published before.
    resumes: bool,
    /// The latest time that a push has sent.
    last: Option<u32>,
    /// Messages passed on when silence was looked for last.
    counted: u64,
    events: Vec<RelayEvent>,
}

/// Media that flowed for so long ends a row of failures.
const SETTLED_MS: u64 = 10_000;

/// A connection that is closed has at most so long to send what waits.
const LAST_WORDS_MS: u64 = 10_000;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl RelayCore {
    /// Attaches a relay to the stream and gives it its first turn.
    pub(super) fn start(
        pull: bool,
        stream: Stream,
        url: &str,
        config: RelayConfig,
        handler: Arc<dyn RelayHandler>,
    ) -> Result<Arc<Self>> {
        let engine = Engine::of(stream.instance()).filter(|engine| !engine.is_closed());
        let engine = engine.ok_or(Error::Closed("engine"))?;
        let parsed = RtmpUrl::parse(url)?;
        if parsed.stream_name.is_empty() {
            let text = "the URL of a relay names a stream: rtmp://host/app/stream".to_owned();
            return Err(Error::InvalidArgument(text));
        }
        let far_name = parsed.stream_name.clone();
        let mut server = parsed;
        server.stream_name = String::new();
        let shown_url = format!("{}/{}", split_query(&server.tc_url()).0, split_query(&far_name).0);
        let relay = Arc::new_cyclic(|itself| Self {
            itself: Weak::clone(itself),
            id: NEXT_ID.fetch_add(1, Relaxed),
            pull,
            home: engine.next_worker(),
            engine,
            stream,
            server_url: server.to_string(),
            far_name,
            shown_url,
            config,
            handler,
            looks: AtomicBool::new(false),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            dropped: [AtomicU64::new(0), AtomicU64::new(0)],
            shown: Mutex::default(),
            machine: Mutex::default(),
        });
        let attached: Weak<dyn Attachment> = Arc::downgrade(&relay) as _;
        if !relay.stream.instance().attach(attached) {
            return Err(Error::Closed("instance"));
        }
        let watcher: Weak<dyn Watcher> = Arc::downgrade(&relay) as _;
        relay.stream.live().watch(watcher);
        relay.changed();
        Ok(relay)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) fn shown_url(&self) -> &str {
        &self.shown_url
    }

    pub(super) fn server_url(&self) -> &str {
        &self.server_url
    }

    pub(super) fn far_name(&self) -> &str {
        &self.far_name
    }

    pub(super) fn is_pull(&self) -> bool {
        self.pull
    }

    pub(super) fn config(&self) -> &RelayConfig {
        &self.config
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn home(&self) -> &Arc<Mailbox> {
        &self.home
    }

    pub(super) fn stats(&self) -> RelayStats {
        let shown = self.shown.lock();
        let now = shown
            .now
            .as_ref()
            .map(|traffic| traffic.read())
            .unwrap_or_default();
        RelayStats {
            messages: self.messages.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            dropped: Drops {
                messages: self.dropped[0].load(Relaxed),
                bytes: self.dropped[1].load(Relaxed),
            },
            traffic: shown.before.plus(now),
            ..shown.stats.clone()
        }
    }

    pub(super) fn count(&self, bytes: usize) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn count_dropped(&self, drops: Drops) {
        self.dropped[0].fetch_add(drops.messages, Relaxed);
        self.dropped[1].fetch_add(drops.bytes, Relaxed);
    }

    /// Queues what a turn is to be about.
    pub(super) fn tell(self: &Arc<Self>, input: RelayInput) {
        let relay = Arc::clone(self);
        self.home.post(Post::Relay { relay, input });
    }

    pub(super) fn close(self: &Arc<Self>) {
        self.tell(RelayInput::Close);
    }

    /// Does what follows from something heard; when the next turn is due at the latest, `None` when it is over. On the worker it
    /// lives on, which does one turn at a time.
    pub(crate) fn turn(self: &Arc<Self>, input: RelayInput, now: u64) -> Option<u64> {
        let mut machine = self.machine.lock();
        if machine.phase == RelayState::Ended {
            return None;
        }
        machine.hear(self, input, now);
        machine.settle(self, now);
        self.shown.lock().stats.state = machine.phase;
        let events = std::mem::take(&mut machine.events);
        let next = match machine.phase {
            RelayState::Ended => None,
            _ => {
                let times = [machine.deadline, machine.linger_until];
                Some(times.into_iter().flatten().min().unwrap_or(u64::MAX))
            }
        };
        drop(machine);
        for event in events {
            self.emit(event);
        }
        next
    }

    fn emit(self: &Arc<Self>, event: RelayEvent) {
        let relay = Arc::clone(self);
        self.config
            .dispatch
            .run(move || relay.handler.on_event(&Relay::borrowed(&relay), &event));
    }

    /// Whether somebody here wants it to be connected.
    fn is_wanted(&self) -> bool {
        let live = self.stream.live();
        match (self.pull, self.config.demand) {
            (true, Demand::Always) => true,
            (true, Demand::WhilePlayed { .. }) => live.stats().players > 0,
            (false, _) => live.stats().publishing || live.is_held(),
        }
    }
}

impl Watcher for RelayCore {
    fn changed(&self) {
        if !self.looks.swap(true, AcqRel)
            && let Some(relay) = self.itself.upgrade()
        {
            relay.tell(RelayInput::Look);
        }
    }
}

impl Attachment for RelayCore {
    fn detach(&self) {
        if let Some(relay) = self.itself.upgrade() {
            relay.close();
        }
    }
}

impl Machine {
    fn hear(&mut self, relay: &Arc<RelayCore>, input: RelayInput, now: u64) {
        let current = self.attempt.as_ref().map(|attempt| attempt.number);
        match input {
            RelayInput::Look => relay.looks.store(false, Release),
            RelayInput::Gone => {
                self.disconnect(relay, true);
                self.over();
            }
            _ if self.last_words.is_some() => self.hear_last(&input, now),
            RelayInput::Timer => {}
            RelayInput::Close => self.finish(relay, now),
            RelayInput::Connection(attempt, status) if current == Some(attempt) => {
                self.heard(relay, of_connection(&status), status, now);
            }
            RelayInput::Stream(attempt, status) if current == Some(attempt) => {
                self.heard(relay, of_stream(&status), status, now);
            }
            RelayInput::Flows(attempt) if current == Some(attempt) => self.flows(relay, now),
            RelayInput::Failed(attempt, why) if current == Some(attempt) => self.fail(relay, why, now),
            _ => {}
        }
    }

    fn heard(&mut self, relay: &Arc<RelayCore>, meaning: Meaning, status: Status, now: u64) {
        match meaning {
            Meaning::Accepted if self.phase == RelayState::Connecting => {
                self.phase = RelayState::Connected;
                // A pull may wait for its publisher for ever, a push is answered.
                if relay.pull {
                    self.deadline = None;
                }
                self.events.push(RelayEvent::Connected);
            }
            Meaning::Takes if !relay.pull && self.phase == RelayState::Connected => {
                let last = self.last;
                if let Some(attempt) = &mut self.attempt {
                    attempt.feed(relay, last);
                }
                self.flows(relay, now);
            }
            Meaning::Silent => {
                let tap = self.attempt.as_ref().and_then(|attempt| attempt.pull.as_ref());
                if tap.is_some_and(|tap| tap.pause()) && self.phase == RelayState::Streaming {
                    self.settled(relay, now);
                    self.phase = RelayState::Connected;
                    self.deadline = None;
                    self.events.push(RelayEvent::Connected);
                }
            }
            Meaning::Complete if relay.pull => self.finish(relay, now),
            Meaning::Path(path) => self.comes_through(relay, path, now),
            Meaning::Failure => self.fail(relay, status, now),
            _ => {}
        }
    }

    fn comes_through(&mut self, relay: &Arc<RelayCore>, path: Arc<[String]>, now: u64) {
        if is_circle(&path, &relay.stream.live().node()) {
            return self.fail(relay, looped(Code::PlayFailed, relay.stream.name()), now);
        }
        if let Some(tap) = self.attempt.as_ref().and_then(|attempt| attempt.pull.as_ref()) {
            tap.set_path(path);
        }
    }

    /// Media flows.
    fn flows(&mut self, relay: &RelayCore, now: u64) {
        self.phase = RelayState::Streaming;
        self.resumes = true;
        self.streaming_since = now;
        self.deadline = None;
        self.counted = relay.messages.load(Relaxed);
        self.watch_silence(relay, now);
        self.events.push(RelayEvent::Streaming);
    }

    fn watch_silence(&mut self, relay: &RelayCore, now: u64) {
        let silence = u64::from(relay.config.silence_ms);
        if relay.pull && silence > 0 {
            self.deadline = Some(now.saturating_add(silence));
        }
    }

    /// The relay ends; once its connection has, too, it is over.
    fn hear_last(&mut self, input: &RelayInput, now: u64) {
        let has_ended = match input {
            RelayInput::Connection(attempt, status) => {
                self.last_words == Some(*attempt) && matches!(of_connection(status), Meaning::Failure)
            }
            _ => self.deadline.is_some_and(|deadline| deadline <= now),
        };
        if has_ended {
            self.over();
        }
    }

    fn over(&mut self) {
        self.phase = RelayState::Ended;
        self.last_words = None;
        self.events.push(RelayEvent::Ended);
    }

    /// Brings what it does in line with what is wanted, and with the time.
    fn settle(&mut self, relay: &Arc<RelayCore>, now: u64) {
        if self.last_words.is_some() {
            return;
        }
        let wanted = self.is_wanted(relay, now);
        let outdated = |attempt: &Attempt| !relay.pull && attempt.path != relay.stream.live().path();
        if wanted && self.attempt.as_ref().is_some_and(outdated) {
            // Another publisher, of other origin: the other server has to know.
            self.settled(relay, now);
            self.disconnect(relay, false);
            self.phase = RelayState::Idle;
        }
        let is_due = self.deadline.is_some_and(|deadline| deadline <= now);
        match self.phase {
            RelayState::Idle if wanted => self.begin(relay, now),
            RelayState::Waiting if !wanted => self.rest(relay),
            RelayState::Waiting if is_due => self.begin(relay, now),
            RelayState::Connecting | RelayState::Connected | RelayState::Streaming if !wanted => {
                self.settled(relay, now);
                self.rest(relay);
            }
            RelayState::Connecting | RelayState::Connected if is_due => {
                let text = "The other server did not answer in time.";
                self.fail(
                    relay,
                    Status::new(Code::ConnectFailed).with_description(text),
                    now,
                );
            }
            RelayState::Streaming if is_due => {
                let counted = relay.messages.load(Relaxed);
                if std::mem::replace(&mut self.counted, counted) == counted {
                    let text = format!("Nothing has come for {} ms.", relay.config.silence_ms);
                    self.fail(
                        relay,
                        Status::new(Code::ConnectClosed).with_description(text),
                        now,
                    );
                } else {
                    self.watch_silence(relay, now);
                }
            }
            _ => {}
        }
    }

    /// Whether it is to be connected: a pull on demand goes on for a while after the last player.
    fn is_wanted(&mut self, relay: &RelayCore, now: u64) -> bool {
        let wanted = relay.is_wanted();
        let linger = match relay.config.demand {
            Demand::WhilePlayed { linger_ms } if relay.pull => u64::from(linger_ms),
            _ => return wanted,
        };
        if wanted || matches!(self.phase, RelayState::Idle | RelayState::Waiting) {
            self.linger_until = None;
            return wanted;
        }
        now < *self.linger_until.get_or_insert(now.saturating_add(linger))
    }

    fn begin(&mut self, relay: &Arc<RelayCore>, now: u64) {
        let live = relay.stream.live();
        if relay.pull && live.stats().publishing {
            return self.fail(relay, taken(live.name()), now);
        }
        self.attempts += 1;
        self.phase = RelayState::Connecting;
        self.deadline = Some(now.saturating_add(u64::from(relay.config.answer_timeout_ms.max(1))));
        match Attempt::begin(relay, self.attempts, self.resumes) {
            Ok(attempt) => {
                let mut shown = relay.shown.lock();
                shown.now = Some(Arc::clone(attempt.traffic()));
                shown.stats.attempts = self.attempts;
                self.attempt = Some(attempt);
            }
            Err(error) => {
                let why = Status::new(Code::ConnectFailed).with_description(error.to_string());
                self.fail(relay, why, now);
            }
        }
    }

    /// Ends the connection, if there is one.
    fn disconnect(&mut self, relay: &RelayCore, for_good: bool) {
        self.deadline = None;
        self.linger_until = None;
        if let Some(attempt) = self.attempt.take() {
            let mut shown = relay.shown.lock();
            shown.before = shown.before.plus(attempt.traffic().read());
            shown.now = None;
            drop(shown);
            self.last = attempt.end(for_good).or(self.last);
        }
    }

    fn fail(&mut self, relay: &Arc<RelayCore>, why: Status, now: u64) {
        self.settled(relay, now);
        self.disconnect(relay, false);
        self.failures = self.failures.saturating_add(1);
        let mut shown = relay.shown.lock();
        shown.stats.failures = self.failures;
        shown.stats.failures_total += 1;
        shown.stats.last_failure = Some(why.clone());
        drop(shown);
        if relay.config.back_off.gives_up(self.failures) {
            self.events.push(RelayEvent::GaveUp { reason: why });
            return self.finish(relay, now);
        }
        let random = RandomState::new().hash_one((relay.id, self.attempts));
        let after_ms = relay.config.back_off.wait_ms(self.failures, random);
        self.phase = RelayState::Waiting;
        self.deadline = Some(now.saturating_add(after_ms));
        self.events.push(RelayEvent::Retrying {
            after_ms,
            failures: self.failures,
            reason: why,
        });
    }

    /// Media that flowed long enough ends a row of failures.
    fn settled(&mut self, relay: &RelayCore, now: u64) {
        if self.phase == RelayState::Streaming && now.saturating_sub(self.streaming_since) >= SETTLED_MS {
            self.failures = 0;
            relay.shown.lock().stats.failures = 0;
        }
    }

    /// Nobody wants it for now.
    fn rest(&mut self, relay: &RelayCore) {
        self.disconnect(relay, true);
        self.phase = RelayState::Idle;
        // The next publisher of a stream that is pushed has a time of its own.
        self.last = None;
        self.events.push(RelayEvent::Idle);
    }

    fn finish(&mut self, relay: &RelayCore, now: u64) {
        self.last_words = self.attempt.as_ref().map(|attempt| attempt.number);
        self.disconnect(relay, true);
        match self.last_words {
            Some(_) => {
                self.phase = RelayState::Idle;
                self.deadline = Some(now.saturating_add(LAST_WORDS_MS));
            }
            None => self.over(),
        }
    }
}
