//! A live stream: takes what its publisher sends, turns each message once into shared pieces and hands it to every
//! worker that has players, once per worker.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::app::record::{Recorder, Recorders};
use crate::app::stats::{Drops, StreamStats};
use crate::app::stream::Latency;
use crate::app::stream::gop_cache::GopCache;
use crate::app::stream::message::LiveMessage;
use crate::app::stream::subscription::SubscriptionPost;
use crate::app::stream::takeover::{Eviction, Publisher, Timeline};
use crate::media::{MediaKind, TrackSet};

/// What a worker is told about a stream.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// [`LiveStream::id`].
    pub stream: u64,
    /// What happened.
    pub item: Item,
}

/// An event of a stream.
#[derive(Debug, Clone)]
pub enum Item {
    /// A message was published.
    Media(Arc<LiveMessage>),
    /// Somebody began to publish.
    Published,
    /// The publisher left.
    Unpublished,
    /// Nothing was published for a while.
    Dry,
}

/// The way into a worker that has players of a stream.
pub trait StreamPort: Send + Sync + fmt::Debug {
    /// Number of the worker.
    fn worker(&self) -> usize;

    /// Hands over an event. Never blocks; a worker that is far behind drops media, which its players see as a gap. Whether it
    /// was taken.
    fn deliver(&self, delivery: Delivery) -> bool;

    /// Starts or ends a subscription of the host on that worker.
    fn subscription(&self, post: SubscriptionPost);
}

/// Wants to know when a stream's publisher comes or goes, or its players. Told under the stream's lock: only to take note.
pub(crate) trait Watcher: Send + Sync {
    /// Something changed.
    fn changed(&self);
}

/// The ports of all workers.
pub type Ports = Arc<[Arc<dyn StreamPort>]>;

/// What a new player begins with.
#[derive(Debug)]
pub struct Joined {
    /// Metadata, sequence headers and the current group of pictures.
    pub backlog: Vec<Arc<LiveMessage>>,
    /// Position of the first message that will be delivered after the backlog.
    pub next_sequence: u64,
    /// Whether somebody publishes now.
    pub publishing: bool,
    /// Whether the stream has video.
    pub has_video: bool,
}

/// A live stream of an instance.
pub struct LiveStream {
    id: u64,
    name: String,
    latency: Mutex<Latency>,
    timeline: Timeline,
    state: Mutex<State>,
}

struct State {
    publisher: Option<Publisher>,
    /// The instance is gone: nobody begins to publish.
    closed: bool,
    /// The publisher left and its players wait until then for another.
    held_until: Option<Instant>,
    /// Players wait for the new publisher's first keyframe.
    needs_key: bool,
    sequence: u64,
    cache: GopCache,
    outlets: Vec<Outlet>,
    watchers: Vec<Weak<dyn Watcher>>,
    /// Where the present or last publisher's messages came through.
    path: Arc<[String]>,
    recorders: Recorders,
    /// The lowest track seen of audio and of video.
    lowest: [Option<u8>; 2],
    messages: u64,
    bytes: u64,
    /// The messages there had been when the stream was looked at last, and when there came to be so many or players were
    /// told so.
    silent_since: Option<(u64, Instant)>,
    /// What workers did not take, because too much waited for them.
    undelivered: Drops,
}

impl State {
    /// The lowest track of a kind so far: publishers put the one that most players want first (E-RTMP v2 "Track
    /// Ordering").
    fn default_track(&mut self, kind: MediaKind, tracks: TrackSet) -> u8 {
        let lowest = match kind {
            MediaKind::Audio => &mut self.lowest[0],
            MediaKind::Video => &mut self.lowest[1],
            MediaKind::Data => return 0,
        };
        if *lowest != Some(0)
            && let Some(first) = tracks.first()
        {
            *lowest = Some(lowest.map_or(first, |lowest| lowest.min(first)));
        }
        lowest.unwrap_or(0)
    }
}

impl State {
    fn notify(&self) {
        for watcher in self.watchers.iter().filter_map(Weak::upgrade) {
            watcher.changed();
        }
    }
}

