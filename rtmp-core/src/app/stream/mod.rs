//! Live streams: one publisher, many players, and what those who join late are given.

mod flow;
mod gop_cache;
mod handle;
mod latency;
mod live;
mod message;
mod subscription;
mod takeover;

pub(crate) use flow::{Backlog, Span};
pub use flow::{FlowLimits, PlayerFlow, Verdict};
pub use gop_cache::GopCache;
pub use handle::{Publication, Stream};
pub use latency::Latency;
pub use live::{Delivery, Item, Joined, LiveStream, Ports, StreamPort};
pub(crate) use live::{Watcher, publisher_id};
pub use message::LiveMessage;
pub(crate) use subscription::Tap;
pub use subscription::{Feed, SubscribeOptions, Subscriber, Subscription, SubscriptionPost};
pub use takeover::Takeover;
pub(crate) use takeover::{Eviction, Publisher};

/// Chunk size of media that is sent to players, in bytes: large enough that most messages are one chunk.
pub const MEDIA_CHUNK_SIZE: u32 = 65_536;
