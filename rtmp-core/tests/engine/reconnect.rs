//! Requests to reconnect, and servers that wind down.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rtmp_core::session::{ClientEvent, ClientSession, ClientSessionConfig, redirect_target};
use rtmp_core::{AcceptAll, Capabilities, Code, Error, NetConnection, NetConnectionConfig, Server, Status};

use crate::support::{PATIENCE, Served, code, connect_with, serve, wait_until};

const REQUEST: &str = "NetConnection.Connect.ReconnectRequest";

/// A connection that tells of requests and stays; `able` announces Enhanced RTMP.
fn staying(served: &Served, able: bool) -> (NetConnection, Receiver<Status>) {
    let mut session = ClientSessionConfig::default();
    if !able {
        session.enhanced = Capabilities::default();
    }
    let mut config = NetConnectionConfig::default();
    config.session = Some(session);
    let (connection, statuses) = connect_with(&served.engine, &served.url, config);
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    (connection, statuses)
}

#[test]
fn only_clients_that_can_are_asked_to_reconnect() {
    let served = serve(AcceptAll, 1);
    let (able, asked) = staying(&served, true);
    let (_old, quiet) = staying(&served, false);
    let clients = served.server.instance("live").unwrap().clients();
    let sent = clients
        .iter()
        .filter(|client| client.request_reconnect(Some("//other/live"), "Moving."))
        .count();
    assert_eq!(sent, 1);
    let status = asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!((&*status.code, &*status.description), (REQUEST, "Moving."));
    assert_eq!(status.info.get("tcUrl").unwrap().as_str(), Some("//other/live"));
    assert_eq!(
        status
            .info
            .get("level")
            .map_or("status", |level| level.as_str().unwrap()),
        "status"
    );
    assert_eq!(
        able.reconnect_target(&status).unwrap().as_deref(),
        Some("rtmp://other/live")
    );
    clients.iter().for_each(|client| client.close(None));
    assert_eq!(code(&quiet), "NetConnection.Connect.Closed");
}

#[test]
fn the_target_of_a_request_is_resolved_and_checked() {
    let served = serve(AcceptAll, 1);
    let (connection, _statuses) = staying(&served, true);
    let request = |url: &str| Status::new(Code::ConnectReconnectRequest).with("tcUrl", url);
    let target = |url: &str| connection.reconnect_target(&request(url)).unwrap().unwrap();
    let plain = connection.reconnect_target(&Status::new(Code::ConnectReconnectRequest));
    assert_eq!(plain.unwrap().as_deref(), Some(&*served.url));
    assert_eq!(target("/other"), served.url.replace("/live", "/other"));
    assert_eq!(target("rtmps://other:444/x"), "rtmps://other:444/x");
    assert!(connection.reconnect_target(&request("http://other/x")).is_err());
    let other = connection.reconnect_target(&Status::new(Code::ConnectClosed));
    assert_eq!(other.unwrap(), None);
}

fn is_listening(served: &Served) -> bool {
    let address = served
        .url
        .strip_prefix("rtmp://")
        .unwrap()
        .strip_suffix("/live")
        .unwrap();
    TcpStream::connect(address).is_ok()
}

#[test]
fn a_server_that_winds_down_takes_nobody_and_closes_when_its_time_is_up() {
    let served = serve(AcceptAll, 2);
    let (_able, asked) = staying(&served, true);
    let (_old, quiet) = staying(&served, false);
    let grace = Duration::from_millis(300);
    let begun = Instant::now();
    served
        .server
        .drain(Some("rtmp://127.0.0.1:1/live"), "Update.", grace)
        .unwrap();
    assert!(served.server.is_draining() && !served.server.is_closed());
    assert_eq!(code(&asked), REQUEST);
    wait_until("the listener goes", || !is_listening(&served));
    assert!(matches!(
        served.server.listen("127.0.0.1:0"),
        Err(Error::WrongState(_))
    ));
    for statuses in [&asked, &quiet] {
        assert_eq!(code(statuses), "NetConnection.Connect.AppShutdown");
        assert_eq!(code(statuses), "NetConnection.Connect.Closed");
    }
    assert!(begun.elapsed() >= grace);
    assert!(served.server.is_closed());
    assert!(served.server.drain(None, "", grace).is_err());
}

#[test]
fn a_server_that_winds_down_closes_early_when_all_have_left() {
    let served = serve(AcceptAll, 2);
    let (able, asked) = staying(&served, true);
    served.server.drain(None, "", Duration::from_secs(3600)).unwrap();
    assert_eq!(code(&asked), REQUEST);
    able.close();
    wait_until("the server closes", || served.server.is_closed());
}

#[test]
fn who_connects_while_the_server_winds_down_is_sent_elsewhere() {
    let served = serve(AcceptAll, 1);
    let address = served
        .url
        .strip_prefix("rtmp://")
        .unwrap()
        .strip_suffix("/live")
        .unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    wait_until("the server takes the socket", || {
        served.server.stats().connections == 1
    });
    let target = "rtmp://127.0.0.1:1/live";
    served
        .server
        .drain(Some(target), "", Duration::from_secs(3600))
        .unwrap();

    let mut session = ClientSession::new(ClientSessionConfig::new("live", &*served.url), [1; 32], 0);
    session.connect(0);
    let refused = loop {
        socket.write_all(&session.output().take_bytes()).unwrap();
        let mut buffer = [0; 4096];
        let count = socket.read(&mut buffer).unwrap();
        assert!(count > 0, "the server closed without a word");
        session.input(buffer[..count].to_vec().into(), 0).unwrap();
        let events = std::iter::from_fn(|| session.poll_event());
        let refusal = events.into_iter().find_map(|event| match event {
            ClientEvent::Rejected(status) => Some(status),
            ClientEvent::Connected { .. } => panic!("accepted"),
            _ => None,
        });
        if let Some(status) = refusal {
            break status;
        }
    };
    assert_eq!(redirect_target(&refused), Some(target));
}

#[test]
fn a_target_that_is_no_rtmp_url_is_refused() {
    let served = serve(AcceptAll, 1);
    let server: &Server = &served.server;
    assert!(matches!(
        server.drain(Some("http://other/live"), "", Duration::ZERO),
        Err(Error::Url(_))
    ));
    assert!(!server.is_draining());
}
