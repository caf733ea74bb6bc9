//! Peers that ask for much and read nothing: what waits for them is bounded.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rtmp_core::wire::chunk::{ChunkWriter, Output, csid};
use rtmp_core::wire::message::command::Command;
use rtmp_core::{AcceptAll, ApplicationConfig, Object, ServerConfig, Value};
use socket2::{Domain, Socket, Type};

use crate::support::{PATIENCE, Served, connected, serve, serve_with, wait_until};
use crate::wire::hex;

const MEGABYTE: usize = 1 << 20;

/// A connection whose own buffers are small, so that what waits does so at the server.
fn small_socket(served: &Served) -> TcpStream {
    let address = served.url.split('/').nth(2).unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(128 << 10).unwrap();
    socket.set_send_buffer_size(128 << 10).unwrap();
    socket.connect(&address.into()).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Handshake and `connect`, and what the server has to say to that.
fn into_live(served: &Served) -> TcpStream {
    let mut socket = small_socket(served);
    let mut hello = vec![0; 3073];
    hello[0] = 3;
    socket.write_all(&hello).unwrap();
    socket.read_exact(&mut hello).unwrap();
    let mut connect = Command::new("connect", 1.0, Vec::new());
    connect.object = Object::new().with("app", "live").into();
    socket
        .write_all(&chunks(&mut ChunkWriter::new(), &connect))
        .unwrap();
    wait_until("the client is accepted", || {
        let instance = served.server.instance("live");
        instance.is_ok_and(|instance| !instance.clients().is_empty())
    });
    socket
}

fn chunks(writer: &mut ChunkWriter, command: &Command) -> Vec<u8> {
    let mut output = Output::new();
    let message = command.encode(0, rtmp_core::session::ObjectEncoding::Amf0);
    writer.write(csid::COMMAND, &message, &mut output);
    output.take_bytes()
}

/// Commands that are answered with as many bytes as they have.
fn echoes(name: &str, transaction_id: f64, count: usize) -> Vec<u8> {
    let mut writer = ChunkWriter::new();
    let mut bytes = hex("02 000000 000004 01 00000000 00010000");
    writer.set_chunk_size(65_536);
    let command = Command::new(name, transaction_id, vec![Value::from("x".repeat(60_000))]);
    for _ in 0..count {
        bytes.extend(chunks(&mut writer, &command));
    }
    bytes
}

/// The server says of each what it is about.
fn subscriptions(count: usize) -> Vec<u8> {
    echoes("FCSubscribe", 0.0, count)
}

/// How much of it a server takes while nothing is read of its answers.
fn taken(socket: &mut TcpStream, bytes: &[u8]) -> usize {
    socket
        .set_write_timeout(Some(std::time::Duration::from_millis(500)))
        .unwrap();
    let mut taken = 0;
    while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
        match socket.write(rest) {
            Ok(count) => taken += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error} after {taken} bytes"),
        }
    }
    taken
}

/// One that limits what it gets has to be heard, or its acknowledgements would not arrive: it is bounded all the same.
#[test]
fn a_client_that_limits_what_it_gets_and_asks_on_is_disconnected() {
    let served = serve(AcceptAll, 1);
    let mut socket = into_live(&served);
    // Set Peer Bandwidth: one byte, hard.
    let mut bytes = hex("02 000000 000005 06 00000000 00000001 00");
    bytes.extend(subscriptions(2000));
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    // What comes after the end is drained, or not taken.
    let _ = socket.write_all(&bytes);
    wait_until("it is gone", || served.server.stats().connections == 0);
}

#[test]
fn a_client_that_does_not_take_what_the_host_calls_is_disconnected() {
    let mut config = ServerConfig::default();
    config.stall_timeout_ms = 600_000;
    let served = serve_with(AcceptAll, 1, config, ApplicationConfig::default());
    let _socket = into_live(&served);
    let client = served.server.instance("live").unwrap().clients().remove(0);
    let text = Value::from("x".repeat(MEGABYTE));
    for _ in 0..80 {
        client.call("news", vec![text.clone()]);
    }
    wait_until("it is gone", || served.server.stats().connections == 0);
}

