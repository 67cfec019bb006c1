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

/// Whether the adapter can bind all that the steps need, and has the memory of their workgroups.
fn fits(plan: &Plan, steps: &[Step]) -> bool {
    let caps = &plan.caps;
    let has_memory = |step: &Step| {
        let entry = step.kernel.reflect();
        entry.is_ok_and(|entry| entry.memory_bytes() <= caps.workgroup_memory)
    };
    let fits = |step: &Step| step.bindings.len() <= caps.max_buffers && has_memory(step);
    steps.iter().all(fits)
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
        let whole = step.kernel.constant("RANGES") == Some(1.0);
        let (owner, offset) = plan[step.bound("y4")?].view_of?;
        let sum = step.kernel.entry.starts_with("column_sums4") && whole && owner == arena;
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

#[cfg(test)]
mod tests {
    use crate::data::Depth;
    use crate::model::{self, Feed, Model};
    use crate::ops::adam::Adam;
    use crate::ops::fetch::Packed;
    use crate::ops::rng::Order;
    use crate::plan::{Caps, Plan};

    const BATCH: u64 = 32;

    fn step(caps: Caps) -> Plan {
        let data = Packed {
            shape: [28, 28, 1],
            count: 60_000,
            depth: Depth::Bit,
            drawn: false,
        };
        let feed = Feed::Resident("train.images", data, Order::Shuffled);
        let (model, adam) = (Model::default(), Adam::default());
        let plan = model::train_step(&model, feed, adam, BATCH as usize, &caps);
        plan.check().expect("a sound plan");
        plan
    }

    fn unfused() -> Plan {
        step(Caps {
            fuse: false,
            ..Caps::gpu()
        })
    }

    fn dispatches(plan: &Plan) -> usize {
        plan.bundles().expect("bundles").len()
    }

    // Forward: the batch with the first layer, the second, the latent space, three layers of the
    // decoder, the last with the loss and its own way back. Backward: two layers, the latent space,
    // the second layer, the weights of the first. And the update.
    #[test]
    fn a_step_on_a_gpu_is_twelve_dispatches() {
        assert_eq!(dispatches(&step(Caps::gpu())), 6 + 5 + 1);
        assert_eq!(dispatches(&unfused()), unfused().steps().len());
    }

    // A check of the plan looks at the memory of each kernel, and a bundle at that of all its parts.
    #[test]
    fn a_step_fits_the_workgroup_memory_that_an_adapter_has() {
        for workgroup_memory in [16_384, 16_352, 12_288, 8_192] {
            let plan = step(Caps {
                workgroup_memory,
                ..Caps::gpu()
            });
            for bundle in plan.bundles().expect("bundles") {
                let entries = bundle.iter().map(|&i| plan.steps()[i].kernel.reflect());
                let mut memory: Vec<_> = entries
                    .flat_map(|entry| entry.expect("an entry point").memory.clone())
                    .collect();
                memory.sort();
                // Parts share what has one name; the larger counts.
                memory.dedup_by(|next, before| {
                    let same = next.0 == before.0;
                    before.1 = before.1.max(if same { next.1 } else { 0 });
                    same
                });
                let bytes: u32 = memory.iter().map(|(_, bytes)| bytes).sum();
                assert!(bytes <= workgroup_memory, "{bytes} of {workgroup_memory}");
            }
        }
    }

    // With no more than WebGPU's eight buffers the way through the latent space is three steps each
    // way, and not all that could share a dispatch finds room in it.
    #[test]
    fn with_few_buffers_a_step_takes_more_dispatches() {
        let dispatches = dispatches(&step(Caps::portable()));
        assert_eq!(dispatches, 19);
    }

    // What a fused kernel hands on within itself, or reads once for several steps, is not moved.
    #[test]
    fn fused_kernels_move_what_they_hand_on_once() {
        let moved = |plan: &Plan| -> u64 { plan.steps().iter().map(|s| plan.step_bytes(s)).sum() };
        let (image, layer, code) = (28 * 28, 28 * 28 * 32, 2);
        let batch = 1 + image; //                      indices and x
        let latent = 2 * code + code; //               q and z
        let head = 2 * image + layer - 2 * image; //   logits, dlogits and h; the loss reads logits and x again
        let back = code + 2 * code + code; //          dz, dq and z
        let weights = 288 + (288 + 32); //             of the last layer; two gradients of the first
        let saved = 4 * (BATCH * (batch + latent + head + back) + weights);
        assert_eq!(moved(&unfused()) - moved(&step(Caps::gpu())), saved);
    }
}
