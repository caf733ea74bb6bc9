//! Relays: a stream of another server pulled into one of ours, or one of ours pushed to another server, for as long as
//! the host wants, over as many connections as that takes.

mod attempt;
mod back_off;
mod core;
mod pull;
mod push;

use std::fmt;
use std::sync::Arc;

use crate::amf::Value;
use crate::app::dispatch::Dispatch;
use crate::app::instance::Instance;
use crate::app::stats::{Drops, TrafficStats};
use crate::app::stream::{FlowLimits, Stream};
use crate::client::Reconnect;
use crate::error::Result;
use crate::session::{ClientSessionConfig, PlayStart};
use crate::wire::status::Status;

pub(crate) use attempt::{PATH, is_circle, looped, path_status, read_path};
pub use back_off::BackOff;
pub(crate) use core::{RelayCore, RelayInput};

/// When a pull is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Demand {
    /// All the time.
    #[default]
    Always,
    /// While somebody plays the stream here: clients, subscriptions of the host and pushes.
    WhilePlayed {
        /// How many milliseconds after the last of them has left.
        linger_ms: u32,
    },
}

/// Settings of a relay.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RelayConfig {
    /// Where the handler runs; media never passes there. Default: on a worker of the library.
    pub dispatch: Dispatch,
    /// Settings of the protocol; application and URL in it are the relay's to set. Default: as usual.
    pub session: Option<ClientSessionConfig>,
    /// Arguments of `connect`. Default: none.
    pub connect_args: Vec<Value>,
    /// What is done when the other server asks to reconnect elsewhere, or refuses and says where else. Default: [`Reconnect::FOLLOW`].
    pub reconnect: Reconnect,
    /// How long to wait after a failure, and how often to try.
    pub back_off: BackOff,
    /// Milliseconds until the other server has to have accepted the connection, and a push. Default: 10,000.
    pub answer_timeout_ms: u32,
    /// Pull: when to be connected.
    pub demand: Demand,
    /// Pull: live, recorded, or whichever there is. Default: whichever there is.
    pub start: PlayStart,
    /// Pull: milliseconds that players here are held, hearing nothing, while the stream is fetched again. Default: 30,000.
    pub hold_ms: u32,
    /// Pull: connect anew when nothing has come for so many milliseconds (noticed after twice that at the latest), though the
    /// other server has not said that its publisher left; 0 never does. Default: 30,000.
    pub silence_ms: u32,
    /// Push: how far the other server may fall behind before frames are dropped up to the next keyframe.
    pub limits: FlowLimits,
    /// Push: turn what the other server did not announce to understand into what it does, as for players. Default: true.
    pub reduce: bool,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            dispatch: Dispatch::default(),
            session: None,
            connect_args: Vec::new(),
            reconnect: Reconnect::FOLLOW,
            back_off: BackOff::default(),
            answer_timeout_ms: 10_000,
            demand: Demand::Always,
            start: PlayStart::Any,
            hold_ms: 30_000,
            silence_ms: 30_000,
            limits: FlowLimits::default(),
            reduce: true,
        }
    }
}

/// What a relay does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RelayState {
    /// Nothing: nobody plays a stream that is pulled on demand, or nobody publishes one that is pushed.
    #[default]
    Idle,
    /// It connects.
    Connecting,
    /// The other server has accepted the connection; nothing flows yet, or any more.
    Connected,
    /// Media flows.
    Streaming,
    /// It failed and will try again.
    Waiting,
    /// It is over.
    Ended,
}

/// What happens to a relay.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RelayEvent {
    /// The other server accepted the connection. Again for a pull whose publisher there has left: the connection stays.
    Connected,
    /// A pull's first message has come; a push's other server takes what is sent.
    Streaming,
    /// It failed, and will be tried again.
    Retrying {
        /// In so many milliseconds.
        after_ms: u64,
        /// Failures in a row so far.
        failures: u32,
        /// Why.
        reason: Status,
    },
    /// The connection was closed in order, because nobody plays or publishes here; it comes back when somebody does.
    Idle,
    /// It failed as often as it may. [`Ended`](Self::Ended) follows.
    GaveUp {
        /// Why, the last time.
        reason: Status,
    },
    /// The last event: the relay was closed, by the host or with its instance, it gave up, or a recorded stream was pulled to its
    /// end.
    Ended,
}

