//! A connection to another RTMP server.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::amf::{ClassHook, ClassRegistry, PacketHeader, Value};
use crate::app::data::read_data;
use crate::app::dispatch::Dispatch;
use crate::app::peer::Reply;
use crate::app::stats::{Traffic, TrafficStats};
use crate::client::reconnect::parse_server;
use crate::client::remoting::{Gateway, is_gateway};
use crate::client::{Reconnect, RemoteObjects, ServerCall, StreamCore};
use crate::engine::{
    ClientCommand, ClientStart, Engine, Link, Mailbox, NetworkInterest, Post, Route, TlsTrust, TlsTrustCache,
};
use crate::error::{Error, Result};
use crate::media::Frame;
use crate::session::auth::Credentials;
use crate::session::{Capabilities, ClientSessionConfig, Deviations};
use crate::wire::message::command::why_not_callable;
use crate::wire::message::data::DataMessage;
use crate::wire::status::{Code, Status};
use crate::wire::url::{RtmpUrl, masked};

/// What happens on a connection. Functions come one at a time and in order, on a worker or where the configuration's
/// [`Dispatch`] says; they must not block. The handle they are given may be cloned; clones do not keep the connection
/// open.
#[allow(unused_variables)]
pub trait NetConnectionHandler: Send + Sync + 'static {
    /// The connection's state changed: NetConnection.Connect.Success, .Rejected, .Failed, and .Closed last; or the server
    /// asks for something, see [`Reconnect`]; or the network of this machine has changed (NetConnection.Connect.NetworkChange),
    /// which says nothing of whether the connection lives on.
    fn on_status(&self, connection: &NetConnection, status: &Status) {}

    /// The server calls a method: answer at once, or keep the call and answer later from any thread. Default:
    /// NetConnection.Call.Failed, because there is no such method.
    fn on_call(&self, connection: &NetConnection, call: ServerCall) {
        call.unknown_method();
    }
}

/// Settings of an outgoing connection.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NetConnectionConfig {
    /// Where handlers run, those of the connection's streams included. Default: on a worker of the library.
    pub dispatch: Dispatch,
    /// Classes whose instances, in what the server sends, are completed or refused, to begin with; see
    /// [`NetConnection::register_class`]. Default: none but Flex's wrappers.
    pub classes: Option<Arc<ClassRegistry>>,
    /// Settings of the protocol; application and URL in it are set by [`NetConnection::connect`].
    pub session: Option<ClientSessionConfig>,
    /// What is done when the server asks to reconnect elsewhere, or refuses the connection and says where else. Default: it is
    /// reported.
    pub reconnect: Reconnect,
    /// Which certificates are accepted of servers that are connected to by TLS. Default: those that the system trusts.
    pub tls_trust: TlsTrust,
}

/// A connection to another server. Clones name the same connection; dropping the last one that the host made closes
/// it. Every function may be called from any thread and returns at once.
#[derive(Clone)]
pub struct NetConnection {
    core: Arc<ConnectionCore>,
    _closer: Option<Arc<Closer>>,
}

struct Closer(Arc<ConnectionCore>);

/// What the host's handles and the worker share.
pub(crate) struct ConnectionCore {
    pub(crate) config: NetConnectionConfig,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) shared_objects: RemoteObjects,
    /// Bytes that the session has queued for the socket.
    pub(crate) output: AtomicUsize,
    /// Bytes written by the host that the session does not have yet.
    written: AtomicUsize,
    /// Bytes written by the host since the beginning.
    ever_written: AtomicU64,
    /// What commands take that the worker has not carried out, in bytes.
    commands: AtomicUsize,
    /// Streams that were told that the output is full.
    blocked: Mutex<Vec<Weak<StreamCore>>>,
    is_blocked: AtomicBool,
    classes: Mutex<Arc<ClassRegistry>>,
    pub(super) tls: TlsTrustCache,
    /// Headers for a Flash Remoting gateway.
    pub(super) headers: Mutex<Vec<PacketHeader>>,
    pub(super) engine: Engine,
    /// The worker that it is to live on, if it is a relay's.
    home: Option<Arc<Mailbox>>,
    handler: Arc<dyn NetConnectionHandler>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    uri: String,
    enhanced: Capabilities,
    waiting: Vec<ClientCommand>,
    /// While it hears of changes of the network.
    network: Option<NetworkInterest>,
}

