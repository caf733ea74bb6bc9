//! The host as a player: frames of a live stream by callback, without a socket.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use parking_lot::Mutex;

use crate::app::dispatch::Dispatch;
use crate::app::stream::flow::{Backlog, FlowLimits, PlayerFlow, Verdict};
use crate::app::stream::{Item, Joined, LiveMessage, LiveStream, StreamPort};
use crate::media::{Frame, FrameFlags};
use crate::time::Unwrap;

/// What the host does with a stream it subscribes to. Functions come one at a time and in order, on a worker or where
/// the subscription's [`Dispatch`] says; they must not block.
#[allow(unused_variables)]
pub trait Subscriber: Send + Sync + 'static {
    /// A frame: headers and the current group of pictures first, then live. A multitrack message yields one frame per
    /// track, each with a body of its own.
    fn on_frame(&self, frame: &Frame);

    /// Somebody began to publish; also called first if somebody publishes already.
    fn on_publish(&self) {}

    /// The publisher left.
    fn on_unpublish(&self) {}
}

/// What takes a stream's messages whole, and judges itself which to drop: a relay. Called on the worker of the
/// subscription, under no lock.
pub(crate) trait Tap: Send + Sync {
    /// What the stream holds for those who join late.
    fn begin(&self, joined: Joined);

    /// An event of the stream.
    fn take(&self, item: &Item, stream: &LiveStream);
}

enum Sink {
    Host(Arc<dyn Subscriber>),
    Tap(Arc<dyn Tap>),
}

/// Settings of a subscription.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// Where the subscriber runs. Default: on a worker of the library.
    pub dispatch: Dispatch,
    /// Leave out what the stream holds for late joiners except sequence headers and metadata. Default: false.
    pub skip_backlog: bool,
}

/// A subscription of the host. Dropping it, or closing it, ends it; a frame may still be on its way then.
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
}

/// A message to the worker that serves a subscription.
#[derive(Debug, Clone)]
pub enum SubscriptionPost {
    /// Begin.
    Start(Arc<Feed>),
    /// End.
    Stop(Arc<Feed>),
}

/// A subscription as its worker sees it.
pub struct Feed {
    stream: Arc<LiveStream>,
    port: Arc<dyn StreamPort>,
    options: SubscribeOptions,
    sink: Sink,
    state: Mutex<FeedState>,
    closed: AtomicBool,
    dropped: AtomicU64,
}

struct FeedState {
    flow: PlayerFlow,
    time: Unwrap,
    /// What the stream held when the subscription joined, until the worker has delivered it.
    joined: Option<Joined>,
}

impl Subscription {
    pub(crate) fn start(
        stream: Arc<LiveStream>,
        port: Arc<dyn StreamPort>,
        options: SubscribeOptions,
        subscriber: Arc<dyn Subscriber>,
    ) -> Self {
        Self::with(stream, port, options, Sink::Host(subscriber))
    }

    /// Gives whole messages to `tap`, on the worker of `port`.
    pub(crate) fn tap(stream: Arc<LiveStream>, port: Arc<dyn StreamPort>, tap: Arc<dyn Tap>) -> Self {
        Self::with(stream, port, SubscribeOptions::default(), Sink::Tap(tap))
    }

    fn with(
        stream: Arc<LiveStream>,
        port: Arc<dyn StreamPort>,
        options: SubscribeOptions,
        sink: Sink,
    ) -> Self {
        let flow = PlayerFlow::new(FlowLimits::default(), 0, false, false);
        let state = Mutex::new(FeedState {
            flow,
            time: Unwrap::default(),
            joined: None,
        });
        let (closed, dropped) = (AtomicBool::new(false), AtomicU64::new(0));
        let feed = Arc::new(Feed {
            stream,
            port,
            options,
            sink,
            state,
            closed,
            dropped,
        });
        // Joining here, and telling the worker in the same breath, misses nothing that is published from now on.
        feed.stream.join_then(&feed.port, |joined| {
            feed.state.lock().joined = Some(joined);
            feed.port.subscription(SubscriptionPost::Start(Arc::clone(&feed)));
        });
        Self { feed }
    }

