//! The shared objects that one client uses.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::amf::ClassRegistry;
use crate::app::client::Client;
use crate::app::peer::{PeerCommand, PeerLink};
use crate::app::shared_object::SharedObjects;
use crate::app::shared_object::core::ObjectCore;
use crate::app::shared_object::object::{Phase, Sender, refuse};
use crate::wire::message::shared_object::SharedObjectError;
use crate::wire::message::{Message, SharedObjectEvent as Event, SharedObjectMessage};
use crate::wire::status::Code;

/// What a client's connection keeps of the objects it uses.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    objects: HashMap<String, Arc<ObjectCore>>,
    /// Sends left, and when they were counted.
    allowance: Option<(f64, Instant)>,
}

impl PeerLink for Client {
    fn send(&self, command: PeerCommand) {
        Self::send(self, command);
    }
}

impl Subscriptions {
    /// Takes a message of the client. An error says that it was unreadable; the connection may go on.
    pub(crate) fn message(
        &mut self,
        client: &Client,
        message: &Message,
        classes: &ClassRegistry,
    ) -> Result<(), SharedObjectError> {
        let sender = Sender {
            id: client.id(),
            link: Arc::new(client.clone()),
            client: Some(client.clone()),
        };
        self.take(client.instance().shared_objects(), sender, message, classes)
    }

    /// Whether the client uses none.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Whether more waits for the host's handlers than may, of an object that is used here.
    pub(crate) fn is_behind(&self) -> bool {
        self.objects.values().any(|object| object.is_crowded())
    }

    /// Leaves every object.
    pub(crate) fn release_all(&mut self, client: &Client) {
        self.leave_all(client.instance().shared_objects(), client.id());
    }

    pub(super) fn leave_all(&mut self, objects: &SharedObjects, id: u64) {
        for (name, core) in self.objects.drain() {
            leave(objects, id, &name, core);
        }
    }

    pub(super) fn take(
        &mut self,
        objects: &SharedObjects,
        sender: Sender,
        message: &Message,
        classes: &ClassRegistry,
    ) -> Result<(), SharedObjectError> {
        let config = &objects.config;
        let size = message.payload.len();
        let mut message =
            SharedObjectMessage::load_with(message, &config.value_limits(), config.max_events, classes)?;
        self.limit_sends(&mut message, &sender, config.max_sends_per_second);
        let Some(core) = self.object(objects, &sender, &message) else {
            return Ok(());
        };
        let (name, id) = (message.name.clone(), sender.id);
        core.receive(sender, message, size);
        if !core.state().is_used_by(id) {
            self.objects.remove(&name);
            leave(objects, id, &name, core);
        }
        Ok(())
    }

    /// The object that a message is for; when there is none the client has been told why.
    fn object(
        &mut self,
        objects: &SharedObjects,
        sender: &Sender,
        message: &SharedObjectMessage,
    ) -> Option<Arc<ObjectCore>> {
        if let Some(core) = self.objects.get(&message.name) {
            if core.phase() != Phase::Failed {
                return Some(Arc::clone(core));
            }
            self.objects.remove(&message.name);
        }
        let wants = |kinds: &[u8]| message.events.iter().any(|event| kinds.contains(&event.kind()));
        if !wants(&[1]) {
            if wants(&[3, 6, 10]) {
                refuse(sender, message, Code::SharedObjectNoWriteAccess);
            }
            return None;
        }
        if self.objects.len() >= objects.config.max_per_client {
            self.forget_unused(objects, sender.id);
        }
        if self.objects.len() >= objects.config.max_per_client {
            refuse(sender, message, Code::SharedObjectCreationFailed);
            return None;
        }
        match objects.open(&message.name, message.persistent) {
            Ok(core) => {
                self.objects.insert(message.name.clone(), Arc::clone(&core));
                Some(core)
            }
            Err(code) => {
                refuse(sender, message, code);
                None
            }
        }
    }

    /// Lets go of the objects that the client was refused when they had been read from disk.
    fn forget_unused(&mut self, objects: &SharedObjects, id: u64) {
        let unused = self.objects.extract_if(|_, core| !core.state().is_used_by(id));
        for (name, core) in unused {
            leave(objects, id, &name, core);
        }
    }

    /// Takes sends out of a message that go beyond the client's rate: each is multiplied by the number of users.
    fn limit_sends(&mut self, message: &mut SharedObjectMessage, sender: &Sender, per_second: u32) {
        let is_send = |event: &Event| event.kind() == 6;
        if per_second == 0 || !message.events.iter().any(is_send) {
            return;
        }
        let now = Instant::now();
        let full = f64::from(per_second);
        let (left, counted) = self.allowance.unwrap_or((full, now));
        let mut left = (left + now.duration_since(counted).as_secs_f64() * full).min(full);
        let before = message.events.len();
        message.events.retain(|event| {
            let keep = !is_send(event) || left >= 1.0;
            if keep && is_send(event) {
                left -= 1.0;
            }
            keep
        });
        self.allowance = Some((left, now));
        if message.events.len() < before {
            refuse(sender, message, Code::SharedObjectNoWriteAccess);
        }
    }
}

fn leave(objects: &SharedObjects, id: u64, name: &str, core: Arc<ObjectCore>) {
    core.release(id);
    drop(core);
    objects.forget(name);
}
