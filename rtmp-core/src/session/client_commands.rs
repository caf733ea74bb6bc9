//! Commands of the server.

use crate::amf::Value;
use crate::session::client::{AfterCreate, ClientSession, Phase, Purpose};
use crate::session::client_connect::CONNECT;
use crate::session::client_events::ClientEvent;
use crate::session::error::SessionError;
use crate::session::streams::Role;
use crate::wire::message::command::Command;
use crate::wire::status::{Code, Status};

impl ClientSession {
    pub(super) fn command(&mut self, stream_id: u32, command: Command) -> Result<(), SessionError> {
        match command.name.as_str() {
            "_result" | "_error" => self.answered(command),
            "onStatus" => self.on_status(stream_id, &command),
            "close" | "onFCUnsubscribe" => self.end(),
            "onFCPublish" | "onFCSubscribe" | "onFCUnpublish" => self.on_fc(&command),
            "_onbwcheck" | "onBWCheck" => self.bandwidth_checked(&command),
            "ping" => self.send(0, &Command::new("pong", command.transaction_id, Vec::new())),
            "onBWDone" | "_onbwdone" | "pong" | "playlist_ready" => {}
            _ if !self.is_connected() => {}
            _ => return self.called(command),
        }
        Ok(())
    }

    /// Nobody answered in time.
    pub(super) fn call_expired(&mut self, transaction_id: f64, purpose: Purpose) {
        let failure = || Status::new(Code::CallFailed).with_description("No answer came in time.");
        match purpose {
            Purpose::Nothing => {}
            Purpose::Host => self.events.push_back(ClientEvent::CallReply {
                transaction_id,
                result: Err(failure().into()),
            }),
            Purpose::CreateStream(_) => self.events.push_back(ClientEvent::StreamFailed {
                request: transaction_id,
                status: failure(),
            }),
            Purpose::Publish(stream_id) => self.settle(stream_id, Role::PublishAsked, failure()),
            Purpose::Play(stream_id) => self.settle(stream_id, Role::PlayAsked, failure()),
        }
    }

    fn answered(&mut self, command: Command) {
        if self.phase == Phase::Connecting {
            if command.transaction_id == CONNECT {
                self.connect_answered(&command);
            }
            return;
        }
        let id = command.transaction_id;
        let Some(purpose) = self.calls.finish(id) else {
            return;
        };
        let ok = command.name == "_result";
        let value = command.args.into_iter().next().unwrap_or(Value::Undefined);
        match purpose {
            Purpose::Nothing => {}
            Purpose::Host => self.events.push_back(ClientEvent::CallReply {
                transaction_id: id,
                result: if ok { Ok(value) } else { Err(value) },
            }),
            Purpose::CreateStream(then) if ok => self.stream_created(id, &value, then),
            Purpose::CreateStream(_) => self.stream_failed(id, &value, "createStream was refused."),
            // Some servers answer these with a bare result and no status.
            Purpose::Publish(stream_id) => {
                self.settle(
                    stream_id,
                    Role::PublishAsked,
                    plain_answer(ok, &value, Code::PublishStart),
                );
            }
            Purpose::Play(stream_id) => {
                self.settle(
                    stream_id,
                    Role::PlayAsked,
                    plain_answer(ok, &value, Code::PlayStart),
                );
            }
        }
    }

    fn stream_created(&mut self, request: f64, value: &Value, then: AfterCreate) {
        let id = value
            .as_f64()
            .filter(|id| *id >= 1.0 && *id <= f64::from(u32::MAX) && id.fract() == 0.0);
        let Some(stream_id) = id.map(|id| id as u32).filter(|id| self.streams.add(*id)) else {
            return self.stream_failed(
                request,
                &Value::Null,
                "createStream was answered with an unusable stream id.",
            );
        };
        self.events
            .push_back(ClientEvent::StreamCreated { request, stream_id });
        match then {
            AfterCreate::Nothing => {}
            AfterCreate::Publish(name, mode) => self.publish(stream_id, &name, mode),
            AfterCreate::Play(options) => self.play(stream_id, &options),
        }
    }

