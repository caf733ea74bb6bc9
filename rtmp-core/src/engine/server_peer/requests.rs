//! What the host is asked, and its answers.

use std::sync::Arc;

use crate::amf::Value;
use crate::app::access::AccessList;
use crate::app::application::{Application, ApplicationHandler, is_valid_name};
use crate::app::client::Client;
use crate::app::instance::NO_ROOM;
use crate::app::login::NotYet;
use crate::app::peer::Answer;
use crate::app::request::{Asker, ConnectRequest, PlayRequest, PublishRequest, Question};
use crate::engine::admission::Ticket;
use crate::engine::held_back::HeldBack;
use crate::engine::server_peer::ServerPeer;
use crate::engine::server_peer::playing::{Entry, Item, State};
use crate::engine::server_peer::streams::Accepted;
use crate::engine::server_peer::transition::Change;
use crate::engine::worker::Context;
use crate::session::{self, ConnectReply, PlayStart, PublishMode};
use crate::wire::status::{Code, Status};

/// A request that waits for the host.
pub(super) struct Pending {
    pub(super) deadline: u64,
    pub(super) what: Asked,
    /// The host's answer comes too late once this is dropped.
    _asker: Asker,
}

pub(super) enum Asked {
    Connect,
    Publish {
        stream_id: u32,
        name: String,
        mode: PublishMode,
    },
    Play {
        stream_id: u32,
        item: Item,
    },
    Transition {
        stream_id: u32,
        change: Change,
    },
    Length {
        transaction_id: f64,
    },
    Call {
        transaction_id: f64,
    },
}

/// A client whose connect waits until the host is less behind.
pub(super) struct Knocking {
    command: session::ConnectRequest,
    pub(super) held_back: HeldBack,
}

impl Knocking {
    pub(super) fn new(command: session::ConnectRequest) -> Self {
        Self {
            command,
            held_back: HeldBack::default(),
        }
    }
}

/// What a client wants to play.
pub(super) struct Wanted {
    pub(super) stream_id: u32,
    pub(super) name: String,
    pub(super) query: String,
    pub(super) start: PlayStart,
    pub(super) duration: Option<u64>,
    pub(super) reset: bool,
    pub(super) at_once: bool,
}

impl Asked {
    /// The code that refuses this kind of request.
    pub(super) fn refusal(&self) -> Code {
        match self {
            Self::Connect => Code::ConnectRejected,
            Self::Publish { .. } => Code::PublishBadName,
            Self::Play { .. } | Self::Transition { .. } => Code::PlayFailed,
            Self::Length { .. } | Self::Call { .. } => Code::CallFailed,
        }
    }
}

impl ServerPeer {
    pub(super) fn connect(&mut self, mut knocking: Knocking, context: &mut Context<'_>) {
        if self.session.is_closed() {
            return;
        }
        if let Ticket::Refused(why) = self.ticket {
            let status = Status::new(Code::ConnectRejected).with_description(why);
            return self.session.reject_connect(status);
        }
        if let Some(refusal) = self.server.refusal() {
            return self.session.reject_connect(refusal);
        }
        let application = self.server.application(&knocking.command.app);
        let is_behind = |application: &Application| application.config().dispatch.is_overfull();
        if knocking
            .held_back
            .holds(application.as_ref().is_some_and(is_behind), context.now)
        {
            self.knocking = Some(Box::new(knocking));
            return;
        }
        let mut command = knocking.command;
        let full_name = format!("{}/{}", command.app, command.instance);
        let valid = is_valid_name(&full_name);
        let Some(application) = application.filter(|_| valid) else {
            let description = format!("Application ({}) is not defined.", command.app);
            return self
                .session
                .reject_connect(Status::new(Code::ConnectInvalidApp).with_description(description));
        };
        let failed = match application.log_in(&command) {
            Ok(()) => None,
            Err(NotYet::Asked(status)) => return self.session.reject_connect(status),
            Err(NotYet::Failed(status)) => Some(status),
        };
        let Some(instance) = application.enter(&full_name) else {
            let status =
                Status::new(Code::ConnectRejected).with_description("The application is being shut down.");
            return self.session.reject_connect(status);
        };
        if let Err(error) = self.session.reread_connect(&mut command, &application.classes()) {
            let description = format!("The connect command cannot be taken: {error}");
            return self
                .session
                .reject_connect(Status::new(Code::ConnectRejected).with_description(description));
        }
        let client = Client::new(
            self.link.id,
            self.address,
            self.protocol(),
            command,
            instance.clone(),
            Arc::new(self.link.clone()),
            Arc::clone(&self.traffic),
            Arc::clone(&self.server.access),
        );
        self.client = Some(client.clone());
        self.application = Some(application.clone());
        if let Some(status) = failed {
            return self.refuse(status);
        }
        if !application.has_room() {
            return self.refuse(Status::new(Code::ConnectRejected).with_description(NO_ROOM));
        }
        let Some(question) = self.ask(Asked::Connect, context) else {
            return;
        };
        instance.when_started(move || {
            let request = ConnectRequest::new(client, question);
            application.event(move |handler| handler.on_connect(request));
        });
    }

    /// Asks the host about a publish, unless the client has no access.
    pub(super) fn ask_publish(
        &mut self,
        stream_id: u32,
        name: String,
        query: String,
        mode: PublishMode,
        context: &mut Context<'_>,
    ) {
        let refused = if !is_valid_name(&name) {
            Some("The name is not valid.".to_owned())
        } else if !self.permits(&name, Client::write_access) {
            Some(format!("Failed to publish {name}; access denied."))
        } else {
            None
        };
        if let Some(why) = refused {
            let status = Status::for_stream(Code::PublishBadName, &name).with_description(why);
            return self.session.reject_publish(stream_id, status);
        }
        let asked = Asked::Publish {
            stream_id,
            name: name.clone(),
            mode,
        };
        if let Some(question) = self.ask(asked, context) {
            self.request(question, move |client, question| {
                let request = PublishRequest::new(client, question, name, query, mode);
                move |handler| handler.on_publish(request)
            });
        }
    }

