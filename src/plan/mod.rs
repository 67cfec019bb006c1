//! A *plan*: an ordered list of kernel calls over named, shaped buffers. Pure data.
//!
//! The GPU replays a plan ([`crate::gpu`]); the CPU can interpret it ([`cpu`]). Parity, traces,
//! profiles and memory reports all walk this one list. A plan assumes that every shape is known
//! when it is built, and it holds no control flow: repetition and tail batches are the business
//! of whoever runs it. Nothing here names a GPU interface.

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
mod tuning;

pub use bundle::Bundle;
pub use caps::{Caps, Tiles, Variant};
pub use check::{GrowsWith, PlanError};
pub use kernel::{Kernel, Step, Twin};
pub use slot::{Role, Scalar, Slot, SlotId};
pub use tuning::Tuning;

/// An ordered list of steps over named slots.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Images in the batch.
    pub batch: usize,
    /// What the adapter offers, which decides the kernel variants.
    pub caps: Caps,
    slots: Vec<Slot>,
    steps: Vec<Step>,
}

impl Plan {
    /// An empty plan for `batch` images on an adapter with the given capabilities.
    pub fn new(batch: usize, caps: Caps) -> Self {
        Plan {
            batch,
            caps,
            slots: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Adds a float slot.
    pub fn slot(&mut self, name: impl Into<String>, shape: &[usize], role: Role) -> SlotId {
        self.add(name.into(), shape, Scalar::F32, role)
    }

    /// Adds a slot of unsigned integers.
    pub fn words(&mut self, name: impl Into<String>, shape: &[usize], role: Role) -> SlotId {
        self.add(name.into(), shape, Scalar::U32, role)
    }

    /// Adds a slot that is the range of `arena` starting at element `offset`.
    pub fn view(
        &mut self,
        arena: SlotId,
        offset: usize,
        name: impl Into<String>,
        shape: &[usize],
    ) -> SlotId {
        let Slot { scalar, role, .. } = self[arena];
        let view = self.add(name.into(), shape, scalar, role);
        self.slots[view.0].view_of = Some((arena, offset));
        view
    }

    fn add(&mut self, name: String, shape: &[usize], scalar: Scalar, role: Role) -> SlotId {
        self.push_slot(Slot {
            name,
            shape: shape.to_vec(),
            scalar,
            role,
            mirror_of: None,
            view_of: None,
        })
    }

    fn push_slot(&mut self, slot: Slot) -> SlotId {
        self.slots.push(slot);
        SlotId(self.slots.len() - 1)
    }

    /// Appends a step.
    pub fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// The slot of that name.
    pub fn find(&self, name: &str) -> Option<SlotId> {
        self.slots.iter().position(|s| s.name == name).map(SlotId)
    }

    /// All slots with their handles, in the order they were added.
    pub fn slots(&self) -> impl Iterator<Item = (SlotId, &Slot)> {
        self.slots.iter().enumerate().map(|(i, s)| (SlotId(i), s))
    }

    /// The steps in execution order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps, to be rewritten; [`Plan::check`] judges the result.
    pub fn steps_mut(&mut self) -> &mut [Step] {
        &mut self.steps
    }

    /// Puts steps in the place of others, where the one at `at` stood.
    pub fn replace(&mut self, old: &[usize], at: usize, new: &[Step]) {
        let mut steps: Vec<Step> = Vec::new();
        for (i, step) in std::mem::take(&mut self.steps).into_iter().enumerate() {
            if i == at {
                steps.extend_from_slice(new);
            }
            if !old.contains(&i) {
                steps.push(step);
            }
        }
        self.steps = steps;
    }

    /// Useful floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        self.steps.iter().map(|s| s.flops).sum()
    }

    /// Bytes of all slots. Mirrors have none of their own, unless the driver cannot but copy.
    pub fn bytes(&self) -> u64 {
        let owned = self.slots.iter().filter(|s| s.owns_memory());
        owned.map(Slot::bytes).sum()
    }

    /// Bytes that a step touches when each bound slot moves once; of a data set, which has more
    /// rows than the batch, the rows of a batch.
    pub fn step_bytes(&self, step: &Step) -> u64 {
        let moved = |slot: &Slot| match slot.shape.first() {
            Some(&rows) if slot.role == Role::Data && rows > self.batch => {
                slot.bytes() / rows as u64 * self.batch as u64
            }
            _ => slot.bytes(),
        };
        step.bindings.iter().map(|(_, id)| moved(&self[*id])).sum()
    }

    /// Kernel variants used, in the order of first use: what a run records about itself.
    pub fn variants(&self) -> Vec<&'static str> {
        let mut seen = Vec::new();
        for step in &self.steps {
            if step.kernel.module.starts_with("conv") && !seen.contains(&step.kernel.module) {
                seen.push(step.kernel.module);
            }
        }
        seen
    }
}

impl std::ops::Index<SlotId> for Plan {
    type Output = Slot;

    fn index(&self, id: SlotId) -> &Slot {
        &self.slots[id.0]
    }
}

/// Workgroups of `size` invocations needed for `items`, one item each.
pub fn groups(items: usize, size: usize) -> u32 {
    u32::try_from(items.div_ceil(size)).unwrap_or(u32::MAX)
}