#[derive(Default)]
enum Phase {
    /// Not connecting.
    #[default]
    Idle,
    /// The worker does not have the connection yet.
    Opening,
    /// The worker has it.
    Open {
        mailbox: Arc<Mailbox>,
        key: usize,
        id: u64,
        connected: bool,
    },
    /// Calls go to a Flash Remoting gateway.
    Gateway(Arc<Gateway>),
}

/// Commands kept until the connection stands.
const MAX_WAITING: usize = 4096;
/// What commands may take that the connection has not carried out, in bytes.
const MAX_COMMANDS: usize = 16 << 20;
/// Bytes that a host may write ahead of the network.
const MAX_UNSENT: usize = 8 << 20;

impl NetConnection {
    /// A connection that is not connected yet. Errors: [`Error::Closed`] if the engine is, [`Error::Tls`] for
    /// [`TlsTrust::Authorities`] that are no certificates.
    pub fn new(
        engine: &Engine,
        config: NetConnectionConfig,
        handler: Arc<dyn NetConnectionHandler>,
    ) -> Result<Self> {
        Self::new_on(None, engine, config, handler)
    }

    /// A connection that will live on a certain worker.
    pub(crate) fn new_on(
        home: Option<Arc<Mailbox>>,
        engine: &Engine,
        config: NetConnectionConfig,
        handler: Arc<dyn NetConnectionHandler>,
    ) -> Result<Self> {
        if engine.is_closed() {
            return Err(Error::Closed("engine"));
        }
        let tls = TlsTrustCache::new(&config.tls_trust)?;
        let classes = config
            .classes
            .clone()
            .unwrap_or_else(|| Arc::new(ClassRegistry::new()));
        let core = Arc::new(ConnectionCore {
            config,
            traffic: Arc::default(),
            shared_objects: RemoteObjects::default(),
            output: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            ever_written: AtomicU64::new(0),
            commands: AtomicUsize::new(0),
            blocked: Mutex::default(),
            is_blocked: AtomicBool::new(false),
            classes: Mutex::new(classes),
            tls,
            headers: Mutex::default(),
            engine: engine.clone(),
            home,
            handler,
            state: Mutex::default(),
        });
        Ok(Self {
            _closer: Some(Arc::new(Closer(Arc::clone(&core)))),
            core,
        })
    }

    /// A handle that does not keep the connection open.
    pub(crate) fn borrowed(core: &Arc<ConnectionCore>) -> Self {
        Self {
            core: Arc::clone(core),
            _closer: None,
        }
    }

    /// Connects to `rtmp://[user:password@]host[:port]/app[/instance][?query]`, or `rtmps://` for TLS, `rtmpt://` and
    /// `rtmpts://` for HTTP and HTTPS requests, with feature `rtmpe` also `rtmpe://` and `rtmpte://`, with user arguments; the
    /// outcome comes as a status. The whole path is the application: cut a stream name off first, as [`RtmpUrl`] does.
    /// User and password, here or in the settings, answer a server that asks for them by Adobe's or Limelight's
    /// authentication.
    ///
    /// `http://` and `https://` lead to a Flash Remoting gateway: it takes [calls](Self::call) and nothing else, their encoding
    /// being that of the settings. Nothing is sent before the first call; NetConnection.Connect.Success comes at once.
    ///
    /// [`Error::Url`] for a URL that cannot be read, [`Error::InvalidArgument`] for `rtmpe` without that feature,
    /// [`Error::WrongState`] while it is connecting or connected.
    pub fn connect(&self, url: &str, args: &[Value]) -> Result<()> {
        if is_gateway(url) {
            return self.core.begin_remoting(url);
        }
        let parsed: RtmpUrl = parse_server(url)?;
        let mut session = self
            .core
            .config
            .session
            .clone()
            .unwrap_or_else(|| ClientSessionConfig::from_url(&parsed));
        session.app = parsed.app.clone();
        session.tc_url = parsed.tc_url();
        session.connect_args = args.to_vec();
        if let Some(user) = parsed.user.clone() {
            let password = parsed.password.clone().unwrap_or_default();
            session.credentials = Some(Credentials { user, password });
        }
        #[cfg(feature = "rtmpe")]
        {
            session.encrypted = parsed.scheme.is_encrypted();
        }
        self.core.begin(session.tc_url.clone())?;
        let queued = self.core.look_up(parsed, move |core, route| match route {
            Ok(route) => core.start(session, route),
            Err(error) => core.fail(&error.to_string()),
        });
        queued.inspect_err(|_| self.core.reset())
    }

