//! Calls both ways, and messages of shared objects.

use crate::amf::Value;
use crate::app::peer::Reply;
use crate::engine::server_peer::ServerPeer;
use crate::wire::message::Message;
use crate::wire::status::{Code, Status};

/// Bytes waiting for a client beyond which no messages of shared objects are added: it is disconnected.
const MAX_MESSAGES_WAITING: usize = 64 << 20;

impl ServerPeer {
    pub(super) fn shared_object(&mut self, message: &Message) {
        let Some(client) = self.client.clone().filter(|_| self.accepted) else {
            return;
        };
        if let Err(error) = self.shared_objects.message(&client, message)
            && let Some(application) = &self.application
        {
            let status = Status::new(Code::CallFailed).with_description(error.to_string());
            application.event(move |handler| handler.on_error(&client, &status));
        }
    }

    /// Sends a message as it is, unless the client reads too slowly for what it joined.
    pub(super) fn pass(&mut self, message: &Message) {
        if self.session.output().len() > MAX_MESSAGES_WAITING {
            log::info!("{}: disconnected: does not read its shared objects", self.address);
            return self.session.close(None);
        }
        if !self.session.send_message(message) {
            log::warn!("a message longer than RTMP allows was dropped");
        }
    }

    pub(super) fn call(&mut self, name: &str, args: Vec<Value>, reply: Option<Reply>) {
        let transaction = self.session.call(name, args, reply.is_some());
        match (transaction, reply) {
            (Some(transaction), Some(reply)) => {
                self.calls.insert(transaction.to_bits(), reply);
            }
            (None, Some(reply)) => {
                let status =
                    Status::new(Code::CallFailed).with_description("The client cannot be called now.");
                reply(Err(status));
            }
            _ => {}
        }
    }
}

/// The status in an error value; peers send objects, and now and then something else.
pub(crate) fn failure(value: &Value) -> Status {
    Status::from_value(value)
        .unwrap_or_else(|| Status::new(Code::CallFailed).with_description(value.as_str().unwrap_or_default()))
}