    /// Asks the host about a play, unless the client has no access.
    pub(super) fn ask_play(&mut self, wanted: Wanted, context: &mut Context<'_>) {
        let Wanted {
            stream_id,
            name,
            query,
            start,
            duration,
            reset,
            at_once,
        } = wanted;
        if reset {
            self.stop_play(stream_id, context);
        }
        if !self.permits(&name, Client::read_access) {
            let status = Status::for_stream(Code::PlayFailed, &name)
                .with_description(format!("Failed to play {name}; access denied."));
            let entry = Entry {
                request: 0,
                state: State::Refused(status),
            };
            self.enlist(stream_id, entry);
            return self.advance(stream_id, context);
        }
        let item = Item {
            name: name.clone(),
            start,
            duration,
            at_once,
        };
        if let Some(question) = self.ask(Asked::Play { stream_id, item }, context) {
            let entry = Entry {
                request: question.number,
                state: State::Asked,
            };
            self.enlist(stream_id, entry);
            self.request(question, move |client, question| {
                let request = PlayRequest::new(client, question, name, query, start, duration, reset);
                move |handler| handler.on_play(request)
            });
        }
    }

    /// Refuses the client, for a reason that the host is told too.
    pub(super) fn refuse(&mut self, status: Status) {
        self.session.reject_connect(status.clone());
        self.parting = Some(Box::new(status));
    }

    /// Notes that the host is asked; `None` before there is a client.
    pub(super) fn ask(&mut self, what: Asked, context: &Context<'_>) -> Option<Question> {
        let timeout = self.application.as_ref()?.config().request_timeout_ms;
        let number = self.next_request;
        self.next_request += 1;
        let (question, asker) = Question::new(number);
        self.requests.insert(
            number,
            Pending {
                deadline: context.now.saturating_add(timeout),
                what,
                _asker: asker,
            },
        );
        Some(question)
    }

    pub(super) fn request<Event>(&self, question: Question, make: impl FnOnce(Client, Question) -> Event)
    where
        Event: FnOnce(&dyn ApplicationHandler) + Send + 'static,
    {
        if let (Some(client), Some(application)) = (&self.client, &self.application) {
            application.event(make(client.clone(), question));
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
            ) => {
                let reply = ConnectReply {
                    properties,
                    info,
                    max_chunk_size,
                };
                self.accept(reply, context);
            }
            (Asked::Connect, Answer::Refuse(status)) => self.refuse(status),
            (
                Asked::Publish {
                    stream_id,
                    name,
                    mode,
                },
                Answer::Publish(options),
            ) => {
                self.publish(
                    Accepted {
                        stream_id,
                        name,
                        mode,
                        options,
                    },
                    context.now,
                );
            }
            (Asked::Publish { stream_id, .. }, Answer::Refuse(status)) => {
                self.session.reject_publish(stream_id, status);
            }
            (Asked::Play { stream_id, mut item }, Answer::Play(other)) => {
                item.name = other.unwrap_or(item.name);
                self.decided(stream_id, number, State::Ready(item), context);
            }
            (Asked::Play { stream_id, .. }, Answer::Refuse(status)) => {
                self.decided(stream_id, number, State::Refused(status), context);
            }
            (
                Asked::Transition {
                    stream_id,
                    mut change,
                },
                Answer::Play(other),
            ) => {
                let called = change.item.name.clone();
                change.item.name = other.unwrap_or(change.item.name);
                self.change(stream_id, change, &called, context);
            }
            (Asked::Transition { stream_id, .. }, Answer::Refuse(status)) => {
                self.session.send_status(stream_id, status);
            }
            (Asked::Length { transaction_id }, Answer::Length(seconds)) => {
                self.session.reply_call(transaction_id, Ok(Value::from(seconds)));
            }
            (Asked::Call { transaction_id }, Answer::Return(value)) => {
                self.session.reply_call(transaction_id, Ok(value));
            }
            (Asked::Call { transaction_id } | Asked::Length { transaction_id }, Answer::Refuse(status)) => {
                self.session
                    .reply_call(transaction_id, Err(Value::from(status.to_object())));
            }
            // Request types only give the answers of their own kind.
            _ => log::error!("a request was answered with another kind's answer"),
        }
    }

    fn accept(&mut self, reply: ConnectReply, context: &mut Context<'_>) {
        let (Some(client), Some(application)) = (self.client.clone(), self.application.clone()) else {
            return;
        };
        if self.session.is_closed() {
            return;
        }
        if let Err(why) = client.instance().add_client(&client) {
            return self.refuse(Status::new(Code::ConnectRejected).with_description(why));
        }
        self.accepted = true;
        self.last_active = context.now;
        self.session.set_classes(application.classes());
        self.session.accept_connect(reply);
        application.event(move |handler| handler.on_accept(&client));
        if let Some(request) = self.server.parting_request() {
            self.request_reconnect(&request);
        }
        for command in std::mem::take(&mut self.early) {
            self.obey(command, context);
        }
    }

    pub(super) fn permits(&self, name: &str, list: impl Fn(&Client) -> AccessList) -> bool {
        self.client
            .as_ref()
            .is_some_and(|client| list(client).permits(name))
    }

    pub(super) fn forget_request(&mut self, is: impl Fn(&Asked) -> bool) {
        self.requests.retain(|_, pending| !is(&pending.what));
    }
}
