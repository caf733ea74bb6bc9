//! What lies between a connection's session and its socket: bytes taken off it, and put into it.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{Connection, End, OPEN_MS, Peer, ReadBuffer, State};
use crate::engine::transport::Transport;
use crate::engine::transport::http_tunnel::Asker;
use crate::engine::transport::tcp::Tcp;
use crate::engine::worker::Context;
use crate::error::TlsError;
use crate::wire::tunnel::{Ask, Response, TunnelError, Turn};

/// Bytes of a tunnel's request that are looked at together.
const PIECE: usize = 256 << 10;

impl Connection {
    /// Gives the session what came from the socket, in whatever it was packed.
    pub(super) fn unwrap(
        &mut self,
        mut data: Bytes,
        buffer: &mut ReadBuffer,
        context: &mut Context<'_>,
    ) -> Result<(), End> {
        while let Transport::Layered(layered) = &mut self.transport {
            match layered.next(&mut data, buffer, context.now)? {
                Some(plain) => self.input(plain, context)?,
                None => break,
            }
            if self.wants_again() {
                break;
            }
        }
        Ok(())
    }

    /// The socket has ended. Only a tunnel can go on by another.
    pub(super) fn end_of_input(&mut self, why: End) -> Result<bool, End> {
        match &mut self.transport {
            Transport::Layered(layered) => match (layered.disconnected(), why) {
                (None, _) => Ok(false),
                (Some(End::Closed), why) => Err(why),
                (Some(end), _) => Err(end),
            },
            Transport::Tcp(_) | Transport::Tunnelled(_) => Err(why),
        }
    }

    /// Gives what may be sent to what is between the session and the socket, as far as that takes it.
    pub(super) fn wrap(&mut self, now: u64) {
        let Transport::Layered(layered) = &mut self.transport else {
            return;
        };
        if matches!(self.state, State::Opening { .. }) {
            return;
        }
        loop {
            let count = layered.send(self.peer.pending_output(), self.room, now);
            if count == 0 {
                return;
            }
            self.peer.output().consume(count);
            self.peer.sent(count);
            self.written += count as u64;
            self.room = self.peer.send_room(now);
        }
    }

    /// Where another socket is to be connected to, for a tunnel to go on.
    pub(crate) fn wants_socket(&self) -> Option<Vec<SocketAddr>> {
        match (&self.transport, &self.state) {
            (Transport::Layered(layered), State::Open) => layered.wants_socket().map(<[_]>::to_vec),
            _ => None,
        }
    }

    /// Goes on with another socket where the one before left off.
    pub(crate) fn resume(&mut self, socket: Tcp, others: Vec<SocketAddr>, now: u64) -> Result<(), TlsError> {
        if let Transport::Layered(layered) = &mut self.transport {
            layered.resume(socket)?;
        }
        self.writable = false;
        self.held_back = false;
        let deadline = now.saturating_add(OPEN_MS);
        self.state = State::Opening { others, deadline };
        Ok(())
    }

    /// A request of the tunnel has arrived: it has its turn, and those that waited for it.
    pub(crate) fn take_turn(
        &mut self,
        number: u32,
        asker: Asker,
        body: Bytes,
        context: &mut Context<'_>,
    ) -> Result<(), End> {
        let now = context.now;
        let Transport::Tunnelled(tunnelled) = &mut self.transport else {
            return Ok(());
        };
        let arrived = tunnelled.turns.arrive(number, asker, body, now);
        match arrived {
            Turn::Take(asker, body) => return self.serve_turns(asker, body, context),
            Turn::Again(asker, body) => asker.answer(Response::Ok(body)),
            Turn::Stale(asker) => asker.answer(Response::Unknown),
            Turn::Wait => {}
            Turn::TooMany(asker) => {
                asker.answer(Response::Unknown);
                return Err(End::Tunnel(TunnelError::OutOfOrder));
            }
        }
        Ok(())
    }

    /// Goes on with the request that was put aside.
    pub(super) fn resume_turn(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        let held = match &mut self.transport {
            Transport::Tunnelled(tunnelled) => tunnelled.turns.resume(context.now),
            _ => None,
        };
        match held {
            Some((asker, body)) => self.serve_turns(asker, body, context),
            None => Ok(()),
        }
    }

    /// Serves a request and those that waited for it. What brings bytes is put aside while nothing may be read.
    fn serve_turns(
        &mut self,
        mut asker: Asker,
        mut body: Bytes,
        context: &mut Context<'_>,
    ) -> Result<(), End> {
        loop {
            let brings = matches!(asker.ask, Ask::Send { .. });
            let may_read = !brings || self.peer.read_room(context.now) > 0;
            let Transport::Tunnelled(tunnelled) = &mut self.transport else {
                return Ok(());
            };
            if !may_read {
                tunnelled.turns.hold(asker, body);
                self.held_back = true;
                return Ok(());
            }
            self.serve_turn(asker, body, context)?;
            let Transport::Tunnelled(tunnelled) = &mut self.transport else {
                return Ok(());
            };
            match tunnelled.turns.next_early(context.now) {
                Some(next) => (asker, body) = next,
                None => return Ok(()),
            }
        }
    }

    fn serve_turn(&mut self, asker: Asker, body: Bytes, context: &mut Context<'_>) -> Result<(), End> {
        if let Ask::Close { .. } = asker.ask {
            asker.answer(Response::Ok(Bytes::from_static(b"\0")));
            return Err(End::Closed);
        }
        let ask = asker.ask;
        let heard = match ask {
            Ask::Send { .. } => self.input_of_turn(body, context),
            _ => Ok(()),
        };
        // What was said last goes out whatever comes of it.
        asker.answer(Response::Ok(self.reply(ask, context.now)));
        heard?;
        let is_over = matches!(&self.peer, Peer::Server(peer) if peer.session.is_closed());
        match is_over && self.peer.pending_output().is_empty() {
            true => Err(End::Closed),
            false => Ok(()),
        }
    }

    /// Takes the body of a request by pieces: what it asks for may end the session before all of it is looked at.
    fn input_of_turn(&mut self, mut body: Bytes, context: &mut Context<'_>) -> Result<(), End> {
        while !body.is_empty() && !self.peer.is_over() {
            let piece = body.split_to(body.len().min(PIECE));
            self.input(piece, context)?;
        }
        Ok(())
    }

    /// What waits to be sent, as the body of an answer.
    fn reply(&mut self, ask: Ask, now: u64) -> Bytes {
        self.room = self.peer.send_room(now);
        let Transport::Tunnelled(tunnelled) = &mut self.transport else {
            return Bytes::new();
        };
        let body = tunnelled.turns.reply(ask, self.peer.pending_output(), self.room);
        let count = body.len().saturating_sub(1);
        self.peer.output().consume(count);
        self.peer.sent(count);
        self.written += count as u64;
        if count > 0 {
            self.stalled_since = None;
        }
        body
    }
}