struct Outlet {
    port: Arc<dyn StreamPort>,
    players: usize,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A number for a publisher, unique in the process.
pub(crate) fn publisher_id() -> u64 {
    NEXT_ID.fetch_add(1, Relaxed)
}

impl LiveStream {
    /// A stream without publisher that keeps `gop_cache_bytes` for those who join late.
    pub fn new(name: &str, gop_cache_bytes: usize, latency: Latency) -> Self {
        let state = State {
            publisher: None,
            closed: false,
            held_until: None,
            needs_key: false,
            sequence: 0,
            cache: GopCache::new(gop_cache_bytes),
            outlets: Vec::new(),
            watchers: Vec::new(),
            path: Arc::default(),
            recorders: Recorders::default(),
            lowest: [None; 2],
            messages: 0,
            bytes: 0,
            silent_since: None,
            undelivered: Drops::default(),
        };
        Self {
            id: NEXT_ID.fetch_add(1, Relaxed),
            name: name.to_owned(),
            latency: Mutex::new(latency),
            timeline: Timeline::default(),
            state: Mutex::new(state),
        }
    }

    /// Number of this stream, unique in the process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The stream's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long messages may wait for others.
    pub fn latency(&self) -> Latency {
        *self.latency.lock()
    }

    /// Changes how long messages may wait.
    pub fn set_latency(&self, latency: Latency) {
        *self.latency.lock() = latency;
    }

    /// Makes `publisher` the stream's publisher; false if it has one that may not be replaced, or is closed. A publisher that is
    /// replaced, or comes while players are held, goes on where the one before stopped.
    pub fn claim(&self, publisher: Publisher) -> bool {
        let mut state = self.state.lock();
        if state.closed || (state.publisher.is_some() && !publisher.takeover.replace) {
            return false;
        }
        let goes_on = state.publisher.is_some() || state.held_until.take().is_some();
        state.needs_key = goes_on && state.cache.has_video();
        state.silent_since = None;
        self.timeline.begin(goes_on || publisher.continues);
        // Players that are relays are to know of another path.
        let other_path = std::mem::replace(&mut state.path, Arc::clone(&publisher.path)) != publisher.path;
        let replaced = state.publisher.replace(publisher);
        if !goes_on {
            state.recorders.restart();
        }
        if !goes_on || other_path {
            self.tell(&state, Item::Published);
        }
        state.notify();
        let recorders = match &replaced {
            Some(replaced) => state.recorders.take_of(Some(replaced.id)),
            None => Vec::new(),
        };
        drop(state);
        // Not under the lock: it may be done here and now.
        recorders.iter().for_each(Recorder::stop);
        if let Some(publisher) = replaced {
            publisher.evict(Eviction::Replaced);
        }
        true
    }

    /// Ends the publication, if it is `publisher`'s. Players hear of it when nobody takes over in time.
    pub fn release(&self, publisher: u64) -> bool {
        let mut state = self.state.lock();
        let Some(left) = state.publisher.take_if(|current| current.id == publisher) else {
            return false;
        };
        match left.takeover.hold_until() {
            Some(until) => state.held_until = Some(until),
            None => self.end(&mut state),
        }
        state.notify();
        let over = state.recorders.take_of(Some(publisher));
        let others = state.recorders.all();
        drop(state);
        over.iter().for_each(Recorder::stop);
        // What they were given is not to wait for another publisher.
        others.iter().for_each(Recorder::start);
        true
    }

    /// Ends a publication whose players have been held long enough, or at once if `now` is none.
    pub fn expire(&self, now: Option<Instant>) {
        let mut state = self.state.lock();
        let over = state
            .held_until
            .is_some_and(|until| now.is_none_or(|now| until <= now));
        if over {
            state.held_until = None;
            self.end(&mut state);
        }
    }

    /// Tells the players that the stream is dry if nothing has come for `patience`. What comes is counted anyway, so that
    /// a message costs nothing more.
    pub(crate) fn tell_if_dry(&self, now: Instant, patience: Duration) {
        let mut state = self.state.lock();
        if state.publisher.is_none() && state.held_until.is_none() {
            state.silent_since = None;
            return;
        }
        match state.silent_since {
            Some((messages, since)) if messages == state.messages => {
                if now.saturating_duration_since(since) < patience {
                    return;
                }
                self.tell(&state, Item::Dry);
            }
            _ => {}
        }
        state.silent_since = Some((state.messages, now));
    }

