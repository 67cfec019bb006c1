//! Steps which draw: the order of the images and the noise of the latent codes.

use super::kernel;
use super::state::StepState;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Step, groups};
use crate::rng;

/// Order in which a pass takes the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A new uniform permutation each epoch.
    Shuffled,
    /// As they stand in the data set.
    File,
}

fn constants(batch: usize, latent: usize, count: usize, order: Order) -> [(&'static str, f64); 4] {
    [
        ("BATCH", batch as f64),
        ("LATENT", latent as f64),
        ("COUNT", count as f64),
        ("SHUFFLE", super::flag(order == Order::Shuffled)),
    ]
}

/// Appends the draw of which images of `count` stand in the batch: `indices [B]`.
pub fn shuffle(plan: &mut Plan, state: SlotId, count: usize, order: Order) -> SlotId {
    let batch = plan.batch;
    let indices = plan.words("indices", &[batch], Role::Activation);
    let twin = move |t: &Tensors| {
        let state = StepState::of(t);
        for (row, index) in t.words_mut("indices").iter_mut().enumerate() {
            let at = (state.position + row as u32).min(count as u32 - 1);
            *index = match order {
                Order::Shuffled => {
                    rng::permute(at, count as u32, state.epoch, rng::key(state.seed))
                }
                Order::File => at,
            };
        }
    };
    plan.push(Step {
        label: "shuffle".into(),
        kernel: kernel("rng", "shuffle", &constants(batch, 1, count, order), twin),
        bindings: vec![("state", state), ("indices", indices)],
        grid: [groups(batch, 64), 1, 1],
        flops: 0,
    });
    indices
}

/// Appends the draw of `eps [B, latent]` from N(0, 1).
pub fn normals(plan: &mut Plan, state: SlotId, latent: usize) -> SlotId {
    let batch = plan.batch;
    let eps = plan.slot("eps", &[batch, latent], Role::Activation);
    let twin = move |t: &Tensors| {
        let state = StepState::of(t);
        for (row, codes) in t.floats_mut("eps").chunks_mut(latent).enumerate() {
            for (block, four) in codes.chunks_mut(4).enumerate() {
                let at = state.position + row as u32;
                let counter = [block as u32, at, state.step, state.stream];
                let drawn = rng::normals(counter, rng::key(state.seed));
                four.copy_from_slice(&drawn[..four.len()]);
            }
        }
    };
    plan.push(Step {
        label: "noise".into(),
        kernel: kernel(
            "rng",
            "normals",
            &constants(batch, latent, 1, Order::File),
            twin,
        ),
        bindings: vec![("state", state), ("eps", eps)],
        grid: [groups(batch * latent.div_ceil(4), 64), 1, 1],
        flops: 0,
    });
    eps
}
