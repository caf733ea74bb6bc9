//! The queues that events of sessions go through.

use std::collections::VecDeque;

use crate::session::{ServerEvent, ServerSession};

/// Two queues that all connections of a worker use in turn. They stay in the processor's caches, which queues of every
/// connection's own would not.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    lent: VecDeque<ServerEvent>,
    taken: VecDeque<ServerEvent>,
}

/// Room that is kept, in events.
const MOST: usize = 256;

impl Queues {
    /// Lends a session a queue for what it is about to say.
    pub(super) fn lend(&mut self, session: &mut ServerSession) {
        session.swap_events(&mut self.lent);
        if !self.lent.is_empty() {
            // What it had to say before comes first.
            session.swap_events(&mut self.lent);
        }
    }

    /// The queue to walk through; [`give_back`](Self::give_back) it.
    pub(super) fn take(&mut self) -> VecDeque<ServerEvent> {
        std::mem::take(&mut self.taken)
    }

    /// Takes the queues back, both empty.
    pub(super) fn give_back(&mut self, taken: VecDeque<ServerEvent>, session: &mut ServerSession) {
        let mut lent = VecDeque::new();
        session.swap_events(&mut lent);
        self.taken = taken;
        self.lent = lent;
        for queue in [&mut self.taken, &mut self.lent] {
            if queue.capacity() > MOST {
                *queue = VecDeque::new();
            }
        }
    }
}
