//! A client's message: what each of its events does to an object, and who is told what.

use std::sync::Arc;

use crate::amf::Value;
use crate::app::peer::PeerCommand;
use crate::app::shared_object::access::{Access, permits};
use crate::app::shared_object::object::{Notice, ObjectState, Sender, Subscriber, slot_change};
use crate::app::shared_object::slots::encoded_len;
use crate::app::shared_object::{SlotChange, SlotChangeKind};
use crate::wire::message::{ObjectEncoding, SharedObjectEvent as Event, SharedObjectMessage};
use crate::wire::status::Code;

/// What one message of a client leads to.
struct Turn<'a> {
    sender: &'a Sender,
    encoding: ObjectEncoding,
    version: u32,
    persistent: bool,
    reply: Vec<Event>,
    others: Vec<Event>,
    changes: Vec<SlotChange>,
    notices: Vec<Notice>,
    modified: bool,
    sent_bytes: usize,
}

impl ObjectState {
    /// Applies the events of one message as one change of the object.
    pub(super) fn apply(&mut self, sender: &Sender, message: SharedObjectMessage) {
        let mut turn = Turn::new(sender, &message);
        for event in message.events {
            self.event(event, &mut turn);
        }
        if turn.modified {
            self.slots.advance();
            self.changes += 1;
        }
        self.answer(&turn);
        let Turn {
            others,
            changes,
            notices,
            ..
        } = turn;
        self.tell_all_but(Some(sender.id), others);
        if !changes.is_empty() {
            self.notice(Notice::Sync(
                changes.into_iter().map(|change| (0, change)).collect(),
            ));
        }
        notices.into_iter().for_each(|notice| self.notice(notice));
    }

    /// Sends the client whose turn it is what it is told alone. Who does not use the object learns no version.
    fn answer(&self, turn: &Turn<'_>) {
        if turn.reply.is_empty() {
            return;
        }
        let message = match self.subscribers.get(&turn.sender.id) {
            Some(subscriber) => SharedObjectMessage::new(
                &*self.name,
                self.slots.version(),
                self.persistent,
                subscriber.encoding,
            ),
            None => SharedObjectMessage::new(&*self.name, 0, turn.persistent, turn.encoding),
        };
        let message = message.with_events(turn.reply.clone());
        turn.sender.link.send(PeerCommand::Message(message.encode()));
    }

    fn event(&mut self, event: Event, turn: &mut Turn<'_>) {
        match event {
            Event::Use => self.join(turn),
            Event::Release => {
                self.subscribers.remove(&turn.sender.id);
            }
            Event::RequestChange(slots) if self.may_write(turn) => {
                for (name, value) in slots {
                    self.change(name, value, turn);
                }
            }
            Event::RequestRemove(names) if self.may_write(turn) => {
                names.into_iter().for_each(|name| self.remove_for(name, turn));
            }
            Event::Send { handler, args } if self.may_write(turn) => self.relay(handler, args, turn),
            Event::RequestChange(slots) => {
                self.reject(slots.into_iter().map(|(name, _)| name), turn);
            }
            Event::RequestRemove(names) => self.reject(names.into_iter(), turn),
            // What asks for something, and could not be read or is not permitted.
            Event::Send { .. } | Event::Other { kind: 3 | 6 | 10, .. } => {
                turn.refuse(Code::SharedObjectNoWriteAccess)
            }
            // What only a server says, and what nobody knows, is ignored.
            _ => {}
        }
    }

    fn may_write(&self, turn: &Turn<'_>) -> bool {
        self.subscribers.contains_key(&turn.sender.id) && turn.sender.may(Access::Write, &self.name)
    }

    fn join(&mut self, turn: &mut Turn<'_>) {
        let refusal = if turn.persistent != self.persistent {
            Some(Code::SharedObjectBadPersistence)
        } else if !turn.sender.may(Access::Read, &self.name) {
            Some(Code::SharedObjectNoReadAccess)
        } else if !self.created && !turn.sender.may(Access::Write, &self.name) {
            Some(Code::SharedObjectCreationFailed)
        } else {
            None
        };
        if let Some(code) = refusal {
            return turn.refuse(code);
        }
        self.created = true;
        let subscriber = Subscriber {
            link: Arc::clone(&turn.sender.link),
            encoding: turn.encoding,
        };
        self.subscribers.insert(turn.sender.id, subscriber);
        turn.reply.push(Event::UseSuccess);
        let newer = self
            .persistent
            .then(|| self.slots.since(turn.version, self.resync_depth))
            .flatten();
        match newer {
            Some(events) => turn.reply.extend(events),
            None => {
                turn.reply.push(Event::Clear);
                turn.reply.extend(self.slots.all());
            }
        }
    }

