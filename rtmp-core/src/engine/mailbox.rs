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
use crate::wire::status::{Code, Status};
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
            Self::Peer { command, .. } => command.fail(&Status::new(Code::ConnectClosed)),
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

/// Posts of all kinds beyond which nothing more is read from those who bring them, in all of the engine.
const MOST_POSTS: usize = if cfg!(test) { 1000 } else { 1 << 20 };

/// How many workers of an engine are far behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behind(Arc<AtomicUsize>);

impl Behind {
    /// Whether any is.
    pub(crate) fn any(&self) -> bool {
        self.0.load(Relaxed) > 0
    }
}

/// The mailbox of one worker.
pub(crate) struct Mailbox {
    /// What all mailboxes of the engine share.
    pub(crate) behind: Behind,
    /// This one counts there. Changed with the posts locked.
    is_behind: AtomicBool,
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
    pub(crate) fn new(worker: usize, waker: Waker, behind: Behind) -> Self {
        let (notified, media_waiting) = (AtomicBool::new(false), AtomicUsize::new(0));
        Self {
            behind,
            is_behind: AtomicBool::new(false),
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
                if posts.len() > MOST_POSTS && !self.is_behind.swap(true, Relaxed) {
                    self.behind.0.fetch_add(1, Relaxed);
                }
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
            self.catch_up();
        }
        self.media_waiting.store(0, Relaxed);
    }

    /// The worker ends: what waits, and what comes later, is discarded.
    pub(crate) fn close(&self) {
        let posts = {
            let mut posts = self.posts.lock();
            self.catch_up();
            posts.take()
        };
        posts.into_iter().flatten().for_each(Post::discard);
    }

    /// Nothing waits any more; with the posts locked.
    fn catch_up(&self) {
        if self.is_behind.load(Relaxed) {
            self.is_behind.store(false, Relaxed);
            self.behind.0.fetch_sub(1, Relaxed);
        }
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::MediaKind;

    fn mailbox(behind: &Behind) -> Mailbox {
        let poll = mio::Poll::new().unwrap();
        let waker = waker(poll.registry(), mio::Token(0)).unwrap();
        Mailbox::new(0, waker, behind.clone())
    }

    fn media(size: usize) -> Delivery {
        let body = Bytes::from(vec![0; size]);
        let message = LiveMessage::new(1, MediaKind::Audio, 0, body, false);
        Delivery {
            stream: 1,
            item: Item::Media(Arc::new(message)),
        }
    }

    #[test]
    fn m10_media_weighs_its_body_and_256_bytes_and_what_is_taken_weighs_nothing() {
        for size in [0, 744, 1 << 20] {
            let mailbox = mailbox(&Behind::default());
            let mut posts = Vec::new();
            for _ in 0..2 {
                // 64 MiB, and the message that goes beyond them.
                let most = (64 << 20) / (size + 256) + 1;
                let taken = (0..).take_while(|_| mailbox.deliver(media(size))).count();
                assert_eq!(taken, most, "{size}");
                let ends = Delivery {
                    stream: 1,
                    item: Item::Unpublished,
                };
                assert!(mailbox.deliver(ends), "what is no media is never dropped");
                mailbox.take(&mut posts);
                assert_eq!(posts.len(), most + 1);
                posts.clear();
            }
        }
    }

    #[test]
    fn m10_a_worker_that_is_far_behind_is_known_to_all_until_it_takes_its_posts() {
        let behind = Behind::default();
        let (one, other) = (mailbox(&behind), mailbox(&behind));
        for _ in 0..MOST_POSTS {
            one.post(Post::Shutdown);
        }
        assert!(!behind.any());
        one.post(Post::Shutdown);
        one.post(Post::Shutdown);
        assert!(other.behind.any());
        let mut posts = Vec::new();
        one.take(&mut posts);
        assert!(!behind.any());
        posts.clear();
        for _ in 0..=MOST_POSTS {
            one.post(Post::Shutdown);
        }
        one.close();
        assert!(!behind.any());
    }
}
