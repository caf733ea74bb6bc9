//! A server: its applications, its listeners, its limits.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::amf::Object;
use crate::app::access::Access;
use crate::app::application::{Application, ApplicationConfig, ApplicationHandler};
use crate::app::client::reconnect_request;
use crate::app::instance::Instance;
use crate::app::stats::{Traffic, TrafficStats};
use crate::app::stream::FlowLimits;
use crate::engine::Engine;
use crate::engine::admission::{Admissions, Bounds, REFUSAL_TIMEOUT_MS, Ticket};
use crate::engine::drain::DrainOrder;
use crate::engine::listen_address::listen_address;
use crate::engine::listener::Listener;
use crate::engine::mailbox::{Link, Post};
use crate::engine::tls::{TlsIdentity, server_config};
use crate::error::{Error, Result, TlsError};
use crate::session::{Deviations, ServerSessionConfig};
use crate::wire::status::{Code, Status};
use crate::wire::url::{RtmpUrl, resolve};

/// Settings of a server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Connections at once; 0 is no limit. Default: 65,536. Those beyond this limit and the next are refused with
    /// NetConnection.Connect.Rejected, as far as that costs little (a few at once, for 2 s each); the others find their
    /// connection closed.
    pub max_connections: usize,
    /// Connections at once from one address; 0 is no limit. Default: 0.
    pub max_connections_per_address: usize,
    /// How far behind a player may fall before frames are dropped to the next keyframe. Default: 8 MiB or 5 s.
    pub player_limits: FlowLimits,
    /// Whether players get what they announced to understand (`capsEx`, `fourCcList`): of a multitrack stream the lowest
    /// track, and legacy headers where there are some for those that announced nothing of Enhanced RTMP. Otherwise
    /// every player gets every message as it was published. Default: true.
    pub reduce_for_players: bool,
    /// Milliseconds without progress in sending after which a peer is disconnected. Default: 15,000.
    pub stall_timeout_ms: u64,
    /// Settings of the protocol.
    pub session: ServerSessionConfig,
    /// Certificates for `rtmps`: clients are shown the first that is for the name they ask for, else the first of all.
    /// Default: none. See [`Server::set_tls`].
    pub tls: Vec<TlsIdentity>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_connections: 65_536,
            max_connections_per_address: 0,
            player_limits: FlowLimits::default(),
            reduce_for_players: true,
            stall_timeout_ms: 15_000,
            session: ServerSessionConfig::default(),
            tls: Vec::new(),
        }
    }
}

/// Statistics of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Connections now, those still connecting included.
    pub connections: usize,
    /// Connections taken since the start.
    pub accepted: u64,
    /// Connections turned away by a limit.
    pub turned_away: u64,
    /// Clients disconnected or refused because more waited for them than may: they did not read, their worker was held up, or
    /// the host asked for too much before it accepted them.
    pub overrun: u64,
    /// Bytes and messages of all connections that ended, and of those that live.
    pub traffic: TrafficStats,
}

/// A server of RTMP applications. Clones name the same server; dropping the last one closes it.
#[derive(Clone)]
pub struct Server {
    inner: Arc<ServerHandle>,
}

struct ServerHandle {
    engine: Engine,
    core: Arc<ServerCore>,
}

/// The part of a server that workers share.
pub(crate) struct ServerCore {
    pub(crate) config: ServerConfig,
    pub(crate) session: Arc<ServerSessionConfig>,
    /// What clients may do at first.
    pub(crate) access: Arc<Access>,
    pub(crate) traffic: Traffic,
    applications: Mutex<HashMap<String, Application>>,
    /// Settings of the protocol for those that are refused.
    pub(crate) refusing: Arc<ServerSessionConfig>,
    connections: Mutex<Admissions>,
    /// Those that carry requests of tunnels.
    http: Mutex<Admissions>,
    /// The tunnels' sessions.
    pub(crate) tunnels: Mutex<HashMap<u128, Link>>,
    /// Counts of the connections that live, by address in memory.
    live: Mutex<HashMap<usize, Weak<Traffic>>>,
    accepted: AtomicU64,
    turned_away: AtomicU64,
    overrun: AtomicU64,
    draining: Mutex<Option<Drain>>,
    /// What new connections by TLS are shown.
    tls: Mutex<Option<Arc<rustls::ServerConfig>>>,
    closed: AtomicBool,
}

