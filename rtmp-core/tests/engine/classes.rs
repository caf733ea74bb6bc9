//! Classes whose instances are completed or refused when they are read (A27).

use std::sync::Arc;

use rtmp_core::amf::{ClassHook, ClassRegistry};
use rtmp_core::{CallRequest, Client, NetConnectionConfig, Object, Value};

use crate::application::{answered, instance, logged, reply, until};
use crate::support::{code, connect_with};
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
