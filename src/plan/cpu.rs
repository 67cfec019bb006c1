//! The CPU executor: runs a plan step by step through the kernels' twins.
//!
//! Values are `f64`, so a twin's rounding error is negligible beside a kernel's. Speed is not a goal.

use std::collections::HashMap;

use super::tensors::Tensors;
pub use super::tensors::Values;
use super::{Plan, SlotId, Step};

/// Memory of the CPU executor, by slot name. Plans on one memory share slots of equal name, as on the
/// device.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    slots: HashMap<String, Values>,
}

impl Memory {
    /// Allocates every slot of `plan`; existing slots keep their values unless they are too small.
    pub fn fit(&mut self, plan: &Plan) {
        for (_, slot) in plan.slots().filter(|(_, s)| s.owns_memory()) {
            let fresh = || Values::zeros(slot.scalar, slot.len());
            let values = self.slots.entry(slot.name.clone()).or_insert_with(fresh);
            if values.len() < slot.len() {
                *values = fresh();
            }
        }
    }

    fn place(plan: &Plan, id: SlotId) -> (&str, usize, usize) {
        let slot = &plan[plan.origin(id)];
        match slot.view_of {
            Some((arena, offset)) => (&plan[arena].name, offset, slot.len()),
            None => (&slot.name, 0, slot.len()),
        }
    }

    /// Contents of a slot. Panics if [`fit`](Self::fit) did not allocate it.
    pub fn get(&self, plan: &Plan, id: SlotId) -> Values {
        let (name, start, len) = Self::place(plan, id);
        self.slots[name].range(start, len)
    }

    /// Contents of the float slot `name`. Panics if there is none.
    pub fn floats(&self, plan: &Plan, name: &str) -> Vec<f64> {
        let id = plan
            .find(name)
            .unwrap_or_else(|| panic!("no slot `{name}`"));
        match self.get(plan, id) {
            Values::Floats(v) => v,
            Values::Words(_) => panic!("`{name}` holds integers"),
        }
    }

    /// Sets the contents of a slot.
    pub fn set(&mut self, plan: &Plan, id: SlotId, values: &Values) {
        let (name, start, _) = Self::place(plan, id);
        if let Some(slot) = self.slots.get_mut(name) {
            slot.overwrite(start, values);
        }
    }

    /// Sets the contents of the float slot `name`. Panics if there is none.
    pub fn set_floats(&mut self, plan: &Plan, name: &str, values: &[f32]) {
        let id = plan
            .find(name)
            .unwrap_or_else(|| panic!("no slot `{name}`"));
        let values = values.iter().map(|&v| f64::from(v)).collect();
        self.set(plan, id, &Values::Floats(values));
    }

    /// Sets the contents of the slot of integers `name`. Panics if there is none.
    pub fn set_words(&mut self, plan: &Plan, name: &str, values: &[u32]) {
        let id = plan
            .find(name)
            .unwrap_or_else(|| panic!("no slot `{name}`"));
        self.set(plan, id, &Values::Words(values.to_vec()));
    }

    /// Runs one step.
    pub fn run_step(&mut self, plan: &Plan, step: &Step) {
        let bound = step.bindings.iter();
        let tensors = Tensors::new(bound.map(|(name, id)| (*name, self.get(plan, *id))));
        (step.kernel.twin)(&tensors);
        for ((_, id), (_, values)) in step.bindings.iter().zip(tensors.values) {
            if plan[*id].mirror_of.is_none() {
                self.set(plan, *id, &values.into_inner());
            }
        }
    }

    /// Allocates the slots of the plan and runs all steps once.
    pub fn run(&mut self, plan: &Plan) {
        self.fit(plan);
        for step in plan.steps() {
            self.run_step(plan, step);
        }
    }
}
