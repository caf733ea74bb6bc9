//! A live stream: takes what its publisher sends, turns each message once into shared pieces and hands it to every
//! worker that has players, once per worker.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::app::stats::StreamStats;
use crate::app::stream::Latency;
use crate::app::stream::MEDIA_CHUNK_SIZE;
use crate::app::stream::gop_cache::GopCache;
use crate::app::stream::subscription::SubscriptionPost;
use crate::media::{self, FrameFlags, MediaKind, Reduced, Reduction, TrackSet};
use crate::wire::chunk::{SharedMessage, csid};
use crate::wire::message::MessageType;

/// One published message, shared by all who play it.
#[derive(Debug)]
pub struct LiveMessage {
    /// Position in the stream, without gaps.
    pub sequence: u64,
    /// Audio, video or data.
    pub kind: MediaKind,
    /// What the tag header says.
    pub flags: FrameFlags,
    /// The message, chunked for sending.
    pub shared: SharedMessage,
    /// The tracks it carries; empty when it is about none.
    tracks: TrackSet,
    /// The track of its kind that players without multitrack get.
    default_track: u8,
    /// What players get that do not understand all of it; made when the first of them needs it.
    forms: OnceLock<Box<[OnceLock<Form>; 3]>>,
}

#[derive(Debug)]
enum Form {
    Same,
    Other(SharedMessage),
    Nothing,
}

impl LiveMessage {
    /// Looks at a message body and chunks it. `metadata` marks a data message that late joiners need.
    pub fn new(sequence: u64, kind: MediaKind, timestamp: u32, body: Bytes, metadata: bool) -> Self {
        let mut flags = media::inspect(kind, &body);
        if metadata {
            flags |= FrameFlags::METADATA;
        }
        let tracks = match kind {
            _ if flags.contains(FrameFlags::COMMAND) => TrackSet::default(),
            _ => media::track_ids(kind, &body),
        };
        Self {
            sequence,
            kind,
            flags,
            shared: share(kind, timestamp, body),
            tracks,
            default_track: 0,
            forms: OnceLock::new(),
        }
    }

    /// Whether a decoder of the default track can start here.
    pub fn is_keyframe(&self) -> bool {
        self.kind == MediaKind::Video
            && self.flags.contains(FrameFlags::KEYFRAME)
            && self.tracks.contains(self.default_track)
    }

    /// Whether a decoder cannot do without it: a sequence header, channel layout, colour information or metadata.
    pub fn is_header(&self) -> bool {
        let headers = FrameFlags::CONFIG | FrameFlags::METADATA;
        self.flags.intersects(headers)
    }

    /// The message for a player that does not understand what `reduction` says; `None` when nothing of it is left.
    /// Built once for all players, and never for messages that every player understands.
    pub fn form(&self, reduction: Option<Reduction>) -> Option<&SharedMessage> {
        let reducible = |reduction| media::is_reducible(self.kind, &self.shared.payload, reduction);
        let Some(reduction) = reduction.filter(|reduction| reducible(*reduction)) else {
            return Some(&self.shared);
        };
        let forms = self.forms.get_or_init(Box::default);
        match forms[reduction as usize].get_or_init(|| self.reduced(reduction)) {
            Form::Same => Some(&self.shared),
            Form::Other(shared) => Some(shared),
            Form::Nothing => None,
        }
    }

    /// The same message at another time, where the default track is `default_track`.
    #[must_use]
    pub fn at(&self, timestamp: u32, default_track: u8) -> Self {
        self.with(timestamp, default_track, self.shared.payload.clone())
    }

    /// The same message with a body of its own.
    pub(crate) fn copied(&self) -> Self {
        let body = Bytes::copy_from_slice(&self.shared.payload);
        self.with(self.shared.timestamp, self.default_track, body)
    }

    pub(crate) fn default_track(&self) -> u8 {
        self.default_track
    }

    fn with(&self, timestamp: u32, default_track: u8, body: Bytes) -> Self {
        Self {
            sequence: self.sequence,
            kind: self.kind,
            flags: self.flags,
            shared: share(self.kind, timestamp, body),
            tracks: self.tracks,
            default_track,
            forms: OnceLock::new(),
        }
    }

    fn reduced(&self, reduction: Reduction) -> Form {
        let body = &self.shared.payload;
        match media::reduce(self.kind, body, self.default_track, reduction) {
            Reduced::Same => Form::Same,
            Reduced::Body(body) => Form::Other(share(self.kind, self.shared.timestamp, body)),
            Reduced::Nothing => Form::Nothing,
        }
    }
}

