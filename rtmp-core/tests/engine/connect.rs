//! Connecting: accept, refuse, redirect, later; calls both ways; the end of a connection.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use parking_lot::Mutex;
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, CallRequest, Client, ConnectRequest, Engine,
    EngineConfig, Error, Instance, NetConnectionConfig, Queue, Server, ServerConfig, Status, Value,
};

use rtmp_core::session::ClientSessionConfig;

use crate::support::{PATIENCE, code, connect, connect_with, connected, serve, serve_with};

struct Refusing;

impl ApplicationHandler for Refusing {
    fn on_connect(&self, request: ConnectRequest) {
        match request.query() {
            "key=good" => request.accept(),
            "move" => request.redirect("rtmp://127.0.0.1:1/elsewhere", "Moved."),
            _ => request.reject("Bad key."),
        };
    }
}

#[test]
fn the_host_accepts_and_refuses() {
    let served = serve(Refusing, 2);
    let (connection, _statuses) = connected(&served.engine, &format!("{}?key=good", served.url));
    assert!(connection.is_connected());

    let (_refused, statuses) = connect(&served.engine, &format!("{}?key=bad", served.url));
    let status = statuses.recv_timeout(PATIENCE).unwrap();
    assert_eq!(status.code, "NetConnection.Connect.Rejected");
    assert_eq!(status.description, "Bad key.");
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");

    let (_moved, statuses) = connect(&served.engine, &format!("{}?move", served.url));
    let status = statuses.recv_timeout(PATIENCE).unwrap();
    let target = status
        .info
        .get("ex")
        .and_then(|ex| ex.get("redirect"))
        .and_then(Value::as_str);
    assert_eq!(target, Some("rtmp://127.0.0.1:1/elsewhere"));
}

#[test]
fn an_unknown_application_is_invalid() {
    let served = serve(AcceptAll, 1);
    let url = served.url.replace("/live", "/other");
    let (_connection, statuses) = connect(&served.engine, &url);
    assert_eq!(code(&statuses), "NetConnection.Connect.InvalidApp");
}

#[test]
fn a_server_whose_engine_is_closed_does_not_listen() {
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let server = Server::new(&engine, ServerConfig::default()).unwrap();
    engine.close();
    engine.join(Some(PATIENCE)).unwrap();
    let listened = server.listen("127.0.0.1:0");
    assert!(matches!(listened, Err(Error::Closed("engine"))), "{listened:?}");
    server.close();
    assert!(matches!(server.instance("live"), Err(Error::Closed("server"))));
}

#[test]
fn nobody_listening_is_a_failure() {
    let served = serve(AcceptAll, 1);
    served.server.close();
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (_connection, statuses) = connect(&served.engine, &format!("rtmp://{unused}/live"));
    assert_eq!(code(&statuses), "NetConnection.Connect.Failed");
}

struct Keeping(Mutex<Sender<ConnectRequest>>);

impl ApplicationHandler for Keeping {
    fn on_connect(&self, request: ConnectRequest) {
        self.0.lock().send(request).unwrap();
    }
}

#[test]
fn a_decision_may_come_later_from_another_thread_and_a_dropped_request_is_refused() {
    let (sender, requests) = channel();
    let served = serve(Keeping(Mutex::new(sender)), 2);
    let (_one, first) = connect(&served.engine, &served.url);
    let request = requests.recv_timeout(PATIENCE).unwrap();
    thread::spawn(move || assert!(request.accept())).join().unwrap();
    assert_eq!(code(&first), "NetConnection.Connect.Success");

    let (_two, second) = connect(&served.engine, &served.url);
    drop(requests.recv_timeout(PATIENCE).unwrap());
    assert_eq!(code(&second), "NetConnection.Connect.Rejected");
}

#[test]
fn a_request_kept_too_long_times_out() {
    let (sender, requests) = channel();
    let mut config = ApplicationConfig::default();
    config.request_timeout_ms = 50;
    let served = serve_with(Keeping(Mutex::new(sender)), 1, ServerConfig::default(), config);
    let (_connection, statuses) = connect(&served.engine, &served.url);
    let request = requests.recv_timeout(PATIENCE).unwrap();
    assert_eq!(code(&statuses), "NetConnection.Connect.Rejected");
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
    assert!(request.is_answered() && !request.accept(), "that is too late");
}

#[derive(Debug, PartialEq)]
enum Event {
    Start(String),
    Connect(u64),
    Disconnect(u64),
    Stop(String),
    Released,
}

struct Recording(Mutex<Sender<Event>>);

impl Recording {
    fn send(&self, event: Event) {
        let _ = self.0.lock().send(event);
    }
}

impl ApplicationHandler for Recording {
    fn on_instance_start(&self, instance: &Instance) {
        self.send(Event::Start(instance.name().to_owned()));
    }

    fn on_instance_stop(&self, instance: &Instance) {
        self.send(Event::Stop(instance.name().to_owned()));
    }

    fn on_connect(&self, request: ConnectRequest) {
        self.send(Event::Connect(request.client().id()));
        request.accept();
    }

    fn on_disconnect(&self, client: &Client, _: &Status) {
        self.send(Event::Disconnect(client.id()));
    }

    fn on_call(&self, request: CallRequest) {
        match request.method() {
            "add" => {
                let sum = request.args().iter().filter_map(Value::as_f64).sum::<f64>();
                request.accept(sum)
            }
            _ => request.unknown_method(),
        };
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.send(Event::Released);
    }
}

