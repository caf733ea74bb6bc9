//! Classes whose instances are completed or refused when they are read (A27).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use rtmp_core::amf::{ClassHook, ClassRegistry};
use rtmp_core::{
    CallRequest, Client, FourCc, Frame, NetConnection, NetConnectionConfig, NetConnectionHandler, Object,
    PlayOptions, PublishMode, Status, SubscribeOptions, Value,
};

use crate::application::{answered, call, instance, logged, reply, until};
use crate::shared_object::{host, join};
use crate::support::{
    PATIENCE, Seen, Served, code, connect_with, frames, seen, stream, subscriber, wait_status, wait_until,
};
use crate::wire::Wire;

/// Gives points a length, and refuses those without `x`.
struct Point;

impl ClassHook for Point {
    fn decoded(&self, object: &mut Object) -> Result<(), String> {
        let x = object
            .get("x")
            .and_then(Value::as_f64)
            .ok_or("a point without x")?;
        object.insert("length", x.abs());
        Ok(())
    }
}

#[test]
fn a27_a_class_is_completed_when_it_is_read() {
    let (served, events) = logged();
    let application = served.server.find_application("live").unwrap();
    application.register_class("org.example.Point", Arc::new(Point));
    application
        .register_method(
            "length",
            Arc::new(|request: CallRequest| {
                let length = request.args()[0].get("length").cloned();
                request.accept(length.unwrap_or(Value::Null));
            }),
        )
        .unwrap();
    let mut wire = Wire::connected(&served, "live");
    let point = |object: Object| Value::from(object.with_class("org.example.Point"));
    wire.command(0, "length", 2.0, &[point(Object::new().with("x", -3.0))]);
    assert_eq!(wire.answer(2.0), Ok(Value::from(3.0)));
    wire.command(0, "length", 3.0, &[point(Object::new())]);
    assert_eq!(until(&events, "error"), "error NetConnection.Call.Failed");
    assert!(application.unregister_class("org.example.Point"));

    let mut classes = ClassRegistry::new();
    classes.register_class("org.example.Point", Arc::new(Point));
    let mut config = NetConnectionConfig::default();
    config.classes = Some(Arc::new(classes));
    let (_connection, statuses) = connect_with(&served.engine, &served.url, config);
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let connected = |client: &Client| client.agent().contains("rtmpkit");
    let clients = instance(&served).clients();
    let client = clients.iter().find(|client| connected(client)).unwrap();
    let (taking, answer) = reply();
    client.call_with_reply("echo", vec![point(Object::new().with("x", 4.0))], taking);
    let back = answered(&answer).unwrap();
    assert_eq!(back.get("length"), Some(&Value::from(4.0)));
}

fn point(x: Option<f64>) -> Value {
    let object = Object::new().with_class("org.example.Point");
    Value::from(match x {
        Some(x) => object.with("x", x),
        None => object,
    })
}

fn length(value: &Value) -> Option<f64> {
    value.get("length").and_then(Value::as_f64)
}

/// A connection that knows points.
fn knowing(served: &Served) -> (NetConnection, Receiver<Status>) {
    let (sender, statuses) = channel();
    let handler = Arc::new(Statuses(Mutex::new(sender)));
    let connection = NetConnection::new(&served.engine, NetConnectionConfig::default(), handler).unwrap();
    connection.register_class("org.example.Point", Arc::new(Point));
    (connection, statuses)
}

struct Statuses(Mutex<Sender<Status>>);

impl NetConnectionHandler for Statuses {
    fn on_status(&self, _: &NetConnection, status: &Status) {
        // The test may have heard enough.
        let _ = self.0.lock().send(status.clone());
    }
}

