//! What a host of outgoing connections hears and may do later: calls of the server, room to write, its play buffer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use rtmp_core::{
    AcceptAll, ApplicationHandler, Client, Code, ConnectRequest, Error, FourCc, Frame, NetConnection,
    NetConnectionConfig, NetConnectionHandler, PlayOptions, PublishMode, ServerCall, Status, Value,
};

use crate::application::{answered, instance, reply};
use crate::support::{
    PATIENCE, Served, StreamEvent, connect, connected, engine, serve, stream, wait_status, wait_until,
};

/// Keeps every call.
struct Keeping(Mutex<Sender<ServerCall>>);

impl NetConnectionHandler for Keeping {
    fn on_call(&self, _: &NetConnection, call: ServerCall) {
        self.0.lock().send(call).unwrap();
    }
}

/// A client, its calls, and what the server sees of it.
fn keeping(served: &Served) -> (NetConnection, Receiver<ServerCall>, Client) {
    let (sender, calls) = channel();
    let handler = Arc::new(Keeping(Mutex::new(sender)));
    let connection = NetConnection::new(&served.engine, NetConnectionConfig::default(), handler).unwrap();
    connection.connect(&served.url, &[]).unwrap();
    wait_until("connected", || connection.is_connected());
    let client = instance(served).clients().remove(0);
    (connection, calls, client)
}

#[test]
fn calls_of_the_server_may_be_answered_later_from_any_thread() {
    let served = serve(AcceptAll, 1);
    let (_connection, calls, client) = keeping(&served);
    let (first, at_first) = reply();
    client.call_with_reply("add", vec![Value::from(1.0), Value::from(2.0)], first);
    let (second, at_second) = reply();
    client.call_with_reply("name", Vec::new(), second);
    client.call("note", Vec::new());
    let next = || calls.recv_timeout(PATIENCE).unwrap();
    let (add, name, note) = (next(), next(), next());
    assert_eq!(
        (add.method(), add.args()),
        ("add", &[Value::from(1.0), Value::from(2.0)][..])
    );
    assert!(add.wants_reply() && !note.wants_reply());
    // Out of order, and from here: this is the test's thread.
    assert!(name.accept("camera"));
    assert_eq!(answered(&at_second), Ok(Value::from("camera")));
    assert!(!name.reject("too late") && name.is_answered());
    assert!(add.accept(3.0));
    assert_eq!(answered(&at_first), Ok(Value::from(3.0)));
}

#[test]
fn a_call_that_is_let_go_of_unanswered_fails() {
    let served = serve(AcceptAll, 1);
    let (_connection, calls, client) = keeping(&served);
    let (asking, answer) = reply();
    client.call_with_reply("add", Vec::new(), asking);
    drop(calls.recv_timeout(PATIENCE).unwrap());
    let failed = answered(&answer).unwrap_err();
    assert_eq!(
        (failed.code.as_str(), failed.description.as_str()),
        ("NetConnection.Call.Failed", "The application did not answer.")
    );
}

#[test]
fn netconnection_call_prohibited_when_the_hosts_policy_forbids() {
    let served = serve(AcceptAll, 1);
    let (_connection, calls, client) = keeping(&served);
    let (asking, answer) = reply();
    client.call_with_reply("format", Vec::new(), asking);
    assert!(calls.recv_timeout(PATIENCE).unwrap().prohibit());
    let failed = answered(&answer).unwrap_err();
    assert!(failed.is(Code::CallProhibited) && failed.is_error(), "{failed:?}");
}

/// Keeps requests to connect.
struct Slow(Mutex<Sender<ConnectRequest>>);

impl ApplicationHandler for Slow {
    fn on_connect(&self, request: ConnectRequest) {
        self.0.lock().send(request).unwrap();
    }
}