#[test]
fn an_instance_lives_from_its_first_client_to_its_last() {
    let (sender, events) = channel();
    let served = serve(Recording(Mutex::new(sender)), 2);
    let next = || events.recv_timeout(PATIENCE).unwrap();
    let (connection, _statuses) = connected(&served.engine, &format!("{}/room", served.url));
    assert_eq!(next(), Event::Start("live/room".to_owned()));
    let Event::Connect(id) = next() else {
        panic!("no connect")
    };
    let instance = served.server.instance("live/room").unwrap();
    assert_eq!(instance.clients().len(), 1);
    assert_eq!(instance.stats().accepted, 1);
    drop(instance);
    let living = served.server.stats().traffic;
    assert!(
        living.bytes_in > 3073,
        "the handshake counts while the client is here"
    );
    drop(connection);
    assert_eq!(next(), Event::Disconnect(id));
    let ended = served.server.stats().traffic.bytes_in;
    assert!(
        (living.bytes_in..2 * living.bytes_in).contains(&ended),
        "counted once: {ended}"
    );
    assert_eq!(next(), Event::Stop("live/room".to_owned()));
    served.engine.close();
    served.engine.join(Some(PATIENCE)).unwrap();
    drop(served);
    assert_eq!(next(), Event::Released);
}

#[test]
fn methods_are_called_both_ways() {
    let (sender, events) = channel();
    let served = serve(Recording(Mutex::new(sender)), 2);
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let (sender, replies) = channel();
    let reply = move |result| sender.send(result).unwrap();
    let args = vec![Value::from(1.0), Value::from(2.0)];
    connection
        .call("add", args, Some(Box::new(reply.clone())))
        .unwrap();
    assert_eq!(
        replies.recv_timeout(PATIENCE).unwrap().unwrap().as_f64(),
        Some(3.0)
    );
    connection
        .call("nothing", vec![], Some(Box::new(reply.clone())))
        .unwrap();
    let status: Status = replies.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert_eq!(status.code, "NetConnection.Call.Failed");
    assert_eq!(status.description, "Method not found (nothing).");

    let client = served.server.instance("live").unwrap().clients().remove(0);
    client.call_with_reply("echo", vec![Value::from("hello")], Box::new(reply.clone()));
    assert_eq!(
        replies.recv_timeout(PATIENCE).unwrap().unwrap().as_str(),
        Some("hello")
    );
    client.call_with_reply("missing", vec![], Box::new(reply.clone()));
    assert_eq!(
        replies.recv_timeout(PATIENCE).unwrap().unwrap_err().description,
        "no such method"
    );
    client.ping(Box::new(reply));
    assert!(
        replies
            .recv_timeout(PATIENCE)
            .unwrap()
            .unwrap()
            .as_f64()
            .is_some()
    );
    drop(events);
}

#[test]
fn closing_the_server_tells_its_clients() {
    let served = serve(AcceptAll, 2);
    let (_connection, statuses) = connected(&served.engine, &served.url);
    served.server.close();
    assert_eq!(code(&statuses), "NetConnection.Connect.AppShutdown");
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
    assert!(served.server.listen("127.0.0.1:0").is_err());
}

#[test]
fn the_hosts_own_thread_may_serve_the_handlers() {
    let queue = Queue::new(64).unwrap();
    let mut config = ApplicationConfig::default();
    config.dispatch = queue.to_dispatch();
    let (sender, events) = channel();
    let served = serve_with(Recording(Mutex::new(sender)), 2, ServerConfig::default(), config);
    let (_connection, statuses) = connect(&served.engine, &served.url);
    let here = thread::current().id();
    let mut ran = 0;
    while ran < 2 {
        ran += queue.dispatch(16, PATIENCE).unwrap();
        assert_eq!(thread::current().id(), here);
    }
    assert_eq!(
        events.recv_timeout(PATIENCE).unwrap(),
        Event::Start("live/_definst_".to_owned())
    );
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
}

#[test]
fn waiting_on_a_thread_of_the_library_is_refused() {
    struct Waiting(Mutex<Sender<bool>>, Mutex<Option<rtmp_core::Engine>>);
    impl ApplicationHandler for Waiting {
        fn on_connect(&self, request: ConnectRequest) {
            let engine = self.1.lock().take();
            let refused = engine.is_some_and(|engine| engine.join(None).is_err());
            self.0.lock().send(refused).unwrap();
            request.accept();
        }
    }
    let (sender, refused) = channel();
    let engine = crate::support::engine(1);
    let server = rtmp_core::Server::new(&engine, ServerConfig::default()).unwrap();
    let handler = Arc::new(Waiting(Mutex::new(sender), Mutex::new(Some(engine.clone()))));
    server
        .application("live", ApplicationConfig::default(), handler)
        .unwrap();
    let address = server.listen("127.0.0.1:0").unwrap();
    let (_connection, _statuses) = connected(&engine, &format!("rtmp://{address}/live"));
    assert!(refused.recv_timeout(PATIENCE).unwrap());
}

#[test]
fn a_client_may_begin_with_the_digest_handshake() {
    let served = serve(AcceptAll, 1);
    let mut session = ClientSessionConfig::new("", "");
    session.digest_handshake = true;
    let mut config = NetConnectionConfig::default();
    config.session = Some(session);
    let (connection, statuses) = connect_with(&served.engine, &served.url, config);
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    assert!(connection.is_connected());
}
