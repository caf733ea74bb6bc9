//! The players and subscriptions that one worker serves, by stream.

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::stream::{Feed, Item, LiveMessage, LiveStream, PlayerFlow, Span};
use crate::media::Reduction;
use crate::wire::chunk::Runs;

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
    /// The stream that this one takes over from at its next keyframe.
    pub(crate) takes_over: Option<u64>,
}

impl Player {
    /// Whether it gets messages as everybody does.
    #[inline]
    pub(crate) fn shares(&self, span: &Span) -> bool {
        self.takes_over.is_none() && span.is_for(self.reduction)
    }
}

/// What waits to be given to the players.
#[derive(Debug)]
pub(crate) enum Waiting {
    Messages(Batch),
    Published,
    Unpublished,
    Dry,
}

/// Messages that follow each other, and what players share of them.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) messages: Vec<Arc<LiveMessage>>,
    pub(crate) runs: Runs,
    pub(crate) span: Span,
}

/// The longest run that is made; a longer message goes out by itself and is not copied.
const LONGEST_RUN: usize = 1 << 20;

/// All that a worker serves of one stream.
#[derive(Debug)]
pub(crate) struct Audience {
    pub(crate) stream: Option<Arc<LiveStream>>,
    pub(crate) players: Vec<Player>,
    pub(crate) feeds: Vec<Arc<Feed>>,
    /// What waits to be given to the players.
    pub(crate) pending: Vec<Waiting>,
    /// When they have waited long enough.
    pub(crate) due_at: u64,
}

/// The audiences of a worker, by [`LiveStream::id`].
#[derive(Debug, Default)]
pub(crate) struct Players {
    audiences: HashMap<u64, Audience>,
    /// The streams with pending events.
    waiting: Vec<u64>,
}

impl Batch {
    fn new(message: Arc<LiveMessage>) -> Self {
        Self {
            span: Span::of(&message),
            messages: vec![message],
            runs: Runs::default(),
        }
    }

    fn add(&mut self, message: Arc<LiveMessage>) {
        self.span.add(&message);
        self.messages.push(message);
    }

    fn has_room(&self, message: &LiveMessage) -> bool {
        self.span.bytes.saturating_add(message.shared.payload.len()) <= LONGEST_RUN
    }

    /// Whether it may be copied into one piece.
    pub(crate) fn can_run(&self) -> bool {
        self.span.bytes <= LONGEST_RUN
    }
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

    /// Keeps an event for the players of a stream until `due_at`, or until an event before it is due.
    pub(crate) fn keep(&mut self, stream: u64, item: Item, due_at: u64) {
        let Some(audience) = self.audiences.get_mut(&stream) else {
            return;
        };
        if audience.pending.is_empty() {
            self.waiting.push(stream);
            audience.due_at = due_at;
        } else {
            audience.due_at = audience.due_at.min(due_at);
        }
        let message = match item {
            Item::Media(message) => message,
            Item::Published => return audience.pending.push(Waiting::Published),
            Item::Unpublished => return audience.pending.push(Waiting::Unpublished),
            Item::Dry => return audience.pending.push(Waiting::Dry),
        };
        match audience.pending.last_mut() {
            Some(Waiting::Messages(batch)) if batch.has_room(&message) => batch.add(message),
            _ => audience.pending.push(Waiting::Messages(Batch::new(message))),
        }
    }

    /// When the next events are due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let due = |stream: &u64| self.audiences.get(stream).map(|audience| audience.due_at);
        self.waiting.iter().filter_map(due).min()
    }

    /// Takes the streams whose events are due.
    pub(crate) fn take_due(&mut self, now: u64, due: &mut Vec<u64>) {
        let audiences = &self.audiences;
        self.waiting.retain(|stream| match audiences.get(stream) {
            Some(audience) if audience.due_at > now => true,
            Some(_) => {
                due.push(*stream);
                false
            }
            None => false,
        });
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
            pending: Vec::new(),
            due_at: u64::MAX,
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
