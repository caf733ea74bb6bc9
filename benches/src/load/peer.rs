//! One connection to the server under load: a socket and a client session.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;

use bytes::Bytes;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rtmp_core::media::{FrameFlags, MediaKind, MediaMessage, inspect};
use rtmp_core::session::{ClientEvent, ClientSession, ClientSessionConfig, PlayOptions, PublishMode};
use rtmp_core::wire::url::RtmpUrl;

/// Slices per vectored write.
const SLICES: usize = 64;

/// What the connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To publish.
    Publish,
    /// To play.
    Play,
}

/// What a connection has to tell.
pub enum Happening {
    /// Publishing or playing has begun.
    Ready,
    /// A message of the played stream.
    Media(MediaMessage),
    /// It is over.
    Ended(String),
}

/// One publishing or playing connection.
pub struct Peer {
    socket: TcpStream,
    session: ClientSession,
    role: Role,
    stream_name: String,
    stream_id: Option<u32>,
    ended: bool,
    /// Bytes read so far.
    pub bytes: u64,
}

impl Peer {
    /// Begins to connect and registers the socket under `token`.
    pub fn connect(
        addr: SocketAddr,
        url: &RtmpUrl,
        role: Role,
        registry: &Registry,
        token: Token,
        now_ms: u64,
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect(addr)?;
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let seed = [token.0 as u8; 32];
        let mut session = ClientSession::new(ClientSessionConfig::from_url(url), seed, now_ms);
        session.connect(now_ms);
        let stream_name = url.stream_name.clone();
        Ok(Self {
            socket,
            session,
            role,
            stream_name,
            stream_id: None,
            ended: false,
            bytes: 0,
        })
    }

    /// Reads what there is, answers, and writes what the socket takes. `scratch` is where bytes land first.
    pub fn drive(&mut self, scratch: &mut [u8], now_ms: u64, sink: &mut impl FnMut(Happening)) {
        while !self.ended {
            match self.socket.read(scratch) {
                Ok(0) => self.end("the server closed the connection".to_owned(), sink),
                Ok(count) => {
                    self.bytes += count as u64;
                    let result = self
                        .session
                        .input(Bytes::copy_from_slice(&scratch[..count]), now_ms);
                    self.take_events(sink);
                    if let Err(error) = result {
                        self.end(error.to_string(), sink);
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => self.end(e.to_string(), sink),
            }
        }
        self.flush(sink);
    }

    /// Publishes `message`, once [`Happening::Ready`] was told.
    pub fn publish(&mut self, message: &MediaMessage) {
        let Some(stream_id) = self.stream_id else { return };
        if inspect(message.kind, &message.body).contains(FrameFlags::METADATA)
            && message.kind == MediaKind::Data
        {
            self.session.set_data_frame(stream_id, message);
        } else {
            self.session.send_media(stream_id, message);
        }
    }

    /// Lets the session do what is due.
    pub fn tick(&mut self, now_ms: u64, sink: &mut impl FnMut(Happening)) {
        if !self.ended && self.session.poll_timeout().is_some_and(|due| due <= now_ms) {
            if let Err(error) = self.session.handle_timeout(now_ms) {
                self.end(error.to_string(), sink);
            }
            self.take_events(sink);
            self.flush(sink);
        }
    }

    /// Writes as much as the socket takes.
    pub fn flush(&mut self, sink: &mut impl FnMut(Happening)) {
        while !self.ended && !self.session.output().is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.session.output().io_slices(&mut slices);
            match self.socket.write_vectored(&slices[..filled]) {
                Ok(count) => self.session.output().consume(count),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => self.end(e.to_string(), sink),
            }
        }
    }

    fn end(&mut self, why: String, sink: &mut impl FnMut(Happening)) {
        if !self.ended {
            self.ended = true;
            sink(Happening::Ended(why));
        }
    }

    fn take_events(&mut self, sink: &mut impl FnMut(Happening)) {
        while let Some(event) = self.session.poll_event() {
            match event {
                ClientEvent::Connected { .. } => self.ask(),
                ClientEvent::Media { message, .. } => sink(Happening::Media(message)),
                ClientEvent::Status { stream_id, status } => match status.code.as_str() {
                    "NetStream.Publish.Start" | "NetStream.Play.Start" => {
                        self.stream_id = Some(stream_id);
                        sink(Happening::Ready);
                    }
                    _ if status.is_error() => self.end(status.to_string(), sink),
                    _ => {}
                },
                ClientEvent::Rejected(status) | ClientEvent::StreamFailed { status, .. } => {
                    self.end(status.to_string(), sink);
                }
                ClientEvent::Closed => self.end("the session is closed".to_owned(), sink),
                _ => {}
            }
        }
    }

    fn ask(&mut self) {
        match self.role {
            Role::Publish => self.session.publish_stream(&self.stream_name, PublishMode::Live),
            Role::Play => self.session.play_stream(PlayOptions::new(&self.stream_name)),
        };
    }
}
