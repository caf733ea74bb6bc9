//! A socket with something between it and the connection: TLS, a tunnel, or a tunnel within TLS.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rustls::ServerConfig;

use crate::engine::connection::{End, ReadBuffer};
use crate::engine::tls::TlsStart;
use crate::engine::transport::tcp::Tcp;
use crate::engine::transport::tls::Tls;
use crate::error::TlsError;
use crate::wire::chunk::Output;
use crate::wire::tunnel::{TunnelClient, TunnelError};

/// A socket, and what is on it.
pub(crate) struct Layered {
    pub(crate) socket: Tcp,
    tls: Option<Tls>,
    tunnel: Option<Box<Tunnel>>,
    /// What an outgoing connection begins with, each time.
    start: Option<TlsStart>,
    /// What waits for the socket.
    pub(crate) output: Output,
}

/// The client's side of a tunnel, and what another connection of it needs.
struct Tunnel {
    client: TunnelClient,
    start: TunnelStart,
    /// What waits to be encrypted, if that is to be.
    clear: Output,
    resuming: bool,
}

/// What a tunnel to a server begins with.
#[derive(Debug, Clone)]
pub(crate) struct TunnelStart {
    /// As it stands in the `Host` header.
    pub(crate) host: String,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// What is encrypted ahead of the socket, and at once.
const AHEAD: usize = 64 << 10;
const SLICES: usize = 64;

impl Layered {
    /// A socket that was accepted.
    pub(crate) fn accept(socket: Tcp, config: Arc<ServerConfig>) -> Result<Self, TlsError> {
        Ok(Self {
            socket,
            tls: Some(Tls::accept(config)?),
            tunnel: None,
            start: None,
            output: Output::new(),
        })
    }

