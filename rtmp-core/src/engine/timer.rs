//! Deadlines of a worker's connections.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A deadline: when, and whose. Entries are never taken back: the connection says at the time whether it still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    pub(crate) at: u64,
    pub(crate) key: usize,
    pub(crate) id: u64,
}

/// The deadlines of one worker, nearest first.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Deadline>>,
}

impl Timers {
    pub(crate) fn add(&mut self, deadline: Deadline) {
        self.heap.push(Reverse(deadline));
    }

    /// The nearest deadline's time.
    pub(crate) fn next(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(deadline)| deadline.at)
    }

    /// Takes a deadline that has passed.
    pub(crate) fn pop(&mut self, now: u64) -> Option<Deadline> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(deadline)| deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_not_before_their_time() {
        let mut timers = Timers::default();
        for at in [30, 10, 20] {
            timers.add(Deadline { at, key: 0, id: at });
        }
        assert_eq!(timers.next(), Some(10));
        assert!(timers.pop(9).is_none());
        assert_eq!(timers.pop(20).map(|deadline| deadline.id), Some(10));
        assert_eq!(timers.pop(20).map(|deadline| deadline.id), Some(20));
        assert!(timers.pop(20).is_none());
    }
}
