//! The sending end with RTMP around it: as little as a server can do for a publisher and players that talk RTMP.
//!
//! One thread, one stream. Every message of the publisher is encoded once, as one chunk, and all players that have got
//! a key frame are sent the same bytes. Nothing is kept: who joins waits for the next key frame, and what a full
//! socket does not take is lost.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rtmp_benches::load::wait;
use rtmp_core::media::{FrameFlags, MediaKind, MediaMessage, inspect};
use rtmp_core::session::{ConnectReply, ServerEvent, ServerSession, ServerSessionConfig};

use crate::Args;
use crate::send::{Sender, append};

const LISTENER: Token = Token(usize::MAX);
/// A key frame is one chunk.
const CHUNK_SIZE: u32 = 1 << 20;

/// A client. It has a session until it plays; what a player says later is thrown away.
struct Client {
    socket: TcpStream,
    session: Option<ServerSession>,
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    config: Arc<ServerSessionConfig>,
    clients: Vec<Option<Client>>,
    /// Players that wait for a key frame, and those that are sent everything.
    joining: Vec<usize>,
    playing: Vec<usize>,
    /// The configuration of the codecs, encoded.
    headers: Vec<u8>,
    /// What is to be sent, encoded.
    waiting: Vec<u8>,
    window: Duration,
    flush_at: Option<Instant>,
    sender: Sender,
    scratch: Vec<u8>,
    began: Instant,
}

/// Serves until the process is killed.
pub(crate) fn run(args: &Args) -> io::Result<()> {
    let listener = TcpListener::bind(&args.address)?;
    listener.set_nonblocking(true)?;
    let poll = Poll::new()?;
    register(&poll, listener.as_raw_fd(), LISTENER)?;
    let config = ServerSessionConfig {
        chunk_size: CHUNK_SIZE,
        ..ServerSessionConfig::default()
    };
    let mut server = Server {
        poll,
        listener,
        config: Arc::new(config),
        clients: Vec::new(),
        joining: Vec::new(),
        playing: Vec::new(),
        headers: Vec::new(),
        waiting: Vec::new(),
        window: args.window,
        flush_at: None,
        sender: Sender::new(args.mode)?,
        scratch: vec![0; 64 << 10],
        began: Instant::now(),
    };
    let mut events = Events::with_capacity(1024);
    loop {
        let timeout = server
            .flush_at
            .map(|at| at.saturating_duration_since(Instant::now()));
        wait(
            &mut server.poll,
            &mut events,
            timeout.unwrap_or(Duration::from_secs(1)),
        )?;
        for event in &events {
            match event.token() {
                LISTENER => server.accept()?,
                Token(index) => server.drive(index),
            }
        }
        server.flush()?;
    }
}

fn register(poll: &Poll, fd: RawFd, token: Token) -> io::Result<()> {
    poll.registry()
        .register(&mut SourceFd(&fd), token, Interest::READABLE)
}

impl Server {
    fn millis(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            register(&self.poll, socket.as_raw_fd(), Token(self.clients.len()))?;
            let session = ServerSession::new(Arc::clone(&self.config), [7; 32], self.millis());
            self.clients.push(Some(Client {
                socket,
                session: Some(session),
            }));
        }
    }

    /// Reads what there is; whoever is gone or says what it should not is forgotten.
    fn drive(&mut self, index: usize) {
        if self.read(index).is_err()
            && let Some(client) = self.clients.get_mut(index)
        {
            *client = None;
            self.joining.retain(|&player| player != index);
            self.playing.retain(|&player| player != index);
        }
    }

    fn read(&mut self, index: usize) -> io::Result<()> {
        let now = self.millis();
        while let Some(Some(client)) = self.clients.get_mut(index) {
            let count = match client.socket.read(&mut self.scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let Some(session) = &mut client.session else {
                continue;
            };
            let data = Bytes::copy_from_slice(&self.scratch[..count]);
            session.input(data, now).map_err(io::Error::other)?;
            self.answer(index)?;
            if count < self.scratch.len() {
                break;
            }
        }
        Ok(())
    }

    /// Allows everything, and takes what is published.
    fn answer(&mut self, index: usize) -> io::Result<()> {
        let mut plays = false;
        let Some(Some(Client {
            socket,
            session: held,
        })) = self.clients.get_mut(index)
        else {
            return Ok(());
        };
        let Some(session) = held else { return Ok(()) };
        let mut published = Vec::new();
        while let Some(event) = session.poll_event() {
            match event {
                ServerEvent::Connect(_) => session.accept_connect(ConnectReply::default()),
                ServerEvent::Publish { stream_id, .. } => session.accept_publish(stream_id),
                ServerEvent::Play { stream_id, .. } => {
                    session.accept_play(stream_id);
                    plays = true;
                }
                ServerEvent::Media { message, .. } => published.push(message),
                _ => {}
            }
        }
        if !session.output().is_empty() {
            socket.write_all(&session.output().take_bytes())?;
        }
        if plays {
            *held = None;
            self.joining.push(index);
        }
        published.iter().try_for_each(|message| self.publish(message))
    }

    fn publish(&mut self, message: &MediaMessage) -> io::Result<()> {
        if message.kind == MediaKind::Data {
            return Ok(());
        }
        let flags = inspect(message.kind, &message.body);
        if flags.contains(FrameFlags::CONFIG) {
            append(&mut self.headers, message);
        }
        if flags.contains(FrameFlags::KEYFRAME) && !self.joining.is_empty() {
            let joining = std::mem::take(&mut self.joining);
            self.sender
                .send(&sockets(&self.clients, &joining), &self.headers)?;
            self.playing.extend(joining);
        }
        append(&mut self.waiting, message);
        if self.window.is_zero() {
            self.send_waiting()
        } else {
            self.flush_at.get_or_insert_with(|| Instant::now() + self.window);
            Ok(())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.flush_at {
            Some(at) if at <= Instant::now() => self.send_waiting(),
            _ => Ok(()),
        }
    }

    fn send_waiting(&mut self) -> io::Result<()> {
        self.flush_at = None;
        self.sender
            .send(&sockets(&self.clients, &self.playing), &self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
}

fn sockets<'a>(clients: &'a [Option<Client>], players: &[usize]) -> Vec<&'a TcpStream> {
    players
        .iter()
        .filter_map(|&player| clients.get(player)?.as_ref().map(|client| &client.socket))
        .collect()
}
