//! What deployed peers get wrong without harm, over sockets: the host reads of it in counters, or the peer is disconnected.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, Client, Deviation, ServerConfig, Status, Tolerance,
};

use crate::deviations::{At, CONNECT, CREATE_STREAM, Case, PUBLISH, case, cases, message};
use crate::support::{PATIENCE, Served, serve_with, wait_until};

/// What the host hears of broken rules.
struct Errors(Mutex<Sender<String>>);

impl ApplicationHandler for Errors {
    fn on_error(&self, _: &Client, status: &Status) {
        let _ = self.0.lock().send(status.description.clone());
    }
}

fn read_until(socket: &mut TcpStream, wanted: &[u8]) -> io::Result<()> {
    let mut read = Vec::new();
    while !read.ends_with(wanted) {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        read.extend(byte);
    }
    Ok(())
}

/// Does everything right but for what the case says, and asks for an answer at the end.
fn play_the_client(case: &Case, served: &Served) -> io::Result<TcpStream> {
    let address = served.url.trim_start_matches("rtmp://").trim_end_matches("/live");
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let (version, echoes) = match case.at {
        At::Handshake(version, echoes) => (version, echoes),
        _ => (3, true),
    };
    socket.write_all(&[&[version][..], &[0; 1536]].concat())?;
    let mut hello = vec![0; 3073];
    socket.read_exact(&mut hello)?;
    let s1 = &hello[1..1537];
    socket.write_all(if echoes { s1 } else { &[0; 1536] })?;
    match case.at {
        At::Connect => socket.write_all(&case.bytes)?,
        _ => socket.write_all(&message(3, 20, 0, CONNECT))?,
    }
    read_until(&mut socket, b"Connect.Success")?;
    if let At::Publishing = case.at {
        socket.write_all(&message(3, 20, 0, CREATE_STREAM))?;
        socket.write_all(&message(3, 20, 1, PUBLISH))?;
        read_until(&mut socket, b"Publish.Start")?;
    }
    if let At::Connected | At::Publishing = case.at {
        socket.write_all(&case.bytes)?;
    }
    ask(&mut socket)?;
    Ok(socket)
}

/// A ping that is answered.
fn ask(socket: &mut TcpStream) -> io::Result<()> {
    socket.write_all(&message(2, 4, 0, &[0, 6, 1, 2, 3, 4]))?;
    read_until(socket, &[0, 7, 1, 2, 3, 4])
}

#[test]
fn m8_each_deviation_has_its_counter_or_ends_the_connection() {
    for case in cases() {
        for tolerance in [Tolerance::Lenient, Tolerance::Strict] {
            let (sender, errors) = channel();
            let mut config = ServerConfig::default();
            config.session.tolerance = tolerance;
            let handler = Errors(Mutex::new(sender));
            let served = serve_with(handler, 1, config, ApplicationConfig::default());
            let what = case.deviation;
            let answered = play_the_client(&case, &served);
            wait_until(what.name(), || !served.server.deviations().is_empty());
            let counted: Vec<_> = served.server.deviations().iter().collect();
            assert_eq!(counted, [(what, 1)], "{tolerance:?}");
            if tolerance == Tolerance::Lenient {
                answered.unwrap_or_else(|error| panic!("{what:?}: {error}"));
                continue;
            }
            let kind = answered.expect_err(what.name()).kind();
            assert!(
                !matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
                "{what:?}: {kind:?}"
            );
            if let At::Connected | At::Publishing = case.at {
                let error = errors.recv_timeout(PATIENCE).unwrap();
                assert!(error.contains(what.description()), "{what:?}: {error}");
            }
        }
    }
}

#[test]
fn m8_a_ping_without_an_answer_is_counted_or_ends_the_connection() {
    for tolerance in [Tolerance::Lenient, Tolerance::Strict] {
        let mut config = ServerConfig::default();
        config.session.tolerance = tolerance;
        config.session.timeouts.ping_interval_ms = 100;
        config.session.timeouts.ping_timeout_ms = 400;
        let served = serve_with(AcceptAll, 1, config, ApplicationConfig::default());
        let nothing = case(Deviation::PingUnanswered, At::Connected, Vec::new());
        let mut socket = play_the_client(&nothing, &served).unwrap();
        // The event of a ping, after whichever header; its time is not looked at.
        read_until(&mut socket, &[0, 6]).unwrap();
        // Reading that times out keeps the time in which the peer says something else.
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let began = Instant::now();
        while served.server.deviations().is_empty() {
            assert!(began.elapsed() < PATIENCE, "{tolerance:?}");
            let _ = socket.write_all(&message(2, 3, 0, &[0, 0, 0x10, 0]));
            let _ = socket.read(&mut [0; 64]);
        }
        let counted: Vec<_> = served.server.deviations().iter().collect();
        assert_eq!(counted, [(Deviation::PingUnanswered, 1)], "{tolerance:?}");
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(ask(&mut socket).is_ok(), tolerance == Tolerance::Lenient);
    }
}
