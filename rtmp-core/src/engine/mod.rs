//! The engine: worker threads, each with a poll loop and the connections it owns.

mod admission;
mod blocking;
mod client_peer;
mod connection;
mod drain;
mod fanout;
mod held_back;
mod http_peer;
mod listen_address;
mod listener;
mod mailbox;
mod network;
mod players;
mod queue;
mod relays;
mod server;
mod server_peer;
mod shaper;
mod timer;
mod tls;
mod transport;
mod worker;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::app::disk::Disk;
use crate::app::instance::Instance;
use crate::app::stream::{Ports, StreamPort};
use crate::app::stream_files::FilesInUse;
use crate::client::ConnectionCore;
use crate::error::{Error, Result};
use blocking::{BlockingPool, EngineDisk};
pub(crate) use client_peer::{ClientCommand, ClientStart, Route, StreamCommand};
use mailbox::Behind;
pub(crate) use mailbox::{Link, Mailbox, Post, on_library_thread};
use network::Network;
pub(crate) use network::NetworkInterest;
pub use queue::Queue;
pub(crate) use server::ServerCore;
pub use server::{Server, ServerConfig, ServerStats};
pub use tls::{TlsIdentity, TlsTrust};
pub(crate) use tls::{TlsTrustCache, provider as tls_provider, trusted as tls_certificates};
pub(crate) use transport::layered::TunnelStart;
use worker::Worker;

/// Settings of an engine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineConfig {
    /// Worker threads; 0 takes as many as the machine has cores, more than 1,024 are 1,024. Default: 0.
    pub workers: usize,
    /// Send to many players in one call to the kernel through io_uring, on Linux where the kernel and the sandbox allow
    /// it. Default: true.
    pub io_uring: bool,
    /// Watch the system's network interfaces while client connections stand, on Linux where the sandbox allows it, and tell
    /// those that are connected of changes: NetConnection.Connect.NetworkChange. Without it, and on other systems, they hear
    /// what [`Engine::network_changed`] says. Default: true.
    pub watch_network: bool,
    /// Runs first on each thread that the engine starts. Default: nothing.
    pub thread_start: ThreadStart,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            workers: 0,
            io_uring: true,
            watch_network: true,
            thread_start: ThreadStart::default(),
        }
    }
}

/// What each thread of an engine begins with, for example choosing where its log messages go.
#[derive(Clone, Default)]
pub struct ThreadStart(Option<Arc<dyn Fn() + Send + Sync>>);

impl ThreadStart {
    /// Runs `start` on each thread.
    pub fn new(start: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(start)))
    }

    pub(crate) fn run(&self) {
        if let Some(start) = &self.0 {
            start();
        }
    }
}

impl fmt::Debug for ThreadStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "ThreadStart"
        } else {
            "no ThreadStart"
        })
    }
}

/// The threads that servers and connections live on. Clones name the same engine; when the last handle on it, its
/// servers and its connections is dropped, it closes.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<EngineInner>,
}

struct EngineInner {
    shared: Arc<Shared>,
}

/// What all workers of an engine share.
pub(crate) struct Shared {
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    pub(crate) blocking: Mutex<Option<Arc<BlockingPool>>>,
    /// Threads for requests by HTTP, which may take long; made with the first.
    remoting: Mutex<Option<Arc<BlockingPool>>>,
    thread_start: ThreadStart,
    servers: Mutex<Vec<Weak<ServerCore>>>,
    files: FilesInUse,
    ports: Ports,
    pub(crate) io_uring: bool,
    pub(crate) network: Arc<Network>,
    next: AtomicUsize,
    closed: AtomicBool,
    running: Mutex<usize>,
    ended: Condvar,
}

