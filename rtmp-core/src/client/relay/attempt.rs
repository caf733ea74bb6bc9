//! One connection of a relay: how it is opened, and what is heard on it.

use std::sync::{Arc, Weak};

use super::RelayConfig;
use super::core::{RelayCore, RelayInput};
use super::pull::PullTap;
use super::push::PushTap;
use crate::amf::{Array, Value};
use crate::app::stats::Traffic;
use crate::app::stream::{StreamPort, Subscription};
use crate::client::{
    NetConnection, NetConnectionConfig, NetConnectionHandler, NetStream, NetStreamHandler, ServerCall,
};
use crate::error::Result;
use crate::session::{ClientSessionConfig, PlayOptions, PublishMode};
use crate::wire::status::{Code, Level, RELAY_PATH, Status};

/// What the servers of relays tell each other: in `connect`, and in a status before a stream and with each publisher. The names of
/// the streams that one has come through, its source first.
pub(crate) const PATH: &str = "rtmpkitRelayPath";
/// The longest path; longer ones are taken for circles.
const MAX_PATH: usize = 64;

/// A connection that is being made, or stands.
pub(super) struct Attempt {
    pub(super) number: u64,
    connection: NetConnection,
    stream: NetStream,
    /// What a stream that is pushed has come through, as the other server was told.
    pub(super) path: Arc<[String]>,
    pub(super) pull: Option<Arc<PullTap>>,
    push: Option<(Subscription, Arc<PushTap>)>,
}

impl Attempt {
    /// Begins to connect, and asks for the stream in the same breath.
    pub(super) fn begin(relay: &Arc<RelayCore>, number: u64, resumes: bool) -> Result<Self> {
        let config = relay.config();
        let path = match relay.is_pull() {
            true => Arc::default(),
            false => relay.stream().live().path(),
        };
        let ears = Arc::new(Ears {
            relay: Arc::downgrade(relay),
            attempt: number,
        });
        let settings = NetConnectionConfig {
            session: Some(session(relay, config, &path)),
            reconnect: config.reconnect,
            ..NetConnectionConfig::default()
        };
        let home = Arc::clone(relay.home());
        let connection = NetConnection::new_on(Some(home), relay.engine(), settings, ears.clone())?;
        connection.connect(relay.server_url(), &config.connect_args)?;
        let pull = relay
            .is_pull()
            .then(|| Arc::new(PullTap::new(relay, number, config.hold_ms, resumes)));
        let tap = pull.clone().map(|tap| tap as _);
        let stream = NetStream::with_tap(&connection, ears, tap)?;
        if relay.is_pull() {
            let mut options = PlayOptions::new(relay.far_name());
            options.start = config.start;
            stream.play(options)?;
        } else {
            stream.publish(relay.far_name(), PublishMode::Live)?;
        }
        Ok(Self {
            number,
            connection,
            stream,
            path,
            pull,
            push: None,
        })
    }

    /// The other server takes what is published: gives it that.
    pub(super) fn feed(&mut self, relay: &Arc<RelayCore>, last: Option<u32>) {
        let config = relay.config();
        let reduction = self.connection.server_capabilities().reduction();
        let tap = Arc::new(PushTap::new(
            relay,
            Arc::clone(self.connection.core()),
            Arc::clone(self.stream.core()),
            config.limits,
            reduction.filter(|_| config.reduce),
            last,
        ));
        let port = Arc::clone(relay.home()) as Arc<dyn StreamPort>;
        let live = Arc::clone(relay.stream().live());
        let subscription = Subscription::tap(live, port, Arc::clone(&tap) as _);
        self.push = Some((subscription, tap));
    }

    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.connection.core().traffic
    }

    /// Ends it; the latest time that a push has sent. Players of a pull are held, unless it is `for_good`.
    pub(super) fn end(self, for_good: bool) -> Option<u32> {
        if let Some(pull) = &self.pull {
            pull.stop(for_good);
        }
        let last = self.push.as_ref().and_then(|(_, tap)| tap.last());
        drop(self.push);
        self.stream.close();
        self.connection.close();
        last
    }
}

