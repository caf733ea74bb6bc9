//! Methods that others answer for an application (A28).

use std::sync::Arc;
use std::time::Instant;

use rtmp_core::{ApplicationConfig, ApplicationHandler, CallRequest, Value};

use crate::application::{call, callee, instance, logged, until};
use crate::support::{PATIENCE, connected, serve};

/// A server whose methods others' are proxied to.
struct Origin;

impl ApplicationHandler for Origin {
    fn on_call(&self, request: CallRequest) {
        match request.method() {
            "sum" => request.accept(request.args().iter().filter_map(Value::as_f64).sum::<f64>()),
            _ => request.reject("No."),
        };
    }
}

#[test]
fn a28_methods_are_proxied_to_another_server() {
    let origin = serve(Origin, 1);
    let (served, _events) = logged();
    let application = served.server.find_application("live").unwrap();
    let (link, _link_statuses) = connected(&served.engine, &origin.url);
    application.proxy_method("add", &link, "sum").unwrap();
    application
        .proxy_method_to_url("plus", &served.engine, &origin.url, "sum")
        .unwrap();
    application
        .proxy_method_to_url("bad", &served.engine, &origin.url, "other")
        .unwrap();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    let two = || vec![Value::from(2.0), Value::from(3.0)];
    for method in ["add", "plus", "plus"] {
        assert_eq!(call(&connection, method, two()), Ok(Value::from(5.0)), "{method}");
    }
    let error = call(&connection, "bad", two()).unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.description.as_str()),
        ("NetConnection.Call.Failed", "No.")
    );

    // A connection of the method's own is made again.
    assert!(origin.server.instance("live").unwrap().unload());
    let begin = Instant::now();
    while call(&connection, "plus", two()) != Ok(Value::from(5.0)) {
        assert!(begin.elapsed() < PATIENCE, "the origin is back");
    }

    origin.server.close();
    let error = call(&connection, "add", two()).unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.is_error()),
        ("NetConnection.Proxy.NotResponding", true)
    );
    assert!(application.unregister_method("add"));
    assert_eq!(
        call(&connection, "add", two()).unwrap_err().code,
        "NetConnection.Call.Failed"
    );
}

#[test]
fn a28_methods_are_proxied_to_another_instance_here_and_to_a_client() {
    let (served, events) = logged();
    let application = served.server.find_application("live").unwrap();
    served
        .server
        .application("origin", ApplicationConfig::default(), Arc::new(Origin))
        .unwrap();
    let origin = served.url.replace("/live", "/origin");
    application
        .proxy_method_to_url("add", &served.engine, &origin, "sum")
        .unwrap();
    let (worker, calls) = callee(&served, &served.url);
    until(&events, "accept");
    let target = instance(&served).clients().remove(0);
    application
        .proxy_method_to_client("work", &target, "job")
        .unwrap();
    let (connection, _statuses) = connected(&served.engine, &served.url);
    assert_eq!(
        call(&connection, "add", vec![Value::from(4.0)]),
        Ok(Value::from(4.0))
    );
    assert_eq!(
        call(&connection, "work", vec![Value::from("now")]),
        Ok(Value::from("done"))
    );
    assert_eq!(
        calls.recv_timeout(PATIENCE).unwrap(),
        ("job".to_owned(), vec![Value::from("now")])
    );
    drop(worker);
}
