//! This side's copy of another server's shared object: what the server said, and what it has not answered yet.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::amf::Value;
use crate::app::shared_object::{SlotChange, SlotChangeKind};
use crate::wire::message::{ObjectEncoding, SharedObjectEvent as Event, SharedObjectMessage};
use crate::wire::status::{Code, Level, Status};

/// What the host is to be told.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Sync(Vec<SlotChange>),
    Message(String, Vec<Value>),
    Status(Status),
    Clear,
}

/// The copy. A slot's answer does not repeat its value, so what was asked for is kept until it is answered; that also
/// puts this side's changes where the server put them among everybody's.
#[derive(Default)]
pub(crate) struct RemoteState {
    phase: Phase,
    version: u32,
    encoding: ObjectEncoding,
    confirmed: BTreeMap<String, Value>,
    /// Values asked for and not answered, oldest first; `None` is a removal.
    pending: HashMap<String, VecDeque<Option<Value>>>,
    outgoing: Vec<Event>,
    locks: usize,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Apart,
    /// Use was sent.
    Asked,
    Joined,
}

/// Events kept until the server lets this side join, or the host unlocks.
const MAX_OUTGOING: usize = 65_536;

impl RemoteState {
    pub(crate) fn is_joined(&self) -> bool {
        self.phase == Phase::Joined
    }

    pub(crate) fn is_full(&self) -> bool {
        self.outgoing.len() >= MAX_OUTGOING
    }

    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    pub(crate) fn encoding(&self) -> ObjectEncoding {
        self.encoding
    }

    /// Begins to join with the version of the copy, unless that was done.
    pub(crate) fn join(&mut self, encoding: ObjectEncoding) -> Option<u32> {
        if self.phase != Phase::Apart {
            return None;
        }
        self.phase = Phase::Asked;
        self.encoding = encoding;
        Some(self.version)
    }

    /// The connection is over. What was not answered is asked again after the next.
    pub(crate) fn disconnected(&mut self, persistent: bool) {
        self.phase = Phase::Apart;
        if !persistent {
            self.version = 0;
        }
        let mut again: Vec<Event> = Vec::new();
        for (name, values) in &mut self.pending {
            if let Some(last) = values.pop_back() {
                again.push(request(name, last.clone()));
                values.clear();
                values.push_back(last);
            }
        }
        again.extend(self.outgoing.drain(..).filter(|event| event.kind() == 6));
        self.outgoing = again;
    }

    /// The host leaves; whether the server has to be told.
    pub(crate) fn leave(&mut self) -> bool {
        std::mem::take(&mut self.phase) != Phase::Apart
    }