    /// Takes the stream from whoever publishes it and forgets what it holds. Returns the publication's recordings, which end.
    pub(crate) fn clear(&self) -> Vec<Arc<Recorder>> {
        let mut state = self.state.lock();
        let publisher = state.publisher.take();
        if publisher.is_some() || state.held_until.take().is_some() {
            self.end(&mut state);
        }
        let over = match &publisher {
            Some(publisher) => state.recorders.take_of(Some(publisher.id)),
            None => Vec::new(),
        };
        drop(state);
        over.iter().for_each(Recorder::stop);
        if let Some(publisher) = publisher {
            publisher.evict(Eviction::Cleared);
        }
        over
    }

    /// The next message of `publisher` goes out right after the last one, whatever its time says.
    pub(crate) fn rejoin(&self, publisher: u64) {
        let state = self.state.lock();
        if state
            .publisher
            .as_ref()
            .is_some_and(|current| current.id == publisher)
        {
            self.timeline.begin(true);
        }
    }

    /// Tells `watcher` of changes while it lives.
    pub(crate) fn watch(&self, watcher: Weak<dyn Watcher>) {
        let mut state = self.state.lock();
        state.watchers.retain(|watcher| watcher.strong_count() > 0);
        state.watchers.push(watcher);
    }

    /// The messages of `publisher` come another way now.
    pub(crate) fn set_path(&self, publisher: u64, path: &Arc<[String]>) {
        let mut state = self.state.lock();
        let is_current = state
            .publisher
            .as_ref()
            .is_some_and(|current| current.id == publisher);
        if is_current && state.path != *path {
            state.path = Arc::clone(path);
            self.tell(&state, Item::Published);
            state.notify();
        }
    }

    /// The streams that the present publisher's messages came through, over relays, the first one first.
    pub(crate) fn path(&self) -> Arc<[String]> {
        Arc::clone(&self.state.lock().path)
    }

    /// What the stream is called in paths: a name that no other stream has anywhere.
    pub(crate) fn node(&self) -> String {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        let process = PROCESS.get_or_init(|| RandomState::new().hash_one(std::process::id()));
        format!("{process:016x}.{:x}", self.id)
    }

    /// Whether players are held for a publisher to come back.
    pub fn is_held(&self) -> bool {
        self.state.lock().held_until.is_some()
    }

    /// Publishes a message body; false if `publisher` does not own the stream.
    pub fn push(&self, publisher: u64, kind: MediaKind, timestamp: u32, body: Bytes, metadata: bool) -> bool {
        // The message is made before the lock is taken: only its number has to be given under it.
        let timestamp = self.timeline.place(timestamp);
        let message = LiveMessage::new(0, kind, timestamp, body, metadata);
        let mut state = self.state.lock();
        if state
            .publisher
            .as_ref()
            .is_none_or(|current| current.id != publisher)
        {
            return false;
        }
        if state.needs_key && kind == MediaKind::Video && !message.is_header() {
            if !message.is_keyframe() {
                return true;
            }
            state.needs_key = false;
        }
        let due = self.append(&mut state, message);
        drop(state);
        due.iter().for_each(Recorder::write_soon);
        true
    }

    /// Those who join from now on do not get the data frame of this name; false if `publisher` does not own the stream.
    pub fn clear_data_frame(&self, publisher: u64, name: &str) -> bool {
        let mut state = self.state.lock();
        let owns = state
            .publisher
            .as_ref()
            .is_some_and(|current| current.id == publisher);
        if owns {
            state.cache.forget_data_frame(name);
        }
        owns
    }

    /// Sends a data message of the host to all players, whoever publishes. Late joiners do not get it.
    pub fn broadcast(&self, body: Bytes) {
        let message = LiveMessage::new(0, MediaKind::Data, self.timeline.last(), body, false);
        let due = self.append(&mut self.state.lock(), message);
        due.iter().for_each(Recorder::write_soon);
    }

    /// Gives a recorder what is published from now on: to that of a publisher what it publishes, and nothing if it has left;
    /// to one of the host what those who join late get, too.
    pub(crate) fn attach(&self, recorder: &Arc<Recorder>, publisher: Option<u64>) {
        let mut state = self.state.lock();
        let due = match publisher {
            None if state.closed => {
                drop(state);
                return recorder.stop();
            }
            None => {
                let backlog = state.cache.backlog();
                recorder.join(&backlog, state.cache.has_video())
            }
            Some(id) if state.publisher.as_ref().is_some_and(|current| current.id == id) => false,
            Some(_) => {
                drop(state);
                return recorder.stop();
            }
        };
        state.recorders.add(recorder, publisher);
        drop(state);
        if due {
            recorder.write_soon();
        }
    }

