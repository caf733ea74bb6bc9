//! Calls to a Flash Remoting gateway of others: Py3AMF's, in both versions of AMF.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;

use rtmp_core::session::ClientSessionConfig;
use rtmp_core::{
    Engine, EngineConfig, NetConnection, NetConnectionConfig, NetConnectionHandler, Object, Status, Value,
};
use rtmp_tests::programs::{START, workspace};

struct Quiet;

impl NetConnectionHandler for Quiet {}

struct Gateway {
    process: Child,
    url: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn gateway() -> Gateway {
    let mut command = Command::new(workspace().join("target/venv/bin/python"));
    command.arg(workspace().join("tests/python/gateway.py"));
    let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut process = process.expect("the virtual environment of tests/setup.sh");
    let mut port = String::new();
    let output = process.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut port).expect("a port");
    let url = format!("http://127.0.0.1:{}/", port.trim());
    Gateway { process, url }
}

fn connect(engine: &Engine, gateway: &Gateway, amf3: bool) -> NetConnection {
    let mut config = NetConnectionConfig::default();
    config.session = Some(ClientSessionConfig {
        amf3,
        ..ClientSessionConfig::default()
    });
    let connection = NetConnection::new(engine, config, Arc::new(Quiet)).expect("a connection");
    connection.connect(&gateway.url, &[]).expect("a gateway's URL");
    connection
}

fn call(connection: &NetConnection, method: &str, args: Vec<Value>) -> Result<Value, Status> {
    let (sender, answer) = channel();
    let reply = move |result| drop(sender.send(result));
    connection
        .call(method, args, Some(Box::new(reply)))
        .expect("an open connection");
    answer.recv_timeout(START).expect("an answer")
}

#[test]
fn py3amf_answers_calls_in_both_versions() {
    let engine = Engine::new(EngineConfig::default()).expect("an engine");
    let gateway = gateway();
    for amf3 in [false, true] {
        let connection = connect(&engine, &gateway, amf3);
        assert!(connection.is_connected());
        let version = call(&connection, "test.version", Vec::new()).expect("a result");
        assert_eq!(version.as_f64(), Some(if amf3 { 3.0 } else { 0.0 }));
        let object = Object::new()
            .with("name", "x")
            .with("list", vec![Value::from("a"), Value::from(true)]);
        for value in [Value::from("text"), Value::from(2.5), Value::Null, object.into()] {
            assert_eq!(call(&connection, "test.echo", vec![value.clone()]), Ok(value));
        }
        let sum = call(&connection, "test.add", vec![1.0.into(), 2.0.into(), 3.5.into()]);
        assert_eq!(sum.map(|sum| sum.as_f64()), Ok(Some(6.5)));
    }
}

#[test]
fn py3amf_tells_errors() {
    let engine = Engine::new(EngineConfig::default()).expect("an engine");
    let gateway = gateway();
    for amf3 in [false, true] {
        let connection = connect(&engine, &gateway, amf3);
        let failed = call(&connection, "test.fail", Vec::new()).expect_err("it fails");
        assert_eq!(failed.code, "LookupError");
        assert!(failed.description.contains("there is no such thing"), "{failed}");
        let unknown = call(&connection, "test.unknown", Vec::new()).expect_err("there is none");
        assert_eq!(unknown.code, "Service.ResourceNotFound");
        assert!(connection.is_connected());
    }
}

#[test]
fn py3amfs_services_see_our_headers() {
    let engine = Engine::new(EngineConfig::default()).expect("an engine");
    let gateway = gateway();
    for amf3 in [false, true] {
        let connection = connect(&engine, &gateway, amf3);
        connection.add_header("ticket", false, Object::new().with("number", 7.5).into());
        let seen = call(&connection, "test.headers", Vec::new()).expect("a result");
        let ticket = seen.as_object().and_then(|seen| seen.get("ticket").cloned());
        assert_eq!(ticket, Some(Object::new().with("number", 7.5).into()));
    }
}