    /// A slot as this side sees it.
    pub(crate) fn get(&self, slot: &str) -> Option<&Value> {
        match self.pending.get(slot).and_then(VecDeque::back) {
            Some(asked) => asked.as_ref(),
            None => self.confirmed.get(slot),
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.confirmed.keys().chain(self.pending.keys()).collect();
        let visible = names.into_iter().filter(|name| self.get(name).is_some());
        visible.cloned().collect()
    }

    /// Asks for a slot to be set, or with `None` removed.
    pub(crate) fn set(&mut self, slot: &str, value: Option<Value>) {
        self.outgoing.push(request(slot, value.clone()));
        self.pending.entry(slot.to_owned()).or_default().push_back(value);
    }

    pub(crate) fn send(&mut self, handler: &str, args: Vec<Value>) {
        self.outgoing.push(Event::Send {
            handler: handler.to_owned(),
            args,
        });
    }

    pub(crate) fn lock(&mut self) {
        self.locks += 1;
    }

    /// Undoes a lock; `false` when there is none.
    pub(crate) fn unlock(&mut self) -> bool {
        let locked = self.locks > 0;
        self.locks = self.locks.saturating_sub(1);
        locked
    }

    /// What may be sent now.
    pub(crate) fn take_outgoing(&mut self) -> Vec<Event> {
        if self.locks > 0 || !self.is_joined() {
            return Vec::new();
        }
        std::mem::take(&mut self.outgoing)
    }

    /// Applies a message of the server.
    pub(crate) fn receive(&mut self, message: SharedObjectMessage) -> Vec<Heard> {
        let mut heard = Vec::new();
        let mut changes = Vec::new();
        let (mut joined, mut refused) = (false, false);
        if message.version != 0 {
            self.version = message.version;
        }
        for event in message.events {
            match event {
                Event::UseSuccess => {
                    joined = true;
                    self.phase = Phase::Joined;
                }
                Event::Clear => {
                    flush(&mut changes, &mut heard);
                    self.confirmed.clear();
                    heard.push(Heard::Clear);
                }
                Event::Change(slots) => {
                    for (name, value) in slots {
                        changes.extend(self.changed(name, Some(value), refused));
                    }
                }
                Event::Remove(names) => {
                    for name in names {
                        changes.extend(self.changed(name, None, refused));
                    }
                }
                Event::Success(names) => {
                    changes.extend(names.into_iter().filter_map(|name| self.succeeded(name)));
                }
                Event::Send { handler, args } => {
                    flush(&mut changes, &mut heard);
                    heard.push(Heard::Message(handler, args));
                }
                Event::Status { code, level } => {
                    refused |= code == Code::SharedObjectNoWriteAccess.as_str();
                    heard.push(Heard::Status(status(&code, &level)));
                }
                // What only a client says, and what nobody knows.
                _ => {}
            }
        }
        if joined && changes.is_empty() {
            heard.push(Heard::Sync(Vec::new()));
        }
        flush(&mut changes, &mut heard);
        heard
    }

    /// The server says what a slot is: because somebody else changed it, or in place of what this side asked for.
    fn changed(&mut self, name: String, value: Option<Value>, refused: bool) -> Option<SlotChange> {
        let before = self.get(&name).cloned();
        let confirmed = match value.clone() {
            Some(value) => self.confirmed.insert(name.clone(), value),
            None => self.confirmed.remove(&name),
        };
        let front = self.pending.get(&name).and_then(VecDeque::front);
        // The answer to a removal is the same event as that of everybody else.
        let answers_removal = value.is_none() && matches!(front, Some(None));
        let rejects = refused && front.is_some();
        if rejects || answers_removal {
            self.answered(&name);
        }
        let after = self.get(&name).cloned();
        let kind = match (rejects, answers_removal, &after) {
            (true, ..) => SlotChangeKind::Reject,
            (_, true, _) => SlotChangeKind::Success,
            _ if before == after => return None,
            (.., Some(_)) => SlotChangeKind::Change,
            (.., None) => SlotChangeKind::Delete,
        };
        let old_value = if answers_removal { confirmed } else { before };
        Some(SlotChange {
            kind,
            name,
            old_value,
            new_value: after,
        })
    }

    fn succeeded(&mut self, name: String) -> Option<SlotChange> {
        let old_value = match self.answered(&name)? {
            Some(value) => self.confirmed.insert(name.clone(), value),
            None => self.confirmed.remove(&name),
        };
        let new_value = self.get(&name).cloned();
        Some(SlotChange {
            kind: SlotChangeKind::Success,
            name,
            old_value,
            new_value,
        })
    }

    /// Takes the oldest value asked for out; `None` when nothing was.
    #[allow(clippy::option_option)] // Nothing was asked for; a removal was.
    fn answered(&mut self, name: &str) -> Option<Option<Value>> {
        let values = self.pending.get_mut(name)?;
        let value = values.pop_front();
        if values.is_empty() {
            self.pending.remove(name);
        }
        value
    }
}

fn request(slot: &str, value: Option<Value>) -> Event {
    match value {
        Some(value) => Event::RequestChange(vec![(slot.to_owned(), value)]),
        None => Event::RequestRemove(vec![slot.to_owned()]),
    }
}

fn flush(changes: &mut Vec<SlotChange>, heard: &mut Vec<Heard>) {
    if !changes.is_empty() {
        heard.push(Heard::Sync(std::mem::take(changes)));
    }
}

fn status(code: &str, level: &str) -> Status {
    match Code::parse(code) {
        Some(known) => Status::new(known),
        None => Status::custom(Level::parse(level).unwrap_or(Level::Error), code, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined() -> RemoteState {
        let mut state = RemoteState::default();
        assert_eq!(state.join(ObjectEncoding::Amf0), Some(0));
        assert_eq!(state.join(ObjectEncoding::Amf0), None);
        let heard = receive(&mut state, 1, vec![Event::UseSuccess, Event::Clear]);
        assert_eq!(heard, [Heard::Clear, Heard::Sync(vec![])]);
        state
    }

    fn receive(state: &mut RemoteState, version: u32, events: Vec<Event>) -> Vec<Heard> {
        state.receive(SharedObjectMessage::new("x", version, false, ObjectEncoding::Amf0).with_events(events))
    }

    fn change(value: i32) -> Event {
        Event::Change(vec![("n".to_owned(), Value::from(value))])
    }

    fn success() -> Event {
        Event::Success(vec!["n".to_owned()])
    }

    fn set(state: &mut RemoteState, value: i32) {
        state.set("n", Some(Value::from(value)));
    }

    fn kinds(heard: &[Heard]) -> Vec<SlotChangeKind> {
        let kinds = heard.iter().filter_map(|heard| match heard {
            Heard::Sync(changes) => Some(changes.iter().map(|change| change.kind)),
            _ => None,
        });
        kinds.flatten().collect()
    }

    #[test]
    fn own_changes_take_the_place_that_the_server_gave_them() {
        // The server heard another's 2 first: 2 then 1.
        let mut state = joined();
        set(&mut state, 1);
        assert!(receive(&mut state, 2, vec![change(2)]).is_empty());
        assert_eq!(state.get("n"), Some(&Value::from(1)));
        assert_eq!(
            kinds(&receive(&mut state, 3, vec![success()])),
            [SlotChangeKind::Success]
        );
        assert_eq!(state.get("n"), Some(&Value::from(1)));
        // And the other way round: 3 then 4.
        set(&mut state, 3);
        receive(&mut state, 4, vec![success()]);
        assert_eq!(
            kinds(&receive(&mut state, 5, vec![change(4)])),
            [SlotChangeKind::Change]
        );
        assert_eq!(state.get("n"), Some(&Value::from(4)));
        assert_eq!(state.version(), 5);
    }

    #[test]
    fn a_refused_change_is_taken_back() {
        let mut state = joined();
        receive(&mut state, 2, vec![change(1)]);
        set(&mut state, 2);
        let refusal = Event::Status {
            code: "SharedObject.NoWriteAccess".to_owned(),
            level: "error".to_owned(),
        };
        let heard = receive(&mut state, 2, vec![refusal, change(1)]);
        assert_eq!(kinds(&heard), [SlotChangeKind::Reject]);
        assert!(matches!(&heard[0], Heard::Status(status) if status.is(Code::SharedObjectNoWriteAccess)));
        assert_eq!(state.get("n"), Some(&Value::from(1)));
    }

    #[test]
    fn removals_are_answered_by_remove() {
        let mut state = joined();
        receive(&mut state, 2, vec![change(1)]);
        state.set("n", None);
        assert!(state.names().is_empty());
        let removed = Event::Remove(vec!["n".to_owned()]);
        assert_eq!(
            kinds(&receive(&mut state, 3, vec![removed.clone()])),
            [SlotChangeKind::Success]
        );
        receive(&mut state, 4, vec![change(2)]);
        assert_eq!(
            kinds(&receive(&mut state, 5, vec![removed])),
            [SlotChangeKind::Delete]
        );
    }

    #[test]
    fn changes_wait_for_joining_and_are_asked_again_after_a_lost_connection() {
        let mut state = RemoteState::default();
        set(&mut state, 1);
        assert!(state.take_outgoing().is_empty());
        state.join(ObjectEncoding::Amf0);
        receive(&mut state, 1, vec![Event::UseSuccess, Event::Clear]);
        assert_eq!(state.take_outgoing().len(), 1);
        set(&mut state, 2);
        state.take_outgoing();
        state.disconnected(false);
        assert_eq!((state.get("n"), state.version()), (Some(&Value::from(2)), 0));
        state.join(ObjectEncoding::Amf0);
        receive(&mut state, 1, vec![Event::UseSuccess, Event::Clear]);
        assert_eq!(state.take_outgoing(), [request("n", Some(Value::from(2)))]);
    }

    #[test]
    fn a_lock_holds_changes_back() {
        let mut state = joined();
        state.lock();
        set(&mut state, 1);
        set(&mut state, 2);
        assert!(state.take_outgoing().is_empty());
        assert!(state.unlock() && !state.unlock());
        assert_eq!(state.take_outgoing().len(), 2);
    }
}