/// The chunk stream that media of a kind is sent on.
pub(crate) const fn chunk_stream(kind: MediaKind) -> u32 {
    match kind {
        MediaKind::Audio => csid::AUDIO,
        MediaKind::Video => csid::VIDEO,
        MediaKind::Data => csid::DATA,
    }
}

fn share(kind: MediaKind, timestamp: u32, body: Bytes) -> SharedMessage {
    let message_type = match kind {
        MediaKind::Audio => MessageType::AUDIO,
        MediaKind::Video => MessageType::VIDEO,
        // The AMF3 form begins with a zero byte.
        MediaKind::Data if body.first() == Some(&0) => MessageType::DATA_AMF3,
        MediaKind::Data => MessageType::DATA,
    };
    SharedMessage::new(
        message_type,
        timestamp,
        body,
        MEDIA_CHUNK_SIZE,
        chunk_stream(kind),
    )
}

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
}

/// The way into a worker that has players of a stream.
pub trait StreamPort: Send + Sync + fmt::Debug {
    /// Number of the worker.
    fn worker(&self) -> usize;

    /// Hands over an event. Never blocks; a worker that is far behind drops media, which its players see as a gap.
    fn deliver(&self, delivery: Delivery);

    /// Starts or ends a subscription of the host on that worker.
    fn subscription(&self, post: SubscriptionPost);
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
    state: Mutex<State>,
}

struct State {
    publisher: Option<u64>,
    sequence: u64,
    cache: GopCache,
    outlets: Vec<Outlet>,
    /// The lowest track seen of audio and of video.
    lowest: [Option<u8>; 2],
    messages: u64,
    bytes: u64,
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
            sequence: 0,
            cache: GopCache::new(gop_cache_bytes),
            outlets: Vec::new(),
            lowest: [None; 2],
            messages: 0,
            bytes: 0,
        };
        Self {
            id: NEXT_ID.fetch_add(1, Relaxed),
            name: name.to_owned(),
            latency: Mutex::new(latency),
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

    /// Makes `publisher` the stream's publisher; false if it has one.
    pub fn claim(&self, publisher: u64) -> bool {
        let mut state = self.state.lock();
        if state.publisher.is_some() {
            return false;
        }
        state.publisher = Some(publisher);
        self.tell(&state, Item::Published);
        true
    }

    /// Ends the publication, if it is `publisher`'s.
    pub fn release(&self, publisher: u64) -> bool {
        let mut state = self.state.lock();
        if state.publisher != Some(publisher) {
            return false;
        }
        state.publisher = None;
        state.cache.clear();
        state.lowest = [None; 2];
        self.tell(&state, Item::Unpublished);
        true
    }

    /// Publishes a message body; false if `publisher` does not own the stream.
    pub fn push(&self, publisher: u64, kind: MediaKind, timestamp: u32, body: Bytes, metadata: bool) -> bool {
        // The message is made before the lock is taken: only its number has to be given under it.
        let mut message = LiveMessage::new(0, kind, timestamp, body, metadata);
        let mut state = self.state.lock();
        if state.publisher != Some(publisher) {
            return false;
        }
        message.sequence = state.sequence;
        message.default_track = state.default_track(message.kind, message.tracks);
        state.sequence += 1;
        state.messages += 1;
        state.bytes += message.shared.payload.len() as u64;
        let message = Arc::new(message);
        state.cache.add(&message);
        self.tell(&state, Item::Media(message));
        true
    }

    /// Adds a player on the port's worker and says what it begins with.
    pub fn join(&self, port: &Arc<dyn StreamPort>) -> Joined {
        let mut state = self.state.lock();
        match state
            .outlets
            .iter_mut()
            .find(|outlet| outlet.port.worker() == port.worker())
        {
            Some(outlet) => outlet.players += 1,
            None => state.outlets.push(Outlet {
                port: Arc::clone(port),
                players: 1,
            }),
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
        }
    }

    /// Posting under the lock keeps the order of messages the same for all workers.
    fn tell(&self, state: &State, item: Item) {
        for outlet in &state.outlets {
            outlet.port.deliver(Delivery {
                stream: self.id,
                item: item.clone(),
            });
        }
    }
}

impl fmt::Debug for LiveStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LiveStream({})", self.name)
    }
}
