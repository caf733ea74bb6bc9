//! Commands of a connected client: those of NetConnection, and the way to those of NetStream.

use crate::amf::Value;
use crate::session::error::SessionError;
use crate::session::events::ServerEvent;
use crate::session::server::{Phase, ServerSession};
use crate::session::streams::Held;
use crate::wire::chunk::csid;
use crate::wire::deviation::Deviation;
use crate::wire::message::command::Command;
use crate::wire::status::{Code, Status};

/// Refused `createStream` commands before the connection is ended.
const MAX_REFUSED_STREAMS: usize = 16;

/// NetStream commands that mean the first stream when they come on stream 0.
const IS_OF_A_STREAM: [&str; 8] = [
    "closeStream",
    "play2",
    "pause",
    "pauseRaw",
    "seek",
    "receiveAudio",
    "receiveVideo",
    "receiveVideoFPS",
];

impl ServerSession {
    /// A command on message stream `stream_id`. Some clients send NetStream commands on stream 0 and the reverse: only
    /// the name decides.
    pub(super) fn command(&mut self, stream_id: u32, command: Command) -> Result<(), SessionError> {
        let Some(command) = self.hold_behind_request(stream_id, command) else {
            return Ok(());
        };
        let on_zero = stream_id == 0 && IS_OF_A_STREAM.contains(&command.name.as_str());
        self.link.tally.note_if(on_zero, Deviation::CommandOnStreamZero);
        match command.name.as_str() {
            "connect" => return Err(SessionError::AlreadyConnected),
            "_result" | "_error" => self.call_answered(command),
            "createStream" => return self.create_stream(command.transaction_id),
            "deleteStream" => self.delete_stream(stream_id, command.arg(0)),
            "closeStream" => self.close_stream(stream_id),
            "publish" => self.publish(stream_id, &command),
            "play" => self.play(stream_id, &command),
            "play2" => self.play2(stream_id, &command),
            "pause" | "pauseRaw" => self.pause(stream_id, &command),
            "seek" => self.seek(stream_id, &command),
            "receiveAudio" => self.receive_audio(stream_id, command.arg(0)),
            "receiveVideo" | "receiveVideoFPS" => self.receive_video(stream_id, command.arg(0)),
            "releaseStream" => self.acknowledge(command.transaction_id),
            "_checkbw" => {
                self.acknowledge(command.transaction_id);
                self.events.push_back(ServerEvent::CheckBandwidth);
            }
            "FCPublish" => self.fc_publish(&command),
            "FCUnpublish" => self.fc_unpublish(&command),
            "FCSubscribe" => self.fc_subscribe(&command),
            "FCUnsubscribe" => self.fc_unsubscribe(&command),
            "getStreamLength" => return self.stream_length(&command),
            "ping" => self.send_command(
                csid::COMMAND,
                0,
                &Command::new("pong", command.transaction_id, Vec::new()),
            ),
            "close" => {
                self.phase = Phase::Closed;
                self.events.push_back(ServerEvent::Close);
            }
            // Said by servers to clients, or between servers; nothing to do when a client says it.
            "onStatus" | "onBWDone" | "_onbwcheck" | "_onbwdone" | "pong" | "setPeerInfo" | "initStream" => {}
            _ => return self.call_arrived(stream_id, command),
        }
        Ok(())
    }

    /// While the host decides about a `publish` or `play`, the commands after it on that stream wait: the host answers
    /// each request before it hears of the next. Gives the command back when it need not wait.
    fn hold_behind_request(&mut self, stream_id: u32, command: Command) -> Option<Command> {
        let target = match command.name.as_str() {
            "publish" | "play" | "play2" | "closeStream" | "pause" | "pauseRaw" | "seek" | "receiveAudio"
            | "receiveVideo" | "receiveVideoFPS" => self.known(stream_id),
            "deleteStream" => self.deleted(stream_id, command.arg(0)),
            "FCUnpublish" => self.pending_named(command.arg(0)),
            _ => None,
        };
        let most = self.config.limits.max_waiting_bytes;
        let stream = target.and_then(|id| self.streams.get_mut(id));
        match stream.filter(|stream| stream.is_pending()) {
            Some(stream) => {
                stream.hold(Held::Command(stream_id, command), most);
                None
            }
            None => Some(command),
        }
    }