    /// Calls a method of the server; `reply` takes its result, or the status that took its place. [`Error::Full`], and no
    /// reply, when too much waits: 4,096 commands until the connection stands; 16 MiB of commands that it has not carried out,
    /// each counted with 256 bytes at least; 24 MiB, media included, that the network has not taken. [`Error::WrongState`], and no
    /// reply, while it is neither connecting nor connected.
    /// [`Error::InvalidArgument`], and no reply, for a name over 65,535 bytes, which no command carries, and for `onStatus`,
    /// `_result` and `_error` with a reply, which RTMP servers never answer.
    pub fn call(&self, method: &str, args: Vec<Value>, reply: Option<Reply>) -> Result<()> {
        let wants_answer = reply.is_some() && !matches!(self.core.state.lock().phase, Phase::Gateway(_));
        if let Some(why) = why_not_callable(method, wants_answer) {
            return Err(Error::InvalidArgument(why.to_owned()));
        }
        if self.core.unsent() > MAX_UNSENT + MAX_COMMANDS {
            return Err(Error::Full("the connection's output"));
        }
        self.core.send(ClientCommand::Call {
            name: method.to_owned(),
            args,
            reply,
        })
    }

    /// Gives instances of a class, in what the server sends, to `hook`, which completes or refuses them: in arguments of
    /// its calls, results of this side's, values of shared objects, and what [`read_data`](Self::read_data) reads. It
    /// holds for connections made from now on.
    pub fn register_class(&self, alias: &str, hook: Arc<dyn ClassHook>) {
        Arc::make_mut(&mut self.core.classes.lock()).register_class(alias, hook);
    }

    /// Forgets a class; false if nothing was known of it.
    pub fn unregister_class(&self, alias: &str) -> bool {
        Arc::make_mut(&mut self.core.classes.lock()).unregister(alias)
    }

    /// The name and the values of a data frame, instances of registered classes completed. Nothing is decoded unless the
    /// host asks for it here.
    pub fn read_data(&self, frame: &Frame) -> Result<DataMessage> {
        read_data(frame, &self.core.classes())
    }

    /// Whether the server accepted the connection and it still stands.
    pub fn is_connected(&self) -> bool {
        self.core.is_connected()
    }

    /// The URI connected to (`tcUrl`), empty before the first connect.
    pub fn uri(&self) -> String {
        self.core.state.lock().uri.clone()
    }

    /// What the server said of Enhanced RTMP when it accepted; nothing before.
    pub fn server_capabilities(&self) -> Capabilities {
        self.core.state.lock().enhanced.clone()
    }

    /// Bytes and messages so far.
    pub fn stats(&self) -> TrafficStats {
        self.core.traffic.read()
    }

    /// What the server did against the specifications without harm, so far.
    pub fn deviations(&self) -> Deviations {
        self.core.traffic.deviations()
    }

    /// Closes the connection and its streams, after sending what is queued; NetConnection.Connect.Closed follows.
    pub fn close(&self) {
        self.core.close();
    }

