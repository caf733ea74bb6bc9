//! What the host asks of the server: streams, publishing, playing, calls, media.

use crate::amf::{ClassRegistry, Value};
use crate::media::{MediaKind, MediaMessage};
use crate::session::client::{AfterCreate, ClientSession, Purpose};
use crate::session::client_events::{Play2Options, PlayOptions};
use crate::session::events::PublishMode;
use crate::session::streams::Role;
use crate::wire::chunk::{Message, MessageType, SharedMessage, csid};
use crate::wire::message::command::Command;
use crate::wire::message::control::LimitType;
use crate::wire::message::data::DataMessage;
use crate::wire::message::user_control::UserControl;
use std::sync::Arc;

/// The string in front of metadata that the server shall remember, as an AMF0 string.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";

impl ClientSession {
    /// Completes or refuses instances of these classes in commands from now on.
    pub fn set_classes(&mut self, classes: Arc<ClassRegistry>) {
        self.link.classes = Some(classes);
    }

    /// The classes whose instances are completed or refused.
    pub fn classes(&self) -> &ClassRegistry {
        self.link.classes.as_deref().unwrap_or(ClassRegistry::builtin())
    }

    /// Creates a message stream. `StreamCreated` or `StreamFailed` will carry the number returned; `None`, nothing being
    /// sent, when not connected or when too many calls wait.
    pub fn create_stream(&mut self) -> Option<f64> {
        self.request(
            "createStream",
            Vec::new(),
            Purpose::CreateStream(AfterCreate::Nothing),
        )
    }

    /// Creates a stream and publishes on it, with the commands encoders send around that. Returns as `create_stream`; the
    /// server's decision is a `Status` of the stream.
    pub fn publish_stream(&mut self, name: &str, mode: PublishMode) -> Option<f64> {
        if self.config.fc_publish {
            self.request("releaseStream", vec![name.into()], Purpose::Nothing)?;
            self.request("FCPublish", vec![name.into()], Purpose::Nothing)?;
        }
        let then = AfterCreate::Publish(name.to_owned(), mode);
        self.request("createStream", Vec::new(), Purpose::CreateStream(then))
    }

    /// Creates a stream and plays on it. Returns as `create_stream`; the server's decision is a `Status` of the stream.
    pub fn play_stream(&mut self, options: PlayOptions) -> Option<f64> {
        self.request(
            "createStream",
            Vec::new(),
            Purpose::CreateStream(AfterCreate::Play(options)),
        )
    }

    /// Publishes on a stream that exists.
    pub fn publish(&mut self, stream_id: u32, name: &str, mode: PublishMode) {
        let Some(stream) = self.streams.get_mut(stream_id) else {
            return;
        };
        stream.role = Role::PublishAsked;
        name.clone_into(&mut stream.name);
        // A server that sends chunks of a size can read them.
        let size = self.link.peer_chunk_size().min(self.config.max_chunk_size);
        if size > self.link.writer.chunk_size() {
            self.link.send_chunk_size(size);
        }
        let args = vec![name.into(), mode.name().into()];
        self.stream_request(stream_id, "publish", args, Purpose::Publish(stream_id));
    }

    /// Plays on a stream that exists.
    pub fn play(&mut self, stream_id: u32, options: &PlayOptions) {
        let Some(stream) = self.streams.get_mut(stream_id) else {
            return;
        };
        stream.role = Role::PlayAsked;
        stream.name.clone_from(&options.name);
        if self.config.fc_subscribe {
            self.request(
                "FCSubscribe",
                vec![options.name.as_str().into()],
                Purpose::Nothing,
            );
        }
        self.stream_request(stream_id, "play", options.args(), Purpose::Play(stream_id));
        self.set_buffer_length(stream_id, self.config.buffer_ms);
    }

    /// Plays another stream in the place of one, or after it, on a stream that plays.
    pub fn play2(&mut self, stream_id: u32, options: &Play2Options) {
        if self.streams.get(stream_id).is_some() {
            let options = vec![options.to_object().into()];
            self.send(stream_id, &Command::new("play2", 0.0, options));
        }
    }

    /// Stops what the stream does; it stays usable.
    pub fn close_stream(&mut self, stream_id: u32) {
        if let Some(stream) = self.streams.get_mut(stream_id) {
            stream.reset();
            self.send(stream_id, &Command::new("closeStream", 0.0, Vec::new()));
        }
    }

    /// Ends a stream for good.
    pub fn delete_stream(&mut self, stream_id: u32) {
        let Some(stream) = self.streams.remove(stream_id) else {
            return;
        };
        let publishes = matches!(stream.role, Role::Publishing | Role::PublishAsked);
        if publishes && self.config.fc_publish {
            self.request("FCUnpublish", vec![stream.name.into()], Purpose::Nothing);
        }
        self.send(0, &Command::new("deleteStream", 0.0, vec![stream_id.into()]));
    }

    /// Pauses or resumes a recorded stream where the host stands, in milliseconds.
    pub fn pause(&mut self, stream_id: u32, pause: bool, millis: u32) {
        let args = vec![pause.into(), millis.into()];
        self.send(stream_id, &Command::new("pause", 0.0, args));
    }

    /// Seeks a recorded stream to a time in milliseconds.
    pub fn seek(&mut self, stream_id: u32, millis: u64) {
        #[allow(clippy::cast_precision_loss)] // Far below 2^53.
        let args = vec![Value::from(millis as f64)];
        self.send(stream_id, &Command::new("seek", 0.0, args));
    }

