//! The object itself: applies what clients and host ask, and tells everybody in the same order.

mod notices;
mod turn;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::amf::Value;
use crate::app::client::Client;
use crate::app::peer::{PeerCommand, PeerLink};
use crate::app::shared_object::config::{MAX_BATCH, MAX_BATCH_BYTES, MAX_WAITING_BYTES};
use crate::app::shared_object::slots::{Refusal, SlotLimits, Slots, Snapshot};
use crate::app::shared_object::{SlotChange, SlotChangeKind};
use crate::app::weight;
use crate::wire::message::{Message, ObjectEncoding, SharedObjectEvent as Event, SharedObjectMessage};
use crate::wire::status::Code;
pub(crate) use notices::Notice;
use notices::Notices;
pub(crate) use turn::refuse;

/// The client whose message is applied.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) id: u64,
    pub(crate) link: Arc<dyn PeerLink>,
    pub(crate) client: Option<Client>,
}

/// An object in memory.
pub(crate) struct ObjectState {
    name: String,
    persistent: bool,
    limits: SlotLimits,
    max_waiting: usize,
    pub(crate) slots: Slots,
    pub(crate) resync_depth: Option<u32>,
    pub(crate) phase: Phase,
    /// It was there before, or somebody with write access made it.
    pub(crate) created: bool,
    subscribers: BTreeMap<u64, Subscriber>,
    locks: usize,
    batch: Batch,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// The host's handles and how often each has locked the object; without any, no notices are kept.
    handles: BTreeMap<u64, usize>,
    pub(crate) notices: Notices,
    /// How often it changed, up to which of these it is on its way to the disk, and up to which it is there.
    pub(crate) changes: u64,
    pub(crate) submitted: u64,
    pub(crate) saved: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Being read from disk.
    Loading,
    Ready,
    /// It could not be read.
    Failed,
}

struct Subscriber {
    link: Arc<dyn PeerLink>,
    encoding: ObjectEncoding,
}

/// A client's message that waits for the object to be unlocked, or read from disk.
struct Waiting {
    sender: Sender,
    message: SharedObjectMessage,
    size: usize,
}

/// What the host changed and nobody was told yet.
#[derive(Default)]
struct Batch {
    modified: bool,
    cleared: Option<u64>,
    /// Slots that changed, in order and once each.
    names: Vec<String>,
    named: HashSet<String>,
    changes: Vec<(u64, SlotChange)>,
    sends: Vec<(u64, String, Vec<Value>)>,
    /// About what the changes and messages take.
    bytes: usize,
}

impl Batch {
    fn has_room(&self) -> bool {
        self.names.len() + self.changes.len() + self.sends.len() < MAX_BATCH && self.bytes <= MAX_BATCH_BYTES
    }
}

impl ObjectState {
    pub(crate) fn new(name: &str, persistent: bool, limits: SlotLimits, max_waiting: usize) -> Self {
        Self {
            name: name.to_owned(),
            persistent,
            limits,
            max_waiting,
            slots: Slots::new(limits),
            resync_depth: None,
            phase: if persistent { Phase::Loading } else { Phase::Ready },
            created: false,
            subscribers: BTreeMap::new(),
            locks: 0,
            batch: Batch::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            handles: BTreeMap::new(),
            notices: Notices::new(max_waiting),
            changes: 0,
            submitted: 0,
            saved: 0,
        }
    }

    pub(crate) fn subscribers(&self) -> usize {
        self.subscribers.len()
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.changes != self.saved
    }

    /// Whether the host is in the middle of a change.
    pub(crate) fn is_halfway(&self) -> bool {
        self.batch.modified
    }

    /// Whether a client uses the object, or has asked to.
    pub(crate) fn is_used_by(&self, id: u64) -> bool {
        self.subscribers.contains_key(&id) || self.waiting.iter().any(|waiting| waiting.sender.id == id)
    }

