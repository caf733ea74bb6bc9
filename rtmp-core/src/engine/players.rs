//! The players and subscriptions that one worker serves, by stream.

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::stream::{Feed, LiveStream, PlayerFlow};
use crate::media::Reduction;

/// One message stream of one connection that plays a live stream.
#[derive(Debug)]
pub(crate) struct Player {
    /// The connection's place in the worker.
    pub(crate) key: usize,
    /// The message stream on that connection.
    pub(crate) stream_id: u32,
    pub(crate) flow: PlayerFlow,
    /// What messages have to lose for this player.
    pub(crate) reduction: Option<Reduction>,
}

/// All that a worker serves of one stream.
#[derive(Debug)]
pub(crate) struct Audience {
    pub(crate) stream: Option<Arc<LiveStream>>,
    pub(crate) players: Vec<Player>,
    pub(crate) feeds: Vec<Arc<Feed>>,
}

/// The audiences of a worker, by [`LiveStream::id`].
#[derive(Debug, Default)]
pub(crate) struct Players {
    audiences: HashMap<u64, Audience>,
}

impl Players {
    pub(crate) fn add(&mut self, stream: &Arc<LiveStream>, player: Player) {
        let audience = self.audience(stream.id());
        audience.stream.get_or_insert_with(|| Arc::clone(stream));
        audience.players.push(player);
    }

    pub(crate) fn remove(&mut self, stream: u64, key: usize, stream_id: u32) {
        if let Some(audience) = self.audiences.get_mut(&stream) {
            audience
                .players
                .retain(|player| player.key != key || player.stream_id != stream_id);
        }
        self.tidy(stream);
    }

    pub(crate) fn add_feed(&mut self, feed: Arc<Feed>) {
        self.audience(feed.stream_id()).feeds.push(feed);
    }

    /// Takes a subscription out; true if it was in.
    pub(crate) fn remove_feed(&mut self, feed: &Arc<Feed>) -> bool {
        let Some(audience) = self.audiences.get_mut(&feed.stream_id()) else {
            return false;
        };
        let before = audience.feeds.len();
        audience.feeds.retain(|other| !Arc::ptr_eq(other, feed));
        let removed = audience.feeds.len() < before;
        self.tidy(feed.stream_id());
        removed
    }

    pub(crate) fn get_mut(&mut self, stream: u64) -> Option<&mut Audience> {
        self.audiences.get_mut(&stream)
    }

    /// The state of one player.
    pub(crate) fn flow(&mut self, stream: u64, key: usize, stream_id: u32) -> Option<&mut PlayerFlow> {
        let players = &mut self.audiences.get_mut(&stream)?.players;
        let player = players
            .iter_mut()
            .find(|player| player.key == key && player.stream_id == stream_id);
        player.map(|player| &mut player.flow)
    }

    /// Takes all subscriptions out, as when the engine ends.
    pub(crate) fn take_feeds(&mut self) -> Vec<Arc<Feed>> {
        self.audiences
            .values_mut()
            .flat_map(|audience| audience.feeds.drain(..))
            .collect()
    }

    fn audience(&mut self, stream: u64) -> &mut Audience {
        let empty = || Audience {
            stream: None,
            players: Vec::new(),
            feeds: Vec::new(),
        };
        self.audiences.entry(stream).or_insert_with(empty)
    }

    fn tidy(&mut self, stream: u64) {
        let empty = |audience: &Audience| audience.players.is_empty() && audience.feeds.is_empty();
        if self.audiences.get(&stream).is_some_and(empty) {
            self.audiences.remove(&stream);
        }
    }
}
