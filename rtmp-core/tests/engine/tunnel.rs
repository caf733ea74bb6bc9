//! RTMPT over sockets: our server and our client, requests written by hand, and clients that do not fit.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use parking_lot::Mutex;
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, Client, NetConnectionConfig, PublishMode, ServerConfig,
};

use crate::live::everybody_gets_everything_by;
use crate::support::{
    PATIENCE, Served, code, connect, connect_with, connected, engine, serve_with, stream, wait_status,
    wait_until,
};
use crate::tls::{Authority, TellsClients};

/// A server that also listens for `scheme`; its URL is that one.
fn serve_by(scheme: &str, handler: impl ApplicationHandler, config: ServerConfig) -> Served {
    let mut served = serve_with(handler, 2, config, ApplicationConfig::default());
    let address = served.server.listen(&format!("{scheme}://127.0.0.1:0")).unwrap();
    served.url = format!("{scheme}://{address}/live");
    served
}

fn default_server() -> Served {
    serve_by("rtmpt", AcceptAll, ServerConfig::default())
}

/// A server whose players do not count as slow while a film is written at once.
fn patient() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.player_limits.millis = 60_000;
    config
}

#[test]
fn p17_what_a_client_publishes_in_a_tunnel_every_player_gets_unchanged() {
    let served = serve_by("rtmpt", AcceptAll, patient());
    everybody_gets_everything_by(&served, &NetConnectionConfig::default());
}

#[test]
fn p17_what_a_client_publishes_in_a_tunnel_by_tls_every_player_gets_unchanged() {
    let authority = Authority::new();
    let mut config = patient();
    config.tls = vec![authority.identity("127.0.0.1")];
    let served = serve_by("rtmpts", AcceptAll, config);
    everybody_gets_everything_by(&served, &authority.trust());
}

#[cfg(feature = "rtmpe")]
#[test]
fn p3_what_a_client_publishes_encrypted_in_a_tunnel_every_player_gets_unchanged() {
    let mut config = patient();
    config.session.accept_encryption = true;
    let mut served = serve_by("rtmpt", AcceptAll, config);
    served.url = served.url.replace("rtmpt://", "rtmpte://");
    everybody_gets_everything_by(&served, &NetConnectionConfig::default());
}

#[test]
fn p19_c13_every_form_of_url_connects_and_names_its_protocol() {
    let authority = Authority::new();
    let (sender, clients): (_, Receiver<Client>) = channel();
    let mut config = ServerConfig::default();
    config.tls = vec![authority.identity("127.0.0.1"), authority.identity("::1")];
    #[cfg(feature = "rtmpe")]
    {
        config.session.accept_encryption = true;
    }
    let handler = TellsClients(Mutex::new(sender));
    let served = serve_with(handler, 2, config, ApplicationConfig::default());
    let encrypted = [("rtmpe", "rtmp"), ("rtmpte", "rtmpt")];
    let plain = ["rtmp", "rtmps", "rtmpt", "rtmpts"].map(|scheme| (scheme, scheme));
    let encrypted = encrypted.iter().filter(|_| cfg!(feature = "rtmpe"));
    for (scheme, listened) in plain.iter().chain(encrypted) {
        for host in ["127.0.0.1", "[::1]"] {
            let Ok(address) = served.server.listen(&format!("{listened}://{host}:0")) else {
                assert_eq!(host, "[::1]", "there is no IPv6 here");
                continue;
            };
            for path in ["live", "live?key=1", "live/room?key=1"] {
                let url = format!("{scheme}://user:word@{address}/{path}");
                let mut trust = authority.trust();
                if host == "[::1]" {
                    // Clients that connect to an address do not say which.
                    trust.tls_trust = rtmp_core::TlsTrust::InsecureAcceptAny;
                }
                let (_connection, statuses) = connect_with(&served.engine, &url, trust);
                assert_eq!(code(&statuses), "NetConnection.Connect.Success", "{url}");
                let client = clients.recv_timeout(PATIENCE).unwrap();
                assert_eq!(client.protocol(), *scheme);
                assert_eq!(client.is_secure(), scheme.ends_with('s'));
                assert_eq!(client.uri(), format!("{scheme}://{address}/{path}"));
            }
        }
    }
}

/// A connection that requests are written on by hand.
pub struct Http(BufReader<TcpStream>);

impl Http {
    pub fn open(served: &Served) -> Self {
        let rest = served.url.split_once("://").unwrap().1;
        let socket = TcpStream::connect(rest.trim_end_matches("/live")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(socket))
    }

    fn write(&self, bytes: &[u8]) {
        self.0.get_ref().write_all(bytes).unwrap();
    }

    fn ask(&self, path: &str, body: &[u8]) {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        self.write(&[head.as_bytes(), body].concat());
    }

