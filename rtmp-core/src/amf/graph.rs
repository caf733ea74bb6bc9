//! Object references and what decoding costs, the same for AMF0 and AMF3.
//!
//! A reference to a finished container shares it. A reference to one still being read is a cycle and becomes
//! [`Value::Cycle`], which counts levels from where it stands. A finished container may hold cycles that lead out of
//! it; when it is referenced from another place those levels are counted anew ([`Graph::place`]).

use super::{AmfError, Limits, Value};

/// What has been decoded so far, against the limits. One budget serves a whole message.
pub(super) struct Budget {
    pub(super) limits: Limits,
    spent: Cost,
    copies: usize,
    depth: usize,
    /// The deepest level reached inside the container being read, by whatever is in it.
    deepest: usize,
}

#[derive(Clone, Copy, Default)]
struct Cost {
    elements: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            spent: Cost::default(),
            copies: 0,
            depth: 0,
            deepest: 0,
        }
    }

    pub(super) fn charge_elements(&mut self, count: usize, offset: usize) -> Result<(), AmfError> {
        self.charge(
            Cost {
                elements: count,
                bytes: 0,
            },
            offset,
        )
    }

    pub(super) fn charge_bytes(&mut self, count: usize, offset: usize) -> Result<(), AmfError> {
        self.charge(
            Cost {
                elements: 0,
                bytes: count,
            },
            offset,
        )
    }

    fn charge(&mut self, cost: Cost, offset: usize) -> Result<(), AmfError> {
        self.spent.elements = self.spent.elements.saturating_add(cost.elements);
        self.spent.bytes = self.spent.bytes.saturating_add(cost.bytes);
        if self.spent.elements > self.limits.elements {
            return Err(AmfError::TooManyElements {
                limit: self.limits.elements,
                offset,
            });
        }
        if self.spent.bytes > self.limits.expanded_bytes {
            return Err(AmfError::ExpandsTooLarge {
                limit: self.limits.expanded_bytes,
                offset,
            });
        }
        Ok(())
    }

    /// Counts a value that a reference copies instead of sharing it.
    fn charge_copy(&mut self, offset: usize) -> Result<(), AmfError> {
        self.copies = self.copies.saturating_add(1);
        let limit = self.limits.copies_per_byte.saturating_mul(offset);
        if self.copies > limit {
            return Err(AmfError::TooManyCopies { limit, offset });
        }
        Ok(())
    }

    fn reach(&mut self, depth: usize, offset: usize) -> Result<(), AmfError> {
        let limit = self.limits.max_depth();
        if depth > limit {
            return Err(AmfError::TooDeep { limit, offset });
        }
        self.deepest = self.deepest.max(depth);
        Ok(())
    }
}

/// The table of objects that references index.
pub(super) struct Graph {
    name: &'static str,
    slots: Vec<Slot>,
    innermost: Option<usize>,
}

struct Slot {
    /// The container around this one, if it is in the same table.
    parent: Option<usize>,
    /// How deep the container was when it was read, 1 for one at the top.
    depth: usize,
    /// The outermost depth that a cycle inside leads to.
    outermost: usize,
    state: State,
}

enum State {
    Open {
        spent_before: Cost,
        deepest_before: usize,
    },
    Done {
        value: Value,
        cost: Cost,
        height: usize,
    },
}

