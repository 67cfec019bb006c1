//! What a plan computes: a list of operations over slots, before anything is chosen for an adapter.

use std::ops::Deref;

use super::{Op, Operation, Target, fuse};
use crate::plan::{Bundling, Plan, Role, SlotId, Slots};

/// Operations over named slots.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Images in the batch.
    pub batch: usize,
    slots: Slots,
    ops: Vec<Op>,
}

impl Graph {
    /// An empty graph for `batch` images.
    pub fn new(batch: usize) -> Self {
        Graph {
            batch,
            slots: Slots::default(),
            ops: Vec::new(),
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

    /// Adds a slot that is the range of `arena` starting at element `offset`.
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
    pub fn push(&mut self, op: impl Into<Op>) {
        self.ops.push(op.into());
    }

    /// The operations in execution order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The steps for an adapter: expands each operation, fuses chains of them where the adapter
    /// gains by it, and chooses a kernel for each.
    pub fn lower(self, target: &Target) -> Plan {
        let mut plan = Plan::new(self.batch, target.caps.clone(), self.slots);
        let mut ops = Vec::new();
        for op in self.ops {
            ops.extend(op.expand(&mut plan, target));
        }
        if target.heuristics.fuse {
            plan.bundling = Bundling::All;
            fuse::fuse(&mut ops, &plan, target);
        } else if target.heuristics.bundle_light {
            plan.bundling = Bundling::Light;
        }
        for op in &ops {
            op.lower(&mut plan, target);
        }
        plan
    }
}

/// A graph is its slots and what happens to them.
impl Deref for Graph {
    type Target = Slots;

    fn deref(&self) -> &Slots {
        &self.slots
    }
}
