//! Calls to Flash Remoting gateways: what goes over the socket, byte by byte, and what comes of the answers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rtmp_core::amf::{Limits, Packet};
use rtmp_core::session::{ClientSessionConfig, SessionTimeouts};
use rtmp_core::{Engine, NetConnection, NetConnectionConfig, Object, Status, Value};

use crate::application::{answered, reply};
use crate::support::{PATIENCE, code, connect, connect_with, engine};
use crate::wire::hex;

/// A gateway by hand: the path and the body of each request, and what to answer.
struct Gateway {
    url: String,
    requests: Receiver<(String, Vec<u8>)>,
    answers: Sender<Answer>,
}

enum Answer {
    Amf(Vec<u8>),
    Status(u16),
    Nothing,
}

fn gateway() -> Gateway {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/gateway", listener.local_addr().unwrap());
    let (asked, requests) = channel();
    let (answers, next) = channel();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            if asked.send(request(&mut socket)).is_err() {
                return;
            }
            match next.recv() {
                Ok(Answer::Amf(body)) => respond(&mut socket, 200, &body),
                Ok(Answer::Status(status)) => respond(&mut socket, status, b"no"),
                Ok(Answer::Nothing) => silent.push(socket),
                Err(_) => return,
            }
        }
    });
    Gateway {
        url,
        requests,
        answers,
    }
}

fn request(socket: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.contains("content-type: application/x-amf"), "{head}");
    let length = head.split("content-length: ").nth(1).unwrap();
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    socket.read_exact(&mut body).unwrap();
    let path = head.strip_prefix("post ").unwrap().split(' ').next().unwrap();
    (path.to_owned(), body)
}

fn respond(socket: &mut TcpStream, status: u16, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/x-amf\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    // A client that has gone needs no answer.
    let _ = socket
        .write_all(head.as_bytes())
        .and_then(|()| socket.write_all(body));
}