impl Graph {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            slots: Vec::new(),
            innermost: None,
        }
    }

    /// Begins a container: it has an index from now on.
    pub(super) fn open(&mut self, budget: &mut Budget, offset: usize) -> Result<usize, AmfError> {
        let state = State::Open {
            spent_before: budget.spent,
            deepest_before: budget.deepest,
        };
        budget.deepest = 0;
        budget.reach(budget.depth + 1, offset)?;
        budget.depth += 1;
        self.slots.push(Slot {
            parent: self.innermost,
            depth: budget.depth,
            outermost: usize::MAX,
            state,
        });
        let slot = self.slots.len() - 1;
        self.innermost = Some(slot);
        Ok(slot)
    }

    /// Ends the container that `open` began as `slot`.
    pub(super) fn close(&mut self, budget: &mut Budget, slot: usize, value: &Value) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        let State::Open {
            spent_before,
            deepest_before,
        } = entry.state
        else {
            return;
        };
        let cost = Cost {
            elements: budget.spent.elements.saturating_sub(spent_before.elements),
            bytes: budget.spent.bytes.saturating_sub(spent_before.bytes),
        };
        let height = budget.deepest.saturating_sub(entry.depth) + 1;
        entry.state = State::Done {
            value: value.clone(),
            cost,
            height,
        };
        budget.deepest = budget.deepest.max(deepest_before);
        budget.depth = entry.depth.saturating_sub(1);
        self.innermost = entry.parent;
        let outermost = entry.outermost;
        self.note_cycle(outermost);
    }

    /// Adds something that takes an index but holds no values, of `bytes` already charged.
    pub(super) fn leaf(&mut self, value: &Value, bytes: usize) {
        let state = State::Done {
            value: value.clone(),
            cost: Cost { elements: 0, bytes },
            height: 0,
        };
        self.slots.push(Slot {
            parent: None,
            depth: 0,
            outermost: usize::MAX,
            state,
        });
    }

    /// The value that a reference at the current place stands for.
    pub(super) fn resolve(
        &mut self,
        budget: &mut Budget,
        index: usize,
        offset: usize,
    ) -> Result<Value, AmfError> {
        let Some(slot) = self.slots.get(index) else {
            let known = self.slots.len();
            return Err(AmfError::ReferenceOutOfRange {
                table: self.name,
                index,
                known,
                offset,
            });
        };
        if matches!(slot.state, State::Open { .. }) {
            let target = slot.depth;
            self.note_cycle(target);
            return Ok(cycle(budget.depth, target));
        }
        self.place(budget, index, budget.depth + 1, offset)
    }

    /// A finished container for use at `depth`, charged again.
    fn place(
        &mut self,
        budget: &mut Budget,
        index: usize,
        depth: usize,
        offset: usize,
    ) -> Result<Value, AmfError> {
        let Some(slot) = self.slots.get(index) else {
            return Ok(Value::Undefined);
        };
        let State::Done { value, cost, height } = &slot.state else {
            return Ok(Value::Undefined);
        };
        let (value, cost, height) = (value.clone(), *cost, *height);
        let leads_out = slot.outermost < slot.depth;
        budget.charge(cost, offset)?;
        if height > 0 {
            budget.reach(depth + height - 1, offset)?;
        }
        if leads_out {
            self.rebase(budget, &value, Origin { index, depth, offset }, 0)
        } else {
            Ok(value)
        }
    }

    /// Copies a container that now stands at `origin.depth`, counting the levels of cycles that lead out of it anew.
    /// A cycle to a container that has been finished meanwhile becomes that container.
    fn rebase(
        &mut self,
        budget: &mut Budget,
        value: &Value,
        origin: Origin,
        level: usize,
    ) -> Result<Value, AmfError> {
        value.map_children(&mut |child| {
            budget.charge_copy(origin.offset)?;
            match child {
                Value::Cycle(levels) if usize::from(*levels) > level => {
                    let target = self.ancestor(origin.index, usize::from(*levels) - level);
                    let holder = origin.depth + level;
                    let Some(slot) = target.and_then(|target| self.slots.get(target)) else {
                        return Ok(Value::Undefined);
                    };
                    if matches!(slot.state, State::Open { .. }) {
                        let target = slot.depth;
                        self.note_cycle(target);
                        return Ok(cycle(holder, target));
                    }
                    budget.charge_elements(1, origin.offset)?;
                    self.place(budget, target.unwrap_or_default(), holder + 1, origin.offset)
                }
                child if child.is_container() => self.rebase(budget, child, origin, level + 1),
                child => Ok(child.clone()),
            }
        })
    }

    fn ancestor(&self, index: usize, levels: usize) -> Option<usize> {
        (0..levels).try_fold(index, |index, _| self.slots.get(index)?.parent)
    }

    fn note_cycle(&mut self, target: usize) {
        if let Some(slot) = self.innermost.and_then(|innermost| self.slots.get_mut(innermost)) {
            slot.outermost = slot.outermost.min(target);
        }
    }
}

/// Where a container is being placed, and which one it is.
#[derive(Clone, Copy)]
struct Origin {
    index: usize,
    depth: usize,
    offset: usize,
}

fn cycle(holder: usize, target: usize) -> Value {
    Value::Cycle(u16::try_from(holder.saturating_sub(target)).unwrap_or(u16::MAX))
}
