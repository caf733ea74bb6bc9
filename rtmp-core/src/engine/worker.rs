//! A worker: one thread, one poll, and the connections that live on it.

mod listening;
mod tunnels;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Poll, Token};
use slab::Slab;

use crate::app::stream::{StreamPort, SubscriptionPost};
use crate::engine::Shared;
use crate::engine::client_peer::{ClientCommand, ClientPeer, ClientStart, Follow};
use crate::engine::connection::{Connection, End, Peer, ReadBuffer};
use crate::engine::drain::Draining;
use crate::engine::fanout::{Load, Sender};
use crate::engine::listener::Listener;
use crate::engine::mailbox::{Behind, Link, Mailbox, Post, waker};
use crate::engine::network::{NETWORK, NetworkWatch};
use crate::engine::players::Players;
use crate::engine::relays::Relays;
use crate::engine::server_peer::Queues;
use crate::engine::timer::{Deadline, Timers};
use crate::engine::transport::Transport;
use crate::engine::transport::tcp::Tcp;
use crate::wire::status::{Code, Status};

/// What a connection may touch of its worker while it works.
pub(crate) struct Context<'a> {
    pub(crate) now: u64,
    pub(crate) port: &'a Arc<dyn StreamPort>,
    pub(crate) players: &'a mut Players,
    pub(crate) queues: &'a mut Queues,
}

/// One worker thread's state.
pub(crate) struct Worker {
    pub(crate) poll: Poll,
    mailbox: Arc<Mailbox>,
    port: Arc<dyn StreamPort>,
    pub(crate) shared: Arc<Shared>,
    clock: Instant,
    pub(crate) now: u64,
    pub(crate) connections: Slab<Connection>,
    listeners: HashMap<Token, Listener>,
    next_listener: usize,
    pub(crate) players: Players,
    queues: Queues,
    pub(crate) timers: Timers,
    pub(crate) relays: Relays,
    pub(crate) network: Option<NetworkWatch>,
    buffer: ReadBuffer,
    pub(crate) dirty: Vec<usize>,
    pub(crate) due: Vec<u64>,
    pub(crate) sender: Sender,
    pub(crate) load: Load,
    unread: Vec<usize>,
    pub(crate) draining: Vec<Draining>,
    /// Where commands for a connection that was just replaced go.
    pub(crate) forwards: HashMap<u64, Link>,
    paused_listeners: bool,
    next_collect: u64,
    hasher: RandomState,
    running: bool,
}

const WAKER: Token = Token(usize::MAX);
/// Tokens from here on are listeners'; connections use their place in the slab.
const FIRST_LISTENER: usize = usize::MAX / 2;
const EVENTS: usize = 1024;
/// How often idle instances are let go, and refused listeners tried again.
const COLLECT_MS: u64 = 1_000;

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// Opens the poll and the mailbox of a worker.
pub(crate) fn open(number: usize, behind: &Behind) -> io::Result<(Poll, Arc<Mailbox>)> {
    let poll = Poll::new()?;
    let mailbox = Mailbox::new(number, waker(poll.registry(), WAKER)?, behind.clone());
    Ok((poll, Arc::new(mailbox)))
}

impl Worker {
    pub(crate) fn new(poll: Poll, mailbox: Arc<Mailbox>, shared: Arc<Shared>) -> Self {
        let port: Arc<dyn StreamPort> = Arc::clone(&mailbox) as _;
        Self {
            poll,
            mailbox,
            port,
            clock: Instant::now(),
            now: 0,
            connections: Slab::new(),
            listeners: HashMap::new(),
            next_listener: FIRST_LISTENER,
            players: Players::default(),
            queues: Queues::default(),
            timers: Timers::default(),
            relays: Relays::default(),
            network: None,
            buffer: ReadBuffer::default(),
            dirty: Vec::new(),
            due: Vec::new(),
            sender: Sender::open(shared.io_uring),
            shared,
            load: Load::default(),
            unread: Vec::new(),
            draining: Vec::new(),
            forwards: HashMap::new(),
            paused_listeners: false,
            next_collect: COLLECT_MS,
            hasher: RandomState::new(),
            running: true,
        }
    }

