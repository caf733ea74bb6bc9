//! TLS as a state machine between the socket and the connection: bytes in, bytes out, never waiting.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use rustls::{ClientConnection, Connection, ServerConfig, ServerConnection};

use crate::engine::tls::TlsStart;
use crate::error::TlsError;
use crate::wire::chunk::Output;

/// One side of a TLS connection.
pub(crate) struct Tls {
    connection: Connection,
    begun: bool,
    finished: bool,
}

/// Record type of the first record of a TLS connection, and of an alert (RFC 8446 5.1).
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;

impl Tls {
    /// The server's side.
    pub(crate) fn accept(config: Arc<ServerConfig>) -> Result<Self, TlsError> {
        Ok(Self::new(ServerConnection::new(config)?.into()))
    }

    /// The client's side.
    pub(crate) fn connect(start: &TlsStart) -> Result<Self, TlsError> {
        let connection = ClientConnection::new(Arc::clone(&start.config), start.name.clone())?;
        Ok(Self::new(connection.into()))
    }

    fn new(connection: Connection) -> Self {
        Self {
            connection,
            begun: false,
            finished: false,
        }
    }

    /// Whether plaintext can be sent and received.
    pub(crate) fn is_ready(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// Takes some of what came from the socket; what it means is then to be [`read`](Self::read), before more is given.
    /// What is to be said to the peer, an error's reason too, is to be [`collect`](Self::collect)ed.
    pub(crate) fn input(&mut self, data: &mut Bytes) -> Result<(), TlsError> {
        if !std::mem::replace(&mut self.begun, true) {
            data.first().map_or(Ok(()), |first| check_first(*first))?;
        }
        let mut rest: &[u8] = data;
        // Reading from memory fails only when too much plaintext waits, and none does here.
        let taken = self.connection.read_tls(&mut rest).unwrap_or(0);
        if taken == 0 {
            return Err(TlsError::Protocol("records are out of step".to_owned()));
        }
        drop(data.split_to(taken));
        self.connection.process_new_packets()?;
        Ok(())
    }

    /// Reads plaintext; 0 when the peer has said that it sends no more, "would block" when there is none for now.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.connection.reader().read(buffer)
    }

    /// Encrypts as much as is taken at once.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> usize {
        self.connection.writer().write_vectored(slices).unwrap_or(0)
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            self.connection.send_close_notify();
        }
    }

    /// Moves what is to be sent to `output`.
    pub(crate) fn collect(&mut self, output: &mut Output) {
        while self.connection.wants_write() {
            // Writing to memory does not fail; 0 is the end of it.
            if matches!(self.connection.write_tls(&mut Append(output)), Ok(0) | Err(_)) {
                break;
            }
        }
    }
}

/// Refuses first bytes no TLS peer sends, with a guess at what they are.
fn check_first(first: u8) -> Result<(), TlsError> {
    let guess = match first {
        HANDSHAKE | ALERT => return Ok(()),
        3 | 6 | 8 | 9 => "RTMP without TLS",
        b'A'..=b'Z' => "HTTP without TLS",
        _ => "an unknown protocol",
    };
    Err(TlsError::NotTls { first, guess })
}

struct Append<'a>(&'a mut Output);

impl Write for Append<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tls::{TlsIdentity, TlsTrust, TlsTrustCache, server_config};

    fn pair(server_name: &str, trusted: bool) -> (Tls, Tls) {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let identity = TlsIdentity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        let trust = if trusted {
            TlsTrust::Authorities(chain.into_bytes())
        } else {
            TlsTrust::System
        };
        let start = TlsTrustCache::default().start(&trust, server_name).unwrap();
        let server = Tls::accept(server_config(vec![identity]).unwrap()).unwrap();
        (Tls::connect(&start).unwrap(), server)
    }

    /// Passes what both have to say, in pieces of `step` bytes, until both are silent; what plaintext came of it.
    fn talk(one: &mut Tls, other: &mut Tls, step: usize) -> Result<Vec<u8>, TlsError> {
        let mut got = Vec::new();
        loop {
            let mut silent = true;
            for turn in 0..2 {
                let (from, to) = if turn == 0 {
                    (&mut *one, &mut *other)
                } else {
                    (&mut *other, &mut *one)
                };
                let mut output = Output::new();
                from.collect(&mut output);
                let mut said = Bytes::from(output.take_bytes());
                silent &= said.is_empty();
                while !said.is_empty() {
                    let mut piece = said.split_to(step.min(said.len()));
                    while !piece.is_empty() {
                        to.input(&mut piece)?;
                        let mut part = vec![0; 20_000];
                        while let Ok(count @ 1..) = to.read(&mut part) {
                            got.extend_from_slice(&part[..count]);
                        }
                    }
                }
            }
            if silent {
                return Ok(got);
            }
        }
    }

    #[test]
    fn bytes_in_any_pieces_come_out_as_they_went_in() {
        for step in [1, 7, 4096, usize::MAX] {
            let (mut client, mut server) = pair("a.example", true);
            talk(&mut client, &mut server, step).unwrap();
            assert!(client.is_ready() && server.is_ready());
            let body: Vec<u8> = (0..40_000u32).map(|at| at as u8).collect();
            let mut sent = 0;
            let mut got = Vec::new();
            while sent < body.len() {
                let rest = &body[sent..];
                let (head, tail) = rest.split_at(rest.len().min(5));
                sent += client.write(&[IoSlice::new(head), IoSlice::new(tail)]);
                got.extend(talk(&mut client, &mut server, step).unwrap());
            }
            assert!(got == body);
            client.finish();
            client.finish();
            talk(&mut client, &mut server, step).unwrap();
            assert_eq!(server.read(&mut [0; 10]).unwrap(), 0);
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let (mut client, mut server) = pair("b.example", true);
        let error = talk(&mut client, &mut server, 100).unwrap_err();
        let names = TlsError::NameMismatch {
            expected: "b.example".to_owned(),
            presented: vec!["DnsName(\"a.example\")".to_owned()],
        };
        assert_eq!(error, names);
        let refused = talk(&mut client, &mut server, 100).unwrap_err();
        assert!(matches!(refused, TlsError::Refused(_)), "{refused:?}");
        let (mut client, mut server) = pair("a.example", false);
        assert_eq!(
            talk(&mut client, &mut server, 100).unwrap_err(),
            TlsError::UnknownIssuer
        );
    }

    #[test]
    fn peers_without_tls_are_told_apart() {
        for (first, guess) in [
            (3, "RTMP without TLS"),
            (b'P', "HTTP without TLS"),
            (0, "an unknown protocol"),
        ] {
            let (_, mut server) = pair("a.example", true);
            let mut data = Bytes::from(vec![first; 20]);
            assert_eq!(
                server.input(&mut data).unwrap_err(),
                TlsError::NotTls { first, guess }
            );
        }
    }

    #[test]
    fn garbage_after_the_first_byte_is_an_error() {
        let (_, mut server) = pair("a.example", true);
        let mut data = Bytes::from(vec![22; 200]);
        assert!(matches!(
            server.input(&mut data).unwrap_err(),
            TlsError::Protocol(_)
        ));
    }
}