    /// The disk has answered: `None` there is no such object.
    pub(crate) fn loaded(&mut self, found: Result<Option<Snapshot>, ()>) {
        if self.phase != Phase::Loading {
            return;
        }
        match found {
            Ok(snapshot) => {
                self.phase = Phase::Ready;
                if let Some(snapshot) = snapshot {
                    self.created = true;
                    self.slots = Slots::restore(self.limits, snapshot);
                }
            }
            Err(()) => self.phase = Phase::Failed,
        }
        self.go_on();
    }

    /// Takes a client's message of `size` bytes: at once, or when the object is free.
    pub(crate) fn receive(&mut self, sender: Sender, message: SharedObjectMessage, size: usize) {
        if self.phase == Phase::Failed {
            return refuse(&sender, &message, Code::SharedObjectCreationFailed);
        }
        if self.phase == Phase::Ready && !self.is_taken() {
            return self.apply(&sender, message);
        }
        if self.waiting.len() >= self.max_waiting || self.waiting_bytes + size > MAX_WAITING_BYTES {
            return self.turn_away(&sender, message);
        }
        self.waiting_bytes += size;
        self.waiting.push_back(Waiting {
            sender,
            message,
            size,
        });
    }

    /// Whether clients' messages have to wait.
    fn is_taken(&self) -> bool {
        self.locks > 0 || self.notices.are_too_many()
    }

    /// Whether so much waits for the host's handlers that nothing more should be read from those who bring it.
    pub(crate) fn is_crowded(&self) -> bool {
        self.notices.are_too_many()
    }

    /// Whether one more change of a handle can be taken.
    pub(crate) fn has_room(&self, author: u64) -> bool {
        let heard = self.is_heard(Some(author));
        self.batch.has_room() && !(heard && self.notices.are_too_many())
    }

    /// Whether a handle is to be told what `author` did.
    fn is_heard(&self, author: Option<u64>) -> bool {
        self.handles.keys().any(|id| Some(*id) != author)
    }

    /// A notice was taken by all handlers, or by nobody: what waited for that goes on.
    pub(crate) fn told(&mut self, weight: usize) {
        self.notices.told(weight);
        self.go_on();
    }

    /// A client is gone, with all it still asked for.
    pub(crate) fn release(&mut self, id: u64) {
        self.subscribers.remove(&id);
        self.waiting.retain(|waiting| waiting.sender.id != id);
        self.waiting_bytes = self.waiting.iter().map(|waiting| waiting.size).sum();
    }

    pub(crate) fn add_handle(&mut self, id: u64) {
        self.handles.insert(id, 0);
        self.created = true;
    }

    /// A handle is closed; its locks are undone.
    pub(crate) fn remove_handle(&mut self, id: u64) {
        let locks = self.handles.remove(&id).unwrap_or_default();
        self.unlocked(locks);
    }

    /// Locks the object for a handle; `false` when that is closed.
    pub(crate) fn lock(&mut self, id: u64) -> bool {
        let Some(locks) = self.handles.get_mut(&id) else {
            return false;
        };
        *locks += 1;
        self.locks += 1;
        true
    }

    /// Undoes a lock of a handle; `false` when it has none.
    pub(crate) fn unlock(&mut self, id: u64) -> bool {
        let locked = self.handles.get_mut(&id).filter(|locks| **locks > 0);
        let Some(locks) = locked else { return false };
        *locks -= 1;
        self.unlocked(1);
        true
    }

    /// At the last lock undone, what changed is told and what waited goes on.
    fn unlocked(&mut self, times: usize) {
        self.locks = self.locks.saturating_sub(times);
        if self.locks == 0 {
            self.publish();
            self.go_on();
        }
    }

    /// The host sets a slot; null and undefined remove it.
    pub(crate) fn set(&mut self, author: u64, name: &str, value: Value) -> Result<(), Refusal> {
        if value.is_null() {
            self.remove(author, name);
            return Ok(());
        }
        let (old_value, changed) = self.slots.set(name, value.clone())?;
        if changed {
            self.batch_change(author, SlotChangeKind::Change, name, old_value, Some(value));
        }
        Ok(())
    }

    /// The host removes a slot; whether there was one.
    pub(crate) fn remove(&mut self, author: u64, name: &str) -> bool {
        let old_value = self.slots.remove(name);
        let found = old_value.is_some();
        if found {
            self.batch_change(author, SlotChangeKind::Delete, name, old_value, None);
        }
        found
    }

