//! Fusion: replaces chains of operations by fused ones.
//!
//! [`model`](crate::model) writes one operation per computation. On a GPU the launch of a small kernel
//! takes longer than its work, so [`fuse`] replaces chains of them. A fused operation stores every
//! tensor that its parts store, and its twin runs their twins in order; all checks use the same slots.

use super::bce::LossAndGrad;
use super::conv::Contract;
use super::fetch::Fetch;
use super::fused::steps_of;
use super::operation::{Operation, Operations, as_type};
use super::posterior::{self, Sampled};
use super::reduce::ColumnSums;
use super::rng::Shuffle;
use super::target::Target;
use super::{adam, dense, front, head, latent};
use crate::plan::{Plan, SlotId};

/// Replaces chains of operations if the adapter can run the fused ones.
pub(super) fn fuse(ops: &mut Operations, plan: &Plan, target: &Target) {
    let rules: [Rule; 5] = [
        batch_and_conv1,
        latent,
        layer_and_loss,
        latent_gradient,
        adam_of_sums,
    ];
    for rule in rules {
        let rewrite = rule(ops, plan, target);
        if let Some(rewrite) = rewrite.filter(|r| fits(plan, target, &r.new)) {
            rewrite.apply(ops);
        }
    }
}

/// A fusion rule: finds operations to replace.
type Rule = fn(&[Box<dyn Operation>], &Plan, &Target) -> Option<Rewrite>;

/// A replacement of operations.
struct Rewrite {
    old: Vec<usize>,
    /// Index of the old operation at whose place the new ones go: after everything they read, and
    /// before everything that reads their results.
    at: usize,
    new: Operations,
}

impl Rewrite {
    fn apply(self, ops: &mut Operations) {
        let mut new = self.new;
        for (i, op) in std::mem::take(ops).into_iter().enumerate() {
            if i == self.at {
                ops.append(&mut new);
            }
            if !self.old.contains(&i) {
                ops.push(op);
            }
        }
    }
}

/// Whether the operations fit the adapter's bindings and workgroup memory.
fn fits(plan: &Plan, target: &Target, ops: &[Box<dyn Operation>]) -> bool {
    let caps = &target.caps;
    let ops: Vec<&dyn Operation> = ops.iter().map(AsRef::as_ref).collect();
    let steps = steps_of(&mut plan.clone(), target, &ops);
    steps.iter().all(|step| {
        let entry = step.kernel.reflect();
        let memory = entry.is_ok_and(|entry| entry.memory_bytes() <= caps.workgroup_memory);
        step.bindings.len() <= caps.max_buffers && memory
    })
}

/// The first operation of type `T` that satisfies a condition, with its index.
fn find<T: Operation + Clone>(
    ops: &[Box<dyn Operation>],
    condition: impl Fn(&T) -> bool,
) -> Option<(usize, T)> {
    let mut typed = ops
        .iter()
        .enumerate()
        .map(|(i, op)| (i, as_type::<T>(&**op)));
    typed.find_map(|(i, op)| Some((i, op.filter(|op| condition(op))?.clone())))
}

/// Image order, fetch, first convolution.
fn batch_and_conv1(ops: &[Box<dyn Operation>], _: &Plan, target: &Target) -> Option<Rewrite> {
    let (f, fetch) = find(ops, |_: &Fetch| true)?;
    let (s, shuffle) = find(ops, |op: &Shuffle| op.indices == fetch.indices)?;
    let (c, conv) = find(ops, |op: &Contract| op.x == fetch.x && op.is_thin(target))?;
    let fused = front::Forward::of(shuffle, fetch, conv)?;
    Some(Rewrite {
        old: vec![s, f, c],
        at: s,
        new: vec![Box::new(fused)],
    })
}

/// Last transposed convolution, gradient of the loss, input gradient. The loss stays separate.
fn layer_and_loss(ops: &[Box<dyn Operation>], _: &Plan, target: &Target) -> Option<Rewrite> {
    let (l, loss) = find(ops, |_: &LossAndGrad| true)?;
    let thin = |y: SlotId| find(ops, |op: &Contract| op.y == y && op.is_thin(target));
    let (y, layer) = thin(loss.loss.logits)?;
    let (g, gradient) = find(ops, |op: &Contract| {
        op.x == loss.dlogits && op.is_thin(target)
    })?;
    let alone = loss.loss.clone();
    let fused = head::ForwardAndBack::of(layer, loss, gradient)?;
    Some(Rewrite {
        old: vec![y, l, g],
        at: y,
        new: vec![Box::new(fused), Box::new(alone)],
    })
}

/// Dense layer, sampling, dense layer.
fn latent(ops: &[Box<dyn Operation>], _: &Plan, _: &Target) -> Option<Rewrite> {
    let (s, sample) = find(ops, |_: &Sampled| true)?;
    let (e, encoder) = find(ops, |op: &dense::Forward| op.y == sample.q)?;
    let (d, decoder) = find(ops, |op: &dense::Forward| op.x == sample.z)?;
    let fused = latent::Forward::of(encoder, sample, decoder)?;
    Some(Rewrite {
        old: vec![e, s, d],
        at: e,
        new: vec![Box::new(fused)],
    })
}

/// The gradients of dense layer, sampling and dense layer.
fn latent_gradient(ops: &[Box<dyn Operation>], _: &Plan, _: &Target) -> Option<Rewrite> {
    let (s, sampling) = find(ops, |_: &posterior::Backward| true)?;
    let (d, decoder) = find(ops, |op: &dense::InputGrad| op.dx == sampling.dz)?;
    let (e, encoder) = find(ops, |op: &dense::InputGrad| op.dy == sampling.dq)?;
    let fused = latent::Backward::of(decoder, sampling, encoder)?;
    Some(Rewrite {
        old: vec![d, s, e],
        at: d,
        new: vec![Box::new(fused)],
    })
}

/// The reductions of the first layer's gradients, and the update.
fn adam_of_sums(ops: &[Box<dyn Operation>], plan: &Plan, target: &Target) -> Option<Rewrite> {
    let (u, update) = find(ops, |_: &adam::Update| true)?;
    if target.heuristics.texels {
        return None;
    }
    let place = |i: usize| {
        let sum = as_type::<ColumnSums>(&*ops[i])?;
        let (owner, offset) = plan[sum.y].view_of?;
        let whole = sum.ranges == 1 && plan[sum.y].len().is_multiple_of(4);
        (whole && owner == update.arenas.grads).then(|| (offset, i, sum.clone()))
    };
    let mut sums: Vec<_> = (0..u).filter_map(place).collect();
    sums.sort_unstable_by_key(|(offset, ..)| *offset);
    let mut sums = sums.into_iter();
    let ((_, w, weights), (_, b, bias)) = (sums.next()?, sums.next()?);
    let fused = adam::UpdateOfSums::of(plan, [weights, bias], update)?;
    Some(Rewrite {
        old: vec![w, b, u],
        at: u,
        new: vec![Box::new(fused)],
    })
}
