//! Audio, video and data of a publisher on their way to the host.

use crate::media::{MediaKind, MediaMessage};
use crate::session::events::ServerEvent;
use crate::session::server::ServerSession;
use crate::session::streams::{Held, Role};
use crate::session::tolerance::note_media;
use crate::wire::chunk::{Message, MessageType};
use crate::wire::deviation::Deviation;
use crate::wire::message::aggregate::Aggregate;
use crate::wire::message::data;
use bytes::Bytes;

impl ServerSession {
    /// A media message: delivered when its stream publishes, held while that is being decided, dropped otherwise.
    pub(super) fn media(&mut self, message: Message) {
        if message.kind == MessageType::AGGREGATE {
            let mut aggregate = Aggregate::new(&message);
            for inner in aggregate.by_ref().take(self.config.limits.max_aggregate_messages) {
                self.media(inner);
            }
            return self.link.note_aggregate(&aggregate);
        }
        let Some((stream_id, role)) = self.publisher(message.stream_id) else {
            return;
        };
        match role {
            Role::Publishing => self.deliver(stream_id, message),
            Role::PublishAsked => {
                let most = self.config.limits.max_waiting_bytes;
                if let Some(stream) = self.streams.get_mut(stream_id) {
                    stream.hold(Held::Media(message), most);
                }
            }
            _ => {}
        }
    }

    fn publisher(&self, stream_id: u32) -> Option<(u32, Role)> {
        let stream = match self.streams.get(stream_id) {
            Some(stream) => stream,
            None if stream_id == 0 => self.streams.get(self.streams.sole_publisher()?)?,
            None => return None,
        };
        Some((stream.id, stream.role))
    }

    fn deliver(&mut self, stream_id: u32, message: Message) {
        let tally = &mut self.link.tally;
        tally.note_if(message.stream_id == 0, Deviation::MediaOnStreamZero);
        let kind = match message.kind {
            MessageType::AUDIO => MediaKind::Audio,
            MessageType::VIDEO => MediaKind::Video,
            _ => return self.deliver_data(stream_id, &message),
        };
        note_media(tally, kind, &message.payload);
        let message = MediaMessage {
            kind,
            timestamp: message.timestamp,
            body: message.payload,
        };
        self.events.push_back(ServerEvent::Media { stream_id, message });
    }

    fn deliver_data(&mut self, stream_id: u32, message: &Message) {
        let tally = &mut self.link.tally;
        let Ok(body) = data::body_counting(message, tally) else {
            return tally.note(Deviation::Unreadable);
        };
        tally.note_if(data::split(&body).is_none(), Deviation::Unreadable);
        let Some(frame) = DataFrame::read(body) else {
            return;
        };
        let message = |body| MediaMessage {
            kind: MediaKind::Data,
            timestamp: message.timestamp,
            body,
        };
        match frame {
            DataFrame::Clear(name) => self.forget_data_frame(stream_id, name),
            DataFrame::Passing(body) => {
                let message = message(body);
                self.events.push_back(ServerEvent::Media { stream_id, message });
            }
            DataFrame::Set(name, body) => {
                if body.len() > self.config.limits.max_metadata {
                    log::debug!("a data frame of {} bytes was dropped", body.len());
                    return;
                }
                self.link.note_metadata(&body, &self.config.limits.amf);
                let message = message(body);
                if self.remember_data_frame(stream_id, &name) {
                    let message = Some(message.clone());
                    self.events.push_back(ServerEvent::DataFrame {
                        stream_id,
                        name,
                        message,
                    });
                }
                self.events.push_back(ServerEvent::Media { stream_id, message });
            }
        }
    }

    /// Whether the publisher may still set a data frame of this name: only so many different ones.
    fn remember_data_frame(&mut self, stream_id: u32, name: &str) -> bool {
        let most = self.config.limits.max_data_frames;
        let Some(stream) = self.streams.get_mut(stream_id) else {
            return false;
        };
        if stream.data_frames.iter().any(|known| known == name) {
            return true;
        }
        if stream.data_frames.len() >= most {
            return false;
        }
        stream.data_frames.push(name.to_owned());
        true
    }

    fn forget_data_frame(&mut self, stream_id: u32, name: String) {
        if let Some(stream) = self.streams.get_mut(stream_id) {
            stream.data_frames.retain(|known| *known != name);
        }
        self.events.push_back(ServerEvent::DataFrame {
            stream_id,
            name,
            message: None,
        });
    }
}

/// What a publisher's data message wants.
#[derive(Debug, PartialEq, Eq)]
enum DataFrame {
    /// Forward, and remember under this name.
    Set(String, Bytes),
    /// Forget what is remembered under this name.
    Clear(String),
    /// Only forward.
    Passing(Bytes),
}

impl DataFrame {
    /// `None` for what must not be forwarded: unreadable, or a name reserved for instructions to servers.
    fn read(body: Bytes) -> Option<Self> {
        let (name, rest) = data::split(&body)?;
        match name {
            "@setDataFrame" => {
                let (inner, _) = data::split(rest)?;
                if inner.starts_with('@') {
                    return None;
                }
                Some(Self::Set(inner.to_owned(), body.slice(body.len() - rest.len()..)))
            }
            "@clearDataFrame" => Some(Self::Clear(data::split(rest)?.0.to_owned())),
            "onMetaData" => Some(Self::Set(name.to_owned(), body.clone())),
            name if name.starts_with('@') => None,
            _ => Some(Self::Passing(body.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_data_frame_loses_its_first_string_without_a_copy() {
        let body = Bytes::from_static(b"\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x05");
        let inner = body.slice(16..);
        let frame = DataFrame::read(body);
        let Some(DataFrame::Set(name, stripped)) = frame else {
            panic!("{frame:?}");
        };
        assert_eq!((name.as_str(), stripped.as_ptr()), ("onMetaData", inner.as_ptr()));
        assert_eq!(stripped, inner);
    }

    #[test]
    fn metadata_without_the_prefix_is_remembered_too() {
        let body = Bytes::from_static(b"\x02\0\x0aonMetaData\x05");
        assert_eq!(
            DataFrame::read(body.clone()),
            Some(DataFrame::Set("onMetaData".into(), body))
        );
    }

    #[test]
    fn clear_data_frame_names_what_to_forget() {
        let body = Bytes::from_static(b"\x02\0\x0f@clearDataFrame\x02\0\x0aonMetaData");
        assert_eq!(DataFrame::read(body), Some(DataFrame::Clear("onMetaData".into())));
    }

    #[test]
    fn reserved_and_unreadable_data_is_dropped_and_the_rest_passes() {
        for body in [&b"\x02\0\x04@foo\x05"[..], b"", b"\x02\0\x09cut", b"\x05"] {
            assert_eq!(DataFrame::read(Bytes::copy_from_slice(body)), None);
        }
        let body = Bytes::from_static(b"\x02\0\x0aonCuePoint\x05");
        assert_eq!(DataFrame::read(body.clone()), Some(DataFrame::Passing(body)));
    }
}
