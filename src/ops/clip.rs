//! Clipping of the gradients of all parameters to a global norm (Pascanu, Mikolov and Bengio, "On the
//! difficulty of training recurrent neural networks", ICML 2013): g ← g · min(1, most / ‖g‖).

use super::graph::Graph;
use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, groups};

pub(super) static SOURCE: Source = Source::new("clip", files!("common/sum", "clip"));

/// Invocations of a workgroup.
const GROUP_SIZE: usize = 128;
/// Most partial sums.
const MOST_PARTS: usize = 64;

/// The gradients of an arena, scaled to a norm of at most `most`.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Largest norm.
    pub most: f64,
    /// The arena, of a multiple of 4 values.
    pub grads: SlotId,
    /// Sums of squares.
    pub parts: SlotId,
    /// In the shape of `grads`.
    pub clipped: SlotId,
    /// The norm before clipping, `[1]`.
    pub norm: SlotId,
}

/// Appends [`Clip`]; returns the clipped gradients.
pub fn clip(g: &mut Graph, most: f64, grads: SlotId) -> SlotId {
    let shape = g[grads].shape.clone();
    let clipped = g.slot("grads.clipped", &shape, Role::Grad);
    let parts = g[grads].len().div_ceil(4 * GROUP_SIZE).min(MOST_PARTS);
    let parts = g.slot("grads.squares", &[parts], Role::Activation);
    let norm = g.slot("grads.norm", &[1], Role::Activation);
    g.push(Clip {
        most,
        grads,
        parts,
        clipped,
        norm,
    });
    clipped
}

impl Operation for Clip {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let &Clip {
            most,
            grads,
            parts,
            clipped,
            norm,
        } = self;
        let (quads, count) = (plan[grads].len() / 4, plan[parts].len());
        let constants = [("COUNT", quads as f64), ("PARTS", count as f64)];
        let squares = move |t: &Tensors| {
            let grads = t.floats("grads");
            let mut parts = t.floats_mut("parts_out");
            parts.fill(0.0);
            for (i, block) in grads.chunks(4 * GROUP_SIZE).enumerate() {
                parts[i % count] += block.iter().map(|g| g * g).sum::<f64>();
            }
        };
        plan.push(Step {
            label: "gradient squares".into(),
            kernel: SOURCE.kernel("squares", constants, squares),
            bindings: vec![("grads", grads), ("parts_out", parts)],
            grid: [groups(count, 1), 1, 1],
            flops: 8 * quads as u64,
        });
        let [count, parts_count] = constants;
        let constants = [count, parts_count, ("MOST", most)];
        let twin = move |t: &Tensors| {
            let norm = t.floats("parts").iter().sum::<f64>().sqrt();
            let factor = if norm > most { most / norm } else { 1.0 };
            let (grads, mut clipped) = (t.floats("grads"), t.floats_mut("clipped"));
            let pairs = clipped.iter_mut().zip(&*grads);
            pairs.for_each(|(clipped, g)| *clipped = g * factor);
            t.floats_mut("norm_out")[0] = norm;
        };
        plan.push(Step {
            label: "gradient clip".into(),
            kernel: SOURCE.kernel("clip", constants, twin),
            bindings: vec![
                ("grads", grads),
                ("parts", parts),
                ("clipped", clipped),
                ("norm_out", norm),
            ],
            grid: [groups(quads, GROUP_SIZE), 1, 1],
            flops: 4 * quads as u64,
        });
    }
}
