//! Methods of an application that are answered by another server, or another instance of this one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::amf::Value;
use crate::app::application::Application;
use crate::app::request::CallRequest;
use crate::client::{NetConnection, NetConnectionConfig, NetConnectionHandler};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::wire::status::{Code, Status};
use crate::wire::url::RtmpUrl;

/// After an attempt to connect, calls made without a connection fail at once for so long.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Methods that are passed on. The server that is asked gets the arguments alone; its result, or its error, goes back to the
/// caller. When it cannot be asked the caller gets NetConnection.Proxy.NotResponding.
impl Application {
    /// Passes calls of a method on over a connection of the host, under `remote_name`. It keeps the connection open; connecting
    /// it, anew if need be, is the host's to do. Errors as of [`register_method`](Self::register_method).
    pub fn proxy_method(&self, name: &str, connection: &NetConnection, remote_name: &str) -> Result<()> {
        let (connection, remote_name) = (connection.clone(), remote_name.to_owned());
        let pass_on = move |request| pass(&connection, &remote_name, request);
        self.register_method(name, Arc::new(pass_on))
    }

    /// Passes calls of a method on to the application at `url`, under `remote_name`. The connection is the method's own: it is
    /// made with the first call and made again when it was lost, and closed when the method is taken away. [`Error::Url`](crate::Error::Url) besides
    /// the errors of [`register_method`](Self::register_method).
    pub fn proxy_method_to_url(
        &self,
        name: &str,
        engine: &Engine,
        url: &str,
        remote_name: &str,
    ) -> Result<()> {
        RtmpUrl::parse(url)?;
        let connection = NetConnection::new(engine, NetConnectionConfig::default(), Arc::new(Silent))?;
        let remote = Remote {
            connection,
            url: url.to_owned(),
            tried: Mutex::default(),
        };
        let remote_name = remote_name.to_owned();
        let pass_on = move |request| {
            remote.connect();
            pass(&remote.connection, &remote_name, request);
        };
        self.register_method(name, Arc::new(pass_on))
    }
}

/// A connection that is made when it is needed.
struct Remote {
    connection: NetConnection,
    url: String,
    tried: Mutex<Option<Instant>>,
}

struct Silent;

impl NetConnectionHandler for Silent {}

impl Remote {
    /// Connects, unless that is done, under way, or was tried a moment ago.
    fn connect(&self) {
        if self.connection.is_connected() {
            return;
        }
        let mut tried = self.tried.lock();
        if tried.is_some_and(|at| at.elapsed() < TRY_AGAIN) {
            return;
        }
        *tried = Some(Instant::now());
        match self.connection.connect(&self.url, &[]) {
            Ok(()) | Err(Error::WrongState(_)) => {}
            Err(error) => log::warn!("a proxied method's connection was not made: {error}"),
        }
    }
}

fn pass(connection: &NetConnection, remote_name: &str, request: CallRequest) {
    let args = request.args().to_vec();
    let refused = request.clone();
    let passed = if request.wants_reply() {
        let asked = connection.clone();
        let answer = move |result: Result<Value, Status>| {
            match result {
                Ok(value) => request.accept(value),
                Err(status) if asked.is_connected() => request.reject_with(status),
                Err(status) => request.reject_with(not_responding(&status.description)),
            };
        };
        connection.call(remote_name, args, Some(Box::new(answer)))
    } else {
        request.accept(Value::Undefined);
        connection.call(remote_name, args, None)
    };
    if let Err(error) = passed {
        refused.reject_with(not_responding(&error.to_string()));
    }
}

fn not_responding(why: &str) -> Status {
    Status::new(Code::ProxyNotResponding).with_description(why)
}
