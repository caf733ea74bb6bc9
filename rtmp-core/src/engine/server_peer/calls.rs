//! Calls both ways, and messages of shared objects.

use crate::amf::Value;
use crate::app::bandwidth::BandwidthCheck;
use crate::app::methods::is_reserved;
use crate::app::peer::Reply;
use crate::app::request::{CallRequest, StreamLengthRequest};
use crate::engine::server_peer::ServerPeer;
use crate::engine::server_peer::requests::Asked;
use crate::engine::worker::Context;
use crate::wire::message::Message;
use crate::wire::message::command::why_not_callable;
use crate::wire::status::{Code, Status};

/// Pings of the host that one answer may be waited for with.
const MAX_PINGS: usize = 1024;

impl ServerPeer {
    /// The client calls a method: its own first, then the application's, then whatever the handler makes of it.
    pub(super) fn called(
        &mut self,
        transaction_id: f64,
        name: String,
        args: Vec<Value>,
        context: &Context<'_>,
    ) {
        let (Some(client), Some(application)) = (self.client.clone(), self.application.clone()) else {
            return;
        };
        if is_reserved(&name) {
            let description = Code::CallFailed.description_of(&name);
            let status = Status::new(Code::CallFailed).with_description(description);
            return self.session.reply_call(transaction_id, Err(status.into()));
        }
        let method = client.methods().find(&name);
        let method = method.or_else(|| application.methods().find(&name));
        if method.is_none() && name == "checkBandwidth" {
            self.session.reply_call(transaction_id, Ok(Value::Undefined));
            return self.bandwidth_wanted(BandwidthCheck::Native, context.now);
        }
        let Some(question) = self.ask(Asked::Call { transaction_id }, context) else {
            return;
        };
        let request = CallRequest::new(client, question, name, args, transaction_id != 0.0);
        application.event(move |handler| match method {
            Some(method) => method(request),
            None => handler.on_call(request),
        });
    }

    /// The client answered a call, or did not in time.
    pub(super) fn call_answered(&mut self, transaction_id: f64, result: Result<Value, Value>, now: u64) {
        if self.probe_answered(transaction_id, &result, now) {
            return;
        }
        if let Some(reply) = self.calls.remove(&transaction_id.to_bits()) {
            reply(result.map_err(|value| failure(&value)));
        }
    }

    /// The client wants to know how long a stream is; of what it may not play it learns nothing.
    pub(super) fn stream_length(&mut self, transaction_id: f64, name: &str, context: &Context<'_>) {
        let (name, query) = name.split_once('?').unwrap_or((name, ""));
        let (Some(client), Some(application)) = (self.client.clone(), self.application.clone()) else {
            return;
        };
        if !client.read_access().permits(name) {
            return self.session.reply_call(transaction_id, Ok(Value::from(0.0)));
        }
        if let Some(question) = self.ask(Asked::Length { transaction_id }, context) {
            let request = StreamLengthRequest::new(client, question, name.to_owned(), query.to_owned());
            application.event(move |handler| handler.on_stream_length(request));
        }
    }

    pub(super) fn ping_answered(&mut self, rtt_ms: u64) {
        self.traffic.set_ping_rtt(rtt_ms);
        for reply in self.pings.drain(..) {
            #[allow(clippy::cast_precision_loss)] // Milliseconds.
            reply(Ok(Value::from(rtt_ms as f64)));
        }
    }

    pub(super) fn shared_object(&mut self, message: &Message) {
        let Some(client) = self.client.clone().filter(|_| self.accepted) else {
            return;
        };
        if let Err(error) = self
            .shared_objects
            .message(&client, message, self.session.classes())
        {
            self.complain(Code::CallFailed, &error.to_string());
        }
    }

    /// Tells the host that the client sent what cannot be processed.
    pub(super) fn complain(&self, code: Code, what: &str) {
        self.complain_of(Status::new(code).with_description(what));
    }

    pub(super) fn complain_of(&self, status: Status) {
        if let (Some(client), Some(application)) = (self.client.clone(), &self.application) {
            application.event(move |handler| handler.on_error(&client, &status));
        }
    }

    /// The host wants to know the round trip.
    pub(super) fn ping(&mut self, reply: Reply) {
        if self.pings.len() >= MAX_PINGS {
            let status = Status::new(Code::CallFailed).with_description("Too many pings wait for an answer.");
            return reply(Err(status));
        }
        self.pings.push_back(reply);
        self.session.ping();
    }

    /// Sends a message as it is.
    pub(super) fn pass(&mut self, message: &Message) {
        if !self.session.send_message(message) {
            log::warn!("a message longer than RTMP allows was dropped");
        }
    }

    pub(super) fn call(&mut self, name: &str, args: Vec<Value>, reply: Option<Reply>) {
        if let Some(why) = why_not_callable(name, reply.is_some()) {
            log::warn!("a method of a client is not called: {why}");
            if let Some(reply) = reply {
                reply(Err(Status::new(Code::CallFailed).with_description(why)));
            }
            return;
        }
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
