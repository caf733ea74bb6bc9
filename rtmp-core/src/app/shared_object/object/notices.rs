//! What the host's handles are to be told, and how much of it waits.

use std::collections::VecDeque;

use crate::amf::Value;
use crate::app::client::Client;
use crate::app::shared_object::SlotChange;
use crate::app::shared_object::config::MAX_WAITING_BYTES;
use crate::app::weight;

/// What the host's handles are to be told. Each change says which handle made it, 0 for a client.
#[derive(Debug, Clone)]
pub(crate) enum Notice {
    Sync(Vec<(u64, SlotChange)>),
    Message {
        author: u64,
        sender: Option<Client>,
        handler: String,
        args: Vec<Value>,
    },
    Clear {
        author: u64,
    },
    FlushFailed(String),
}

/// The notices that wait to be handed over, and the count of those that no handler has taken, wherever they wait.
#[derive(Debug)]
pub(crate) struct Notices {
    most: usize,
    queue: VecDeque<(Notice, usize)>,
    untold: usize,
    bytes: usize,
}

impl Notices {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            queue: VecDeque::new(),
            untold: 0,
            bytes: 0,
        }
    }

    pub(super) fn push(&mut self, notice: Notice) {
        if self
            .queue
            .back()
            .is_some_and(|(last, _)| last.says_all_of(&notice))
        {
            return;
        }
        let weight = notice.weight();
        self.untold += 1;
        self.bytes += weight;
        self.queue.push_back((notice, weight));
    }

    /// The next to be handed over, and its weight for [`ObjectState::told`](super::ObjectState::told).
    pub(crate) fn pop(&mut self) -> Option<(Notice, usize)> {
        self.queue.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn told(&mut self, weight: usize) {
        self.untold = self.untold.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(weight);
    }

    /// Whether nothing more is to be taken that handlers would have to be told.
    pub(super) fn are_too_many(&self) -> bool {
        self.untold >= self.most || self.bytes > MAX_WAITING_BYTES
    }
}

impl Notice {
    /// The handle that all of it is about; nothing of it is told to that one.
    pub(super) fn author(&self) -> Option<u64> {
        match self {
            Self::Message { author, .. } | Self::Clear { author } => Some(*author),
            Self::Sync(_) | Self::FlushFailed(_) => None,
        }
    }

    fn weight(&self) -> usize {
        let inside = match self {
            Self::Sync(changes) => changes.iter().map(|(_, change)| change.weight()).sum(),
            Self::Message { handler, args, .. } => handler.len() + weight::of_all(args),
            Self::Clear { .. } => 0,
            Self::FlushFailed(reason) => reason.len(),
        };
        weight::ENTRY + inside
    }

    /// Whether another notice right after this one would say nothing new.
    fn says_all_of(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Clear { author }, Self::Clear { author: other }) => author == other,
            (Self::FlushFailed(_), Self::FlushFailed(_)) => true,
            _ => false,
        }
    }
}

impl SlotChange {
    /// About what it takes, in bytes.
    pub(super) fn weight(&self) -> usize {
        let values = self.old_value.iter().chain(&self.new_value);
        size_of::<Self>() + self.name.len() + values.map(weight::of).sum::<usize>()
    }
}