    /// Status and body of the next answer.
    fn answer(&mut self) -> (u16, Vec<u8>) {
        let (mut line, mut length, mut status) = (String::new(), 0, 0);
        while line != "\r\n" {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "no answer");
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            }
            if let Some(rest) = line.strip_prefix("Content-Length: ") {
                length = rest.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, body)
    }

    pub fn post(&mut self, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.ask(path, body);
        self.answer()
    }

    pub fn session(&mut self) -> String {
        let (status, body) = self.post("/open/1", b"\0");
        assert_eq!(status, 200);
        let text = String::from_utf8(body).unwrap();
        assert!(text.ends_with('\n') && text.len() == 33, "{text:?}");
        text.trim().to_owned()
    }

    fn closes(mut self) -> bool {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).is_ok()
    }
}

fn hello() -> Vec<u8> {
    let mut hello = vec![3];
    hello.resize(1537, 0);
    hello
}

#[test]
fn a_session_is_opened_carried_and_closed_as_the_clients_of_the_field_do() {
    let served = default_server();
    let mut http = Http::open(&served);
    // Flash asks this first, and goes on here whatever the answer.
    assert_eq!(http.post("/fcs/ident2", b"\0").0, 404);
    let session = http.session();
    let (status, body) = http.post(&format!("/send/{session}/0"), &hello());
    // The polling byte, S0, S1 and S2.
    assert_eq!((status, body.len(), body[1]), (200, 1 + 1 + 1536 * 2, 3));
    assert_eq!(http.post(&format!("/idle/{session}/1"), b"\0"), (200, vec![1]));
    assert_eq!(http.post(&format!("/close/{session}/2"), b"\0"), (200, vec![0]));
    assert_eq!(http.post(&format!("/idle/{session}/3"), b"\0").0, 404);
    wait_until("the session is gone", || served.server.stats().connections == 0);
}

#[test]
fn requests_of_a_session_may_come_on_several_connections_ahead_twice_and_out_of_order() {
    let served = default_server();
    let (mut one, mut other) = (Http::open(&served), Http::open(&served));
    let session = one.session();
    let hello = hello();
    let (first, second) = hello.split_at(500);
    assert_eq!(
        one.post(&format!("/send/{session}/0"), &first[..100]),
        (200, vec![1])
    );
    // The third comes before the second, on another connection: it waits.
    other.ask(&format!("/send/{session}/2"), second);
    one.ask(&format!("/send/{session}/1"), &first[100..]);
    assert_eq!(one.answer(), (200, vec![1]));
    let answer = other.answer();
    assert_eq!(answer.1.len(), 1 + 1 + 1536 * 2);
    // The answer may have been lost: the same request has the same one, and does nothing.
    assert_eq!(one.post(&format!("/send/{session}/2"), second), answer);
    assert_eq!(one.post(&format!("/send/{session}/1"), second).0, 404);
    // Several at once on one connection are answered in order.
    let idle: Vec<u8> = (3..13)
        .flat_map(|number| {
            format!("POST /idle/{session}/{number} HTTP/1.1\r\nContent-Length: 1\r\n\r\n\0").into_bytes()
        })
        .collect();
    one.write(&idle);
    for _ in 0..10 {
        assert_eq!(one.answer().0, 200);
    }
}

#[test]
fn requests_that_cannot_be_served_harm_nobody_else() {
    let served = default_server();
    let (good, _statuses) = connected(&served.engine, &served.url);
    for (bytes, status) in [
        (hello(), 400),
        (b"GET /crossdomain.xml HTTP/1.1\r\n\r\n".to_vec(), 405),
        (b"POST /open/1 HTTP/1.1\r\n\r\n".to_vec(), 411),
        (
            b"POST /open/1 HTTP/1.1\r\nContent-Length: 10000000000\r\n\r\n".to_vec(),
            413,
        ),
        (
            b"POST /open/1 HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_vec(),
            400,
        ),
        (
            b"POST /open/1 HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
            501,
        ),
        (vec![b'A'; 100_000], 431),
        (
            [&b"POST / HTTP/1.1\r\n"[..], &b"A: b\r\n".repeat(5000)].concat(),
            431,
        ),
    ] {
        let mut http = Http::open(&served);
        let _ = http.0.get_ref().write_all(&bytes);
        assert_eq!(http.answer().0, status, "{:?}", &bytes[..20]);
        assert!(http.closes() || bytes.len() > 10_000);
    }
    let mut http = Http::open(&served);
    for session in [
        "0".repeat(32),
        "f".repeat(32),
        "../../etc/passwd".to_owned(),
        String::new(),
    ] {
        assert_eq!(http.post(&format!("/send/{session}/0"), &hello()).0, 404);
    }
    // After a session was opened, RTMP as it is on the same connection.
    http.session();
    http.write(&hello());
    assert_eq!(http.answer().0, 400);
    assert!(http.closes());
    // What the session does not take ends it, not the connection.
    let mut http = Http::open(&served);
    let session = http.session();
    assert_eq!(http.post(&format!("/send/{session}/0"), b"nonsense").0, 200);
    assert_eq!(http.post(&format!("/idle/{session}/1"), b"\0").0, 404);
    // More before their turn than are kept.
    let session = http.session();
    assert_eq!(http.post(&format!("/idle/{session}/0"), b"\0").0, 200);
    let mut others: Vec<Http> = (0..17).map(|_| Http::open(&served)).collect();
    for (number, other) in others.iter().enumerate() {
        other.ask(&format!("/idle/{session}/{}", number + 2), b"\0");
    }
    for other in &mut others {
        assert_eq!(other.answer().0, 404);
    }
    assert!(good.is_connected());
}

