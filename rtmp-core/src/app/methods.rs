//! Methods that clients may call: those of one client, those of an application, and the names that are nobody's.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::app::application::Application;
use crate::app::client::Client;
use crate::app::request::CallRequest;
use crate::error::{Error, Result};

/// A method that clients may call. It runs where the application's handler does, and answers the request at once or later.
pub type Method = Arc<dyn Fn(CallRequest) + Send + Sync>;

/// Methods by name.
#[derive(Default)]
pub(crate) struct Methods {
    /// Boxed, because most clients have none of their own.
    #[allow(clippy::box_collection)]
    by_name: Mutex<Option<Box<HashMap<String, Method>>>>,
}

/// Commands of the protocol, which the session answers.
const COMMANDS: [&str; 23] = [
    "connect",
    "close",
    "createStream",
    "deleteStream",
    "closeStream",
    "releaseStream",
    "getStreamLength",
    "FCPublish",
    "FCUnpublish",
    "FCSubscribe",
    "FCUnsubscribe",
    "publish",
    "play",
    "play2",
    "pause",
    "pauseRaw",
    "seek",
    "receiveAudio",
    "receiveVideo",
    "receiveVideoFPS",
    "ping",
    "pong",
    "onStatus",
];

/// Whether a name is the protocol's own: no call of that name reaches the host.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.is_empty() || name.starts_with(['_', '@', '|']) || COMMANDS.contains(&name)
}

impl Methods {
    fn register(&self, name: &str, method: Method) -> Result<()> {
        if is_reserved(name) {
            return Err(Error::InvalidArgument(format!(
                "method name {name:?}: it belongs to the protocol"
            )));
        }
        let before = self
            .by_name
            .lock()
            .get_or_insert_default()
            .insert(name.to_owned(), method);
        // Outside the lock: this may run code of the host.
        drop(before);
        Ok(())
    }

    fn unregister(&self, name: &str) -> bool {
        let before = self
            .by_name
            .lock()
            .as_mut()
            .and_then(|methods| methods.remove(name));
        before.is_some()
    }

    pub(crate) fn find(&self, name: &str) -> Option<Method> {
        self.by_name.lock().as_ref()?.get(name).cloned()
    }

    /// Lets go of all methods, and of what they hold.
    pub(crate) fn clear(&self) {
        let methods = std::mem::take(&mut *self.by_name.lock());
        drop(methods);
    }
}

/// Methods that all clients of the application may call.
impl Application {
    /// Lets clients call a method. Those that a client has for itself come first,
    /// [`ApplicationHandler::on_call`](crate::ApplicationHandler::on_call) gets what nobody registered. Names of the protocol's
    /// commands, and those that begin with `_`, `@` or `|`, are refused with [`Error::InvalidArgument`]. One registered before
    /// under the name is replaced. [`Error::Closed`] when the application is.
    pub fn register_method(&self, name: &str, method: Method) -> Result<()> {
        if self.is_closed() {
            return Err(Error::Closed("application"));
        }
        self.methods().register(name, method)
    }

    /// Takes a method away; false if there was none.
    pub fn unregister_method(&self, name: &str) -> bool {
        self.methods().unregister(name)
    }

    /// Passes calls of a method on to a client, usually another server, under `remote_name`; its answer goes back to the caller.
    /// Errors as of [`register_method`](Self::register_method).
    pub fn proxy_method_to_client(&self, name: &str, target: &Client, remote_name: &str) -> Result<()> {
        let (target, remote_name) = (target.clone(), remote_name.to_owned());
        let pass_on = move |request: CallRequest| {
            let args = request.args().to_vec();
            if !request.wants_reply() {
                request.accept(crate::amf::Value::Undefined);
                return target.call(&remote_name, args);
            }
            let answer = move |result| {
                match result {
                    Ok(value) => request.accept(value),
                    Err(status) => request.reject_with(status),
                };
            };
            target.call_with_reply(&remote_name, args, Box::new(answer));
        };
        self.register_method(name, Arc::new(pass_on))
    }
}

/// Methods that this client may call.
impl Client {
    /// Lets this client call a method; see [`Application::register_method`]. It is let go of when the client leaves, and
    /// refused with [`Error::Closed`] when it has left.
    pub fn register_method(&self, name: &str, method: Method) -> Result<()> {
        if !self.is_connected() {
            return Err(Error::Closed("client"));
        }
        self.methods().register(name, method)
    }

    /// Takes a method away; false if there was none.
    pub fn unregister_method(&self, name: &str) -> bool {
        self.methods().unregister(name)
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.by_name.lock();
        let names = methods.iter().flat_map(|methods| methods.keys());
        f.debug_set().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_protocol_are_nobodys() {
        let methods = Methods::default();
        for name in [
            "",
            "_checkbw",
            "@setDataFrame",
            "|RtmpSampleAccess",
            "play",
            "connect",
            "onStatus",
        ] {
            assert!(methods.register(name, Arc::new(|_| ())).is_err(), "{name:?}");
        }
        assert!(methods.register("checkBandwidth", Arc::new(|_| ())).is_ok());
        assert!(methods.find("checkBandwidth").is_some());
        assert!(methods.unregister("checkBandwidth"));
        assert!(!methods.unregister("checkBandwidth"));
    }
}