impl Gateway {
    fn asked(&self) -> (String, Vec<u8>) {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    fn answer(&self, digits: &str) {
        self.answers.send(Answer::Amf(hex(digits))).unwrap();
    }
}

fn call(connection: &NetConnection, args: &[Value]) -> Receiver<Result<Value, Status>> {
    let (asking, answer) = reply();
    connection.call("a.b", args.to_vec(), Some(asking)).unwrap();
    answer
}

fn reached(engine: &Engine, gateway: &Gateway) -> (NetConnection, Receiver<Status>) {
    let (connection, statuses) = connect(engine, &gateway.url);
    assert!(connection.is_connected(), "nothing has to be sent for that");
    assert_eq!(connection.uri(), gateway.url);
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    (connection, statuses)
}

#[test]
fn n2_n3_a_call_and_its_result_byte_by_byte() {
    let (engine, gateway) = (engine(1), gateway());
    let (connection, statuses) = reached(&engine, &gateway);
    let answer = call(&connection, &["x".into()]);
    let (path, body) = gateway.asked();
    assert_eq!(path, "/gateway");
    assert_eq!(
        body,
        hex("0000 0000 0001 0003 612E62 0002 2F31 00000009 0A 00000001 02 0001 78")
    );
    gateway.answer("0000 0000 0001 000B 2F312F6F6E526573756C74 0004 6E756C6C 00000004 02 0001 79");
    assert_eq!(answered(&answer), Ok(Value::from("y")));
    connection.close();
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
    assert!(!connection.is_connected());
    assert!(connection.call("a.b", Vec::new(), None).is_err());
}

#[test]
fn n2_amf3_is_spoken_when_it_is_chosen() {
    let (engine, gateway) = (engine(1), gateway());
    let session = ClientSessionConfig {
        amf3: true,
        ..ClientSessionConfig::default()
    };
    let mut config = NetConnectionConfig::default();
    config.session = Some(session);
    let (connection, _statuses) = connect_with(&engine, &gateway.url, config);
    let object = Object::new().with("a", 1.0);
    let answer = call(&connection, &["x".into(), object.clone().into()]);
    let (_, body) = gateway.asked();
    assert_eq!(
        body,
        hex(
            "0003 0000 0001 0003 612E62 0002 2F31 00000019 0A 00000002 02 0001 78 \
             11 0A 0B 01 03 61 05 3FF0000000000000 01"
        )
    );
    gateway.answer(
        "0003 0000 0001 000B 2F312F6F6E526573756C74 0004 6E756C6C FFFFFFFF 11 0A 0B 01 03 61 05 3FF0000000000000 01",
    );
    assert_eq!(answered(&answer), Ok(object.into()));
}

#[test]
fn n2_errors_have_a_status() {
    let (engine, gateway) = (engine(1), gateway());
    let (connection, statuses) = reached(&engine, &gateway);
    // {code: "Server.Processing", description: "d", level: "error"}, and nothing that a status could be made of.
    let object = "03 0004 636F6465 02 0011 5365727665722E50726F63657373696E67 \
                  000B 6465736372697074696F6E 02 0001 64 0005 6C6576656C 02 0005 6572726F72 0000 09";
    let failures = [
        (
            format!("0000 0000 0001 000B 2F312F6F6E537461747573 0004 6E756C6C FFFFFFFF {object}"),
            "Server.Processing",
        ),
        (
            "0000 0000 0001 000B 2F322F6F6E537461747573 0004 6E756C6C 00000001 05".to_owned(),
            "NetConnection.Call.Failed",
        ),
        ("0000 0000 0000".to_owned(), "NetConnection.Call.Failed"),
        ("0000 0000 0001 00".to_owned(), "NetConnection.Call.BadVersion"),
    ];
    for (body, expected) in &failures {
        let answer = call(&connection, &[]);
        gateway.asked();
        gateway.answer(body);
        assert_eq!(answered(&answer).unwrap_err().code, *expected, "{body}");
    }
    let answer = call(&connection, &[]);
    gateway.asked();
    gateway.answers.send(Answer::Status(500)).unwrap();
    let failed = answered(&answer).unwrap_err();
    assert_eq!(
        failed.description,
        "The gateway answered HTTP 500 Internal Server Error."
    );
    // What nobody asked to hear of is a status of the connection, which stands all the same.
    connection.call("a.b", Vec::new(), None).unwrap();
    gateway.asked();
    gateway.answers.send(Answer::Status(404)).unwrap();
    assert_eq!(code(&statuses), "NetConnection.Call.Failed");
    assert!(connection.is_connected());
}

#[test]
fn n2_a_gateway_that_is_silent_or_not_there() {
    let (engine, gateway) = (engine(1), gateway());
    let timeouts = SessionTimeouts {
        call_ms: 100,
        ..SessionTimeouts::default()
    };
    let session = ClientSessionConfig {
        timeouts,
        ..ClientSessionConfig::default()
    };
    let mut config = NetConnectionConfig::default();
    config.session = Some(session);
    let (connection, _statuses) = connect_with(&engine, &gateway.url, config);
    let answer = call(&connection, &[]);
    gateway.answers.send(Answer::Nothing).unwrap();
    assert_eq!(answered(&answer).unwrap_err().code, "NetConnection.Call.Failed");
    let (nowhere, _statuses) = connect(&engine, "http://127.0.0.1:9/gateway");
    assert_eq!(
        answered(&call(&nowhere, &[])).unwrap_err().code,
        "NetConnection.Call.Failed"
    );
    assert!(rtmp_core::NetStream::new(&nowhere, std::sync::Arc::new(Quiet)).is_err());
    for url in ["http://", "http:///gateway", "https://host name/"] {
        let (other, _statuses) = connect(&engine, "http://127.0.0.1:9/");
        other.close();
        let connection = NetConnection::new(
            &engine,
            NetConnectionConfig::default(),
            std::sync::Arc::new(Quiet),
        )
        .unwrap();
        assert!(connection.connect(url, &[]).is_err(), "{url}");
    }
}

struct Quiet;

impl rtmp_core::NetStreamHandler for Quiet {}
impl rtmp_core::NetConnectionHandler for Quiet {}

#[test]
fn n1_headers_go_with_every_request() {
    let (engine, gateway) = (engine(1), gateway());
    let (connection, _statuses) = reached(&engine, &gateway);
    connection.add_header("Credentials", true, Object::new().with("userid", "me").into());
    connection.add_header("note", false, "first".into());
    connection.add_header("note", false, "second".into());
    connection.add_header("gone", false, 1.0.into());
    connection.add_header("gone", false, Value::Undefined);
    let answer = call(&connection, &[]);
    let (_, body) = gateway.asked();
    assert_eq!(
        body,
        hex(
            "0000 0002 000B 43726564656E7469616C73 01 00000011 03 0006 757365726964 02 0002 6D65 0000 09 \
             0004 6E6F7465 00 00000009 02 0006 7365636F6E64 \
             0001 0003 612E62 0002 2F31 00000005 0A 00000000"
        )
    );
    // AppendToGatewayUrl ";s=1", RequestPersistentHeader {name: "p", mustUnderstand: true, data: 7}.
    gateway.answer(
        "0000 0002 0012 417070656E64546F4761746577617955726C 00 FFFFFFFF 02 0004 3B733D31 \
         0017 5265717565737450657273697374656E74486561646572 00 FFFFFFFF \
         03 0004 6E616D65 02 0001 70 000E 6D757374556E6465727374616E64 01 01 0004 64617461 00 401C000000000000 0000 09 \
         0001 000B 2F312F6F6E526573756C74 0004 6E756C6C 00000001 05",
    );
    assert_eq!(answered(&answer), Ok(Value::Null));
    let answer = call(&connection, &[]);
    let (path, body) = gateway.asked();
    assert_eq!(path, "/gateway;s=1");
    let packet = Packet::decode(&body, &Limits::default()).unwrap();
    let headers: Vec<(&str, bool)> = packet
        .headers
        .iter()
        .map(|header| (header.name.as_str(), header.must_understand))
        .collect();
    assert_eq!(headers, [("Credentials", true), ("note", false), ("p", true)]);
    assert_eq!(packet.headers[2].value, Value::from(7.0));
    // ReplaceGatewayUrl, to another path of the same server.
    let other = gateway.url.replace("/gateway", "/elsewhere");
    let digits: String = other.bytes().map(|byte| format!("{byte:02x}")).collect();
    gateway.answer(&format!(
        "0000 0001 0011 5265706C6163654761746577617955726C 00 FFFFFFFF 02 {:04X} {digits} \
         0001 000B 2F322F6F6E526573756C74 0004 6E756C6C 00000001 05",
        other.len()
    ));
    assert_eq!(answered(&answer), Ok(Value::Null));
    let _answer = call(&connection, &[]);
    assert_eq!(gateway.asked().0, "/elsewhere");
}

#[test]
fn n2_calls_that_wait_go_together() {
    let (engine, gateway) = (engine(1), gateway());
    let (connection, _statuses) = reached(&engine, &gateway);
    let first = call(&connection, &[]);
    gateway.asked();
    let others: Vec<_> = (0..3)
        .map(|number| call(&connection, &[f64::from(number).into()]))
        .collect();
    gateway.answer("0000 0000 0001 000B 2F312F6F6E526573756C74 0004 6E756C6C 00000001 05");
    assert_eq!(answered(&first), Ok(Value::Null));
    let (_, body) = gateway.asked();
    let packet = Packet::decode(&body, &Limits::default()).unwrap();
    let asked: Vec<&str> = packet.messages.iter().map(|message| &*message.response).collect();
    assert_eq!(asked, ["/2", "/3", "/4"]);
    // Answered in another order, one of them not at all.
    gateway.answer(
        "0000 0000 0002 000B 2F342F6F6E526573756C74 0004 6E756C6C 00000002 01 01 \
         000B 2F322F6F6E526573756C74 0004 6E756C6C 00000002 01 00",
    );
    assert_eq!(answered(&others[0]), Ok(Value::from(false)));
    assert_eq!(
        answered(&others[1]).unwrap_err().description,
        "The gateway did not answer."
    );
    assert_eq!(answered(&others[2]), Ok(Value::from(true)));
}

/// What answers is no gateway; what matters is whether it is spoken to.
#[test]
fn n3_gateways_by_https_have_to_show_a_trusted_certificate() {
    let authority = crate::tls::Authority::new();
    let served = crate::tls::default_server(&authority);
    let url = served.url.replace("rtmps://", "https://");
    let why = |config: NetConnectionConfig| {
        let (connection, _statuses) = connect_with(&served.engine, &url, config);
        let failed = answered(&call(&connection, &[])).unwrap_err();
        assert_eq!(failed.code, "NetConnection.Call.Failed");
        failed.description.to_lowercase()
    };
    let refused = why(crate::tls::Authority::new().trust());
    assert!(
        refused.contains("certificate") || refused.contains("unknownissuer"),
        "{refused}"
    );
    let spoken_to = why(authority.trust());
    assert!(
        !spoken_to.contains("certificate") && !spoken_to.contains("issuer"),
        "{spoken_to}"
    );
    let mut anybody = NetConnectionConfig::default();
    anybody.tls_trust = rtmp_core::TlsTrust::InsecureAcceptAny;
    let spoken_to = why(anybody);
    assert!(
        !spoken_to.contains("certificate") && !spoken_to.contains("issuer"),
        "{spoken_to}"
    );
}
