//! Our calls waiting for the peer's answer (RTMP 1.0 7.2.1.2). Each direction of a connection counts its own.

use std::collections::VecDeque;

/// Calls in the order they were made; `T` says what each was for.
#[derive(Debug)]
pub(crate) struct Calls<T> {
    next: u32,
    pending: VecDeque<Pending<T>>,
    max: usize,
    timeout_ms: u64,
}

#[derive(Debug)]
struct Pending<T> {
    id: f64,
    deadline: u64,
    purpose: T,
}

impl<T> Calls<T> {
    /// `first` is the first transaction id handed out: 1 is `connect`'s.
    pub(crate) fn new(first: u32, max: usize, timeout_ms: u64) -> Self {
        Self {
            next: first,
            pending: VecDeque::new(),
            max,
            timeout_ms,
        }
    }

    /// A transaction id for a call made now; `None` when too many wait already.
    pub(crate) fn begin(&mut self, purpose: T, now: u64) -> Option<f64> {
        if self.pending.len() >= self.max {
            return None;
        }
        let id = f64::from(self.next);
        // 0 and 1 stand for "no answer" and `connect`, on the second time round too.
        self.next = self.next.checked_add(1).unwrap_or(2);
        self.pending.push_back(Pending {
            id,
            deadline: now.saturating_add(self.timeout_ms),
            purpose,
        });
        Some(id)
    }

    /// What the answered call was for; `None` for answers to nothing, which are ignored.
    pub(crate) fn finish(&mut self, id: f64) -> Option<T> {
        let at = self.pending.iter().position(|pending| pending.id == id)?;
        self.pending.remove(at).map(|pending| pending.purpose)
    }

    /// When the oldest call times out, in milliseconds.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.pending.front().map(|pending| pending.deadline)
    }

    /// Takes out one call whose time has passed.
    pub(crate) fn expired(&mut self, now: u64) -> Option<(f64, T)> {
        if self.deadline()? > now {
            return None;
        }
        self.pending
            .pop_front()
            .map(|pending| (pending.id, pending.purpose))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_matched_once_in_any_order() {
        let mut calls = Calls::new(2, 8, 1000);
        let first = calls.begin("first", 0).unwrap();
        let second = calls.begin("second", 0).unwrap();
        assert_eq!((first, second), (2.0, 3.0));
        assert_eq!(calls.finish(3.0), Some("second"));
        assert_eq!(calls.finish(3.0), None);
        assert_eq!(calls.finish(f64::NAN), None);
        assert_eq!(calls.finish(2.0), Some("first"));
    }

    #[test]
    fn unanswered_calls_expire_and_free_their_place() {
        let mut calls = Calls::new(2, 1, 1000);
        assert!(calls.begin((), 0).is_some());
        assert!(calls.begin((), 0).is_none());
        assert_eq!(calls.expired(999), None);
        assert_eq!(calls.expired(1000), Some((2.0, ())));
        assert!(calls.begin((), 1000).is_some());
    }
}