#[test]
fn an_http_client_that_does_not_take_its_answers_is_not_read() {
    let mut served = serve(AcceptAll, 1);
    let address = served.server.listen("rtmpt://127.0.0.1:0").unwrap();
    served.url = format!("rtmpt://{address}/live");
    let mut socket = small_socket(&served);
    let request = b"POST /nowhere HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    let bytes = request.repeat(800_000);
    let sent = taken(&mut socket, &bytes);
    assert!(sent < bytes.len(), "all of it was read");
    // Once it reads, it is served on.
    let mut reading = socket.try_clone().unwrap();
    let rest = bytes[sent..(sent / request.len() + 5) * request.len()].to_vec();
    let expected = sent / request.len() + 5;
    socket.set_write_timeout(None).unwrap();
    let writer = std::thread::spawn(move || socket.write_all(&rest));
    let (mut ends, mut tail, mut sink) = (0, Vec::new(), vec![0; 1 << 18]);
    while ends < expected {
        let count = reading.read(&mut sink).unwrap();
        assert!(count > 0, "closed after {ends} of {expected}");
        tail.extend_from_slice(&sink[..count]);
        ends += tail.windows(4).filter(|four| four == b"\r\n\r\n").count();
        tail.drain(..tail.len().saturating_sub(3));
    }
    writer.join().unwrap().unwrap();
}

#[test]
fn a_session_in_a_tunnel_that_asks_for_more_than_it_takes_ends() {
    let mut served = serve(AcceptAll, 1);
    let address = served.server.listen("rtmpt://127.0.0.1:0").unwrap();
    served.url = format!("rtmpt://{address}/live");
    let mut http = crate::tunnel::Http::open(&served);
    let session = http.session();
    let mut hello = vec![0; 3073];
    hello[0] = 3;
    let mut connect = Command::new("connect", 1.0, Vec::new());
    connect.object = Object::new().with("app", "live").into();
    hello.extend(chunks(&mut ChunkWriter::new(), &connect));
    assert_eq!(http.post(&format!("/send/{session}/0"), &hello).0, 200);
    let much = subscriptions(200);
    for number in 1..9 {
        http.post(&format!("/send/{session}/{number}"), &much);
    }
    wait_until("the session is over", || served.server.stats().connections == 0);
}

/// A player gets the group of pictures with each play, and a few bytes of the client ask for it.
#[test]
fn a_player_that_asks_for_its_stream_again_and_again_without_reading_is_bounded() {
    let served = serve(AcceptAll, 1);
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let publication = live.publish().unwrap();
    for number in 0..40 {
        let frame = rtmp_core::Frame::video(
            rtmp_core::FourCc::AVC1,
            number * 40,
            number == 0,
            0,
            &[1; 100_000],
        );
        publication.write(&frame).unwrap();
    }
    let mut socket = into_live(&served);
    let client = served.server.instance("live").unwrap().clients().remove(0);
    let mut writer = ChunkWriter::new();
    let mut bytes = Vec::new();
    let mut output = Output::new();
    for _ in 0..3000 {
        let play = Command::new("play", 0.0, vec!["cam".into()]);
        let message = play.encode(1, rtmp_core::session::ObjectEncoding::Amf0);
        writer.write(csid::COMMAND, &message, &mut output);
        bytes.extend(output.take_bytes());
    }
    let _ = taken(&mut socket, &bytes);
    // By the time that somebody else is served, all that is read of it was.
    let (_good, _statuses) = connected(&served.engine, &served.url);
    let waiting = client.client_stats().queued_bytes as usize;
    assert!(waiting < 80 * MEGABYTE, "{waiting} bytes wait");
}
