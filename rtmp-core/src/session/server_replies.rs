//! What the host says to a connected client: answers, statuses, calls, media.

use crate::amf::{ClassRegistry, Object, Value};
use crate::media::{MediaKind, MediaMessage};
use crate::session::events::ServerEvent;
use crate::session::server::{Phase, ServerSession};
use crate::session::streams::{Role, Stream};
#[cfg(feature = "engine")]
use crate::wire::chunk::Runs;
use crate::wire::chunk::{Message, MessageType, SharedMessage, csid};
use crate::wire::message::command::Command;
use crate::wire::message::control::LimitType;
use crate::wire::message::data::DataMessage;
use crate::wire::message::user_control::UserControl;
use crate::wire::status::{Code, Status};
#[cfg(feature = "engine")]
use bytes::Bytes;
use std::sync::Arc;

impl ServerSession {
    /// Accepts the publisher on `stream_id`. What it sent in the meantime is delivered now.
    ///
    /// Does nothing when no `Publish` event of that stream waits for its answer.
    pub fn accept_publish(&mut self, stream_id: u32) {
        let waits = |role| role == Role::PublishAsked;
        let Some(stream) = self
            .streams
            .get_mut(stream_id)
            .filter(|stream| waits(stream.role))
        else {
            return;
        };
        stream.role = Role::Publishing;
        let name = stream.name.clone();
        self.link.send_user(&UserControl::StreamBegin(stream_id));
        self.send_named_status(stream_id, Code::PublishStart, &name);
        self.replay_held(stream_id, true);
    }

    /// Whether the end of what is published on `stream_id` is told by [`unpublished`](Self::unpublished) instead of at once,
    /// as when a recording has to be completed first. Holds for the publication under way.
    pub fn hold_unpublish(&mut self, stream_id: u32, hold: bool) {
        if let Some(stream) = self.streams.get_mut(stream_id) {
            stream.holds_unpublish = hold && stream.role == Role::Publishing;
        }
    }

    /// Tells the publisher that was on `stream_id` that `name` is no longer published, after
    /// [`hold_unpublish`](Self::hold_unpublish).
    pub fn unpublished(&mut self, stream_id: u32, name: &str) {
        if self.is_connected() {
            self.send_named_status(stream_id, Code::UnpublishSuccess, name);
        }
    }

    /// Refuses the publisher on `stream_id`; usually with `NetStream.Publish.BadName`.
    ///
    /// Does nothing when no `Publish` event of that stream waits for its answer.
    pub fn reject_publish(&mut self, stream_id: u32, status: Status) {
        let waits = |role| role == Role::PublishAsked;
        let Some(stream) = self
            .streams
            .get_mut(stream_id)
            .filter(|stream| waits(stream.role))
        else {
            return;
        };
        let name = std::mem::take(&mut stream.name);
        stream.role = Role::Idle;
        self.send_info_about(stream_id, status.to_object(), &name);
        self.replay_held(stream_id, false);
    }

    /// Takes back what [`accept_publish`](Self::accept_publish) granted: the stream is idle from here on, and its publisher told why.
    pub fn revoke_publish(&mut self, stream_id: u32, status: Status) {
        let publishes = |stream: &&mut Stream| stream.role == Role::Publishing;
        let Some(stream) = self.streams.get_mut(stream_id).filter(publishes) else {
            return;
        };
        let name = std::mem::take(&mut stream.name);
        stream.reset();
        self.send_info_about(stream_id, status.to_object(), &name);
    }

    /// Accepts the player on `stream_id`: Stream Begin, Play.Reset when asked for, Play.Start, sample access, Data.Start.
    ///
    /// Does nothing when no `Play` event of that stream waits for its answer.
    pub fn accept_play(&mut self, stream_id: u32) {
        self.accept_play_with(stream_id, self.config.sample_access);
    }

    /// Like [`accept_play`](Self::accept_play), with its own access to decoded audio and video (`|RtmpSampleAccess`).
    pub fn accept_play_with(&mut self, stream_id: u32, (audio, video): (bool, bool)) {
        let Some(stream) = self.streams.get_mut(stream_id) else {
            return;
        };
        let Some((name, reset)) = stream.next_asked() else {
            return;
        };
        stream.role = Role::Playing;
        stream.name.clone_from(&name);
        self.link.send_user(&UserControl::StreamBegin(stream_id));
        if reset {
            self.send_named_status(stream_id, Code::PlayReset, &name);
        }
        self.send_named_status(stream_id, Code::PlayStart, &name);
        self.announce_data(stream_id, (audio, video));
        self.replay_held(stream_id, false);
    }

