//! The host's handle on a live stream, and its own publications into one.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::amf::{self, Value};
use crate::app::instance::Instance;
use crate::app::stats::StreamStats;
use crate::app::stream::{
    Latency, LiveStream, Publisher, SubscribeOptions, Subscriber, Subscription, Takeover,
};
use crate::error::{Error, Result};
use crate::media::{Frame, MediaKind, MediaMessage, metadata};
use crate::wire::message::data;

/// A live stream of an instance. Clones name the same stream; a handle keeps it, and its instance, alive.
#[derive(Clone)]
pub struct Stream {
    live: Arc<LiveStream>,
    instance: Instance,
}

impl Stream {
    pub(crate) fn new(live: Arc<LiveStream>, instance: &Instance) -> Self {
        Self {
            live,
            instance: instance.clone(),
        }
    }

    pub(crate) fn live(&self) -> &Arc<LiveStream> {
        &self.live
    }

    /// The stream's name.
    pub fn name(&self) -> &str {
        self.live.name()
    }

    /// The instance it belongs to.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Whether a client or the host publishes it now.
    pub fn is_publishing(&self) -> bool {
        self.live.stats().publishing
    }

    /// Counts and sizes now.
    pub fn stats(&self) -> StreamStats {
        self.live.stats()
    }

    /// How long messages may wait on their way to players, so that several go out in one send.
    pub fn latency(&self) -> Latency {
        self.live.latency()
    }

    /// Changes it; the server's setting is where a stream begins.
    pub fn set_latency(&self, latency: Latency) {
        self.live.set_latency(latency);
    }

    /// Becomes the stream's publisher; [`Error::AlreadyExists`] if it has one, [`Error::Closed`] if its instance was unloaded.
    pub fn publish(&self) -> Result<Publication> {
        self.publish_as(Takeover::REFUSE)
    }

    /// Becomes the stream's publisher under a policy of its own: whether it takes the stream from another, and how long
    /// players are held when it leaves. [`Error::AlreadyExists`] if it has one and `takeover` does not replace it.
    pub fn publish_as(&self, takeover: Takeover) -> Result<Publication> {
        let candidate = Publisher::host(takeover);
        let publisher = candidate.id;
        if !self.live.claim(candidate) {
            if self.live.is_closed() {
                return Err(Error::Closed("instance"));
            }
            return Err(Error::AlreadyExists(format!(
                "a publisher of stream {:?}",
                self.name()
            )));
        }
        Ok(Publication {
            stream: self.clone(),
            publisher,
        })
    }

    /// Sends a data message to all who play the stream: a handler's name and its arguments, encoded as AMF0. It needs no
    /// publisher, and those who join later do not get it.
    pub fn send(&self, name: &str, args: &[Value]) {
        self.live.broadcast(data_body(name, args));
    }

    /// Takes the stream from whoever publishes it and forgets what it holds for late joiners. A client that publishes it is told
    /// NetStream.Publish.BadName, and disconnected if it neither publishes nor plays anything else and uses no shared object.
    pub fn clear(&self) {
        self.live.clear();
    }

    /// Gives the stream's frames to `subscriber` until the subscription is dropped. May be called before anybody
    /// publishes.
    pub fn subscribe(&self, options: SubscribeOptions, subscriber: Arc<dyn Subscriber>) -> Subscription {
        let ports = self.instance.ports();
        let port = Arc::clone(&ports[usize::try_from(self.live.id()).unwrap_or(0) % ports.len()]);
        Subscription::start(Arc::clone(&self.live), port, options, subscriber)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({}/{})", self.instance.name(), self.name())
    }
}

/// The host as publisher of a stream. Writing never blocks and may be done from any thread; dropping it ends the
/// publication, and so does unloading its instance: writing is [`Error::Closed`] then.
#[derive(Debug)]
pub struct Publication {
    stream: Stream,
    publisher: u64,
}

impl Publication {
    /// The stream it publishes.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Publishes a frame. Its timestamp goes out modulo 2^32. [`Error::Closed`] after [`close`](Self::close) and when another
    /// has taken the stream.
    pub fn write(&self, frame: &Frame) -> Result<()> {
        #[allow(clippy::cast_possible_truncation)] // The wire carries the low half.
        let timestamp = frame.timestamp_ms as u32;
        self.push(frame.kind, timestamp, frame.body.clone())
    }

    /// Publishes a message body as it is, for example an FLV tag's. Data messages behind `@setDataFrame`, and `onMetaData`,
    /// are kept for late joiners until `@clearDataFrame` with their name, which nobody is sent. Errors as of
    /// [`write`](Self::write).
    pub fn write_message(&self, message: &MediaMessage) -> Result<()> {
        self.push(message.kind, message.timestamp, message.body.clone())
    }

    /// Publishes a data message: a handler's name and its arguments, encoded as AMF0. Errors as of
    /// [`write`](Self::write).
    pub fn write_data(&self, timestamp: u32, name: &str, args: &[Value]) -> Result<()> {
        self.push(MediaKind::Data, timestamp, data_body(name, args))
    }

    /// Ends the publication.
    pub fn close(&self) {
        self.stream.live.release(self.publisher);
    }

    fn push(&self, kind: MediaKind, timestamp: u32, body: Bytes) -> Result<()> {
        let (live, publisher) = (&self.stream.live, self.publisher);
        let done = match kind {
            MediaKind::Data => {
                let cleared = data::split(&body)
                    .filter(|(name, _)| *name == "@clearDataFrame")
                    .and_then(|(_, rest)| data::split(rest));
                match cleared {
                    Some((name, _)) => live.clear_data_frame(publisher, name),
                    None => {
                        let bare = body.slice_ref(metadata::strip_set_data_frame(&body));
                        let is_frame = bare.len() < body.len();
                        live.push(publisher, kind, timestamp, bare, is_frame)
                    }
                }
            }
            _ => live.push(publisher, kind, timestamp, body, false),
        };
        match done {
            true => Ok(()),
            false => Err(Error::Closed("publication")),
        }
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.close();
    }
}

fn data_body(name: &str, args: &[Value]) -> Bytes {
    let mut body = Vec::new();
    amf::amf0::encode(&Value::from(name), &mut body);
    amf::amf0::encode_all(args, &mut body);
    Bytes::from(body)
}