    /// Gives a recorder nothing more.
    pub(crate) fn detach(&self, recorder: &Arc<Recorder>) {
        self.state.lock().recorders.remove(recorder);
    }

    /// The instance goes: the host publishes and records no more, and nobody else begins to. Clients end with their connections.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let left = state.publisher.take_if(|publisher| publisher.is_host());
        if left.is_some() || state.held_until.take().is_some() {
            self.end(&mut state);
        }
        let over = state.recorders.take_of(None);
        drop(state);
        over.iter().for_each(Recorder::stop);
    }

    /// Whether the instance is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Adds a player on the port's worker and says what it begins with.
    pub fn join(&self, port: &Arc<dyn StreamPort>) -> Joined {
        self.add_player(&mut self.state.lock(), port)
    }

    /// Adds a player from any thread: `tell` runs before anything more is published.
    pub fn join_then(&self, port: &Arc<dyn StreamPort>, tell: impl FnOnce(Joined)) {
        let mut state = self.state.lock();
        tell(self.add_player(&mut state, port));
    }

    fn add_player(&self, state: &mut State, port: &Arc<dyn StreamPort>) -> Joined {
        match state
            .outlets
            .iter_mut()
            .find(|outlet| outlet.port.worker() == port.worker())
        {
            Some(outlet) => outlet.players += 1,
            None => {
                state.outlets.push(Outlet {
                    port: Arc::clone(port),
                    players: 1,
                });
                state.notify();
            }
        }
        Joined {
            backlog: state.cache.backlog(),
            next_sequence: state.sequence,
            publishing: state.publisher.is_some(),
            has_video: state.cache.has_video(),
        }
    }

    /// Takes a player of the port's worker out.
    pub fn part(&self, port: &Arc<dyn StreamPort>) {
        let mut state = self.state.lock();
        if let Some(at) = state
            .outlets
            .iter()
            .position(|outlet| outlet.port.worker() == port.worker())
        {
            state.outlets[at].players -= 1;
            if state.outlets[at].players == 0 {
                state.outlets.swap_remove(at);
                state.notify();
            }
        }
    }

    /// Metadata and sequence headers as of now, for a player that missed some.
    pub fn headers(&self) -> Vec<Arc<LiveMessage>> {
        self.state.lock().cache.headers()
    }

    /// Counts and sizes now.
    pub fn stats(&self) -> StreamStats {
        let state = self.state.lock();
        let (cached_messages, cached_bytes) = state.cache.size();
        StreamStats {
            publishing: state.publisher.is_some(),
            players: state.outlets.iter().map(|outlet| outlet.players).sum(),
            messages: state.messages,
            bytes: state.bytes,
            cached_messages,
            cached_bytes,
            undelivered: state.undelivered,
        }
    }

    /// Hands a message to everybody. The recorders that are returned are to write, once the lock is free.
    fn append(&self, state: &mut State, mut message: LiveMessage) -> Vec<Arc<Recorder>> {
        message.sequence = state.sequence;
        message.default_track = state.default_track(message.kind, message.tracks);
        state.sequence += 1;
        state.messages += 1;
        state.bytes += message.shared.payload.len() as u64;
        self.timeline.note(message.shared.timestamp);
        if state.outlets.is_empty() && state.recorders.is_empty() {
            state.cache.add_alone(message);
            return Vec::new();
        }
        let message = Arc::new(message);
        state.cache.add(&message);
        let due = state.recorders.push(&message);
        let bytes = message.shared.payload.len() as u64;
        let refused = self.tell(state, Item::Media(message));
        state.undelivered.messages += refused;
        state.undelivered.bytes += refused * bytes;
        due
    }

    fn end(&self, state: &mut State) {
        state.cache.clear();
        state.lowest = [None; 2];
        state.needs_key = false;
        state.path = Arc::default();
        self.tell(state, Item::Unpublished);
        state.notify();
    }

    /// Posting under the lock keeps the order of messages the same for all workers. Returns how many of them did not take it.
    fn tell(&self, state: &State, item: Item) -> u64 {
        let mut refused = 0;
        for outlet in &state.outlets {
            let delivery = Delivery {
                stream: self.id,
                item: item.clone(),
            };
            refused += u64::from(!outlet.port.deliver(delivery));
        }
        refused
    }
}

impl fmt::Debug for LiveStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LiveStream({})", self.name)
    }
}
