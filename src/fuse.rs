//! A plan in fewer steps.
//!
//! [`model`](crate::model) writes a step as plainly as it can: a kernel for each thing that is
//! computed. On a GPU the small ones take longer to start than to run, so [`fold`] puts one kernel
//! in the place of several which follow each other. It stores every tensor that they store, its
//! twin is theirs, and nothing else changes: parity, traces and recorded cases judge it by the same
//! slots. What is left is then dealt to dispatches ([`Plan::bundles`]).

use crate::ops::latent;
use crate::plan::{Plan, SlotId, Step};

/// The plan with steps folded into each other, where the adapter gains by it.
pub fn fold(mut plan: Plan) -> Plan {
    if plan.caps.fuse {
        for rule in [latent_forward, latent_backward] {
            if let Some((old, new)) = rule(&plan).filter(|(_, new)| fits(&plan, new)) {
                plan.replace(&old, new);
            }
        }
    }
    plan
}

/// Which steps make room for which.
type Rewrite = (Vec<usize>, Vec<Step>);

/// Whether the adapter can bind all that the steps need.
fn fits(plan: &Plan, steps: &[Step]) -> bool {
    let most = plan.caps.max_buffers;
    steps.iter().all(|step| step.bindings.len() <= most)
}

/// A kernel of a module whose entry point begins so, and which binds a slot to a variable.
fn find(plan: &Plan, kernel: (&str, &str), bound: Option<(&str, SlotId)>) -> Option<usize> {
    let (module, entry) = kernel;
    plan.steps().iter().position(|step| {
        step.kernel.module == module
            && step.kernel.entry.starts_with(entry)
            && bound.is_none_or(|(name, slot)| step.bound(name) == Some(slot))
    })
}

/// Dense layer, sampling, dense layer.
fn latent_forward(plan: &Plan) -> Option<Rewrite> {
    let steps = plan.steps();
    let sample = find(plan, ("reparam", "sample"), None)?;
    let encoder = find(plan, ("dense", "forward"), Some(("y", steps[sample].bound("q")?)))?;
    let decoder = find(plan, ("dense", "forward"), Some(("x", steps[sample].bound("z_out")?)))?;
    let step = latent::forward(&steps[encoder], &steps[sample], &steps[decoder])?;
    Some((vec![encoder, sample, decoder], vec![step]))
}

/// The same way back.
fn latent_backward(plan: &Plan) -> Option<Rewrite> {
    let steps = plan.steps();
    let sampling = find(plan, ("reparam", "backward"), None)?;
    let decoder = find(plan, ("dense", "input_grad"), Some(("dx", steps[sampling].bound("dz")?)))?;
    let encoder = find(plan, ("dense", "input_grad"), Some(("dy", steps[sampling].bound("dq")?)))?;
    let step = latent::backward(&steps[decoder], &steps[sampling], &steps[encoder])?;
    Some((vec![decoder, sampling, encoder], vec![step]))
}
