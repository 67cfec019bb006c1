//! Kernels that measure an adapter's peak arithmetic rate and memory bandwidth.

use super::graph::Graph;
use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, groups};

pub(super) static SOURCE: Source = Source::new("peak", files!("peak"));

/// Accumulators per invocation of `multiply_add`, and multiply-adds per accumulator and round.
const CHAINS: usize = 32;
const DEPTH: usize = 4;
/// Quads per workgroup of a copy.
const QUADS_OF_GROUP: usize = 256;

/// Multiply-adds in registers.
#[derive(Clone, Debug)]
pub struct MultiplyAdd {
    rounds: usize,
    /// Scale and shift, `[2]`.
    factors: SlotId,
    /// `[invocations, 4]`
    sums: SlotId,
}

/// A copy that reads from textures or buffers, as the adapter's convolutions do.
#[derive(Clone, Debug)]
pub struct Copy {
    from: SlotId,
    to: SlotId,
}

/// Appends `rounds` rounds of multiply-adds in each of `invocations` invocations, a multiple of 64. The
/// host fills `peak.factors [2]` with a scale and a shift; `peak.sums [invocations, 4]` gets the sums.
pub fn multiply_add(g: &mut Graph, invocations: usize, rounds: usize) {
    let factors = g.slot("peak.factors", &[2], Role::Data);
    let sums = g.slot("peak.sums", &[invocations, 4], Role::Activation);
    g.push(MultiplyAdd {
        rounds,
        factors,
        sums,
    });
}

/// Appends a copy of `len` values, a multiple of 4, from `peak.from`, which the host fills.
pub fn copy(g: &mut Graph, len: usize) {
    let from = g.slot("peak.from", &[len], Role::Data);
    let to = g.slot("peak.to", &[len], Role::Activation);
    g.push(Copy { from, to });
}

impl Operation for MultiplyAdd {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let &MultiplyAdd {
            rounds,
            factors,
            sums,
        } = self;
        let invocations = plan[sums].len() / 4;
        let twin = move |t: &Tensors| {
            let factors = t.floats("factors");
            let chain = |start: f64| {
                (0..rounds * DEPTH).fold(start, |value, _| value * factors[0] + factors[1])
            };
            for (i, sums) in t.floats_mut("sums").chunks_mut(4).enumerate() {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let start = (i % 64) as f64 / 64.0 + lane as f64 / 4.0;
                    *sum = (0..CHAINS / 4).map(|more| chain(start + more as f64)).sum();
                }
            }
        };
        // All kernels of a module take the same constants.
        let constants = [("ROUNDS", rounds as f64), ("COPY_QUADS", 0.0)];
        plan.push(Step {
            label: "peak arithmetic".into(),
            kernel: SOURCE.kernel("multiply_add", constants, twin),
            bindings: vec![("factors", factors), ("sums", sums)],
            grid: [groups(invocations, 64), 1, 1],
            flops: 2 * (CHAINS * DEPTH * rounds * invocations) as u64,
        });
    }
}

impl Operation for Copy {
    fn lower(&self, plan: &mut Plan, target: &Target) {
        let quads = plan[self.from].len() / 4;
        let (entry, name, from) = if target.heuristics.texels {
            ("copy_texels", "texels", plan.mirror(self.from))
        } else {
            ("copy", "values", self.from)
        };
        let twin = move |t: &Tensors| t.floats_mut("values_out").copy_from_slice(&t.floats(name));
        let constants = [("ROUNDS", 0.0), ("COPY_QUADS", quads as f64)];
        plan.push(Step {
            label: "peak copy".into(),
            kernel: SOURCE.kernel(entry, constants, twin),
            bindings: vec![(name, from), ("values_out", self.to)],
            grid: [groups(quads, QUADS_OF_GROUP), 1, 1],
            flops: 0,
        });
    }
}