    fn change(&mut self, name: String, value: Value, turn: &mut Turn<'_>) {
        if value.is_null() {
            if let Some(old) = self.slots.remove(&name) {
                turn.modified = true;
                turn.changes
                    .push(slot_change(SlotChangeKind::Delete, &name, Some(old), None));
                turn.others.push(Event::Remove(vec![name.clone()]));
            }
            return turn.reply.push(Event::Success(vec![name]));
        }
        match self.slots.set(&name, value.clone()) {
            Ok((old, changed)) => {
                if changed {
                    turn.modified = true;
                    turn.changes.push(slot_change(
                        SlotChangeKind::Change,
                        &name,
                        old,
                        Some(value.clone()),
                    ));
                    turn.others.push(Event::Change(vec![(name.clone(), value)]));
                }
                turn.reply.push(Event::Success(vec![name]));
            }
            Err(reason) => {
                log::debug!("shared object {}: a client's slot {reason}", self.name);
                self.reject(std::iter::once(name), turn);
            }
        }
    }

    /// Refuses changes of slots; who may see them is told what they are.
    fn reject(&self, names: impl Iterator<Item = String>, turn: &mut Turn<'_>) {
        turn.refuse(Code::SharedObjectNoWriteAccess);
        if self.subscribers.contains_key(&turn.sender.id) {
            turn.reply.extend(names.map(|name| self.slot_event(name)));
        }
    }

    fn remove_for(&mut self, name: String, turn: &mut Turn<'_>) {
        if let Some(old) = self.slots.remove(&name) {
            turn.modified = true;
            turn.changes
                .push(slot_change(SlotChangeKind::Delete, &name, Some(old), None));
            turn.others.push(Event::Remove(vec![name.clone()]));
        }
        turn.reply.push(Event::Remove(vec![name]));
    }

    fn relay(&mut self, handler: String, args: Vec<Value>, turn: &mut Turn<'_>) {
        turn.sent_bytes += handler.len() + args.iter().map(encoded_len).sum::<usize>();
        if turn.sent_bytes > self.limits.object_bytes {
            return turn.refuse(Code::SharedObjectNoWriteAccess);
        }
        turn.notices.push(Notice::Message {
            author: 0,
            sender: turn.sender.client.clone(),
            handler: handler.clone(),
            args: args.clone(),
        });
        let event = Event::Send { handler, args };
        turn.others.push(event.clone());
        turn.reply.push(event);
    }

    /// Refuses a message because too many wait.
    pub(super) fn turn_away(&self, sender: &Sender, message: SharedObjectMessage) {
        let mut turn = Turn::new(sender, &message);
        for event in message.events {
            match event {
                Event::RequestChange(slots) => {
                    self.reject(slots.into_iter().map(|(name, _)| name), &mut turn);
                }
                Event::RequestRemove(names) => self.reject(names.into_iter(), &mut turn),
                _ => turn.refuse(Code::SharedObjectNoWriteAccess),
            }
        }
        self.answer(&turn);
    }
}

impl Sender {
    fn may(&self, access: Access, name: &str) -> bool {
        self.client
            .as_ref()
            .is_none_or(|client| permits(client, access, name))
    }
}

impl<'a> Turn<'a> {
    fn new(sender: &'a Sender, message: &SharedObjectMessage) -> Self {
        Self {
            sender,
            encoding: message.encoding,
            version: message.version,
            persistent: message.persistent,
            reply: Vec::new(),
            others: Vec::new(),
            changes: Vec::new(),
            notices: Vec::new(),
            modified: false,
            sent_bytes: 0,
        }
    }

    fn refuse(&mut self, code: Code) {
        self.reply.push(status_event(code));
    }
}

/// Tells a client that its message was refused as a whole.
pub(crate) fn refuse(sender: &Sender, message: &SharedObjectMessage, code: Code) {
    let reply = SharedObjectMessage::new(&message.name, 0, message.persistent, message.encoding)
        .with_events(vec![status_event(code)]);
    sender.link.send(PeerCommand::Message(reply.encode()));
}

fn status_event(code: Code) -> Event {
    Event::Status {
        code: code.as_str().to_owned(),
        level: "error".to_owned(),
    }
}