    /// Tells a player of a recorded stream that it goes on at `millis`: Stream Is Recorded, Stream Begin, Seek.Notify, Play.Start,
    /// sample access, Data.Start. Headers and the frames from there follow, the first of each kind with its absolute time.
    pub fn seek_notify(&mut self, stream_id: u32, millis: u64, sample_access: (bool, bool)) {
        let played = |stream: &&mut Stream| matches!(stream.role, Role::Playing | Role::Played);
        let Some(stream) = self.streams.get_mut(stream_id).filter(played) else {
            return;
        };
        stream.role = Role::Playing;
        let name = stream.name.clone();
        self.link.send_user(&UserControl::StreamIsRecorded(stream_id));
        self.link.send_user(&UserControl::StreamBegin(stream_id));
        let description = format!("Seeking {millis} (stream ID: {stream_id}).");
        let status = Status::new(Code::SeekNotify).with_description(description);
        self.send_info_about(stream_id, status.to_object(), &name);
        self.send_named_status(stream_id, Code::PlayStart, &name);
        self.link.writer.forget(&[csid::AUDIO, csid::VIDEO, csid::DATA]);
        self.announce_data(stream_id, sample_access);
    }

    /// The name of what a stream plays or publishes, as the client gave it, without query.
    pub fn name_of(&self, stream_id: u32) -> Option<&str> {
        let stream = self.streams.get(stream_id)?;
        Some(stream.name.as_str()).filter(|name| !name.is_empty())
    }

    /// Puts a stream in front of the play list, to be answered as by [`accept_play`](Self::accept_play).
    pub fn play_next(&mut self, stream_id: u32, name: &str) {
        if let Some(stream) = self.streams.get_mut(stream_id) {
            stream.asked.push_front((name.to_owned(), false));
        }
    }

    /// Replaces the first stream of that name in the play list; its place, counted from the end of the list, where 1 is the last.
    pub fn play_instead(&mut self, stream_id: u32, old: &str, name: &str) -> Option<usize> {
        let asked = &mut self.streams.get_mut(stream_id)?.asked;
        let at = asked.iter().position(|(asked, _)| asked == old)?;
        name.clone_into(&mut asked.get_mut(at)?.0);
        Some(asked.len() - at)
    }

    /// Gives what a stream plays another name, after a switch to another rendition.
    pub fn rename(&mut self, stream_id: u32, name: &str) {
        if let Some(stream) = self.streams.get_mut(stream_id) {
            name.clone_into(&mut stream.name);
        }
    }

    /// Refuses the player on `stream_id`; usually with `NetStream.Play.StreamNotFound` or `NetStream.Play.Failed`.
    ///
    /// Does nothing when no `Play` event of that stream waits for its answer.
    pub fn reject_play(&mut self, stream_id: u32, status: Status) {
        let Some(stream) = self.streams.get_mut(stream_id) else {
            return;
        };
        let Some((name, _)) = stream.next_asked() else {
            return;
        };
        // A refused addition to a play list leaves what plays alone.
        if stream.role == Role::PlayAsked {
            stream.role = Role::Idle;
        }
        self.send_info_about(stream_id, status.to_object(), &name);
        self.replay_held(stream_id, false);
    }

    /// Answers a `Call` or `StreamLength`: `Ok` with a result (undefined when there is none to give), `Err` with an error
    /// value. Nothing is sent for transaction 0.
    pub fn reply_call(&mut self, transaction_id: f64, result: Result<Value, Value>) {
        if transaction_id != 0.0 {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
        if !self.is_connected() {
            return;
        }
        match result {
            Ok(value) => self.send_answer("_result", transaction_id, value),
            Err(value) => self.send_answer("_error", transaction_id, value),
        }
    }

    /// Calls a method of the client. With `want_reply` the transaction that its `CallReply` event will carry; `None`
    /// without, or, nothing being sent, when too many calls wait already or the client is not connected.
    pub fn call(&mut self, name: &str, args: Vec<Value>, want_reply: bool) -> Option<f64> {
        if !self.is_connected() {
            return None;
        }
        let transaction = if want_reply {
            Some(self.calls.begin((), self.now)?)
        } else {
            None
        };
        let command = Command::new(name, transaction.unwrap_or(0.0), args);
        self.send_command(csid::COMMAND, 0, &command);
        transaction
    }

    /// Sends `onStatus` on `stream_id`, 0 for the connection itself. `details` (the stream's name) and `clientid` are added
    /// when the status has none.
    pub fn send_status(&mut self, stream_id: u32, status: Status) {
        let name = self
            .streams
            .get(stream_id)
            .map(|stream| stream.name.clone())
            .unwrap_or_default();
        self.send_info_about(stream_id, status.to_object(), &name);
    }

    /// Sends audio, video or data to a player. By reference when `message` was made for this session's chunk size.
    ///
    /// `false`, nothing being sent, when the message is longer than RTMP allows.
    #[inline]
    pub fn send_media(&mut self, stream_id: u32, message: &SharedMessage) -> bool {
        self.link.writer.write_shared(
            csid::of_media(message.kind),
            stream_id,
            message,
            &mut self.link.output,
        )
    }

    /// Sends several to one of many players: `runs` holds what they share of these messages.
    #[cfg(feature = "engine")]
    #[inline]
    pub(crate) fn send_run<'a>(
        &mut self,
        stream_id: u32,
        messages: impl Iterator<Item = &'a SharedMessage> + Clone,
        runs: &mut Runs,
    ) {
        let output = &mut self.link.output;
        self.link.writer.write_run(stream_id, messages, runs, output);
    }

