//! Steps that compute several operations.

use super::operation::Operation;
use super::target::Target;
use crate::plan::tensors::{Tensors, Values};
use crate::plan::{Constants, Plan, Slot, SlotId, Source, Step, Twin};

/// A fused step before it enters the plan.
pub(super) struct Fused {
    pub label: String,
    pub source: &'static Source,
    pub entry: &'static str,
    pub constants: Constants,
    pub bindings: Vec<(&'static str, SlotId)>,
    pub grid: [u32; 3],
}

impl Fused {
    /// Appends the step. Its twin runs the twins of `parts` in order, so the plain steps judge it
    /// tensor by tensor. It stores only the tensors that it binds.
    pub fn push(self, plan: &mut Plan, target: &Target, parts: &[&dyn Operation]) {
        let steps = steps_of(plan, target, parts);
        let flops = steps.iter().map(|step| step.flops).sum();
        let twin = twin_of(plan, &self.bindings, &steps);
        plan.push(Step {
            label: self.label,
            kernel: self.source.kernel(self.entry, self.constants, twin),
            bindings: self.bindings,
            grid: self.grid,
            flops,
        });
    }
}

/// The steps of operations, without adding them to the plan.
pub(super) fn steps_of(plan: &mut Plan, target: &Target, ops: &[&dyn Operation]) -> Vec<Step> {
    let end = plan.steps().len();
    ops.iter().for_each(|op| op.lower(plan, target));
    plan.split_off(end)
}

/// The twins of the steps in order, over the tensors that the fused step binds.
fn twin_of(
    plan: &Plan,
    bindings: &[(&'static str, SlotId)],
    steps: &[Step],
) -> impl Fn(&Tensors) + Send + Sync + use<> {
    // Each plain tensor is either bound itself or part of a bound arena.
    let place = |slot: SlotId| {
        let (arena, offset) = plan[slot].view_of.unwrap_or((slot, 0));
        let bound = |slot: SlotId| bindings.iter().find(|(_, s)| *s == slot).map(|(n, _)| *n);
        let own = bound(slot).map(|name| (name, 0));
        own.or_else(|| bound(arena).map(|name| (name, offset)))
    };
    let steps: Vec<(Twin, Vec<_>)> = steps
        .iter()
        .map(|step| {
            let tensor = |(name, slot): &(&'static str, SlotId)| {
                let Slot { scalar, .. } = plan[*slot];
                (*name, place(*slot), (scalar, plan[*slot].len()))
            };
            let tensors = step.bindings.iter().map(tensor).collect();
            (step.kernel.twin.clone(), tensors)
        })
        .collect();
    move |t: &Tensors| {
        for (twin, tensors) in &steps {
            let inner = Tensors::new(tensors.iter().map(|&(name, place, (scalar, len))| {
                let bound = place.map(|(outer, offset)| t.values(outer).range(offset, len));
                (name, bound.unwrap_or_else(|| Values::zeros(scalar, len)))
            }));
            twin(&inner);
            for (name, place, _) in tensors {
                if let Some((outer, offset)) = place {
                    t.values(outer).overwrite(*offset, &inner.values(name));
                }
            }
        }
    }
}