    fn stream_failed(&mut self, request: f64, value: &Value, description: &str) {
        let own = || Status::new(Code::CallFailed).with_description(description);
        let status = Status::from_value(value).unwrap_or_else(own);
        self.events
            .push_back(ClientEvent::StreamFailed { request, status });
    }

    /// Ends the wait of a `publish` or `play` that is still asked for; a status that came before has done so already.
    fn settle(&mut self, stream_id: u32, asked: Role, status: Status) {
        let Some(stream) = self
            .streams
            .get_mut(stream_id)
            .filter(|stream| stream.role == asked)
        else {
            return;
        };
        stream.role = match asked {
            _ if status.is_error() => Role::Idle,
            Role::PublishAsked => Role::Publishing,
            _ => Role::Playing,
        };
        self.events.push_back(ClientEvent::Status { stream_id, status });
    }

    /// A status without an information object or without a code says nothing.
    fn on_status(&mut self, stream_id: u32, command: &Command) {
        let Some(status) = command.args.iter().find_map(Status::from_value) else {
            return;
        };
        if status.code.is_empty() {
            return;
        }
        if self.phase == Phase::Connecting {
            if status.is_error() {
                self.connect_refused(status);
            }
            return;
        }
        let stream_id = match stream_id {
            0 if status.is_of_stream() => self.streams.first().unwrap_or(0),
            other => other,
        };
        self.note_role(stream_id, &status);
        self.events.push_back(ClientEvent::Status { stream_id, status });
    }

    fn note_role(&mut self, stream_id: u32, status: &Status) {
        let Some(stream) = self.streams.get_mut(stream_id) else {
            return;
        };
        stream.role = match (Code::parse(&status.code), stream.role) {
            (Some(Code::PublishStart), Role::PublishAsked) => Role::Publishing,
            (Some(Code::PlayStart), Role::PlayAsked) => Role::Playing,
            (Some(Code::UnpublishSuccess), Role::Publishing) => Role::Idle,
            (_, Role::PublishAsked | Role::PlayAsked) if status.is_error() => Role::Idle,
            (Some(Code::PublishBadName | Code::PublishDenied | Code::PublishRejected), _) => Role::Idle,
            (_, role) => role,
        };
    }

    /// `onFCPublish` and its like come in many shapes, down to the bare name. Only a refusal matters: what is asked for
    /// follows by `publish` and `play` anyway.
    fn on_fc(&mut self, command: &Command) {
        let status = command.args.iter().find_map(Status::from_value);
        if let Some(status) = status.filter(Status::is_error) {
            self.events
                .push_back(ClientEvent::Status { stream_id: 0, status });
        }
    }

    /// Servers that measure bandwidth count the answers.
    fn bandwidth_checked(&mut self, command: &Command) {
        if command.transaction_id != 0.0 {
            self.send(
                0,
                &Command::new("_result", command.transaction_id, vec![Value::Number(0.0)]),
            );
        }
    }

    fn called(&mut self, command: Command) -> Result<(), SessionError> {
        let most = self.config.limits.max_pending_calls;
        if command.transaction_id != 0.0 {
            self.unanswered += 1;
        }
        if self.unanswered > most {
            return Err(SessionError::TooManyCalls(most));
        }
        self.events.push_back(ClientEvent::Call {
            transaction_id: command.transaction_id,
            name: command.name,
            object: command.object,
            args: command.args,
        });
        Ok(())
    }
}

fn plain_answer(ok: bool, value: &Value, code: Code) -> Status {
    match Status::from_value(value) {
        Some(status) if !status.code.is_empty() => status,
        _ if ok => Status::new(code),
        _ => Status::new(Code::StreamFailed),
    }
}