    pub(crate) fn core(&self) -> &Arc<ConnectionCore> {
        &self.core
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl ConnectionCore {
    /// Sends a command to the worker, or keeps it until there is one.
    pub(crate) fn send(&self, command: ClientCommand) -> Result<()> {
        if command.weight() > 0 && self.commands.load(SeqCst) > MAX_COMMANDS {
            return Err(Error::Full("the connection's command queue"));
        }
        self.send_surely(command)
    }

    /// As [`send`](Self::send), for those who keep to limits of their own.
    pub(crate) fn send_surely(&self, command: ClientCommand) -> Result<()> {
        let weight = command.weight();
        let mut state = self.state.lock();
        if let Phase::Gateway(gateway) = &state.phase {
            let gateway = Arc::clone(gateway);
            drop(state);
            return gateway.send(self, command);
        }
        match &state.phase {
            Phase::Idle | Phase::Gateway(_) => Err(Error::WrongState(
                "the connection is not connecting or connected".to_owned(),
            )),
            Phase::Opening if state.waiting.len() >= MAX_WAITING => {
                Err(Error::Full("the connection's command queue"))
            }
            Phase::Opening => {
                self.keep(weight);
                state.waiting.push(command);
                Ok(())
            }
            Phase::Open { mailbox, key, id, .. } => {
                self.keep(weight);
                mailbox.post(Post::Client {
                    key: *key,
                    id: *id,
                    command,
                });
                Ok(())
            }
        }
    }

    /// A command waits.
    pub(crate) fn keep(&self, weight: usize) {
        self.commands.fetch_add(weight, SeqCst);
    }

    /// A command that waited is carried out.
    pub(crate) fn took(&self, weight: usize) {
        let subtract = |commands: usize| Some(commands.saturating_sub(weight));
        // The update never declines.
        let _ = self.commands.fetch_update(SeqCst, SeqCst, subtract);
    }

    /// Whether the host may write more.
    pub(crate) fn has_room(&self) -> bool {
        self.unsent() <= MAX_UNSENT
    }

    /// Of the bytes written by the host since the beginning, how many the network has taken.
    pub(crate) fn sent(&self) -> u64 {
        self.ever_written
            .load(SeqCst)
            .saturating_sub(self.unsent() as u64)
    }

    /// Notes that a stream waits for room.
    pub(crate) fn block(&self, stream: &Arc<StreamCore>) {
        let waits = |other: &Weak<StreamCore>| std::ptr::eq(other.as_ptr(), Arc::as_ptr(stream));
        let mut blocked = self.blocked.lock();
        if !blocked.iter().any(waits) {
            blocked.push(Arc::downgrade(stream));
        }
        self.is_blocked.store(true, SeqCst);
    }

    /// Takes a note back if there is room after all: the worker may have sent the last of it before it saw the note. One of
    /// both sees what the other did, because each writes first and reads then.
    pub(crate) fn unblock_if_room(&self, stream: &Arc<StreamCore>) -> bool {
        let room = self.has_room() && stream.has_room(100);
        if room {
            let waits = |other: &Weak<StreamCore>| std::ptr::eq(other.as_ptr(), Arc::as_ptr(stream));
            self.blocked.lock().retain(|other| !waits(other));
        }
        room
    }

    /// Whether streams wait for room and there is enough of it.
    pub(crate) fn may_unblock(&self) -> bool {
        self.is_blocked.load(SeqCst) && self.unsent() <= MAX_UNSENT / 2
    }

    /// Tells the streams that wait that there is room.
    pub(crate) fn unblock(&self) {
        if !self.may_unblock() {
            return;
        }
        let streams = {
            let mut blocked = self.blocked.lock();
            let all = blocked.drain(..).filter_map(|stream| stream.upgrade());
            let (free, others): (Vec<_>, Vec<_>) = all.partition(|stream| stream.has_room(50));
            *blocked = others.iter().map(Arc::downgrade).collect();
            self.is_blocked.store(!blocked.is_empty(), SeqCst);
            free
        };
        streams.iter().for_each(|stream| stream.writable());
    }

    /// Bytes written by the host that the network has not taken.
    pub(crate) fn unsent(&self) -> usize {
        // Both change by turns: a sum that is off for a moment must not overflow.
        self.written.load(SeqCst).wrapping_add(self.output.load(SeqCst))
    }

    /// The classes known now.
    pub(crate) fn classes(&self) -> Arc<ClassRegistry> {
        Arc::clone(&self.classes.lock())
    }

    /// Counts bytes that the host writes; how many it has written with them since the beginning.
    pub(crate) fn count_written(&self, bytes: usize) -> u64 {
        self.written.fetch_add(bytes, SeqCst);
        self.ever_written.fetch_add(bytes as u64, SeqCst) + bytes as u64
    }

    /// The session has taken bytes that were reserved.
    pub(crate) fn release(&self, bytes: usize) {
        let subtract = |written: usize| Some(written.saturating_sub(bytes));
        // The update never declines.
        let _ = self.written.fetch_update(SeqCst, SeqCst, subtract);
    }

    /// The worker has the connection: hands it what waited.
    pub(crate) fn opened(&self, mailbox: &Arc<Mailbox>, key: usize, id: u64) -> Vec<ClientCommand> {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Opening) {
            state.phase = Phase::Open {
                mailbox: Arc::clone(mailbox),
                key,
                id,
                connected: false,
            };
        }
        std::mem::take(&mut state.waiting)
    }

    /// Another connection has taken the place of the one before: commands go there.
    pub(crate) fn moved(&self, to: &Link, uri: String, connected: Option<Capabilities>) {
        let mut state = self.state.lock();
        if let Phase::Open { .. } = state.phase {
            state.phase = Phase::Open {
                mailbox: Arc::clone(&to.mailbox),
                key: to.key,
                id: to.id,
                connected: connected.is_some(),
            };
            state.uri = uri;
            state.enhanced = connected.unwrap_or_default();
        }
    }

    /// The server accepted the connection.
    pub(crate) fn set_connected(&self, enhanced: Capabilities) {
        let mut state = self.state.lock();
        if let Phase::Open { connected, .. } = &mut state.phase {
            *connected = true;
            state.enhanced = enhanced;
        }
    }

    /// The server is gone; what the host has to be told comes before the connection may be made again.
    pub(crate) fn set_disconnected(&self) {
        if let Phase::Open { connected, .. } = &mut self.state.lock().phase {
            *connected = false;
        }
    }

    /// Runs the status handler where it belongs.
    pub(crate) fn status(self: &Arc<Self>, status: Status) {
        let core = Arc::clone(self);
        self.config
            .dispatch
            .run(move || core.handler.on_status(&NetConnection::borrowed(&core), &status));
    }

    /// Runs the call handler where it belongs.
    pub(crate) fn call(self: &Arc<Self>, call: ServerCall) {
        let core = Arc::clone(self);
        self.config
            .dispatch
            .run(move || core.handler.on_call(&NetConnection::borrowed(&core), call));
    }

    /// Hears of changes of the network until it is over. Only where that may block.
    pub(super) fn hear_of_network(self: &Arc<Self>) {
        let interest = self.engine.hear_of_network(self);
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Idle) {
            state.network = Some(interest);
        }
    }

