//! A peer that limits what it is sent (RTMP 1.0 5.4.5), over a socket.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rtmp_core::{ApplicationHandler, CallRequest, FourCc, Frame, PublishMode};

use crate::support::{PATIENCE, Seen, code, connected, serve, stream, subscriber, wait_status};

/// Handshake and connect of a captured publisher.
const CONNECT: &[u8] = include_bytes!("../vectors/publish_client.bin");
/// Set Peer Bandwidth, 20,000 bytes, hard.
const LIMIT: [u8; 17] = [2, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0, 0, 0, 0x4E, 0x20, 0];
/// `big`, transaction 2, null.
const CALL: &[u8] = b"\x03\0\0\0\0\0\x10\x14\0\0\0\0\x02\0\x03big\0\x40\0\0\0\0\0\0\0\x05";
/// Acknowledgement without its number.
const ACKNOWLEDGEMENT: [u8; 12] = [2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0];

struct Big;

impl ApplicationHandler for Big {
    fn on_call(&self, request: CallRequest) {
        request.accept("x".repeat(100_000));
    }
}

fn nothing_comes(socket: &mut TcpStream) -> bool {
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let read = socket.read(&mut [0]);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[test]
fn unacknowledged_bytes_never_exceed_a_hard_limit() {
    let served = serve(Big, 1);
    let address = served.url.trim_start_matches("rtmp://").trim_end_matches("/live");
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(&CONNECT[..3230]).unwrap();
    socket.write_all(&[&LIMIT[..], CALL].concat()).unwrap();
    let mut window = vec![0; 20_000];
    socket.read_exact(&mut window).unwrap();
    assert!(nothing_comes(&mut socket));
    for acknowledged in [4_000_u32, 20_000, 40_000] {
        let more = acknowledged as usize + 20_000 - window.len();
        let message = [&ACKNOWLEDGEMENT[..], &acknowledged.to_be_bytes()].concat();
        socket.write_all(&message).unwrap();
        let start = window.len();
        window.resize(start + more, 0);
        socket.read_exact(&mut window[start..]).unwrap();
        assert!(nothing_comes(&mut socket), "after {acknowledged}");
    }
}

/// Limits what clients may send, and lifts the limit when it is told to.
struct Throttle(std::sync::mpsc::SyncSender<rtmp_core::Client>);

impl rtmp_core::ApplicationHandler for Throttle {
    fn on_connect(&self, request: rtmp_core::ConnectRequest) {
        let client = request.client().clone();
        request.accept();
        client
            .set_bandwidth_limit(rtmp_core::Direction::In, Some(4_096))
            .unwrap();
        let _ = self.0.send(client);
    }
}

#[test]
fn a_limit_that_is_lifted_lets_the_rest_come_at_once_and_closing_loses_nothing() {
    let (sender, clients) = std::sync::mpsc::sync_channel(1);
    let served = serve(Throttle(sender), 2);
    let (subscriber, seen) = subscriber();
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let _watch = live.subscribe(Default::default(), subscriber);
    let (connection, statuses) = connected(&served.engine, &served.url);
    let client = clients.recv_timeout(PATIENCE).unwrap();
    let (out, events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    for number in 0..60 {
        out.write(&Frame::video(
            FourCc::AVC1,
            number * 40,
            number % 10 == 0,
            0,
            &[7; 100_000],
        ))
        .unwrap();
    }
    let lifted = std::time::Instant::now();
    client
        .set_bandwidth_limit(rtmp_core::Direction::In, None)
        .unwrap();
    connection.close();
    let mut times = Vec::new();
    while times.len() < 60 {
        match crate::support::seen(&seen) {
            Seen::Frame(frame) => times.push(frame.timestamp_ms),
            Seen::Published => {}
            Seen::Unpublished => panic!("{} of 60 frames", times.len()),
        }
    }
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
    // Neither waited for a deadline that held under the limit, nor for that of last words.
    assert!(lifted.elapsed().as_millis() < 4_000, "{:?}", lifted.elapsed());
}
