//! What an adapter can do at best, in arithmetic and in memory: the measure of all other kernels.

use super::kernel;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, Step, groups};

/// Values that an invocation of `multiply_add` keeps, and multiply-adds of a round on each.
const CHAINS: usize = 32;
const DEPTH: usize = 4;
/// Quads that a workgroup of a copy moves.
const QUADS_OF_GROUP: usize = 256;

/// Appends `rounds` rounds of multiply-adds in registers by each of `invocations` invocations, a
/// multiple of 64. The host fills `peak.factors` with a scale and a shift; `peak.sums
/// [invocations, 4]` gets the sums of what comes out.
pub fn multiply_add(plan: &mut Plan, invocations: usize, rounds: usize) {
    let factors = plan.slot("peak.factors", &[2], Role::Data);
    let sums = plan.slot("peak.sums", &[invocations, 4], Role::Activation);
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
    // A module's constants are set in all of its kernels.
    let constants = [("ROUNDS", rounds as f64), ("QUADS", 0.0)];
    plan.push(Step {
        label: "peak arithmetic".into(),
        kernel: kernel("peak", "multiply_add", &constants, twin),
        bindings: vec![("factors", factors), ("sums", sums)],
        grid: [groups(invocations, 64), 1, 1],
        flops: 2 * (CHAINS * DEPTH * rounds * invocations) as u64,
    });
}

/// Appends a copy of `len` values, a multiple of 4, which the host fills as `peak.from`, read from
/// where the adapter's kernels read their images.
pub fn copy(plan: &mut Plan, len: usize) {
    let quads = len / 4;
    let from = plan.slot("peak.from", &[len], Role::Data);
    let to = plan.slot("peak.to", &[len], Role::Activation);
    let (entry, from_name, from) = if plan.caps.texels {
        ("copy_texels", "texels", plan.mirror(from))
    } else {
        ("copy", "values", from)
    };
    let twin = move |t: &Tensors| {
        t.floats_mut("values_out")
            .copy_from_slice(&t.floats(from_name))
    };
    let constants = [("ROUNDS", 0.0), ("QUADS", quads as f64)];
    plan.push(Step {
        label: "peak copy".into(),
        kernel: kernel("peak", entry, &constants, twin),
        bindings: vec![(from_name, from), ("values_out", to)],
        grid: [groups(quads, QUADS_OF_GROUP), 1, 1],
        flops: 0,
    });
}