    /// The network has changed: says so to the host if the connection stands.
    pub(crate) fn network_changed(&self) {
        if self.is_connected() {
            // Who is over by then needs not be told.
            let _ = self.send(ClientCommand::NetworkChanged);
        }
    }

    fn is_connected(&self) -> bool {
        let state = self.state.lock();
        matches!(
            state.phase,
            Phase::Open { connected: true, .. } | Phase::Gateway(_)
        )
    }

    /// The connection is over; it may be connected again.
    pub(crate) fn reset(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Idle;
        let lost = std::mem::take(&mut state.waiting);
        let network = state.network.take();
        self.commands.store(0, SeqCst);
        drop(state);
        drop(network);
        self.written.store(0, SeqCst);
        self.blocked.lock().clear();
        self.is_blocked.store(false, SeqCst);
        for command in lost {
            command.fail();
        }
    }

    fn begin(&self, uri: String) -> Result<()> {
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Idle) {
            return Err(Error::WrongState(
                "the connection is connecting or connected".to_owned(),
            ));
        }
        state.phase = Phase::Opening;
        state.uri = uri;
        state.enhanced = Capabilities::default();
        Ok(())
    }

    fn begin_remoting(self: &Arc<Self>, url: &str) -> Result<()> {
        let session = self.config.session.clone().unwrap_or_default();
        let gateway = Gateway::new(self, url, &session)?;
        self.begin(url.to_owned())?;
        self.state.lock().phase = Phase::Gateway(Arc::clone(&gateway));
        gateway.greet(self).inspect_err(|_| self.reset())
    }

    fn start(self: &Arc<Self>, session: ClientSessionConfig, route: Route) {
        let start = ClientStart {
            core: Arc::clone(self),
            session,
            route,
            replaces: None,
        };
        if self.home.is_none() {
            self.hear_of_network();
        }
        let home = self.home.clone().unwrap_or_else(|| self.engine.next_worker());
        home.post(Post::Connect(Box::new(start)));
    }

    fn fail(self: &Arc<Self>, why: &str) {
        self.reset();
        self.status(Status::new(Code::ConnectFailed).with_description(why));
    }

    fn close(&self) {
        // Nothing to close is no error.
        let _ = self.send(ClientCommand::Close);
    }
}

impl fmt::Debug for NetConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetConnection({})", masked(&self.uri()))
    }
}