    /// The same for a player for whom nothing waits, past its queue: the number of the run that it is to be sent, and its
    /// bytes, which count as sent. `None`, with nothing counted, when it needs headers of its own.
    #[cfg(feature = "engine")]
    #[inline]
    pub(crate) fn pass_run<'a>(
        &mut self,
        stream_id: u32,
        messages: impl Iterator<Item = &'a SharedMessage>,
        runs: &mut Runs,
    ) -> Option<(usize, usize)> {
        let number = self.link.writer.take_run(stream_id, messages, runs)?;
        let bytes = runs.bytes(number)?.len();
        self.link.output.count_passed(bytes);
        Some((number, bytes))
    }

    /// Takes back what could not be sent of a run.
    #[cfg(feature = "engine")]
    pub(crate) fn take_back(&mut self, rest: Bytes) {
        self.link.output.take_back(rest);
    }

    /// Whether messages may go past the queue: nothing waits in it, no limit holds, bytes go out as they are.
    #[cfg(feature = "engine")]
    pub(crate) fn may_pass(&mut self, now: u64) -> bool {
        !self.is_closed()
            && !self.link.is_encrypted()
            && self.link.output.is_empty()
            && self.link.send_room(now) == usize::MAX
    }

    /// Sends a message of a recorded stream. `false`, nothing being sent, when it is longer than RTMP allows.
    pub fn send_recorded(&mut self, stream_id: u32, message: &MediaMessage) -> bool {
        let (csid, kind) = match message.kind {
            MediaKind::Audio => (csid::AUDIO, MessageType::AUDIO),
            MediaKind::Video => (csid::VIDEO, MessageType::VIDEO),
            MediaKind::Data if message.type_id() == MessageType::DATA_AMF3.0 => {
                (csid::DATA, MessageType::DATA_AMF3)
            }
            MediaKind::Data => (csid::DATA, MessageType::DATA),
        };
        let message = Message {
            timestamp: message.timestamp,
            kind,
            stream_id,
            payload: message.body.clone(),
        };
        self.link.write(csid, &message)
    }

    /// Sends `onPlayStatus` on `stream_id`: the data message that tells of the end of a recording, or of another that follows.
    pub fn send_play_status(&mut self, stream_id: u32, timestamp: u32, status: &Status) {
        let status = vec![status.to_object().into()];
        self.send_data(stream_id, timestamp, &DataMessage::new("onPlayStatus", status));
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

    /// Tells a waiting player that `name` is being published now.
    pub fn publish_notify(&mut self, stream_id: u32, name: &str) {
        self.send_named_status(stream_id, Code::PlayPublishNotify, name);
    }

    /// Tells a player that `name` is no longer published.
    pub fn unpublish_notify(&mut self, stream_id: u32, name: &str) {
        self.send_named_status(stream_id, Code::PlayUnpublishNotify, name);
    }

    /// Sends Stream Begin for `stream_id`.
    pub fn stream_begin(&mut self, stream_id: u32) {
        self.link.send_user(&UserControl::StreamBegin(stream_id));
    }

    /// Sends event 31: the client has all of a recorded stream that it buffers, and gets the rest as time goes by.
    pub fn buffer_empty(&mut self, stream_id: u32) {
        self.link.send_user(&UserControl::BufferEmpty(stream_id));
    }

    /// Sends event 32: what the client will buffer next begins.
    pub fn buffer_ready(&mut self, stream_id: u32) {
        self.link.send_user(&UserControl::BufferReady(stream_id));
    }

    /// Sends Stream EOF for `stream_id`.
    pub fn stream_eof(&mut self, stream_id: u32) {
        self.link.send_user(&UserControl::StreamEof(stream_id));
    }

    /// Sends Stream Dry for `stream_id`: nothing has come for a while, and more may.
    pub fn stream_dry(&mut self, stream_id: u32) {
        self.link.send_user(&UserControl::StreamDry(stream_id));
    }

    /// Sends Stream Is Recorded for `stream_id`; before `accept_play` of a recorded stream.
    pub fn stream_is_recorded(&mut self, stream_id: u32) {
        self.link.send_user(&UserControl::StreamIsRecorded(stream_id));
    }

    /// Ends what a player got: `onPlayStatus` Play.Complete, Play.Stop, Stream EOF. `duration` in seconds, `bytes` sent,
    /// `timestamp` of the end in milliseconds. The stream stays usable, and can still be sought in: the client has not seen yet what
    /// it buffers.
    pub fn play_complete(&mut self, stream_id: u32, timestamp: u32, duration: f64, bytes: f64) {
        let plays = |stream: &&Stream| stream.role == Role::Playing;
        if self.streams.get(stream_id).filter(plays).is_none() {
            return;
        }
        let complete = Status::new(Code::PlayComplete)
            .with_description("")
            .with("duration", duration)
            .with("bytes", bytes);
        self.send_play_status(stream_id, timestamp, &complete);
        self.play_stopped(stream_id);
    }

    /// Tells a player that nothing more comes: Play.Stop, Stream EOF. The stream stays usable.
    pub fn play_stopped(&mut self, stream_id: u32) {
        let plays = |stream: &&mut Stream| stream.role == Role::Playing;
        let Some(stream) = self.streams.get_mut(stream_id).filter(plays) else {
            return;
        };
        stream.role = Role::Played;
        let name = stream.name.clone();
        self.send_named_status(stream_id, Code::PlayStop, &name);
        self.stream_eof(stream_id);
    }

    /// Sends a ping; a `PingReply` event brings the round trip.
    pub fn ping(&mut self) {
        let now = self.now;
        self.link.send_ping(now);
    }

    /// Completes or refuses instances of these classes in commands from now on, and in the `connect` that waits for its
    /// answer with [`reread_connect`](Self::reread_connect).
    pub fn set_classes(&mut self, classes: Arc<ClassRegistry>) {
        self.link.classes = Some(classes);
    }

    /// The classes whose instances are completed or refused.
    pub fn classes(&self) -> &ClassRegistry {
        self.link.classes.as_deref().unwrap_or(ClassRegistry::builtin())
    }

    /// Changes the chunk size of what is sent from now on.
    pub fn set_chunk_size(&mut self, size: u32) {
        self.link.send_chunk_size(size);
    }

    /// Announces a Window Acknowledgement Size: the client then acknowledges at least every `size` bytes.
    pub fn set_window_ack_size(&mut self, size: u32) {
        self.link.send_window(size);
    }

    /// Asks the client to send no more than `size` bytes (at least 1,024) ahead of this side's acknowledgements, which then
    /// come every half of that. Hard: this size. Soft: this size or the one in force, the smaller. Dynamic: as hard after a
    /// hard one, else nothing (RTMP 1.0 5.4.5).
    pub fn set_peer_bandwidth(&mut self, size: u32, limit: LimitType) {
        self.link.send_peer_bandwidth(size, limit);
    }

    /// Ends the session from our side, with `onStatus` on stream 0 first when there is something to say, for instance
    /// `NetConnection.Connect.AppShutdown`. Send what is queued, then close the transport.
    pub fn close(&mut self, status: Option<Status>) {
        if let (true, Some(status)) = (self.is_connected(), status) {
            self.send_info(0, status.to_object());
        }
        if !self.is_closed() {
            self.phase = Phase::Closed;
            self.events.push_back(ServerEvent::Close);
        }
    }

    pub(super) fn send_named_status(&mut self, stream_id: u32, code: Code, name: &str) {
        self.send_info(stream_id, Status::for_stream(code, name).to_object());
    }

    fn announce_data(&mut self, stream_id: u32, (audio, video): (bool, bool)) {
        let access = vec![Value::Boolean(audio), Value::Boolean(video)];
        self.send_data(stream_id, 0, &DataMessage::new("|RtmpSampleAccess", access));
        let start = Object::new().with("code", Code::DataStart.as_str());
        self.send_data(stream_id, 0, &DataMessage::new("onStatus", vec![start.into()]));
    }

    fn send_info_about(&mut self, stream_id: u32, mut info: Object, name: &str) {
        if !name.is_empty() && !info.contains_key("details") {
            info.insert("details", name);
        }
        self.send_info(stream_id, info);
    }

    pub(super) fn send_info(&mut self, stream_id: u32, mut info: Object) {
        if stream_id != 0 && !info.contains_key("clientid") {
            info.insert("clientid", self.client_id.clone());
        }
        self.send_command(
            csid::STATUS,
            stream_id,
            &Command::new("onStatus", 0.0, vec![info.into()]),
        );
    }
}