    /// Serves until the engine closes.
    pub(crate) fn run(mut self) {
        self.mailbox.serve();
        let mut events = Events::with_capacity(EVENTS);
        let mut posts = Vec::new();
        let mut woke = Instant::now();
        while self.running {
            let slept = Instant::now();
            if let Err(error) = self.poll.poll(&mut events, self.patience())
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("a worker's poll failed: {error}");
                break;
            }
            let before = std::mem::replace(&mut woke, Instant::now());
            self.load.add(micros(slept - before), micros(woke - slept));
            self.tick();
            for event in &events {
                self.ready(event);
            }
            self.read_more();
            self.serve_mailbox(&mut posts);
            self.serve_timers();
            self.distribute();
            self.flush();
        }
        self.close();
    }

    /// How long the poll may sleep.
    fn patience(&self) -> Option<Duration> {
        if !self.unread.is_empty() || !self.dirty.is_empty() || !self.mailbox.is_empty() {
            return Some(Duration::ZERO);
        }
        let due = self.players.next_due().unwrap_or(u64::MAX);
        let next = self
            .timers
            .next()
            .unwrap_or(u64::MAX)
            .min(self.next_collect)
            .min(self.next_drained())
            .min(self.relays.next())
            .min(self.next_network())
            .min(due);
        // Rounded up by one, so that the deadline has passed when the poll returns.
        Some(Duration::from_millis(
            next.saturating_sub(self.now).saturating_add(1),
        ))
    }

    fn tick(&mut self) {
        self.now = u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
    }

    fn ready(&mut self, event: &Event) {
        let token = event.token();
        if token == WAKER {
            return;
        }
        if token == NETWORK {
            return self.network_noticed();
        }
        if token.0 >= FIRST_LISTENER {
            return self.accept(token);
        }
        let key = token.0;
        let awaits = |connection: &Connection| connection.awaits_writable();
        if event.is_writable() && self.connections.get(key).is_some_and(awaits) {
            self.writable(key);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(key, event.is_read_closed() || event.is_error());
        }
    }

    /// Runs a part of a connection; whatever goes wrong in it ends that connection alone.
    pub(crate) fn with<R>(
        &mut self,
        key: usize,
        work: impl FnOnce(&mut Connection, &mut ReadBuffer, &mut Context<'_>) -> Result<R, End>,
    ) -> Option<R> {
        let connection = self.connections.get_mut(key)?;
        let mut context = Context {
            now: self.now,
            port: &self.port,
            players: &mut self.players,
            queues: &mut self.queues,
        };
        let buffer = &mut self.buffer;
        let result = catch_unwind(AssertUnwindSafe(|| work(connection, buffer, &mut context)));
        match result {
            Ok(Ok(value)) => {
                self.touch(key);
                Some(value)
            }
            Ok(Err(end)) => {
                self.remove(key, &end);
                None
            }
            Err(_) => {
                log::error!("a handler panicked; its connection is closed");
                self.remove(key, &End::Closed);
                None
            }
        }
    }

    /// Notes that a connection may have something to send and a new deadline.
    fn touch(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.is_to_be_flushed() {
            connection.refresh_room(self.now);
            if !connection.dirty {
                connection.dirty = true;
                self.dirty.push(key);
            }
        }
        if let Some(at) = connection.deadline().filter(|at| *at < connection.timer_at) {
            connection.timer_at = at;
            self.timers.add(Deadline {
                at,
                key,
                id: connection.id,
            });
        }
    }

    fn read(&mut self, key: usize, to_the_end: bool) {
        let more = self.with(key, |connection, buffer, context| {
            connection.read(buffer, to_the_end, context)
        });
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.wants_again() {
            return self.open_again(key);
        }
        if connection.wants_socket().is_some() {
            return self.open_another(key);
        }
        if more == Some(true) && !connection.unread {
            connection.unread = true;
            self.unread.push(key);
        }
    }

    /// Reads on where a turn before left off.
    fn read_more(&mut self) {
        for key in std::mem::take(&mut self.unread) {
            if self
                .connections
                .get_mut(key)
                .is_some_and(|connection| std::mem::take(&mut connection.unread))
            {
                self.read(key, true);
            }
        }
    }

    fn writable(&mut self, key: usize) {
        let next = self.with(key, |connection, _, context| connection.writable(context));
        if let Some(Some(addresses)) = next {
            self.try_next(key, addresses);
        }
    }

    fn serve_mailbox(&mut self, posts: &mut Vec<Post>) {
        self.mailbox.take(posts);
        for post in posts.drain(..) {
            self.serve(post);
        }
    }

    fn serve(&mut self, post: Post) {
        match post {
            Post::Delivery(delivery) => self.deliver(&delivery),
            Post::Peer { key, id, command } => {
                let is_here = |connection: &Connection| connection.id == id;
                if !self.connections.get(key).is_some_and(is_here) {
                    return self.guard(|| command.fail(&Status::new(Code::ConnectClosed)));
                }
                self.with(key, |connection, _, context| {
                    if let Peer::Server(peer) = &mut connection.peer {
                        peer.command(command, context);
                    }
                    Ok(())
                });
            }
            Post::Client { key, id, command } => self.client_command(key, id, command),
            Post::Follow { to, step } => self.follow(&to, step),
            Post::Accepted {
                socket,
                address,
                scheme,
                server,
                ticket,
            } => self.add_accepted(socket, (address, scheme), server, ticket),
            Post::Tunnel(post) => self.tunnel(post),
            Post::Connect(start) => self.add_outgoing(*start),
            Post::Listen(listener) => self.add_listener(listener),
            Post::Subscription(SubscriptionPost::Start(feed)) => {
                self.players.add_feed(Arc::clone(&feed));
                self.guard(|| feed.begin());
            }
            Post::Subscription(SubscriptionPost::Stop(feed)) => {
                if self.players.remove_feed(&feed) {
                    feed.part();
                }
            }
            Post::Relay { relay, input } => self.relay_turn(relay, input),
            Post::CloseServer(server) => self.close_server(&server),
            Post::Drain(order) => self.drain(&order),
            Post::WatchNetwork => self.watch_network(),
            Post::Shutdown => self.running = false,
        }
    }

    /// Runs handlers of the host that belong to no connection.
    pub(crate) fn guard(&self, work: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            log::error!("a subscriber panicked");
        }
    }

    fn client_command(&mut self, key: usize, id: u64, command: ClientCommand) {
        let mut link = Link {
            mailbox: Arc::clone(&self.mailbox),
            key,
            id,
        };
        while let Some(next) = self.forwards.get(&link.id) {
            link = next.clone();
        }
        let closes = matches!(command, ClientCommand::Close);
        let mut command = Some(command);
        self.with_client(&link, |peer, context| {
            if let Some(command) = command.take() {
                peer.command(command, context);
            }
        });
        if closes {
            self.remove_shell(&link);
        }
        if let Some(command) = command {
            command.fail();
        }
    }

    fn add_outgoing(&mut self, start: ClientStart) {
        let ClientStart {
            core,
            session,
            route,
            replaces,
        } = start;
        if let Some(replaces) = &replaces
            && !self.awaits_candidate(replaces)
        {
            return;
        }
        let id = NEXT_CONNECTION.fetch_add(1, Relaxed);
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        let link = Link {
            mailbox: Arc::clone(&self.mailbox),
            key,
            id,
        };
        let follow = Follow::new(link.clone(), replaces.clone());
        let seed = seed(&self.hasher, id);
        let mut peer = ClientPeer::new(
            Arc::clone(&core),
            session,
            &route.addresses,
            follow,
            seed,
            self.now,
        );
        let opened = open_next(self.poll.registry(), Token(key), route.addresses);
        let opened = opened.and_then(|(socket, others)| {
            let transport = Transport::outgoing(socket, route.tls, route.tunnel);
            Ok((transport.map_err(io::Error::other)?, others))
        });
        match (opened, replaces) {
            (Ok((transport, others)), replaces) => {
                entry.insert(Connection::opening(id, transport, peer, others, self.now));
                self.touch(key);
                if let Some(replaces) = &replaces {
                    return self.candidate_opens(replaces, link);
                }
                let waiting = core.opened(&self.mailbox, key, id);
                self.with_client(&link, |peer, context| {
                    waiting
                        .into_iter()
                        .for_each(|command| peer.command(command, context));
                });
            }
            (Err(error), Some(replaces)) => self.candidate_fails(&replaces, error.to_string()),
            (Err(error), None) => {
                let waiting = core.opened(&self.mailbox, key, id);
                waiting.into_iter().for_each(ClientCommand::fail);
                peer.fail(&error);
            }
        }
    }

    /// An outgoing connection's address did not answer: tries the others.
    fn try_next(&mut self, key: usize, addresses: Vec<SocketAddr>) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.transport.deregister(self.poll.registry());
        let opened = open_next(self.poll.registry(), Token(key), addresses).map_err(End::Io);
        let replaced = opened.and_then(|(socket, others)| {
            let replaced = connection.replace(socket, others, self.now);
            replaced.map_err(End::Tls)
        });
        if let Err(end) = replaced {
            self.remove(key, &end);
        }
    }

    /// An outgoing connection was refused and has an answer to that: makes it again.
    fn open_again(&mut self, key: usize) {
        let seed = seed(&self.hasher, NEXT_CONNECTION.fetch_add(1, Relaxed));
        let now = self.now;
        let Some(Peer::Client(peer)) = self.connections.get_mut(key).map(|open| &mut open.peer) else {
            return;
        };
        if let Some(addresses) = peer.begin_again(seed, now) {
            self.try_next(key, addresses);
            self.touch(key);
        }
    }

    fn serve_timers(&mut self) {
        while let Some(Deadline { key, id, .. }) = self.timers.pop(self.now) {
            let Some(connection) = self
                .connections
                .get_mut(key)
                .filter(|connection| connection.id == id)
            else {
                continue;
            };
            connection.timer_at = u64::MAX;
            self.with(key, |connection, _, context| connection.timeout(context));
            self.read_again(key);
        }
        self.serve_relays();
        self.serve_network();
        let now_and_then = self.next_collect <= self.now;
        self.serve_draining(now_and_then);
        if now_and_then {
            self.next_collect = self.now + COLLECT_MS;
            self.collect();
        }
    }

    /// Goes on reading where that was put off, if it may.
    fn read_again(&mut self, key: usize) {
        let now = self.now;
        if let Some(connection) = self.connections.get_mut(key)
            && connection.may_read_again(now)
            && !connection.unread
        {
            connection.unread = true;
            self.unread.push(key);
        }
    }

    /// What is done now and then.
    fn collect(&mut self) {
        if std::mem::take(&mut self.paused_listeners) {
            let tokens: Vec<Token> = self.listeners.keys().copied().collect();
            tokens.into_iter().for_each(|token| self.accept(token));
        }
        if self.mailbox.worker() == 0 {
            let shared = Arc::clone(&self.shared);
            self.guard(|| shared.collect());
        }
    }

    pub(crate) fn remove(&mut self, key: usize, why: &End) {
        if self.stays_as_shell(key) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.transport.deregister(self.poll.registry());
            }
            return;
        }
        let Some(mut connection) = self.connections.try_remove(key) else {
            return;
        };
        // A last attempt to deliver what explains the end.
        if let Err(error) = connection.last_words(self.now) {
            log::debug!("last bytes were not sent: {error}");
        }
        connection.transport.deregister(self.poll.registry());
        self.succeed(&mut connection);
        let mut context = Context {
            now: self.now,
            port: &self.port,
            players: &mut self.players,
            queues: &mut self.queues,
        };
        let ended = catch_unwind(AssertUnwindSafe(|| connection.end(why, &mut context)));
        if ended.is_err() {
            log::error!("a handler panicked while its connection was closed");
        }
    }

    /// Ends everything this worker has.
    fn close(&mut self) {
        self.listeners.clear();
        self.close_relays();
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.with(key, |connection, _, _| {
                match &mut connection.peer {
                    Peer::Server(peer) => peer.session.close(None),
                    Peer::Client(peer) => peer.quit(),
                    Peer::Http(peer) => peer.http.close(),
                }
                Ok(())
            });
            self.remove(key, &End::Closed);
        }
        for feed in self.players.take_feeds() {
            feed.part();
        }
        self.mailbox.close();
    }
}

/// Starts a connection to the first address that can be tried.
fn open_next(
    registry: &mio::Registry,
    token: Token,
    addresses: Vec<SocketAddr>,
) -> io::Result<(Tcp, Vec<SocketAddr>)> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut addresses = addresses.into_iter();
    while let Some(address) = addresses.next() {
        let opened = TcpStream::connect(address).and_then(|socket| {
            let mut transport = Tcp::new(socket);
            transport.register(registry, token).map(|()| transport)
        });
        match opened {
            Ok(transport) => return Ok((transport, addresses.collect())),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Bytes for a handshake, different for each connection.
fn seed(hasher: &RandomState, id: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    for (part, chunk) in seed.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&hasher.hash_one((id, part)).to_le_bytes());
    }
    seed
}
