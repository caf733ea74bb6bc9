//! The way into a worker from any thread: a queue of posts and a waker.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Relaxed, Ordering::Release};

use mio::Waker;
use parking_lot::Mutex;

use crate::app::peer::{PeerCommand, PeerLink};
use crate::app::stream::{Delivery, Item, LiveMessage, StreamPort, SubscriptionPost};
use crate::client::relay::{RelayCore, RelayInput};
use crate::engine::admission::Ticket;
use crate::engine::client_peer::{ClientCommand, ClientStart, Step};
use crate::engine::drain::DrainOrder;
use crate::engine::listener::Listener;
use crate::engine::server::ServerCore;
use crate::engine::transport::http_tunnel::TunnelPost;
use crate::wire::url::Scheme;

/// Something for a worker to do.
pub(crate) enum Post {
    /// Serve a listening socket.
    Listen(Listener),
    /// Take over a socket that was accepted.
    Accepted {
        socket: mio::net::TcpStream,
        address: SocketAddr,
        scheme: Scheme,
        server: Arc<ServerCore>,
        ticket: Ticket,
    },
    /// Close a server's listeners and connections.
    CloseServer(Arc<ServerCore>),
    /// Wind a server down.
    Drain(Arc<DrainOrder>),
    /// Run an outgoing connection.
    Connect(Box<ClientStart>),
    /// A command for a connection of the server side.
    Peer {
        key: usize,
        id: u64,
        command: PeerCommand,
    },
    /// A command for an outgoing connection.
    Client {
        key: usize,
        id: u64,
        command: ClientCommand,
    },
    /// What an outgoing connection does for another.
    Follow { to: Link, step: Step },
    /// A tunnel's request or answer.
    Tunnel(TunnelPost),
    /// An event of a stream that has players here.
    Delivery(Delivery),
    /// A subscription of the host begins or ends.
    Subscription(SubscriptionPost),
    /// A relay's turn.
    Relay {
        relay: Arc<RelayCore>,
        input: RelayInput,
    },
    /// Look whether the network is to be watched.
    WatchNetwork,
    /// Close everything and end.
    Shutdown,
}

impl Post {
    /// Tells whoever waits for this post's outcome that there will be none.
    fn discard(self) {
        match self {
            Self::Client { command, .. }
            | Self::Follow {
                step: Step::Command(command),
                ..
            } => command.fail(),
            Self::Connect(start) if start.replaces.is_none() => start.core.reset(),
            Self::Relay { relay, .. } => {
                relay.turn(RelayInput::Gone, 0);
            }
            Self::Accepted {
                address,
                server,
                ticket,
                ..
            } => server.dismiss(address.ip(), ticket),
            _ => {}
        }
    }
}

/// Media bytes that may wait in one mailbox; beyond that messages are dropped and players see a gap.
const MAX_MEDIA_WAITING: usize = 64 << 20;

/// The mailbox of one worker.
pub(crate) struct Mailbox {
    worker: usize,
    /// `None` once the worker has ended.
    posts: Mutex<Option<Vec<Post>>>,
    waker: Waker,
    notified: AtomicBool,
    media_waiting: AtomicUsize,
}

thread_local! {
    /// Address of the mailbox that this thread serves; it wakes up by itself.
    static OWN: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread belongs to the library, so that waiting on it would be a deadlock.
    static LIBRARY: Cell<bool> = const { Cell::new(false) };
}

/// Whether the current thread belongs to the library.
pub(crate) fn on_library_thread() -> bool {
    LIBRARY.get()
}

/// Declares the current thread one of the library's.
pub(crate) fn enter_library_thread() {
    LIBRARY.set(true);
}

impl Mailbox {
    pub(crate) fn new(worker: usize, waker: Waker) -> Self {
        let (notified, media_waiting) = (AtomicBool::new(false), AtomicUsize::new(0));
        Self {
            worker,
            posts: Mutex::new(Some(Vec::new())),
            waker,
            notified,
            media_waiting,
        }
    }

    /// Declares the current thread the one that serves this mailbox.
    pub(crate) fn serve(&self) {
        OWN.set(std::ptr::from_ref(self).addr());
        enter_library_thread();
    }

    /// Queues a post and wakes the worker if it may be asleep.
    pub(crate) fn post(&self, post: Post) {
        let refused = match &mut *self.posts.lock() {
            Some(posts) => {
                posts.push(post);
                None
            }
            None => Some(post),
        };
        if let Some(post) = refused {
            return post.discard();
        }
        let own = OWN.get() == std::ptr::from_ref(self).addr();
        if !own
            && !self.notified.swap(true, AcqRel)
            && let Err(error) = self.waker.wake()
        {
            log::error!("worker {} cannot be woken: {error}", self.worker);
        }
    }

    /// Moves all posts into `posts`, which is empty.
    pub(crate) fn take(&self, posts: &mut Vec<Post>) {
        self.notified.store(false, Release);
        if let Some(waiting) = &mut *self.posts.lock() {
            std::mem::swap(waiting, posts);
        }
        self.media_waiting.store(0, Relaxed);
    }

    /// The worker ends: what waits, and what comes later, is discarded.
    pub(crate) fn close(&self) {
        let posts = self.posts.lock().take();
        posts.into_iter().flatten().for_each(Post::discard);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.posts.lock().as_ref().is_none_or(Vec::is_empty)
    }
}

impl StreamPort for Mailbox {
    fn worker(&self) -> usize {
        self.worker
    }

    fn deliver(&self, delivery: Delivery) -> bool {
        if let Item::Media(message) = &delivery.item {
            let size = message.shared.payload.len() + LiveMessage::WEIGHT;
            if self.media_waiting.fetch_add(size, Relaxed) > MAX_MEDIA_WAITING {
                return false;
            }
        }
        self.post(Post::Delivery(delivery));
        true
    }

    fn subscription(&self, post: SubscriptionPost) {
        self.post(Post::Subscription(post));
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({})", self.worker)
    }
}

/// The way to one connection of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) key: usize,
    pub(crate) id: u64,
}

impl PeerLink for Link {
    fn send(&self, command: PeerCommand) {
        self.mailbox.post(Post::Peer {
            key: self.key,
            id: self.id,
            command,
        });
    }
}

/// Opens the waker of a worker's poll.
pub(crate) fn waker(registry: &mio::Registry, token: mio::Token) -> io::Result<Waker> {
    Waker::new(registry, token)
}
