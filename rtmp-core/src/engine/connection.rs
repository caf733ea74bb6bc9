//! One connection: a socket, the session that speaks over it, and what waits to be sent.

mod layers;
mod peer;
mod read_buffer;
mod straight;

use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use bytes::Bytes;

use crate::app::stream::Backlog;
use crate::engine::client_peer::ClientPeer;
use crate::engine::http_peer::HttpPeer;
use crate::engine::server_peer::ServerPeer;
use crate::engine::transport::tcp::Tcp;
use crate::engine::transport::{Sent, Transport};
use crate::engine::worker::Context;
use crate::error::TlsError;
use crate::session::SessionError;
use crate::wire::chunk::Output;
use crate::wire::status::{Code, Status};
use crate::wire::tunnel::TunnelError;
pub(crate) use peer::Peer;
pub(crate) use read_buffer::ReadBuffer;

/// A connection and its place in the worker's lists.
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) transport: Transport,
    pub(crate) peer: Peer,
    /// Bytes written since the beginning.
    pub(crate) written: u64,
    /// In the worker's list of connections to flush.
    pub(crate) dirty: bool,
    /// In the worker's list of connections with more to read.
    pub(crate) unread: bool,
    /// The nearest deadline in the worker's timers.
    pub(crate) timer_at: u64,
    /// The socket takes bytes.
    writable: bool,
    /// Messages may go past the queue.
    straight: bool,
    /// Bytes that the peer allows to be sent now.
    room: usize,
    /// Reading waits until the peer's limit lets more come.
    held_back: bool,
    /// What waits is part of a stream: the next message will need the same room in the queue.
    pub(crate) streams: bool,
    /// Since when the socket has taken nothing, while something waits.
    stalled_since: Option<u64>,
    stall_timeout: u64,
    state: State,
}

enum State {
    /// An outgoing connection is being made.
    Opening {
        others: Vec<SocketAddr>,
        deadline: u64,
    },
    Open,
    /// Everything was said: close when it is sent.
    Finishing {
        deadline: u64,
    },
}

/// Why a connection ends.
pub(crate) enum End {
    /// The peer, or this side, closed it in order.
    Closed,
    /// The peer broke the protocol or a time limit.
    Session(SessionError),
    /// The socket failed.
    Io(io::Error),
    /// TLS failed.
    Tls(TlsError),
    /// The tunnel failed.
    Tunnel(TunnelError),
    /// The peer did not read for too long.
    Stalled,
}

/// What can be sent to a socket now.
pub(crate) struct Outgoing<'a> {
    pub(crate) fd: BorrowedFd<'a>,
    output: &'a Output,
    room: usize,
}

impl<'a> Outgoing<'a> {
    /// The bytes, in pieces.
    #[inline]
    pub(crate) fn slices(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.output.slices_within(self.room)
    }
}

/// What a connection that is over may still take to send its last words.
const FINISH_MS: u64 = 5_000;
const OPEN_MS: u64 = 10_000;
/// What goes out in one send, and how much of more.
const MUCH: usize = 256 << 10;
const SHARE: usize = 64 << 10;
/// Slices of one vectored write.
const SLICES: usize = 128;
const FEW_SLICES: usize = 4;
/// Reads of one connection before the others get their turn.
const READS: usize = 8;

impl Connection {
    pub(crate) fn accepted(id: u64, transport: Transport, peer: ServerPeer) -> Self {
        let stall_timeout = peer.server.config.stall_timeout_ms;
        Self::new(
            id,
            transport,
            Peer::Server(Box::new(peer)),
            stall_timeout,
            State::Open,
        )
    }

    /// A connection that carries requests of tunnels.
    pub(crate) fn http(id: u64, transport: Transport, peer: HttpPeer) -> Self {
        let stall_timeout = peer.server.config.stall_timeout_ms;
        Self::new(
            id,
            transport,
            Peer::Http(Box::new(peer)),
            stall_timeout,
            State::Open,
        )
    }

    pub(crate) fn opening(
        id: u64,
        transport: Transport,
        peer: ClientPeer,
        others: Vec<SocketAddr>,
        now: u64,
    ) -> Self {
        let deadline = now.saturating_add(OPEN_MS);
        let state = State::Opening { others, deadline };
        Self::new(id, transport, Peer::Client(Box::new(peer)), 15_000, state)
    }

    fn new(id: u64, transport: Transport, peer: Peer, stall_timeout: u64, state: State) -> Self {
        Self {
            id,
            transport,
            peer,
            written: 0,
            dirty: false,
            unread: false,
            timer_at: u64::MAX,
            writable: matches!(state, State::Open),
            straight: false,
            room: usize::MAX,
            held_back: false,
            streams: false,
            stalled_since: None,
            stall_timeout,
            state,
        }
    }

