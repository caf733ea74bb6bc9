//! Clients that are relays of other servers: they are told, and tell, which streams a stream has come through, so that none
//! goes round in a circle.

use std::sync::Arc;

use super::ServerPeer;
use crate::app::stream::LiveStream;
use crate::client::relay::{PATH, path_status, read_path};

impl ServerPeer {
    /// What the client says that its streams have come through; `None` if it is no relay.
    pub(super) fn relay_path(&self) -> Option<Arc<[String]>> {
        let client = self.client.as_ref()?;
        read_path(client.connect_object().get(PATH))
    }

    /// Tells a player that is a relay what the stream has come through.
    pub(super) fn tell_path(&mut self, stream_id: u32, stream: &LiveStream) {
        if self.relay_path().is_none() {
            return;
        }
        let mut path = stream.path().to_vec();
        path.push(stream.node());
        self.session.send_status(stream_id, path_status(&path));
    }

    /// As [`tell_path`](Self::tell_path), when a stream has another publisher.
    pub(super) fn tell_path_of(&mut self, stream_id: u32, name: &str) {
        let Some(client) = self.client.as_ref().filter(|_| self.relay_path().is_some()) else {
            return;
        };
        let stream = client.instance().live_stream(name);
        self.tell_path(stream_id, &stream);
    }
}
