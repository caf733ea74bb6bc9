//! What the host is asked, and its answers.

use std::sync::Arc;

use crate::amf::Value;
use crate::app::application::{ApplicationHandler, is_valid_name};
use crate::app::client::Client;
use crate::app::peer::Answer;
use crate::app::request::ConnectRequest;
use crate::engine::server_peer::ServerPeer;
use crate::engine::worker::Context;
use crate::session::{self, ConnectReply};
use crate::wire::status::{Code, Status};

/// A request that waits for the host.
pub(super) struct Pending {
    pub(super) deadline: u64,
    pub(super) what: Asked,
}

pub(super) enum Asked {
    Connect,
    Publish { stream_id: u32, name: String },
    Play { stream_id: u32, name: String },
    Call { transaction_id: f64 },
}

impl Asked {
    /// The code that refuses this kind of request.
    pub(super) fn refusal(&self) -> Code {
        match self {
            Self::Connect => Code::ConnectRejected,
            Self::Publish { .. } => Code::PublishBadName,
            Self::Play { .. } => Code::PlayFailed,
            Self::Call { .. } => Code::CallFailed,
        }
    }
}

impl ServerPeer {
    pub(super) fn connect(&mut self, command: session::ConnectRequest, context: &mut Context<'_>) {
        if let Some(refusal) = self.server.refusal() {
            return self.session.reject_connect(refusal);
        }
        let full_name = format!("{}/{}", command.app, command.instance);
        let application = self.server.application(&command.app);
        let valid = is_valid_name(&full_name);
        let Some(application) = application.filter(|_| valid) else {
            let description = format!("Application ({}) is not defined.", command.app);
            return self
                .session
                .reject_connect(Status::new(Code::ConnectInvalidApp).with_description(description));
        };
        let Some(instance) = application.enter(&full_name).filter(|_| application.has_room()) else {
            let status =
                Status::new(Code::ConnectRejected).with_description("The application takes no more clients.");
            return self.session.reject_connect(status);
        };
        let link = Arc::new(self.link.clone());
        let traffic = Arc::clone(&self.traffic);
        let client = Client::new(
            self.link.id,
            self.address,
            false,
            command,
            instance.clone(),
            link,
            traffic,
        );
        self.client = Some(client.clone());
        self.application = Some(application.clone());
        let Some(number) = self.ask(Asked::Connect, context) else {
            return;
        };
        instance.when_started(move || {
            let request = ConnectRequest::new(client, number);
            application.event(move |handler| handler.on_connect(request));
        });
    }

    /// Notes that the host is asked; `None` before there is a client.
    pub(super) fn ask(&mut self, what: Asked, context: &Context<'_>) -> Option<u64> {
        let timeout = self.application.as_ref()?.config().request_timeout_ms;
        let number = self.next_request;
        self.next_request += 1;
        self.requests.insert(
            number,
            Pending {
                deadline: context.now.saturating_add(timeout),
                what,
            },
        );
        Some(number)
    }

    pub(super) fn request<Event>(&self, number: u64, make: impl FnOnce(Client, u64) -> Event)
    where
        Event: FnOnce(&dyn ApplicationHandler) + Send + 'static,
    {
        if let (Some(client), Some(application)) = (&self.client, &self.application) {
            application.event(make(client.clone(), number));
        }
    }

    pub(super) fn answer(&mut self, number: u64, answer: Answer, context: &mut Context<'_>) {
        let Some(pending) = self.requests.remove(&number) else {
            return;
        };
        match (pending.what, answer) {
            (
                Asked::Connect,
                Answer::Connect {
                    properties,
                    info,
                    max_chunk_size,
                },
            ) => self.accept(ConnectReply {
                properties,
                info,
                max_chunk_size,
            }),
            (Asked::Connect, Answer::Refuse(status)) => {
                self.refusal = Some(status.clone());
                self.session.reject_connect(status);
            }
            (Asked::Publish { stream_id, name }, Answer::Publish(takeover)) => {
                self.publish(stream_id, &name, takeover);
            }
            (Asked::Publish { stream_id, .. }, Answer::Refuse(status)) => {
                self.session.reject_publish(stream_id, status);
            }
            (Asked::Play { stream_id, name }, Answer::Play(other)) => {
                self.play(stream_id, &other.unwrap_or(name), context);
            }
            (Asked::Play { stream_id, .. }, Answer::Refuse(status)) => {
                self.session.reject_play(stream_id, status)
            }
            (Asked::Call { transaction_id }, Answer::Return(value)) => {
                self.session.reply_call(transaction_id, Ok(value));
            }
            (Asked::Call { transaction_id }, Answer::Refuse(status)) => {
                self.session
                    .reply_call(transaction_id, Err(Value::from(status.to_object())));
            }
            // Request types only give the answers of their own kind.
            _ => log::error!("a request was answered with another kind's answer"),
        }
    }

    pub(super) fn accept(&mut self, reply: ConnectReply) {
        self.accepted = true;
        if let Some(client) = &self.client {
            client.instance().add_client(client);
        }
        self.session.accept_connect(reply);
        if let Some(request) = self.server.parting_request() {
            self.request_reconnect(&request);
        }
    }

    pub(super) fn forget_request(&mut self, is: impl Fn(&Asked) -> bool) {
        self.requests.retain(|_, pending| !is(&pending.what));
    }
}