/// Where new clients are sent while the server winds down.
struct Drain {
    url: Option<String>,
    request: Status,
}

impl Server {
    /// A server without applications or listeners. [`Error::Closed`] if the engine is, [`Error::Tls`] for certificates that
    /// cannot be used.
    pub fn new(engine: &Engine, config: ServerConfig) -> Result<Self> {
        if engine.is_closed() {
            return Err(Error::Closed("engine"));
        }
        let session = Arc::new(config.session.clone());
        let refusing = Arc::new(refusing(&config.session));
        let tls = match config.tls.as_slice() {
            [] => None,
            identities => Some(server_config(identities.to_vec())?),
        };
        let core = ServerCore {
            config,
            access: Arc::new(Access::new(session.sample_access)),
            session,
            refusing,
            traffic: Traffic::default(),
            applications: Mutex::default(),
            connections: Mutex::default(),
            http: Mutex::default(),
            tunnels: Mutex::default(),
            live: Mutex::default(),
            accepted: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            overrun: AtomicU64::new(0),
            draining: Mutex::default(),
            tls: Mutex::new(tls),
            closed: AtomicBool::new(false),
        };
        let inner = ServerHandle {
            engine: engine.clone(),
            core: Arc::new(core),
        };
        inner.engine.watch(&inner.core);
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Registers an application under a name that clients give in their URL's first path segment; `*` takes every
    /// name that no other application has. May be called while the server listens. Reads the configuration file and opens the
    /// directory of shared objects on this thread.
    ///
    /// [`Error::InvalidArgument`] for a name that is no path segment, [`Error::AlreadyExists`], [`Error::Closed`] when the server
    /// is, [`Error::Config`] for the file, [`Error::Io`] for the directory.
    pub fn application(
        &self,
        name: &str,
        config: ApplicationConfig,
        handler: Arc<dyn ApplicationHandler>,
    ) -> Result<Application> {
        if self.is_closed() {
            return Err(Error::Closed("server"));
        }
        let application = Application::new(
            name,
            config,
            handler,
            self.inner.engine.ports(),
            self.inner.engine.disk(),
            self.inner.engine.files_in_use(),
        )?;
        let mut applications = self.inner.core.applications.lock();
        match applications.get(name) {
            Some(taken) if !taken.is_closed() => Err(Error::AlreadyExists(format!("application {name:?}"))),
            _ => {
                applications.insert(name.to_owned(), application.clone());
                Ok(application)
            }
        }
    }

    /// Listens on `rtmp://host[:port]`, `host[:port]` or `:port`, which is every address of the machine; on
    /// `rtmps://host[:port]` for TLS, with a certificate set before; on `rtmpt://host[:port]` for RTMP in HTTP requests, and on
    /// `rtmpts://host[:port]` for those by TLS. RTMPE is on the same ports as what it encrypts. The port is 1935, 443 by TLS and
    /// 80 in HTTP unless it is named; 0 takes any free one. Returns the address bound. A host name is looked up on this thread.
    ///
    /// Errors: [`Error::InvalidArgument`] for what cannot be read, [`Error::Io`] for an address that is in use or not this
    /// machine's and for an unknown name, [`Error::Tls`] without a certificate, [`Error::Closed`].
    pub fn listen(&self, url: &str) -> Result<SocketAddr> {
        if self.is_closed() {
            return Err(Error::Closed("server"));
        }
        if self.inner.engine.is_closed() {
            return Err(Error::Closed("engine"));
        }
        if self.is_draining() {
            return Err(Error::WrongState("the server is winding down".to_owned()));
        }
        let (scheme, address) = listen_address(url)?;
        if scheme.is_tls() {
            self.inner.core.tls()?;
        }
        let (listener, address) = Listener::bind(address, scheme, Arc::clone(&self.inner.core))?;
        self.inner.engine.next_worker().post(Post::Listen(listener));
        Ok(address)
    }

    /// Changes the certificates for `rtmps`, as when they were renewed: connections made from now on are shown the new ones,
    /// those that stand stay. An error if there is none, and then nothing changes.
    pub fn set_tls(&self, identities: Vec<TlsIdentity>) -> Result<()> {
        *self.inner.core.tls.lock() = Some(server_config(identities)?);
        Ok(())
    }

    /// The application registered under a name.
    pub fn find_application(&self, name: &str) -> Option<Application> {
        self.inner.core.applications.lock().get(name).cloned()
    }

    /// The instance `app` or `app/instance`, brought to life if need be. [`Error::NotFound`] without such an application,
    /// otherwise as of [`Application::instance`].
    pub fn instance(&self, name: &str) -> Result<Instance> {
        let (app, instance) = name.split_once('/').unwrap_or((name, ""));
        match self.inner.core.application(app) {
            Some(application) if application.name() == "*" => application.instance(name),
            Some(application) => application.instance(instance),
            None if self.is_closed() => Err(Error::Closed("server")),
            None => Err(Error::NotFound(format!("application {app:?}"))),
        }
    }

    /// The machine's name, as far as the system tells it; else `localhost`.
    pub fn host_name() -> String {
        let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let told = told.or_else(|| std::env::var("HOSTNAME").ok());
        let name = told.map(|name| name.trim().to_owned());
        name.filter(|name| !name.is_empty())
            .unwrap_or_else(|| "localhost".to_owned())
    }

    /// System and processor, for example `linux x86_64`.
    pub fn platform() -> String {
        format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
    }

    /// The library's version, for example `0.1.0`. What clients are told is
    /// [`server_version`](ServerSessionConfig::server_version).
    pub fn version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// Counts now.
    pub fn stats(&self) -> ServerStats {
        let core = &self.inner.core;
        ServerStats {
            connections: core.connections.lock().count(),
            accepted: core.accepted.load(Relaxed),
            turned_away: core.turned_away.load(Relaxed),
            overrun: core.overrun.load(Relaxed),
            traffic: core.traffic_now(),
        }
    }

    /// What clients did against the specifications without harm, since the start.
    pub fn deviations(&self) -> Deviations {
        self.inner.core.traffic.deviations()
    }

    /// Winds the server down: stops listening, asks the clients that can to connect to `url` instead (to the same place
    /// when it is `None`; it may be relative to what each connected to), serves all of them for `grace` longer, and then
    /// closes. It closes sooner when all have left. Called again it asks again, with a new time.
    pub fn drain(&self, url: Option<&str>, description: &str, grace: Duration) -> Result<()> {
        let core = &self.inner.core;
        if self.is_closed() {
            return Err(Error::Closed("server"));
        }
        if let Some(url) = url {
            RtmpUrl::parse(&resolve("rtmp://host/app", url))?;
        }
        let request = reconnect_request(url, description);
        *core.draining.lock() = Some(Drain {
            url: url.map(str::to_owned),
            request: request.clone(),
        });
        let order = Arc::new(DrainOrder {
            server: Arc::clone(core),
            request,
            grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX),
        });
        self.inner.engine.post_all(|| Post::Drain(Arc::clone(&order)));
        Ok(())
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.inner.core.draining.lock().is_some()
    }

