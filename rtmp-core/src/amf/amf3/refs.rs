//! The reference tables of AMF3 (AMF 3, 2.2) on both sides.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::graph::Graph;
use crate::amf::{Str, Value};

/// A class description (AMF 3, 3.12).
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Traits {
    pub(super) class: Str,
    pub(super) externalizable: bool,
    pub(super) dynamic: bool,
    pub(super) sealed: Vec<Str>,
}

/// What has been read and may be referred to.
pub(in crate::amf) struct Tables {
    pub(super) strings: Vec<Str>,
    pub(super) objects: Graph,
    pub(super) traits: Vec<Arc<Traits>>,
}

impl Tables {
    pub(in crate::amf) fn new() -> Self {
        Self {
            strings: Vec::new(),
            objects: Graph::new("AMF3 object"),
            traits: Vec::new(),
        }
    }
}

/// What has been written and may be referred to.
pub(in crate::amf) struct Written {
    /// Whether to refer back at all; cycles always do.
    refer: bool,
    strings: HashMap<Str, usize>,
    traits: HashMap<Traits, usize>,
    /// Finished containers by address and marker. The value is kept so that its address stays its own.
    finished: HashMap<(usize, u8), (usize, Value)>,
    objects: usize,
    /// The containers being written, outermost first.
    open: Vec<Open>,
}

struct Open {
    index: usize,
    marker: u8,
    /// The outermost position in `open` that a cycle inside leads to.
    outermost: usize,
}

impl Written {
    pub(in crate::amf) fn new(refer: bool) -> Self {
        Self {
            refer,
            strings: HashMap::new(),
            traits: HashMap::new(),
            finished: HashMap::new(),
            objects: 0,
            open: Vec::new(),
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The index of a string written before; otherwise it is remembered as being written now.
    pub(super) fn string(&mut self, text: &Str) -> Option<usize> {
        if !self.refer {
            return None;
        }
        let next = self.strings.len();
        let index = self.strings.get(text).copied();
        if index.is_none() {
            self.strings.insert(text.clone(), next);
        }
        index
    }

    /// As [`string`](Self::string), for a class description.
    pub(super) fn traits(&mut self, traits: &Traits) -> Option<usize> {
        if !self.refer {
            return None;
        }
        let next = self.traits.len();
        let index = self.traits.get(traits).copied();
        if index.is_none() {
            self.traits.insert(traits.clone(), next);
        }
        index
    }

    /// The index of this very container if it has been written before.
    pub(super) fn finished(&self, value: &Value, marker: u8) -> Option<usize> {
        self.finished
            .get(&(value.address(), marker))
            .map(|(index, _)| *index)
    }

    /// Counts something that takes an index but holds no values.
    pub(super) fn leaf(&mut self) {
        self.objects += 1;
    }

    pub(super) fn begin(&mut self, marker: u8) {
        self.open.push(Open {
            index: self.objects,
            marker,
            outermost: usize::MAX,
        });
        self.objects += 1;
    }

    pub(super) fn end(&mut self, value: &Value) {
        let Some(done) = self.open.pop() else { return };
        if done.outermost < self.open.len() {
            // Its levels mean something else at another place, so it cannot stand for an equal one there.
            self.note_cycle(done.outermost);
        } else if self.refer {
            self.finished
                .insert((value.address(), done.marker), (done.index, value.clone()));
        }
    }

    /// The index and marker of the container `levels` above the innermost one.
    pub(super) fn cycle(&mut self, levels: usize) -> Option<(usize, u8)> {
        let position = self.open.len().checked_sub(levels)?.checked_sub(1)?;
        let target = self.open.get(position).map(|open| (open.index, open.marker));
        self.note_cycle(position);
        target
    }

    fn note_cycle(&mut self, position: usize) {
        if let Some(innermost) = self.open.last_mut() {
            innermost.outermost = innermost.outermost.min(position);
        }
    }
}