    /// Reads what the socket has, up to a fair share; true if there may be more.
    pub(crate) fn read(
        &mut self,
        buffer: &mut ReadBuffer,
        to_the_end: bool,
        context: &mut Context<'_>,
    ) -> Result<bool, End> {
        if matches!(self.state, State::Opening { .. }) {
            return Ok(false);
        }
        if let Transport::Tunnelled(_) = &self.transport {
            return self.resume_turn(context).map(|()| false);
        }
        for _ in 0..READS {
            if self.peer.read_room(context.now) == 0 {
                self.held_back = true;
                return Ok(false);
            }
            let (data, full) = match buffer.fill(|room| self.transport.read(room)) {
                Ok(Some(read)) => read,
                Ok(None) => return self.end_of_input(End::Closed),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return self.end_of_input(End::Io(error)),
            };
            match &self.transport {
                Transport::Tcp(_) => self.input(data, context)?,
                Transport::Layered(_) => self.unwrap(data, buffer, context)?,
                Transport::Tunnelled(_) => {}
            }
            if self.wants_again() || self.wants_socket().is_some() {
                return Ok(false);
            }
            if !full && !to_the_end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn input(&mut self, data: Bytes, context: &mut Context<'_>) -> Result<(), End> {
        // What a peer says after the end is not listened to, only drained.
        if !matches!(self.state, State::Open) {
            return Ok(());
        }
        match &mut self.peer {
            Peer::Server(peer) => peer.input(data, context),
            Peer::Client(peer) => peer.input(data, context),
            Peer::Http(peer) => {
                peer.input(&data, context.now);
                Ok(())
            }
        }
        .map_err(End::Session)
    }

    /// Whether it matters that the socket can be written to: that is reported with every change, of reading too.
    pub(crate) fn awaits_writable(&self) -> bool {
        !self.writable
    }

    /// Whether there is something to send, or to see to after sending.
    pub(crate) fn is_to_be_flushed(&self) -> bool {
        match &self.peer {
            Peer::Server(peer) => !peer.is_quiet() || self.transport.has_output(),
            Peer::Client(_) | Peer::Http(_) => true,
        }
    }

    /// The socket can be written to; the first time, an outgoing connection stands, or failed and tries the next
    /// address.
    pub(crate) fn writable(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<SocketAddr>>, End> {
        if let State::Opening { others, .. } = &mut self.state {
            match self.transport.is_established() {
                Ok(false) => return Ok(None),
                Ok(true) => {
                    self.state = State::Open;
                    let begins = match &mut self.transport {
                        Transport::Layered(layered) => layered.connected(context.now),
                        _ => true,
                    };
                    if let (true, Peer::Client(peer)) = (begins, &mut self.peer) {
                        peer.established(context);
                    }
                }
                Err(error) if others.is_empty() => return Err(End::Io(error)),
                Err(_) => return Ok(Some(std::mem::take(others))),
            }
        }
        self.writable = true;
        Ok(None)
    }

    /// Whether an outgoing connection was refused and is to be made again, with what it takes.
    pub(crate) fn wants_again(&self) -> bool {
        match &self.peer {
            Peer::Client(peer) => peer.wants_again(),
            Peer::Server(_) | Peer::Http(_) => false,
        }
    }

    /// Goes on with another socket, after the address before did not answer, or the server wants to be asked again.
    pub(crate) fn replace(&mut self, socket: Tcp, others: Vec<SocketAddr>, now: u64) -> Result<(), TlsError> {
        self.transport.replace(socket)?;
        self.writable = false;
        self.held_back = false;
        self.stalled_since = None;
        self.state = State::Opening {
            others,
            deadline: now.saturating_add(OPEN_MS),
        };
        Ok(())
    }

    /// Sends once what the socket takes; [`settle`](Self::settle) comes after the last of it.
    pub(crate) fn write(&mut self, now: u64) -> Result<(), End> {
        self.refresh_room(now);
        let Some(outgoing) = self.outgoing() else {
            return Ok(());
        };
        // Few pieces are the rule; the room for many takes longer to prepare than to fill.
        let sent = if outgoing.output.pieces() <= FEW_SLICES {
            self.write_once::<FEW_SLICES>(&outgoing)
        } else {
            self.write_once::<SLICES>(&outgoing)
        };
        self.sent(sent, now)
    }

    fn write_once<const MOST: usize>(&self, outgoing: &Outgoing<'_>) -> Sent {
        let mut slices = [IoSlice::new(&[]); MOST];
        let (mut filled, mut offered) = (0, 0);
        for (slot, bytes) in slices.iter_mut().zip(outgoing.slices()) {
            *slot = IoSlice::new(bytes);
            filled += 1;
            offered += bytes.len();
        }
        let written = self.transport.write(slices.get(..filled).unwrap_or_default());
        Sent::of(offered, written)
    }

    /// Asks the session how much the peer allows to be sent; after queueing, and before [`outgoing`](Self::outgoing).
    pub(crate) fn refresh_room(&mut self, now: u64) {
        self.room = self.peer.send_room(now);
        self.straight = false;
        if let Transport::Layered(_) = &self.transport {
            self.wrap(now);
        }
    }

    /// The socket and what can be sent to it now, at once: of much, a share, so that many who join together all get
    /// their first keyframe before anybody gets the rest.
    pub(crate) fn outgoing(&self) -> Option<Outgoing<'_>> {
        let (socket, output, room) = match &self.transport {
            Transport::Tcp(socket) => (socket, self.peer.pending_output(), self.room),
            Transport::Layered(layered) => (&layered.socket, &layered.output, usize::MAX),
            Transport::Tunnelled(_) => return None,
        };
        let ready = self.writable && room > 0 && !output.is_empty();
        let share = if output.len() > MUCH { SHARE } else { MUCH };
        ready.then(|| Outgoing {
            fd: socket.as_fd(),
            output,
            room: room.min(share),
        })
    }

    /// Takes note of what a send did.
    pub(crate) fn sent(&mut self, sent: Sent, now: u64) -> Result<(), End> {
        let Some(count) = self.outcome(sent)? else {
            return Ok(());
        };
        match &mut self.transport {
            Transport::Tcp(_) => {
                self.peer.output().consume(count);
                self.peer.sent(count);
                self.written += count as u64;
            }
            Transport::Layered(layered) => layered.output.consume(count),
            Transport::Tunnelled(_) => {}
        }
        self.stalled_since = None;
        self.refresh_room(now);
        Ok(())
    }

    /// How much a send has sent, if it could; what that says of the socket.
    fn outcome(&mut self, sent: Sent) -> Result<Option<usize>, End> {
        let Ok(count) = usize::try_from(sent.result) else {
            let error = io::Error::from_raw_os_error(-sent.result);
            return match error.kind() {
                ErrorKind::WouldBlock => {
                    self.writable = false;
                    Ok(None)
                }
                ErrorKind::Interrupted => Ok(None),
                _ => Err(End::Io(error)),
            };
        };
        // A send that stops short has filled the socket: it reports when there is room again.
        self.writable = count == sent.offered;
        Ok(Some(count))
    }

    /// What is done after sending: the stall clock, and the end of a session that is over.
    pub(crate) fn settle(&mut self, now: u64) {
        // A peer that limits what it gets, and is slow to acknowledge, does read.
        let nothing = self.room == 0 || self.peer.pending_output().is_empty();
        if nothing && !self.transport.has_output() {
            self.stalled_since = None;
        } else if self.stalled_since.is_none() {
            self.stalled_since = Some(now);
        }
        match &mut self.peer {
            Peer::Client(peer) => peer.flushed(),
            Peer::Http(peer) => peer.flushed(now),
            Peer::Server(peer) => {
                peer.traffic.set_queued(peer.session.pending_output().len());
                // A connection that only answers now and then holds no room for it in between.
                if !std::mem::take(&mut self.streams) {
                    peer.session.output().release();
                }
            }
        }
        self.finish_if_over(now);
        self.open_straight(now);
    }

    /// Bytes written and bytes that wait.
    pub(crate) fn backlog(&self) -> Backlog {
        Backlog {
            written: self.written,
            waiting: self.peer.pending_output().len(),
        }
    }

    /// When the peer has not read, or not acknowledged what it limits, for too long, unless it does before.
    pub(crate) fn stall_deadline(&self) -> Option<u64> {
        match (&self.state, self.stalled_since) {
            (State::Finishing { deadline }, _) => Some(*deadline),
            (_, Some(since)) => Some(since.saturating_add(self.stall_timeout)),
            (_, None) => self.peer.lift_deadline(),
        }
    }

    /// Sends once more what waits, as far as the socket takes it.
    pub(crate) fn last_words(&mut self, now: u64) -> io::Result<()> {
        let mut written = self.write(now);
        while written.is_ok() && self.outgoing().is_some() {
            written = self.write(now);
        }
        self.settle(now);
        match written {
            Err(End::Io(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// What sending may have brought forward: the stall clock, players of files that wait for room, and of live streams that
    /// are played to an end.
    pub(crate) fn flushed_deadline(&self) -> Option<u64> {
        let (hungry, ends_at) = match &self.peer {
            Peer::Server(peer) => (peer.is_hungry(), peer.live_ends_at()),
            Peer::Http(peer) => (peer.goes_on(), None),
            Peer::Client(_) => (false, None),
        };
        let is_open = matches!(self.state, State::Open);
        match hungry && is_open {
            true => Some(0),
            false => [
                self.stall_deadline(),
                self.transport.deadline(),
                ends_at.filter(|_| is_open),
            ]
            .into_iter()
            .flatten()
            .min(),
        }
    }

    /// The nearest time at which something has to be done.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let of_state = match &self.state {
            State::Opening { deadline, .. } | State::Finishing { deadline } => return Some(*deadline),
            State::Open => match &self.peer {
                Peer::Server(peer) => peer.deadline(),
                Peer::Client(peer) => peer.deadline(),
                Peer::Http(peer) => peer.deadline(),
            },
        };
        let of_transport = self.transport.deadline();
        // Nothing to wait for any more: the limit was lifted or raised, and reading goes on at once.
        let of_reading = self
            .held_back
            .then(|| self.peer.read_deadline().unwrap_or_default());
        [of_state, of_transport, self.stall_deadline(), of_reading]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due.
    pub(crate) fn timeout(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        let now = context.now;
        // What may be sent by now counts from here, or the deadline would not move on.
        self.refresh_room(now);
        match &self.state {
            State::Opening { deadline, .. } if *deadline <= now => {
                return Err(End::Io(ErrorKind::TimedOut.into()));
            }
            State::Finishing { deadline } if *deadline <= now => return Err(End::Closed),
            State::Open => {}
            _ => return Ok(()),
        }
        if self
            .stalled_since
            .is_some_and(|since| since.saturating_add(self.stall_timeout) <= now)
        {
            return Err(End::Stalled);
        }
        self.transport.timeout(now)?;
        match &mut self.peer {
            Peer::Server(peer) => peer.timeout(context),
            Peer::Client(peer) => peer.timeout(context),
            Peer::Http(peer) => {
                peer.timeout(now);
                Ok(())
            }
        }
        .map_err(End::Session)
    }

    /// Whether reading was put off, and may go on now.
    pub(crate) fn may_read_again(&mut self, now: u64) -> bool {
        let again = self.held_back && self.peer.read_room(now) > 0;
        self.held_back &= !again;
        again
    }

    /// Gives back what the peer held and tells the host why.
    pub(crate) fn end(&mut self, why: &End, context: &mut Context<'_>) {
        let status = why.status();
        match &mut self.peer {
            Peer::Server(peer) => {
                match why {
                    End::Session(error) => peer.report(error),
                    End::Tls(error) => peer.report_transport(error),
                    End::Tunnel(error) => peer.report_transport(error),
                    _ => {}
                }
                peer.end(&status, context);
            }
            Peer::Client(peer) => peer.end(&status),
            Peer::Http(peer) => {
                if let End::Tls(error) = why {
                    peer.report(error);
                }
                peer.end();
            }
        }
    }

    /// Once the session is over and everything was sent, says so to the peer and waits for it to close. A connection
    /// that was not made yet ends at once.
    fn finish_if_over(&mut self, now: u64) {
        if !self.peer.is_over() {
            return;
        }
        match (&self.state, &self.transport) {
            // Nobody is there to be told, and a socket that is shut down now would never say that it stands.
            (State::Opening { .. }, Transport::Tcp(_)) => {
                self.state = State::Finishing { deadline: now };
                return;
            }
            (State::Open, _) => {
                self.state = State::Finishing {
                    deadline: now.saturating_add(FINISH_MS),
                };
            }
            _ => {}
        }
        if self.peer.pending_output().is_empty() {
            self.transport.finish(now);
        }
    }
}

impl End {
    fn status(&self) -> Status {
        let closed = Status::new(Code::ConnectClosed);
        match self {
            Self::Closed => closed,
            Self::Session(error) => closed.with_description(error.to_string()),
            Self::Io(error) => closed.with_description(error.to_string()),
            Self::Tls(error) => closed.with_description(error.to_string()),
            Self::Tunnel(error) => closed.with_description(error.to_string()),
            Self::Stalled => closed.with_description("The peer did not read for too long."),
        }
    }
}