    /// A socket that is being connected.
    pub(crate) fn connect(
        socket: Tcp,
        tls: Option<TlsStart>,
        tunnel: Option<TunnelStart>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            socket,
            tls: tls.as_ref().map(Tls::connect).transpose()?,
            tunnel: tunnel.map(|start| Box::new(Tunnel::new(start))),
            start: tls,
            output: Output::new(),
        })
    }

    /// Begins anew with another socket.
    pub(crate) fn replace(&mut self, socket: Tcp) -> Result<(), TlsError> {
        if let Some(tunnel) = &mut self.tunnel {
            **tunnel = Tunnel::new(tunnel.start.clone());
        }
        self.change_socket(socket)
    }

    /// Goes on with the tunnel's session by another socket.
    pub(crate) fn resume(&mut self, socket: Tcp) -> Result<(), TlsError> {
        if let Some(tunnel) = &mut self.tunnel {
            tunnel.resuming = true;
            tunnel.clear.clear();
        }
        self.change_socket(socket)
    }

    fn change_socket(&mut self, socket: Tcp) -> Result<(), TlsError> {
        self.socket = socket;
        self.output.clear();
        self.tls = self.start.as_ref().map(Tls::connect).transpose()?;
        Ok(())
    }

    /// The socket is connected; true if the session of RTMP begins with it.
    pub(crate) fn connected(&mut self, now: u64) -> bool {
        let Some(tunnel) = &mut self.tunnel else {
            return true;
        };
        tunnel.client.connected(now, &mut tunnel.clear);
        !std::mem::take(&mut tunnel.resuming)
    }

    /// The next bytes of the session out of what came from the socket; `None` once all of that was taken.
    pub(crate) fn next(
        &mut self,
        data: &mut Bytes,
        buffer: &mut ReadBuffer,
        now: u64,
    ) -> Result<Option<Bytes>, End> {
        loop {
            if let Some(plain) = self.tunnel.as_mut().and_then(|tunnel| tunnel.client.read()) {
                return Ok(Some(plain));
            }
            let piece = match &mut self.tls {
                None if data.is_empty() => return Ok(None),
                None => std::mem::take(data),
                Some(tls) => match buffer.fill(|room| tls.read(room)) {
                    Ok(Some((piece, _))) => piece,
                    Ok(None) => return Err(End::Closed),
                    Err(_) if data.is_empty() => return Ok(None),
                    Err(_) => {
                        let taken = tls.input(data);
                        // The peer is told of errors too.
                        tls.collect(&mut self.output);
                        taken.map_err(End::Tls)?;
                        continue;
                    }
                },
            };
            match &mut self.tunnel {
                None => return Ok(Some(piece)),
                Some(tunnel) => tunnel.client.input(&piece, now).map_err(End::Tunnel)?,
            }
        }
    }

    /// Packs what `plain` has, as much of it as may be sent and waits for the socket at once; how much that was.
    pub(crate) fn send(&mut self, plain: &Output, room: usize, now: u64) -> usize {
        let Some(tunnel) = &mut self.tunnel else {
            return self.encrypt(plain, room);
        };
        let taken = tunnel.client.send(plain, room, now, &mut tunnel.clear);
        self.pack_tunnel();
        taken
    }

    /// Moves the tunnel's requests on to the socket's output.
    fn pack_tunnel(&mut self) {
        let Some(mut tunnel) = self.tunnel.take() else {
            return;
        };
        if self.tls.is_none() {
            self.output.push_bytes(tunnel.clear.take_bytes().into());
        } else {
            loop {
                let count = self.encrypt(&tunnel.clear, usize::MAX);
                tunnel.clear.consume(count);
                if count == 0 {
                    break;
                }
            }
        }
        self.tunnel = Some(tunnel);
    }

    fn encrypt(&mut self, plain: &Output, room: usize) -> usize {
        let Some(tls) = &mut self.tls else { return 0 };
        let mut taken = 0;
        if tls.is_ready() && self.output.len() < AHEAD {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = plain.io_slices_within(room.min(AHEAD), &mut slices);
            if filled > 0 {
                taken = tls.write(slices.get(..filled).unwrap_or_default());
            }
        }
        tls.collect(&mut self.output);
        taken
    }

    /// When [`timeout`](Self::timeout) wants to be called.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.tunnel.as_ref()?.client.poll_timeout()
    }

    pub(crate) fn timeout(&mut self, now: u64) -> Result<(), TunnelError> {
        match &mut self.tunnel {
            Some(tunnel) => tunnel.client.handle_timeout(now, &mut tunnel.clear),
            None => Ok(()),
        }
    }

    /// The socket has ended: why that ends the connection too, if it does.
    pub(crate) fn disconnected(&mut self) -> Option<End> {
        if self.tls.as_ref().is_some_and(|tls| !tls.is_ready()) {
            return Some(End::Tls(TlsError::Closed));
        }
        match &mut self.tunnel {
            Some(tunnel) => tunnel.client.disconnected().err().map(End::Tunnel),
            None => Some(End::Closed),
        }
    }

    /// Where the tunnel needs another connection to, to go on.
    pub(crate) fn wants_socket(&self) -> Option<&[SocketAddr]> {
        let tunnel = self.tunnel.as_ref()?;
        let wanted = tunnel.client.wants_connection() && !tunnel.resuming;
        wanted.then_some(&*tunnel.start.addresses)
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&mut self, now: u64) {
        if let Some(tunnel) = &mut self.tunnel {
            tunnel.client.finish(now, &mut tunnel.clear);
            self.pack_tunnel();
        }
        if let Some(tls) = &mut self.tls {
            tls.finish();
            tls.collect(&mut self.output);
        }
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = self.output.io_slices(&mut slices);
        if filled > 0 {
            let written = self.socket.write(slices.get(..filled).unwrap_or_default());
            self.output.consume(written.unwrap_or(0));
        }
        if self.output.is_empty() {
            self.socket.finish();
        }
    }
}

impl Tunnel {
    fn new(start: TunnelStart) -> Self {
        Self {
            client: TunnelClient::new(&start.host),
            start,
            clear: Output::new(),
            resuming: false,
        }
    }
}
