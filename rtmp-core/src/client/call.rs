//! A method that the server of an outgoing connection calls.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::amf::Value;
use crate::app::peer::Reply;
use crate::wire::status::{Code, Status};

/// The server calls a method. It may be answered at once, or kept and answered later from any thread. One that is dropped
/// unanswered fails with NetConnection.Call.Failed. How long it may be kept is the server's to say; those that wait count
/// against [`SessionLimits::max_pending_calls`](crate::session::SessionLimits::max_pending_calls).
#[derive(Clone)]
pub struct ServerCall {
    inner: Arc<Inner>,
}

struct Inner {
    method: String,
    args: Vec<Value>,
    wants_reply: bool,
    reply: Mutex<Option<Reply>>,
}

impl ServerCall {
    pub(crate) fn new(method: String, args: Vec<Value>, wants_reply: bool, reply: Reply) -> Self {
        let reply = Mutex::new(Some(reply));
        let inner = Inner {
            method,
            args,
            wants_reply,
            reply,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The method's name.
    pub fn method(&self) -> &str {
        &self.inner.method
    }

    /// The arguments.
    pub fn args(&self) -> &[Value] {
        &self.inner.args
    }

    /// Whether the server waits for an answer; if not, answers are dropped.
    pub fn wants_reply(&self) -> bool {
        self.inner.wants_reply
    }

    /// Whether an answer was given.
    pub fn is_answered(&self) -> bool {
        self.inner.reply.lock().is_none()
    }

    /// Returns a value to the server. False if the call was answered before; so say all answers.
    pub fn accept(&self, result: impl Into<Value>) -> bool {
        self.inner.answer(Ok(result.into()))
    }

    /// Fails the call with NetConnection.Call.Failed.
    pub fn reject(&self, description: &str) -> bool {
        self.reject_with(Status::new(Code::CallFailed).with_description(description))
    }

    /// Fails the call with a status of the host's choice.
    pub fn reject_with(&self, status: Status) -> bool {
        self.inner.answer(Err(status))
    }

    /// Fails the call because there is no such method.
    pub fn unknown_method(&self) -> bool {
        self.reject(&format!("Method not found ({}).", self.method()))
    }

    /// Fails the call with NetConnection.Call.Prohibited: the method is there, and this host's policy keeps it from this
    /// server.
    pub fn prohibit(&self) -> bool {
        self.reject_with(Status::new(Code::CallProhibited))
    }
}

impl Inner {
    fn answer(&self, result: Result<Value, Status>) -> bool {
        // Not called under the lock: answering may run code that asks about this call.
        let reply = self.reply.lock().take();
        match reply {
            Some(reply) => {
                reply(result);
                true
            }
            None => false,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let status = Status::new(Code::CallFailed).with_description("The application did not answer.");
        self.answer(Err(status));
    }
}

impl fmt::Debug for ServerCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerCall({})", self.method())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_call_is_answered_once_and_never_left_open() {
        let (sender, answers) = channel();
        let call = |sender: std::sync::mpsc::Sender<Result<Value, Status>>| {
            let reply: Reply = Box::new(move |result| sender.send(result).unwrap());
            ServerCall::new("add".to_owned(), vec![Value::from(1.0)], true, reply)
        };
        let kept = call(sender.clone());
        assert!(!kept.is_answered());
        assert!(kept.clone().accept(2.0) && !kept.prohibit() && kept.is_answered());
        drop(kept);
        assert_eq!(answers.try_recv().unwrap(), Ok(Value::from(2.0)));
        call(sender.clone()).prohibit();
        assert_eq!(
            answers.try_recv().unwrap().unwrap_err().code,
            "NetConnection.Call.Prohibited"
        );
        drop(call(sender));
        assert_eq!(
            answers.try_recv().unwrap().unwrap_err().code,
            "NetConnection.Call.Failed"
        );
        assert!(answers.try_recv().is_err());
    }
}