    /// Sends `_result(null, undefined)`: done, and nothing to tell. Nothing for transaction 0.
    pub(super) fn acknowledge(&mut self, transaction_id: f64) {
        self.send_result(transaction_id, Value::Undefined);
    }

    pub(super) fn send_result(&mut self, transaction_id: f64, value: Value) {
        self.send_answer("_result", transaction_id, value);
    }

    pub(super) fn send_answer(&mut self, name: &str, transaction_id: f64, value: Value) {
        if transaction_id != 0.0 {
            self.send_command(csid::COMMAND, 0, &Command::new(name, transaction_id, vec![value]));
        }
    }

    pub(super) fn send_command(&mut self, csid: u32, stream_id: u32, command: &Command) {
        let encoding = self.encoding;
        self.link.send_command(csid, stream_id, command, encoding);
    }

    fn create_stream(&mut self, transaction_id: f64) -> Result<(), SessionError> {
        if let Some(id) = self.streams.create() {
            self.send_result(transaction_id, f64::from(id).into());
            return Ok(());
        }
        self.refused_streams += 1;
        if self.refused_streams > MAX_REFUSED_STREAMS {
            return Err(SessionError::TooManyStreams(self.config.limits.max_streams));
        }
        self.send_answer(
            "_error",
            transaction_id,
            call_failed("Too many streams on this connection."),
        );
        Ok(())
    }

    fn call_arrived(&mut self, stream_id: u32, command: Command) -> Result<(), SessionError> {
        self.expect_answer(command.transaction_id)?;
        self.events.push_back(ServerEvent::Call {
            stream_id,
            transaction_id: command.transaction_id,
            name: command.name,
            object: command.object,
            args: command.args,
        });
        Ok(())
    }

    fn call_answered(&mut self, mut command: Command) {
        if self.calls.finish(command.transaction_id).is_none() {
            return;
        }
        let value = if command.args.is_empty() {
            Value::Undefined
        } else {
            command.args.swap_remove(0)
        };
        self.events.push_back(ServerEvent::CallReply {
            transaction_id: command.transaction_id,
            result: if command.name == "_result" {
                Ok(value)
            } else {
                Err(value)
            },
        });
    }

    fn stream_length(&mut self, command: &Command) -> Result<(), SessionError> {
        self.expect_answer(command.transaction_id)?;
        if command.transaction_id != 0.0 {
            self.events.push_back(ServerEvent::StreamLength {
                transaction_id: command.transaction_id,
                name: command.arg(0).as_str().unwrap_or_default().to_owned(),
            });
        }
        Ok(())
    }

    /// Counts a call the host has to answer.
    fn expect_answer(&mut self, transaction_id: f64) -> Result<(), SessionError> {
        if transaction_id != 0.0 {
            self.unanswered += 1;
        }
        let most = self.config.limits.max_pending_calls;
        if self.unanswered > most {
            return Err(SessionError::TooManyCalls(most));
        }
        Ok(())
    }

    /// Flash Media Live Encoder waits for `onFCPublish` before it publishes. It promises nothing: `publish` decides.
    fn fc_publish(&mut self, command: &Command) {
        self.acknowledge(command.transaction_id);
        self.send_fc("onFCPublish", Code::PublishStart, command);
    }

    /// Ends this connection's own stream of that name; others of the name are none of its business.
    fn fc_unpublish(&mut self, command: &Command) {
        self.acknowledge(command.transaction_id);
        self.send_fc("onFCUnpublish", Code::UnpublishSuccess, command);
        if let Ok((name, _)) = self.stream_name(command.arg(0)) {
            self.unpublish_named(&name);
        }
    }

    fn fc_subscribe(&mut self, command: &Command) {
        self.send_fc("onFCSubscribe", Code::PlayStart, command);
    }

    fn fc_unsubscribe(&mut self, command: &Command) {
        self.send_fc("onFCUnsubscribe", Code::PlayStop, command);
    }

    fn send_fc(&mut self, method: &str, code: Code, command: &Command) {
        let status = Status::new(code).with_description(command.arg(0).as_str().unwrap_or_default());
        self.send_command(csid::COMMAND, 0, &Command::new(method, 0.0, vec![status.into()]));
    }
}

/// The error value of a call that failed.
pub(super) fn call_failed(description: &str) -> Value {
    Status::new(Code::CallFailed).with_description(description).into()
}