#[test]
fn a_writer_is_told_when_there_is_room_again() {
    let (sender, requests) = channel();
    let served = serve(Slow(Mutex::new(sender)), 1);
    let (connection, _statuses) = crate::support::connect(&served.engine, &served.url);
    let (out, events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    // Nothing is sent before the server accepts: what is written waits.
    let frame = Frame::video(FourCc::AVC1, 0, true, 0, &[7; 100_000]);
    let mut written = 0;
    let full = loop {
        match out.write(&frame) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1000, "it is never full");
    };
    assert!(
        matches!(full, Error::Full(_)) && written > 80,
        "{full}, {written}"
    );
    assert!(matches!(out.write(&frame), Err(Error::Full(_))));
    requests.recv_timeout(PATIENCE).unwrap().accept();
    let heard = loop {
        match events.recv_timeout(PATIENCE).expect("an event") {
            StreamEvent::Status(_) => {}
            event => break event,
        }
    };
    assert!(matches!(heard, StreamEvent::Writable), "{heard:?}");
    out.write(&frame).unwrap();
    out.close();
    // Once for all the times that it was full.
    loop {
        match events.recv_timeout(PATIENCE).expect("an event") {
            StreamEvent::Close => break,
            event => assert!(matches!(event, StreamEvent::Status(_)), "{event:?}"),
        }
    }
}

#[test]
fn netstream_buffer_full_empty_and_flush() {
    let served = serve(AcceptAll, 1);
    let publication = instance(&served).stream("cam").unwrap().publish().unwrap();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (player, events) = stream(&connection);
    player.set_buffer(200).unwrap();
    assert_eq!(player.buffer_time(), 200);
    player.play(PlayOptions::new("cam")).unwrap();
    wait_status(&events, "NetStream.Play.Start");
    let write = |time| {
        publication
            .write(&Frame::video(FourCc::AVC1, time, true, 0, b"x"))
            .unwrap()
    };
    write(1_000);
    write(1_199);
    write(1_200);
    let full = wait_status(&events, "NetStream.Buffer.Full");
    assert_eq!(
        (full.level.as_str(), full.description.as_str()),
        ("status", "The buffer is full.")
    );
    // Nothing more comes: 200 ms later all has been played.
    wait_status(&events, "NetStream.Buffer.Empty");
    write(1_300);
    write(60_000);
    wait_status(&events, "NetStream.Buffer.Full");
    publication.close();
    wait_status(&events, "NetStream.Play.UnpublishNotify");
    let flush: Status = wait_status(&events, "NetStream.Buffer.Flush");
    assert!(!flush.is_error());
}

/// An address whose SYNs are not answered: its listener accepts nobody, and no more fit into its queue.
fn unanswering() -> (socket2::Socket, Vec<std::net::TcpStream>, SocketAddr) {
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    while let Ok(socket) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        queued.push(socket);
    }
    (listener, queued, address)
}

#[test]
fn closing_while_the_server_does_not_answer_ends_at_once() {
    let (_listener, _queued, address) = unanswering();
    let engine = engine(1);
    let (connection, statuses) = connect(&engine, &format!("rtmp://{address}/live"));
    connection.close();
    // Sooner than an attempt to connect is given up, after 10 s.
    let status = statuses.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(status.is(Code::ConnectFailed), "{status:?}");
    connection
        .connect(&format!("rtmp://{address}/live"), &[])
        .unwrap();
    drop(connection);
    assert!(
        statuses
            .recv_timeout(Duration::from_secs(5))
            .unwrap()
            .is(Code::ConnectFailed)
    );
}

#[test]
fn closing_while_the_connection_is_being_made_ends_at_once() {
    let served = serve(AcceptAll, 1);
    let engine = engine(1);
    for _ in 0..200 {
        let (connection, statuses) = connect(&engine, &served.url);
        connection.close();
        let told = || statuses.recv_timeout(Duration::from_secs(4)).unwrap();
        // On a busy machine the server may have accepted before.
        let last = Some(told()).filter(|status| !status.is(Code::ConnectSuccess));
        let last = last.unwrap_or_else(told);
        let ended = [Code::ConnectFailed, Code::ConnectClosed];
        assert!(ended.into_iter().any(|code| last.is(code)), "{last:?}");
    }
}