    /// The host removes everything; whether there was anything.
    pub(crate) fn clear(&mut self, author: u64) -> bool {
        let had = self.slots.clear();
        let sends = std::mem::take(&mut self.batch.sends);
        let bytes = self.batch.bytes;
        self.batch = Batch {
            bytes,
            modified: true,
            cleared: Some(author),
            sends,
            ..Batch::default()
        };
        self.publish_if_unlocked();
        had
    }

    /// The host sends a message to all users.
    pub(crate) fn send(&mut self, author: u64, handler: &str, args: Vec<Value>) {
        self.batch.bytes += handler.len() + weight::of_all(&args);
        self.batch.sends.push((author, handler.to_owned(), args));
        self.publish_if_unlocked();
    }

    fn batch_change(
        &mut self,
        author: u64,
        kind: SlotChangeKind,
        name: &str,
        old_value: Option<Value>,
        new_value: Option<Value>,
    ) {
        let batch = &mut self.batch;
        batch.modified = true;
        if batch.named.insert(name.to_owned()) {
            batch.names.push(name.to_owned());
        }
        if self.handles.len() > 1 || author == 0 {
            let change = slot_change(kind, name, old_value, new_value);
            batch.bytes += change.weight();
            batch.changes.push((author, change));
        }
        self.publish_if_unlocked();
    }

    fn publish_if_unlocked(&mut self) {
        if self.locks == 0 {
            self.publish();
        }
    }

    /// Tells everybody what the host did, in one message.
    fn publish(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if batch.modified {
            self.slots.advance();
            self.changes += 1;
            self.created = true;
        }
        let mut events = Vec::new();
        if let Some(author) = batch.cleared {
            events.push(Event::Clear);
            self.notice(Notice::Clear { author });
        }
        for name in batch.names {
            events.push(self.slot_event(name));
        }
        if !batch.changes.is_empty() {
            self.notice(Notice::Sync(batch.changes));
        }
        for (author, handler, args) in batch.sends {
            let (handler_, args_) = (handler.clone(), args.clone());
            events.push(Event::Send { handler, args });
            self.notice(Notice::Message {
                author,
                sender: None,
                handler: handler_,
                args: args_,
            });
        }
        self.tell_all_but(None, events);
    }

    /// Applies what waited, until the object is taken again.
    fn go_on(&mut self) {
        while !self.is_taken() && self.phase != Phase::Loading {
            let Some(Waiting {
                sender,
                message,
                size,
            }) = self.waiting.pop_front()
            else {
                return;
            };
            self.waiting_bytes -= size;
            self.receive(sender, message, size);
        }
    }

    fn slot_event(&self, name: String) -> Event {
        match self.slots.get(&name) {
            Some(value) => Event::Change(vec![(name, value.clone())]),
            None => Event::Remove(vec![name]),
        }
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        if self.is_heard(notice.author()) {
            self.notices.push(notice);
        }
    }

    /// Sends events to the subscribers, encoded once per encoding.
    fn tell_all_but(&self, sender: Option<u64>, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut message = SharedObjectMessage::new(
            &self.name,
            self.slots.version(),
            self.persistent,
            ObjectEncoding::Amf0,
        )
        .with_events(events);
        let mut encoded: [Option<Message>; 2] = [None, None];
        for (id, subscriber) in &self.subscribers {
            if Some(*id) == sender {
                continue;
            }
            let [amf0, amf3] = &mut encoded;
            let kept = match subscriber.encoding {
                ObjectEncoding::Amf0 => amf0,
                ObjectEncoding::Amf3 => amf3,
            };
            message.encoding = subscriber.encoding;
            let bytes = kept.get_or_insert_with(|| message.encode());
            subscriber.link.send(PeerCommand::Message(bytes.clone()));
        }
    }
}

fn slot_change(
    kind: SlotChangeKind,
    name: &str,
    old_value: Option<Value>,
    new_value: Option<Value>,
) -> SlotChange {
    SlotChange {
        kind,
        name: name.to_owned(),
        old_value,
        new_value,
    }
}
