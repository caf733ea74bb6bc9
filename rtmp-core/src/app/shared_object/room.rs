//! Room in a store: objects that are in use and not on disk yet have taken theirs before they get there.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Result};

/// How many objects a store has, and which will be there. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Rooms(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    stored: u64,
    /// By key, with the number of who took it last: an object may be let go of while its successor is in use.
    waiting: HashMap<String, u64>,
    count: u64,
}

/// The room of one object; dropping it gives it back, unless the object is in the store by then.
#[derive(Debug)]
pub(crate) struct Room {
    rooms: Rooms,
    key: String,
    number: u64,
}

impl Rooms {
    /// For a store that has so many objects.
    pub(crate) fn new(stored: u64) -> Self {
        let rooms = Self::default();
        rooms.0.lock().stored = stored;
        rooms
    }

    /// Room for an object that is not stored, if with it there are no more than `max`. [`Error::Full`] otherwise.
    pub(crate) fn take(&self, key: &str, max: usize) -> Result<Room> {
        let mut taken = self.0.lock();
        let waiting = u64::try_from(taken.waiting.len()).unwrap_or(u64::MAX);
        let max = u64::try_from(max).unwrap_or(u64::MAX);
        if !taken.waiting.contains_key(key) && taken.stored.saturating_add(waiting) >= max {
            return Err(Error::Full("the store of persistent shared objects"));
        }
        Ok(self.enter(&mut taken, key))
    }

    /// Room for an object that may be there whatever the bound.
    pub(crate) fn keep(&self, key: &str) -> Room {
        self.enter(&mut self.0.lock(), key)
    }

    fn enter(&self, taken: &mut Taken, key: &str) -> Room {
        taken.count += 1;
        taken.waiting.insert(key.to_owned(), taken.count);
        Room {
            rooms: self.clone(),
            key: key.to_owned(),
            number: taken.count,
        }
    }

    /// The store has so many objects now that these were written, or with `None` deleted.
    pub(crate) fn committed(&self, stored: u64, writes: &[(String, Option<Vec<u8>>)]) {
        let mut taken = self.0.lock();
        taken.stored = stored;
        for (key, _) in writes.iter().filter(|(_, bytes)| bytes.is_some()) {
            taken.waiting.remove(key);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut taken = self.rooms.0.lock();
        if taken.waiting.get(&self.key) == Some(&self.number) {
            taken.waiting.remove(&self.key);
        }
    }
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = self.0.lock();
        write!(f, "{} stored, {} waiting", taken.stored, taken.waiting.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_room_is_counted_once_before_and_after_it_is_stored() {
        let rooms = Rooms::new(1);
        let a = rooms.take("a", 3).unwrap();
        let b = rooms.take("b", 3).unwrap();
        assert!(matches!(rooms.take("c", 3), Err(Error::Full(_))));
        rooms.committed(2, &[("a".to_owned(), Some(Vec::new()))]);
        assert!(rooms.take("c", 3).is_err());
        drop(a);
        assert!(rooms.take("c", 3).is_err());
        // The successor of an object comes before the object goes.
        let again = rooms.take("b", 3).unwrap();
        drop(b);
        assert!(rooms.take("c", 3).is_err());
        drop(again);
        drop(rooms.take("c", 3).unwrap());
        rooms.committed(1, &[("a".to_owned(), None)]);
        let kept = [rooms.keep("a"), rooms.keep("d"), rooms.keep("e")];
        assert!(rooms.take("c", 3).is_err());
        drop(kept);
        assert!(rooms.take("c", 3).is_ok());
        assert!(rooms.take("c", 0).is_err());
    }
}