    /// Stops listening and ends every connection, with NetConnection.Connect.AppShutdown for the connected ones.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.inner.core.is_closed()
    }
}

impl ServerHandle {
    fn close(&self) {
        if !self.core.close() {
            return;
        }
        self.engine.post_all(|| Post::CloseServer(Arc::clone(&self.core)));
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.close();
    }
}

impl ServerCore {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Acquire)
    }

    /// Closes the applications; true the first time. Each worker closes its listeners and connections.
    pub(crate) fn close(&self) -> bool {
        let first = !self.closed.swap(true, AcqRel);
        if first {
            for application in self.applications() {
                application.close();
            }
        }
        first
    }

    /// What a new connection by TLS begins with.
    pub(crate) fn tls(&self) -> Result<Arc<rustls::ServerConfig>> {
        self.tls.lock().clone().ok_or_else(|| TlsError::NoIdentity.into())
    }

    /// Connections now.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().count()
    }

    /// What a client is asked that was accepted while the server winds down.
    pub(crate) fn parting_request(&self) -> Option<Status> {
        self.draining.lock().as_ref().map(|drain| drain.request.clone())
    }

    /// Why no client may connect now, if so.
    pub(crate) fn refusal(&self) -> Option<Status> {
        let draining = self.draining.lock();
        let drain = draining.as_ref()?;
        let status = Status::new(Code::ConnectRejected).with_description("The server is being shut down.");
        let target = |url: &String| Object::new().with("code", 302.0).with("redirect", url.as_str());
        Some(match &drain.url {
            // Redirects are older than Enhanced RTMP, and know absolute URLs only.
            Some(url) if url.contains("://") => status.with("ex", target(url)),
            _ => status,
        })
    }

    /// The application for a name that a client gave.
    pub(crate) fn application(&self, name: &str) -> Option<Application> {
        let applications = self.applications.lock();
        let named = applications
            .get(name)
            .filter(|application| !application.is_closed() && name != "*");
        let any = || {
            applications
                .get("*")
                .filter(|application| !application.is_closed())
        };
        named.or_else(any).cloned()
    }

    /// Lets go of what nobody uses.
    pub(crate) fn collect(&self) {
        for application in self.applications() {
            application.collect();
        }
        let closed: Vec<Application> = {
            let mut applications = self.applications.lock();
            let names: Vec<String> = applications
                .iter()
                .filter(|(_, application)| application.is_closed())
                .map(|(name, _)| name.clone())
                .collect();
            names
                .iter()
                .filter_map(|name| applications.remove(name))
                .collect()
        };
        // Handlers are dropped outside the lock.
        drop(closed);
    }

    /// Counts a new connection; `None` if it is to be closed at once.
    pub(crate) fn admit(&self, address: IpAddr, now: u64) -> Option<Ticket> {
        let bounds = Bounds {
            connections: self.config.max_connections,
            per_address: self.config.max_connections_per_address,
        };
        let ticket = match self.is_closed() || self.draining.lock().is_some() {
            true => None,
            false => self.connections.lock().admit(address, bounds, now),
        };
        let counter = match ticket {
            Some(Ticket::Client) => &self.accepted,
            _ => &self.turned_away,
        };
        counter.fetch_add(1, Relaxed);
        ticket
    }

    /// Counts a client for whom more waited than may.
    pub(crate) fn count_overrun(&self) {
        self.overrun.fetch_add(1, Relaxed);
    }

    /// Counts a connection that carries requests of tunnels; `None` if it is to be closed at once. A client may need two.
    pub(crate) fn admit_http(&self, address: IpAddr, now: u64) -> Option<Ticket> {
        let bounds = Bounds {
            connections: self.config.max_connections.saturating_mul(2),
            per_address: self.config.max_connections_per_address.saturating_mul(2),
        };
        if self.is_closed() {
            return None;
        }
        let mut http = self.http.lock();
        match http.admit(address, bounds, now)? {
            Ticket::Refused(why) => {
                http.dismiss(address, Ticket::Refused(why));
                None
            }
            _ => Some(Ticket::Http),
        }
    }

    /// Counts a connection out.
    pub(crate) fn dismiss(&self, address: IpAddr, ticket: Ticket) {
        let admissions = match ticket {
            Ticket::Http => &self.http,
            _ => &self.connections,
        };
        admissions.lock().dismiss(address, ticket);
    }

    /// A connection begins to count.
    pub(crate) fn watch_traffic(&self, traffic: &Arc<Traffic>) {
        let place = Arc::as_ptr(traffic).addr();
        self.live.lock().insert(place, Arc::downgrade(traffic));
    }

    /// A connection has ended: what it counted is kept.
    pub(crate) fn keep_traffic(&self, traffic: &Arc<Traffic>) {
        let mut live = self.live.lock();
        live.remove(&Arc::as_ptr(traffic).addr());
        self.traffic.absorb(traffic.read());
    }

    /// The sum over connections that ended and those that live; none is counted twice while it ends.
    fn traffic_now(&self) -> TrafficStats {
        let live = self.live.lock();
        let counts = live.values().filter_map(Weak::upgrade);
        counts
            .map(|traffic| traffic.read())
            .fold(self.traffic.read(), TrafficStats::plus)
    }

    fn applications(&self) -> Vec<Application> {
        self.applications.lock().values().cloned().collect()
    }
}

/// Nobody who is refused is waited for, or given what costs.
fn refusing(session: &ServerSessionConfig) -> ServerSessionConfig {
    let mut session = session.clone();
    let timeouts = &mut session.timeouts;
    timeouts.handshake_ms = timeouts.handshake_ms.min(REFUSAL_TIMEOUT_MS);
    timeouts.connect_ms = timeouts.connect_ms.min(REFUSAL_TIMEOUT_MS);
    #[cfg(feature = "rtmpe")]
    {
        session.accept_encryption = false;
    }
    session
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

impl fmt::Debug for ServerCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerCore")
    }
}
