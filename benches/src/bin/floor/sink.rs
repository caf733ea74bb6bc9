//! The receiving end: reads and throws away until the sender closes.

use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream as StdStream};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Args;

pub(crate) fn run(args: &Args) -> io::Result<()> {
    let address: SocketAddr = args.address.parse().map_err(io::Error::other)?;
    let mut poll = Poll::new()?;
    let mut sockets = Vec::new();
    for number in 0..args.players {
        let socket = StdStream::connect(address)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        poll.registry()
            .register(&mut socket, Token(number), Interest::READABLE)?;
        sockets.push(Some(socket));
    }
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; 256 << 10];
    let mut open = sockets.len();
    while open > 0 {
        poll.poll(&mut events, None)?;
        for event in &events {
            let slot = &mut sockets[event.token().0];
            if slot.as_mut().is_some_and(|socket| drain(socket, &mut scratch)) {
                *slot = None;
                open -= 1;
            }
        }
    }
    Ok(())
}

/// Reads what there is; true at the end.
fn drain(socket: &mut TcpStream, scratch: &mut [u8]) -> bool {
    loop {
        match socket.read(scratch) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
    }
}