impl Engine {
    /// Starts the workers. [`Error::Io`] if the system gives no thread or descriptor.
    pub fn new(config: EngineConfig) -> Result<Self> {
        let count = match config.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count.min(1024),
        };
        let behind = Behind::default();
        let polls = (0..count).map(|number| worker::open(number, &behind));
        let polls = polls.collect::<std::io::Result<Vec<_>>>();
        let polls = polls.map_err(|error| Error::io("open a worker's poll", error))?;
        let mailboxes: Vec<Arc<Mailbox>> = polls.iter().map(|(_, mailbox)| Arc::clone(mailbox)).collect();
        let port = |mailbox: &Arc<Mailbox>| Arc::clone(mailbox) as Arc<dyn StreamPort>;
        let network = Arc::new(Network::new(config.watch_network, Arc::clone(&mailboxes[0])));
        let shared = Arc::new(Shared {
            ports: mailboxes.iter().map(port).collect(),
            mailboxes,
            io_uring: config.io_uring,
            network,
            blocking: Mutex::new(Some(Arc::new(BlockingPool::start("disk", &config.thread_start)?))),
            remoting: Mutex::default(),
            thread_start: config.thread_start.clone(),
            servers: Mutex::default(),
            files: FilesInUse::default(),
            next: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            running: Mutex::new(0),
            ended: Condvar::new(),
        });
        let engine = Self {
            inner: Arc::new(EngineInner { shared }),
        };
        for (poll, mailbox) in polls {
            engine.start_worker(poll, mailbox, config.thread_start.clone())?;
        }
        Ok(engine)
    }

    /// Closes every server and connection and ends the workers, without waiting for them.
    pub fn close(&self) {
        self.inner.shared.close();
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.inner.shared.closed.load(Acquire)
    }

    /// Waits until the workers of a closed engine have ended; `None` waits for ever. Not to be called on a thread of
    /// the library.
    pub fn join(&self, timeout: Option<Duration>) -> Result<()> {
        if on_library_thread() {
            return Err(Error::WrongThread("Engine::join"));
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut running = self.inner.shared.running.lock();
        while *running > 0 {
            match deadline {
                None => self.inner.shared.ended.wait(&mut running),
                Some(deadline)
                    if self
                        .inner
                        .shared
                        .ended
                        .wait_until(&mut running, deadline)
                        .timed_out() =>
                {
                    return if *running == 0 {
                        Ok(())
                    } else {
                        Err(Error::Timeout("Engine::join"))
                    };
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.inner.shared.mailboxes.len()
    }

    /// Runs a job soon on a thread of the engine that may block. An error, when the engine is closed or too many wait,
    /// has dropped the job.
    pub fn defer(&self, job: impl FnOnce() + Send + 'static) -> Result<()> {
        self.run_blocking(job)
    }

    /// The network has changed, for example because another one was joined or left: every [`NetConnection`](crate::client::NetConnection) that is connected
    /// is told NetConnection.Connect.NetworkChange. For hosts that know better than the interfaces show, or run where those
    /// are not watched; see [`EngineConfig::watch_network`].
    pub fn network_changed(&self) {
        self.inner.shared.network.tell();
    }

    /// Has a connection hear of changes of the network. Only where that may block.
    pub(crate) fn hear_of_network(&self, core: &Arc<ConnectionCore>) -> NetworkInterest {
        self.inner.shared.network.listen(core)
    }

    /// Runs a job on a thread that may block.
    pub(crate) fn run_blocking(&self, job: impl FnOnce() + Send + 'static) -> Result<()> {
        let pool = self.inner.shared.blocking.lock().clone();
        pool.ok_or(Error::Closed("engine"))?.run(job)
    }

    /// Runs a job that may wait long for somebody else.
    pub(crate) fn run_remoting(&self, job: impl FnOnce() + Send + 'static) -> Result<()> {
        let shared = &self.inner.shared;
        let mut pool = shared.remoting.lock();
        if shared.closed.load(Acquire) {
            return Err(Error::Closed("engine"));
        }
        if pool.is_none() {
            *pool = Some(Arc::new(BlockingPool::start("http", &shared.thread_start)?));
        }
        pool.as_ref()
            .map_or(Err(Error::Closed("engine")), |pool| pool.run(job))
    }

    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(EngineDisk::new(self))
    }

    /// The engine that an instance's server is on, unless that is gone.
    pub(crate) fn of(instance: &Instance) -> Option<Self> {
        let engine = instance.application()?.disk().engine()?;
        engine.downcast::<Self>().ok().map(|engine| *engine)
    }

    /// The recorded streams in use, of all servers: they may share folders.
    pub(crate) fn files_in_use(&self) -> FilesInUse {
        self.inner.shared.files.clone()
    }

    pub(crate) fn ports(&self) -> Ports {
        Arc::clone(&self.inner.shared.ports)
    }

    pub(crate) fn next_worker(&self) -> Arc<Mailbox> {
        self.inner.shared.next_worker()
    }

    pub(crate) fn post_all(&self, post: impl Fn() -> Post) {
        for mailbox in &self.inner.shared.mailboxes {
            mailbox.post(post());
        }
    }

    /// Has the workers let go now and then of what the server does not use.
    pub(crate) fn watch(&self, server: &Arc<ServerCore>) {
        let mut servers = self.inner.shared.servers.lock();
        servers.retain(|server| server.strong_count() > 0);
        servers.push(Arc::downgrade(server));
    }

    fn start_worker(&self, poll: mio::Poll, mailbox: Arc<Mailbox>, start: ThreadStart) -> Result<()> {
        let shared = Arc::clone(&self.inner.shared);
        let name = format!("rtmpkit-{}", mailbox.worker());
        *shared.running.lock() += 1;
        let started = thread::Builder::new().name(name).spawn(move || {
            let _ending = Ending(Arc::clone(&shared));
            start.run();
            Worker::new(poll, mailbox, shared).run();
        });
        if let Err(error) = started {
            *self.inner.shared.running.lock() -= 1;
            self.close();
            return Err(Error::io("start a worker", error));
        }
        Ok(())
    }
}

/// Counts a worker, or a job that [`Engine::join`] waits for, out, however it ends.
pub(crate) struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        *self.0.running.lock() -= 1;
        self.0.ended.notify_all();
    }
}

impl Shared {
    /// The workers in turn.
    pub(crate) fn next_worker(&self) -> Arc<Mailbox> {
        let turn = self.next.fetch_add(1, Relaxed) % self.mailboxes.len();
        Arc::clone(&self.mailboxes[turn])
    }

    /// Has [`Engine::join`] wait until what is returned is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Ending {
        *self.running.lock() += 1;
        Ending(Arc::clone(self))
    }

    /// Lets go of what servers do not use.
    pub(crate) fn collect(&self) {
        let servers: Vec<Arc<ServerCore>> = self.servers.lock().iter().filter_map(Weak::upgrade).collect();
        for server in servers {
            server.collect();
        }
    }

    fn close(&self) {
        if self.closed.swap(true, AcqRel) {
            return;
        }
        self.blocking.lock().take();
        self.remoting.lock().take();
        for mailbox in &self.mailboxes {
            mailbox.post(Post::Shutdown);
        }
    }
}

impl Drop for EngineInner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({} workers)", self.workers())
    }
}