/// What a relay has done so far.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RelayStats {
    /// What it does now.
    pub state: RelayState,
    /// Connections begun.
    pub attempts: u64,
    /// Failures in a row; a connection on which media flowed for 10 s ends the row.
    pub failures: u32,
    /// Failures in all.
    pub failures_total: u64,
    /// Media messages passed on.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Media messages of a push that were dropped because the other server is too slow.
    pub dropped: Drops,
    /// Bytes and messages of all its connections.
    pub traffic: TrafficStats,
    /// Why it failed last.
    pub last_failure: Option<Status>,
}

/// What the host hears of a relay. Functions come one at a time and in order, on a worker or where the configuration's
/// [`Dispatch`] says; they must not block.
#[allow(unused_variables)]
pub trait RelayHandler: Send + Sync + 'static {
    /// Something happened. The handle may be cloned; clones of it do not keep the relay going.
    fn on_event(&self, relay: &Relay, event: &RelayEvent) {}
}

impl RelayHandler for () {}

/// A stream that is pulled from another server, or pushed to one. Media goes from one connection to the other on the library's
/// workers, by reference and past the host. Clones name the same relay; dropping the last one that the host made closes it.
#[derive(Clone)]
pub struct Relay {
    core: Arc<RelayCore>,
    _closer: Option<Arc<Closer>>,
}

struct Closer(Arc<RelayCore>);

impl Relay {
    /// Pulls `url` (`rtmp://host/app/stream`) into the stream `name` of an instance, as its publisher. When the connection is
    /// lost it is made again; meanwhile the players are held, and then time goes on without a jump back. The stream is not taken
    /// from another publisher: as long as there is one, pulling fails.
    ///
    /// Relays tell each other, with rtmpkit at both ends, which streams a stream has come through: one that has come
    /// through `name` already is refused.
    pub fn pull(
        instance: &Instance,
        url: &str,
        name: &str,
        config: RelayConfig,
        handler: Arc<dyn RelayHandler>,
    ) -> Result<Self> {
        RelayCore::start(true, instance.stream(name)?, url, config, handler).map(Self::owned)
    }

    /// Pushes a stream to `url` (`rtmp://host/app/stream`) while somebody publishes it here: metadata, sequence headers and the
    /// current group of pictures first. A server that is too slow loses frames up to the next keyframe and is left, to be tried
    /// again, when it takes nothing for 15 s; publisher, players and other pushes do not notice.
    pub fn push(
        stream: &Stream,
        url: &str,
        config: RelayConfig,
        handler: Arc<dyn RelayHandler>,
    ) -> Result<Self> {
        RelayCore::start(false, stream.clone(), url, config, handler).map(Self::owned)
    }

    /// The stream of ours.
    pub fn stream(&self) -> &Stream {
        self.core.stream()
    }

    /// The other server's URL, without user, password and queries.
    pub fn url(&self) -> &str {
        self.core.shown_url()
    }

    /// Whether it pulls; else it pushes.
    pub fn is_pull(&self) -> bool {
        self.core.is_pull()
    }

    /// What it has done so far.
    pub fn stats(&self) -> RelayStats {
        self.core.stats()
    }

    /// Ends it: players of a pull hear that the publisher left, what a push has taken in is sent, the connection is closed in
    /// order; then [`RelayEvent::Ended`] follows.
    pub fn close(&self) {
        self.core.close();
    }

    fn owned(core: Arc<RelayCore>) -> Self {
        Self {
            _closer: Some(Arc::new(Closer(Arc::clone(&core)))),
            core,
        }
    }

    fn borrowed(core: &Arc<RelayCore>) -> Self {
        Self {
            core: Arc::clone(core),
            _closer: None,
        }
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.is_pull() { "from" } else { "to" };
        write!(f, "Relay({} {direction} {})", self.stream().name(), self.url())
    }
}