/// The status that tells a relay what its stream has come through.
pub(crate) fn path_status(path: &[String]) -> Status {
    Status::custom(
        Level::Status,
        RELAY_PATH,
        "The streams that this one has come through.",
    )
    .with(PATH, path_value(path))
}

/// The path in a status or in the object of a `connect`; `None` if it is not about one.
pub(crate) fn read_path(value: Option<&Value>) -> Option<Arc<[String]>> {
    let names = value?.as_array()?;
    let names = names.iter().take(MAX_PATH).filter_map(Value::as_str);
    Some(names.map(str::to_owned).collect())
}

/// Whether what came through `path` must not come through `node`.
pub(crate) fn is_circle(path: &[String], node: &str) -> bool {
    path.len() >= MAX_PATH || path.iter().any(|name| name == node)
}

/// What a server says to a client that wants to publish what has come through there already.
pub(crate) fn looped(code: Code, name: &str) -> Status {
    let text = format!("{name} has come through itself: its relays are in a circle.");
    Status::for_stream(code, name).with_description(text)
}

fn path_value(path: &[String]) -> Value {
    let mut names = Array::new();
    path.iter().for_each(|name| names.push(name.as_str()));
    Value::Array(names)
}

/// The settings of the protocol, and the way that a pushed stream has come. A pull says what it will be called.
fn session(relay: &RelayCore, config: &RelayConfig, path: &[String]) -> ClientSessionConfig {
    let mut session = config.session.clone().unwrap_or_default();
    let live = relay.stream().live();
    let mut path = path.to_vec();
    path.push(live.node());
    session.properties.insert(PATH, path_value(&path));
    session
}

/// Hears what the other server says and tells the relay.
struct Ears {
    relay: Weak<RelayCore>,
    attempt: u64,
}

impl Ears {
    fn tell(&self, input: RelayInput) {
        if let Some(relay) = self.relay.upgrade() {
            relay.tell(input);
        }
    }
}

impl NetConnectionHandler for Ears {
    fn on_status(&self, _: &NetConnection, status: &Status) {
        self.tell(RelayInput::Connection(self.attempt, status.clone()));
    }

    fn on_call(&self, _: &NetConnection, call: ServerCall) {
        call.unknown_method();
    }
}

impl NetStreamHandler for Ears {
    fn on_status(&self, _: &NetStream, status: &Status) {
        self.tell(RelayInput::Stream(self.attempt, status.clone()));
    }
}

/// What a status of the other server means for a relay.
pub(super) enum Meaning {
    Accepted,
    /// The other server takes what is published.
    Takes,
    /// Its publisher has left.
    Silent,
    /// A recorded stream was played to its end.
    Complete,
    Path(Arc<[String]>),
    Failure,
    Nothing,
}

/// Reads a status of the connection.
pub(super) fn of_connection(status: &Status) -> Meaning {
    const ENDS: [Code; 2] = [Code::ConnectClosed, Code::ConnectIdleTimeout];
    match status {
        status if status.is(Code::ConnectSuccess) => Meaning::Accepted,
        status if status.is_error() || ENDS.iter().any(|code| status.is(*code)) => Meaning::Failure,
        _ => Meaning::Nothing,
    }
}

/// Reads a status of the stream.
pub(super) fn of_stream(status: &Status) -> Meaning {
    const SILENT: [Code; 2] = [Code::PlayUnpublishNotify, Code::PlayStop];
    match status {
        status if status.is(Code::PublishStart) => Meaning::Takes,
        status if status.is(Code::PlayComplete) => Meaning::Complete,
        status if SILENT.iter().any(|code| status.is(*code)) => Meaning::Silent,
        status if status.code == RELAY_PATH => match read_path(status.info.get(PATH)) {
            Some(path) => Meaning::Path(path),
            None => Meaning::Nothing,
        },
        status if status.is_error() => Meaning::Failure,
        _ => Meaning::Nothing,
    }
}