    /// Frames dropped because the host's queue was full.
    pub fn dropped(&self) -> u64 {
        self.feed.dropped.load(Relaxed)
    }

    /// Ends the subscription; no callback begins after this returns, one may be running.
    pub fn close(&self) {
        if !self.feed.closed.swap(true, Release) {
            self.feed
                .port
                .subscription(SubscriptionPost::Stop(Arc::clone(&self.feed)));
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.close();
    }
}

impl Feed {
    /// The stream's number.
    pub fn stream_id(&self) -> u64 {
        self.stream.id()
    }

    /// Delivers what the stream held when the subscription joined. Called once, on the worker.
    pub fn begin(self: &Arc<Self>) {
        let Some(joined) = self.state.lock().joined.take() else {
            return;
        };
        if let Sink::Tap(tap) = &self.sink {
            return tap.begin(joined);
        }
        let Joined {
            backlog,
            next_sequence,
            publishing,
            has_video,
        } = joined;
        let at_keyframe = !self.options.skip_backlog && backlog.iter().any(|message| message.is_keyframe());
        self.state.lock().flow =
            PlayerFlow::new(FlowLimits::default(), next_sequence, has_video, at_keyframe);
        if publishing {
            self.notify(|subscriber| subscriber.on_publish());
        }
        for message in &backlog {
            if message.is_header() || !self.options.skip_backlog {
                self.emit(message);
            }
        }
    }

    /// Leaves the stream. Called once, on the worker.
    pub fn part(&self) {
        self.stream.part(&self.port);
    }

    /// Takes an event of the stream. Called on the worker.
    pub fn take(self: &Arc<Self>, item: &Item) {
        if let Sink::Tap(tap) = &self.sink {
            if !self.closed.load(Acquire) {
                tap.take(item, &self.stream);
            }
            return;
        }
        match item {
            Item::Media(message) => {
                let verdict = self.state.lock().flow.judge(message, Backlog::default());
                match verdict {
                    Verdict::Send => self.emit(message),
                    Verdict::Resume => {
                        self.stream.headers().iter().for_each(|header| self.emit(header));
                        self.emit(message);
                    }
                    Verdict::Drop => {
                        self.dropped.fetch_add(1, Relaxed);
                    }
                    Verdict::Skip => {}
                }
            }
            Item::Published => self.notify(|subscriber| subscriber.on_publish()),
            Item::Unpublished => {
                self.state.lock().flow.reset();
                self.notify(|subscriber| subscriber.on_unpublish());
            }
            Item::Dry => {}
        }
    }

    fn emit(self: &Arc<Self>, message: &LiveMessage) {
        let timestamp = self.state.lock().time.unwrap(message.shared.timestamp);
        let body = message.shared.payload.clone();
        if !message.flags.contains(FrameFlags::MULTITRACK) {
            return self.emit_frame(message, Frame::parse(message.kind, timestamp, body));
        }
        for frame in Frame::split(message.kind, timestamp, body) {
            self.emit_frame(message, frame);
        }
    }

    fn emit_frame(self: &Arc<Self>, message: &LiveMessage, frame: Frame) {
        let feed = Arc::clone(self);
        let job = move || {
            if let Some(subscriber) = feed.host() {
                subscriber.on_frame(&frame);
            }
        };
        if message.is_header() {
            self.options.dispatch.run(job);
        } else if !self.options.dispatch.try_run(job) {
            self.dropped.fetch_add(1, Relaxed);
            self.state.lock().flow.fall_behind();
        }
    }

    fn notify(self: &Arc<Self>, event: impl FnOnce(&dyn Subscriber) + Send + 'static) {
        let feed = Arc::clone(self);
        self.options.dispatch.run(move || {
            if let Some(subscriber) = feed.host() {
                event(subscriber);
            }
        });
    }

    /// The host's subscriber, as long as it wants to hear.
    fn host(&self) -> Option<&dyn Subscriber> {
        match &self.sink {
            Sink::Host(subscriber) if !self.closed.load(Acquire) => Some(&**subscriber),
            _ => None,
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Feed({})", self.stream.name())
    }
}
