//! A server with a recording handler, and a client whose events arrive on channels.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rtmp_core::{
    ApplicationConfig, ApplicationHandler, Engine, EngineConfig, Frame, NetConnection, NetConnectionConfig,
    NetConnectionHandler, NetStream, NetStreamHandler, Server, ServerCall, ServerConfig, Status, Subscriber,
    Value,
};

pub const PATIENCE: Duration = Duration::from_secs(10);

pub fn engine(workers: usize) -> Engine {
    let mut config = EngineConfig::default();
    config.workers = workers;
    Engine::new(config).unwrap()
}

pub struct Served {
    pub engine: Engine,
    pub server: Server,
    pub url: String,
}

/// A server of the application `live` with the given handler.
pub fn serve(handler: impl ApplicationHandler, workers: usize) -> Served {
    serve_with(
        handler,
        workers,
        ServerConfig::default(),
        ApplicationConfig::default(),
    )
}

pub fn serve_with(
    handler: impl ApplicationHandler,
    workers: usize,
    config: ServerConfig,
    application: ApplicationConfig,
) -> Served {
    listen(engine(workers), handler, config, application)
}

/// A server on an engine of its own making.
pub fn serve_on(engine: Engine, handler: impl ApplicationHandler) -> Served {
    listen(
        engine,
        handler,
        ServerConfig::default(),
        ApplicationConfig::default(),
    )
}

/// A server with all of its settings.
pub fn listen(
    engine: Engine,
    handler: impl ApplicationHandler,
    config: ServerConfig,
    application: ApplicationConfig,
) -> Served {
    let server = Server::new(&engine, config).unwrap();
    server
        .application("live", application, Arc::new(handler))
        .unwrap();
    let address = server.listen("127.0.0.1:0").unwrap();
    Served {
        engine,
        server,
        url: format!("rtmp://{address}/live"),
    }
}

struct ToChannel<T>(Sender<T>);

impl NetConnectionHandler for ToChannel<Status> {
    fn on_status(&self, _: &NetConnection, status: &Status) {
        let _ = self.0.send(status.clone());
    }

    fn on_call(&self, _: &NetConnection, call: ServerCall) {
        match call.method() {
            "echo" => call.accept(call.args().first().cloned().unwrap_or(Value::Null)),
            _ => call.reject("no such method"),
        };
    }
}

#[derive(Debug, Clone)]
pub enum StreamEvent {
    Status(Status),
    Frame(Frame),
    Writable,
    Dry,
    Close,
}

impl NetStreamHandler for ToChannel<StreamEvent> {
    fn on_status(&self, _: &NetStream, status: &Status) {
        let _ = self.0.send(StreamEvent::Status(status.clone()));
    }

    fn on_frame(&self, _: &NetStream, frame: &Frame) {
        let _ = self.0.send(StreamEvent::Frame(frame.clone()));
    }

    fn on_writable(&self, _: &NetStream) {
        let _ = self.0.send(StreamEvent::Writable);
    }

    fn on_dry(&self, _: &NetStream) {
        let _ = self.0.send(StreamEvent::Dry);
    }

    fn on_close(&self, _: &NetStream) {
        let _ = self.0.send(StreamEvent::Close);
    }
}

/// What a subscription of the host saw.
#[derive(Debug, Clone)]
pub enum Seen {
    Published,
    Frame(Frame),
    Unpublished,
}

impl Subscriber for ToChannel<Seen> {
    fn on_frame(&self, frame: &Frame) {
        let _ = self.0.send(Seen::Frame(frame.clone()));
    }

    fn on_publish(&self) {
        let _ = self.0.send(Seen::Published);
    }

    fn on_unpublish(&self) {
        let _ = self.0.send(Seen::Unpublished);
    }
}

pub fn subscriber() -> (Arc<dyn Subscriber>, Receiver<Seen>) {
    let (sender, receiver) = channel();
    (Arc::new(ToChannel(sender)), receiver)
}

/// A handler that passes statuses on.
pub fn to_channel(statuses: Sender<Status>) -> Arc<dyn NetConnectionHandler> {
    Arc::new(ToChannel(statuses))
}

/// A connection and its statuses.
pub fn connect(engine: &Engine, url: &str) -> (NetConnection, Receiver<Status>) {
    connect_with(engine, url, NetConnectionConfig::default())
}

pub fn connect_with(
    engine: &Engine,
    url: &str,
    config: NetConnectionConfig,
) -> (NetConnection, Receiver<Status>) {
    let (sender, statuses) = channel();
    let handler = Arc::new(ToChannel(sender));
    let connection = NetConnection::new(engine, config, handler).unwrap();
    connection.connect(url, &[]).unwrap();
    (connection, statuses)
}

/// A connection that the server has accepted.
pub fn connected(engine: &Engine, url: &str) -> (NetConnection, Receiver<Status>) {
    let (connection, statuses) = connect(engine, url);
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    (connection, statuses)
}

pub fn stream(connection: &NetConnection) -> (NetStream, Receiver<StreamEvent>) {
    let (sender, events) = channel();
    (
        NetStream::new(connection, Arc::new(ToChannel(sender))).unwrap(),
        events,
    )
}

pub fn code(statuses: &Receiver<Status>) -> String {
    statuses
        .recv_timeout(PATIENCE)
        .expect("a status")
        .code
        .to_string()
}

/// Waits for a status of that code on a stream; frames before it are passed over.
pub fn wait_status(events: &Receiver<StreamEvent>, code: &str) -> Status {
    loop {
        match events
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no {code}"))
        {
            StreamEvent::Status(status) if status.code == code => return status,
            StreamEvent::Close => panic!("the stream closed before {code}"),
            _ => {}
        }
    }
}

/// Waits for an event on a stream; those before it are passed over.
pub fn wait_for(events: &Receiver<StreamEvent>, is_meant: impl Fn(&StreamEvent) -> bool) {
    while !is_meant(&events.recv_timeout(PATIENCE).expect("an event")) {}
}

/// The next frames of a stream.
pub fn frames(events: &Receiver<StreamEvent>, count: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    while frames.len() < count {
        match events
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("{} of {count} frames", frames.len()))
        {
            // What the server says about itself is no frame of the publisher.
            StreamEvent::Frame(frame) if is_server_data(&frame) => {}
            StreamEvent::Frame(frame) => frames.push(frame),
            StreamEvent::Status(_) | StreamEvent::Writable | StreamEvent::Dry => {}
            StreamEvent::Close => panic!("the stream closed after {} of {count} frames", frames.len()),
        }
    }
    frames
}

fn is_server_data(frame: &Frame) -> bool {
    frame.body.starts_with(b"\x02\x00\x11|RtmpSampleAccess")
        || frame.body.starts_with(b"\x02\x00\x08onStatus")
}

/// The next events of a subscription.
pub fn seen(events: &Receiver<Seen>) -> Seen {
    events
        .recv_timeout(PATIENCE)
        .expect("an event of the subscription")
}

/// Waits for something that nobody reports.
pub fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}
