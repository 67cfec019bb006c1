//! A plan in fewer steps.
//!
//! [`model`](crate::model) writes a step as plainly as it can: a kernel for each thing that is
//! computed. On a GPU the small ones take longer to start than to run, so [`fold`] puts one kernel
//! in the place of several which follow each other. It stores every tensor that they store, its
//! twin is theirs, and nothing else changes: parity, traces and recorded cases judge it by the same
//! slots. What is left is then dealt to dispatches ([`Plan::bundles`]).

use crate::ops::{adam, bce, front, head, latent};
use crate::plan::{Plan, SlotId, Step};

/// The plan with steps folded into each other, where the adapter gains by it.
pub fn fold(mut plan: Plan) -> Plan {
    if plan.caps.fuse {
        for rule in [
            batch_and_conv1,
            latent,
            layer_and_loss,
            latent_gradient,
            adam_of_sums,
        ] {
            if let Some(rewrite) = rule(&plan).filter(|r| fits(&plan, &r.new)) {
                plan.replace(&rewrite.old, rewrite.at, &rewrite.new);
            }
        }
    }
    plan
}

/// Steps that make room for others.
struct Rewrite {
    old: Vec<usize>,
    /// Which of the old ones stood where the new ones are to stand: behind all that they read, and
    /// before all that reads what they write.
    at: usize,
    new: Vec<Step>,
}

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

/// Order of the images, fetching, convolution.
fn batch_and_conv1(plan: &Plan) -> Option<Rewrite> {
    let steps = plan.steps();
    let fetch = find(plan, ("fetch", "unpack"), None)?;
    let (indices, x) = (steps[fetch].bound("indices")?, steps[fetch].bound("x")?);
    let shuffle = find(plan, ("rng", "shuffle"), Some(("indices", indices)))?;
    let conv = find(plan, ("conv_thin", "correlate"), Some(("big", x)))?;
    let step = front::forward(plan, &steps[shuffle], &steps[fetch], &steps[conv])?;
    Some(Rewrite {
        old: vec![shuffle, fetch, conv],
        at: shuffle,
        new: vec![step],
    })
}

/// Transposed convolution, loss, gradient of the convolution's input. The loss comes by itself.
fn layer_and_loss(plan: &Plan) -> Option<Rewrite> {
    let steps = plan.steps();
    let loss = find(plan, ("bce", "loss_and_grad"), None)?;
    let (logits, slopes) = (steps[loss].bound("logits")?, steps[loss].bound("dlogits")?);
    let layer = find(
        plan,
        ("conv_thin", "adjoint"),
        Some(("picture_out", logits)),
    )?;
    let gradient = find(
        plan,
        ("conv_thin", "correlate_gated"),
        Some(("big", slopes)),
    )?;
    let step = head::forward_and_back(plan, &steps[layer], &steps[loss], &steps[gradient])?;
    Some(Rewrite {
        old: vec![layer, loss, gradient],
        at: layer,
        new: vec![step, bce::loss_alone(plan, &steps[loss])?],
    })
}

/// Dense layer, sampling, dense layer.
fn latent(plan: &Plan) -> Option<Rewrite> {
    let steps = plan.steps();
    let sample = find(plan, ("reparam", "sample"), None)?;
    let encoder = find(
        plan,
        ("dense", "forward"),
        Some(("y", steps[sample].bound("q")?)),
    )?;
    let decoder = find(
        plan,
        ("dense", "forward"),
        Some(("x", steps[sample].bound("z_out")?)),
    )?;
    let step = latent::forward(plan, &steps[encoder], &steps[sample], &steps[decoder])?;
    Some(Rewrite {
        old: vec![encoder, sample, decoder],
        at: encoder,
        new: vec![step],
    })
}

/// The same way back.
fn latent_gradient(plan: &Plan) -> Option<Rewrite> {
    let steps = plan.steps();
    let sampling = find(plan, ("reparam", "backward"), None)?;
    let decoder = find(
        plan,
        ("dense", "input_grad"),
        Some(("dx", steps[sampling].bound("dz")?)),
    )?;
    let encoder = find(
        plan,
        ("dense", "input_grad"),
        Some(("dy", steps[sampling].bound("dq")?)),
    )?;
    let step = latent::backward(plan, &steps[decoder], &steps[sampling], &steps[encoder])?;
    Some(Rewrite {
        old: vec![decoder, sampling, encoder],
        at: decoder,
        new: vec![step],
    })
}

/// The sums of the first layer's gradients, for which the update waits last, and the update.
fn adam_of_sums(plan: &Plan) -> Option<Rewrite> {
    let steps = plan.steps();
    let update = find(plan, ("adam", "update"), None)?;
    let arena = steps[update].bound("grads")?;
    let place = |i: usize| {
        let step = &steps[i];
        let whole = step.kernel.constant("GROUPS") == Some(1.0);
        let (owner, offset) = plan[step.bound("y4")?].view_of?;
        let sum = step.kernel.entry == "column_sums4" && whole && owner == arena;
        sum.then_some((offset, i))
    };
    let mut sums: Vec<(usize, usize)> = (0..update).filter_map(place).collect();
    sums.sort_unstable();
    let [(_, weights), (_, bias), ..] = sums[..] else {
        return None;
    };
    let step = adam::update_of_sums(plan, [&steps[weights], &steps[bias]], &steps[update])?;
    Some(Rewrite {
        old: vec![weights, bias, update],
        at: update,
        new: vec![step],
    })
}
