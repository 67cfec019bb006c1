//! A *plan*: an ordered list of kernel calls over named, shaped buffers. Pure data.
//!
//! The GPU replays a plan ([`crate::gpu`]); the CPU can interpret it ([`cpu`]). Parity tests, traces,
//! profiles and memory reports walk the same list. All shapes are fixed when a plan is built. A plan
//! has no control flow: the caller repeats it and handles tail batches. No wgpu type appears here.

mod batches;
pub mod bounds;
mod bundle;
pub mod caps;
pub mod check;
pub mod cpu;
mod kernel;
pub mod link;
mod mirror;
mod part;
pub mod shader;
mod slot;
pub mod tensors;

use std::collections::HashMap;
use std::ops::Deref;

pub use batches::Batches;
pub use bundle::Bundle;
pub use caps::Caps;
pub use check::{GrowsWith, PlanError};
pub use kernel::{Constants, Kernel, KernelKey, Step, Twin, flag};
pub use shader::Source;
pub use slot::{Role, Scalar, Slot, SlotId, Slots};

/// Which steps of a plan share a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bundling {
    /// None.
    Off,
    /// Light steps, delayed until another step needs their results.
    Light,
    /// All independent steps.
    All,
}

/// An ordered list of steps over named slots.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Images in the batch.
    pub batch: usize,
    /// Capabilities of the adapter it is lowered for.
    pub caps: Caps,
    /// Which steps share a dispatch.
    pub bundling: Bundling,
    slots: Slots,
    steps: Vec<Step>,
}

impl Plan {
    /// A plan without steps over existing slots.
    pub fn new(batch: usize, caps: Caps, slots: Slots) -> Self {
        Plan {
            batch,
            caps,
            bundling: Bundling::Off,
            slots,
            steps: Vec::new(),
        }
    }

    /// Adds a float slot.
    pub fn slot(&mut self, name: impl Into<String>, shape: &[usize], role: Role) -> SlotId {
        self.slots.slot(name, shape, role)
    }

    /// The mirror of a slot ([`Slots::mirror`]).
    pub fn mirror(&mut self, slot: SlotId) -> SlotId {
        self.slots.mirror(slot)
    }

    /// Appends a step.
    pub fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// The steps in execution order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps, mutable; [`Plan::check`] validates the result.
    pub fn steps_mut(&mut self) -> &mut [Step] {
        &mut self.steps
    }

    /// Removes and returns the steps from index `at` on.
    pub fn split_off(&mut self, at: usize) -> Vec<Step> {
        self.steps.split_off(at)
    }

    /// Floating-point operations of one run; a multiply-add counts as two.
    pub fn flops(&self) -> u64 {
        self.steps.iter().map(|s| s.flops).sum()
    }

    /// Bytes that a step moves if each bound slot moves once. A data set counts with one batch of rows.
    pub fn step_bytes(&self, step: &Step) -> u64 {
        let moved = |slot: &Slot| match slot.shape.first() {
            Some(&rows) if slot.role == Role::Data && rows > self.batch => {
                slot.bytes() / rows as u64 * self.batch as u64
            }
            _ => slot.bytes(),
        };
        step.bindings.iter().map(|(_, id)| moved(&self[*id])).sum()
    }

    /// Names of the convolution modules used, in order of first use; run records store them.
    pub fn variants(&self) -> Vec<&'static str> {
        let mut seen = Vec::new();
        for step in &self.steps {
            let module = step.kernel.source.name;
            if module.starts_with("conv") && !seen.contains(&module) {
                seen.push(module);
            }
        }
        seen
    }
}

/// Gives access to the slots.
impl Deref for Plan {
    type Target = Slots;

    fn deref(&self) -> &Slots {
        &self.slots
    }
}

/// Number of workgroups of `size` invocations for `items` items, one item per invocation.
pub fn groups(items: usize, size: usize) -> u32 {
    u32::try_from(items.div_ceil(size)).unwrap_or(u32::MAX)
}

/// Bytes of the slots of several plans on one memory, where slots of one name are one, as large as the
/// largest. Drivers may add some for alignment, and for mirrors that they must copy.
pub fn shared_bytes(plans: &[&Plan]) -> u64 {
    let mut sizes: HashMap<&str, u64> = HashMap::new();
    for (_, slot) in plans.iter().flat_map(|plan| plan.slots()) {
        if slot.owns_memory() {
            let size = sizes.entry(&slot.name).or_default();
            *size = slot.bytes().max(*size);
        }
    }
    sizes.values().sum()
}