#[test]
fn a27_classes_hold_in_arguments_of_connect() {
    let (served, _events) = logged();
    let application = served.server.find_application("live").unwrap();
    application.register_class("org.example.Point", Arc::new(Point));
    let (connection, statuses) = knowing(&served);
    connection.connect(&served.url, &[point(Some(-5.0))]).unwrap();
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let client = instance(&served).clients().remove(0);
    assert_eq!(length(&client.connect_args()[0]), Some(5.0));
    let (refused, statuses) = knowing(&served);
    refused.connect(&served.url, &[point(None)]).unwrap();
    let status = statuses.recv_timeout(PATIENCE).unwrap();
    assert_eq!(status.code, "NetConnection.Connect.Rejected");
    assert!(
        status.description.contains("a point without x"),
        "{}",
        status.description
    );
}

#[test]
fn a27_classes_hold_in_data_messages_that_the_host_reads() {
    let (served, _events) = logged();
    let application = served.server.find_application("live").unwrap();
    application.register_class("org.example.Point", Arc::new(Point));
    let live = instance(&served).stream("cam").unwrap();
    let (watching, at_host) = subscriber();
    let _subscription = live.subscribe(SubscribeOptions::default(), watching);
    let (connection, statuses) = knowing(&served);
    connection.connect(&served.url, &[]).unwrap();
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let (out, publishing) = stream(&connection);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&publishing, "NetStream.Publish.Start");
    let (player, playing) = stream(&connection);
    player.play(PlayOptions::new("cam")).unwrap();
    wait_status(&playing, "NetStream.Play.Start");
    out.send(0, "onPoint", &[point(Some(-6.0))]).unwrap();
    out.send(0, "onPoint", &[point(None)]).unwrap();
    let mut host = Vec::new();
    while host.len() < 2 {
        if let Seen::Frame(frame) = seen(&at_host) {
            host.push(frame);
        }
    }
    let read = application.read_data(&host[0]).unwrap();
    assert_eq!(
        (read.name.as_str(), length(&read.args[0])),
        ("onPoint", Some(6.0))
    );
    assert!(
        application
            .read_data(&host[1])
            .unwrap_err()
            .to_string()
            .contains("a point without x")
    );
    let played = frames(&playing, 2);
    let read = connection.read_data(&played[0]).unwrap();
    assert_eq!(
        (read.name.as_str(), length(&read.args[0])),
        ("onPoint", Some(6.0))
    );
    assert!(connection.read_data(&played[1]).is_err());
    // The bytes that are passed on are the publisher's.
    assert_eq!(host[0].body, played[0].body);
    let picture = Frame::video(FourCc::AVC1, 0, true, 0, b"x");
    assert!(application.read_data(&picture).is_err());
}

#[test]
fn a27_classes_hold_in_shared_objects_on_both_sides() {
    let (served, _events) = logged();
    let application = served.server.find_application("live").unwrap();
    application.register_class("org.example.Point", Arc::new(Point));
    let (at_host, _heard) = host(&served, "plan", false);
    let (connection, statuses) = knowing(&served);
    connection.connect(&served.url, &[]).unwrap();
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let (remote, _at_remote) = join(&connection, "plan", false);
    remote.set("here", point(Some(-7.0))).unwrap();
    wait_until("the host has it", || at_host.get("here").is_some());
    assert_eq!(length(&at_host.get("here").unwrap()), Some(7.0));
    // What the host sets goes to its client as it is, and is completed there.
    at_host.set("there", point(Some(-8.0))).unwrap();
    wait_until("the client has it", || remote.get("there").is_some());
    assert_eq!(length(&remote.get("there").unwrap()), Some(8.0));
    assert_eq!(length(&at_host.get("there").unwrap()), None);
}

#[test]
fn a27_classes_hold_in_results_of_calls() {
    let (served, _events) = logged();
    let application = served.server.find_application("live").unwrap();
    let give = |request: CallRequest| {
        request.accept(point(Some(-9.0)));
    };
    application.register_method("give", Arc::new(give)).unwrap();
    let (connection, statuses) = knowing(&served);
    connection.connect(&served.url, &[]).unwrap();
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let given = call(&connection, "give", Vec::new()).unwrap();
    assert_eq!(length(&given), Some(9.0));
    assert!(connection.unregister_class("org.example.Point"));
    assert!(!connection.unregister_class("org.example.Point"));
}
