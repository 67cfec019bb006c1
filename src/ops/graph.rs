//! A list of operations over slots, independent of the adapter.

use std::ops::Deref;

use super::operation::{Operation, Operations};
use crate::plan::{Role, SlotId, Slots};

/// Operations over named slots.
#[derive(Debug)]
pub struct Graph {
    /// Images in the batch.
    pub batch: usize,
    pub(super) slots: Slots,
    pub(super) ops: Operations,
}

impl Graph {
    /// An empty graph for `batch` images.
    pub fn new(batch: usize) -> Self {
        Graph {
            batch,
            slots: Slots::default(),
            ops: Operations::new(),
        }
    }

    /// Adds a float slot.
    pub fn slot(&mut self, name: impl Into<String>, shape: &[usize], role: Role) -> SlotId {
        self.slots.slot(name, shape, role)
    }

    /// Adds a slot of unsigned integers.
    pub fn words(&mut self, name: impl Into<String>, shape: &[usize], role: Role) -> SlotId {
        self.slots.words(name, shape, role)
    }

    /// Adds a view of `arena` that starts at element `offset`.
    pub fn view(
        &mut self,
        arena: SlotId,
        offset: usize,
        name: impl Into<String>,
        shape: &[usize],
    ) -> SlotId {
        self.slots.view(arena, offset, name, shape)
    }

    /// Appends an operation.
    pub fn push(&mut self, op: impl Operation) {
        self.ops.push(Box::new(op));
    }

    /// The operations in execution order.
    pub fn ops(&self) -> &[Box<dyn Operation>] {
        &self.ops
    }
}

/// Gives access to the slots.
impl Deref for Graph {
    type Target = Slots;

    fn deref(&self) -> &Slots {
        &self.slots
    }
}