    /// Asks for the stream's audio, or for none.
    pub fn receive_audio(&mut self, stream_id: u32, on: bool) {
        self.send(stream_id, &Command::new("receiveAudio", 0.0, vec![on.into()]));
    }

    /// Asks for the stream's video, or for none.
    pub fn receive_video(&mut self, stream_id: u32, on: bool) {
        self.send(stream_id, &Command::new("receiveVideo", 0.0, vec![on.into()]));
    }

    /// Tells the server how much this side buffers, in milliseconds.
    pub fn set_buffer_length(&mut self, stream_id: u32, millis: u32) {
        self.link
            .send_user(&UserControl::SetBufferLength { stream_id, millis });
    }

    /// Calls a method of the server. With `want_reply` the transaction that its `CallReply` event will carry; `None`
    /// without, or, nothing being sent, when not connected or when too many calls wait.
    pub fn call(&mut self, name: &str, args: Vec<Value>, want_reply: bool) -> Option<f64> {
        if want_reply {
            return self.request(name, args, Purpose::Host);
        }
        if self.is_connected() {
            self.send(0, &Command::new(name, 0.0, args));
        }
        None
    }

    /// Answers a `Call`; nothing is sent for transaction 0.
    pub fn reply_call(&mut self, transaction_id: f64, result: Result<Value, Value>) {
        if transaction_id == 0.0 || !self.is_connected() {
            return;
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        let (name, value) = match result {
            Ok(value) => ("_result", value),
            Err(value) => ("_error", value),
        };
        self.send(0, &Command::new(name, transaction_id, vec![value]));
    }

    /// Sends audio, video or data. `false`, nothing being sent, when it is longer than RTMP allows.
    pub fn send_media(&mut self, stream_id: u32, message: &MediaMessage) -> bool {
        let (kind, csid) = match message.kind {
            MediaKind::Audio => (MessageType::AUDIO, csid::AUDIO),
            MediaKind::Video => (MessageType::VIDEO, csid::VIDEO),
            MediaKind::Data => (MessageType::DATA, csid::DATA),
        };
        let message = Message {
            timestamp: message.timestamp,
            kind,
            stream_id,
            payload: message.body.clone(),
        };
        self.link.writer.write(csid, &message, &mut self.link.output)
    }

    /// Sends a message prepared for several connections. `false`, nothing being sent, when it is longer than RTMP allows.
    #[inline]
    pub fn send_shared(&mut self, stream_id: u32, message: &SharedMessage) -> bool {
        let (csid, output) = (csid::of_media(message.kind), &mut self.link.output);
        self.link.writer.write_shared(csid, stream_id, message, output)
    }

    /// Sends a data message (for instance `onMetaData`, its body beginning with that name) that the server shall remember
    /// for players who come later. `false`, nothing being sent, when it is longer than RTMP allows.
    pub fn set_data_frame(&mut self, stream_id: u32, message: &MediaMessage) -> bool {
        let body = [SET_DATA_FRAME, &message.body].concat();
        let message = MediaMessage {
            kind: MediaKind::Data,
            timestamp: message.timestamp,
            body: body.into(),
        };
        self.send_media(stream_id, &message)
    }

    /// Sends a data message on `stream_id` at `timestamp` milliseconds.
    pub fn send_data(&mut self, stream_id: u32, timestamp: u32, data: &DataMessage) {
        let message = data.encode(stream_id, timestamp, self.encoding);
        self.link.write(csid::DATA, &message);
    }

    /// Sends any message as it is, for instance one of a shared object. `false` when it is longer than RTMP allows.
    pub fn send_message(&mut self, message: &Message) -> bool {
        self.link
            .writer
            .write(csid::COMMAND, message, &mut self.link.output)
    }

    /// Sends a ping; a `PingReply` event brings the round trip.
    pub fn ping(&mut self) {
        let now = self.now;
        self.link.send_ping(now);
    }

    /// Changes the chunk size of what is sent from now on.
    pub fn set_chunk_size(&mut self, size: u32) {
        self.link.send_chunk_size(size);
    }

    /// Announces a Window Acknowledgement Size: the server then acknowledges at least every `size` bytes.
    pub fn set_window_ack_size(&mut self, size: u32) {
        self.link.send_window(size);
    }

    /// Asks the server to send no more than `size` bytes (at least 1,024) ahead of this side's acknowledgements, which then
    /// come every half of that. Hard: this size. Soft: this size or the one in force, the smaller. Dynamic: as hard after a
    /// hard one, else nothing (RTMP 1.0 5.4.5).
    pub fn set_peer_bandwidth(&mut self, size: u32, limit: LimitType) {
        self.link.send_peer_bandwidth(size, limit);
    }

    /// Ends the session from our side. Send what is queued, then close the transport.
    pub fn close(&mut self) {
        self.end();
    }

    pub(super) fn send(&mut self, stream_id: u32, command: &Command) {
        let encoding = self.encoding;
        self.link
            .send_command(csid::COMMAND, stream_id, command, encoding);
    }

    /// A command of the connection that gets an answer.
    fn request(&mut self, name: &str, args: Vec<Value>, purpose: Purpose) -> Option<f64> {
        if !self.is_connected() {
            return None;
        }
        let transaction = self.calls.begin(purpose, self.now)?;
        self.send(0, &Command::new(name, transaction, args));
        Some(transaction)
    }

    fn stream_request(&mut self, stream_id: u32, name: &str, args: Vec<Value>, purpose: Purpose) {
        let transaction = self.calls.begin(purpose, self.now).unwrap_or(0.0);
        self.send(stream_id, &Command::new(name, transaction, args));
    }
}