#[test]
fn sessions_and_connections_are_limited() {
    let mut config = ServerConfig::default();
    config.max_connections = 2;
    config.session.timeouts.handshake_ms = 100;
    let served = serve_by("rtmpt", AcceptAll, config);
    let mut http = Http::open(&served);
    let sessions: Vec<String> = (0..2).map(|_| http.session()).collect();
    assert_eq!(served.server.stats().connections, 2);
    // Those that open a session and leave it are let go when the handshake's time is up.
    wait_until("they are gone", || served.server.stats().connections == 0);
    for session in sessions {
        assert_eq!(http.post(&format!("/idle/{session}/0"), b"\0").0, 404);
    }
    let mut many: Vec<Http> = (0..3).map(|_| Http::open(&served)).collect();
    many.iter_mut()
        .for_each(|http| assert_eq!(http.post("/x", b"").0, 404));
    assert!(Http::open(&served).closes());
}

#[test]
fn a_session_outlives_its_connections_and_a_client_that_leaves_without_closing_is_noticed() {
    let served = default_server();
    let mut http = Http::open(&served);
    let session = http.session();
    http.post(&format!("/send/{session}/0"), &hello());
    drop(http);
    let mut http = Http::open(&served);
    assert_eq!(http.post(&format!("/idle/{session}/1"), b"\0"), (200, vec![1]));
    let (connection, statuses) = connected(&served.engine, &served.url);
    connection.close();
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
    wait_until("only the session written by hand is left", || {
        served.server.stats().connections == 1
    });
}

#[test]
fn a_closing_server_tells_the_clients_in_tunnels() {
    let served = default_server();
    let (_connection, statuses) = connected(&served.engine, &served.url);
    served.server.close();
    assert_eq!(code(&statuses), "NetConnection.Connect.AppShutdown");
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
}

/// Passes each request on by a connection of its own, and closes both sides after the answer, as old proxies do.
fn closing_proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(to).unwrap());
            let mut request = read_message(&client);
            (&server).write_all(&request).unwrap();
            request.clear();
            let answer = read_message(&server);
            let _ = (&client).write_all(&answer);
            let _ = client.shutdown(Shutdown::Both);
        }
    });
    address
}

fn read_message(socket: &TcpStream) -> Vec<u8> {
    let (mut reader, mut all, mut length) = (BufReader::new(socket), Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return all;
        }
        all.extend_from_slice(line.as_bytes());
        if let Some(rest) = line.strip_prefix("Content-Length: ") {
            length = rest.trim().parse().unwrap();
        }
        if line == "\r\n" {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            all.extend(body);
            return all;
        }
    }
}

#[test]
fn a_client_goes_on_by_another_connection_when_one_is_closed() {
    let served = default_server();
    let rest = served.url.split_once("://").unwrap().1.trim_end_matches("/live");
    let proxy = closing_proxy(rest.parse().unwrap());
    let (connection, statuses) = connect(&served.engine, &format!("rtmpt://{proxy}/live"));
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let (out, events) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    connection.close();
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
}

#[test]
fn a_server_that_is_no_tunnel_is_explained() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (client, answer) in listener.incoming().zip([
            &b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"[..],
            b"\x03\0\0\0\0",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
        ]) {
            let mut client = client.unwrap();
            read_message(&client);
            client.write_all(answer).unwrap();
        }
    });
    let engine = engine(1);
    for text in [
        "no RTMPT: it answers /open/1 with HTTP status 404",
        "is no HTTP/1.1 response",
        "closed",
    ] {
        let (_connection, statuses) = connect(&engine, &format!("rtmpt://{address}/live"));
        let status = statuses.recv_timeout(PATIENCE).unwrap();
        assert_eq!(status.code, "NetConnection.Connect.Failed");
        assert!(status.description.contains(text), "{}", status.description);
    }
}
