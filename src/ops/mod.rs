//! Operations: for each shader one file of the same stem, which turns a specification into
//! plan steps and holds the CPU twin of every entry point.
//!
//! Twins are plain loops in `f64`. They follow the kernel's formula, not its order of summation.

pub mod adam;
pub mod bce;
pub mod conv;
pub mod dense;
pub mod elbo;
pub mod fetch;
pub mod front;
pub mod head;
pub mod importance;
pub mod lanes;
pub mod latent;
pub mod peak;
pub mod reduce;
pub mod reparam;
pub mod rng;
pub mod state;

use std::sync::Arc;

use crate::plan::tensors::{Tensors, Values};
use crate::plan::{Kernel, Plan, Slot, SlotId, Step, Twin};

/// A kernel from its parts.
fn kernel(
    module: &'static str,
    entry: &'static str,
    constants: &[(&'static str, f64)],
    twin: impl Fn(&Tensors) + Send + Sync + 'static,
) -> Kernel {
    let twin: Twin = Arc::new(twin);
    Kernel {
        module,
        entry,
        constants: constants.to_vec(),
        twin,
    }
}

/// A flag as a WGSL override constant.
fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

/// A step that does the work of others, in their order. Its twin is theirs, one after the other:
/// so it is judged by the plain steps, tensor by tensor. What it does not bind, it does not store.
fn fused(
    plan: &Plan,
    label: String,
    (module, entry): (&'static str, &'static str),
    constants: Vec<(&'static str, f64)>,
    bindings: Vec<(&'static str, SlotId)>,
    grid: [u32; 3],
    replaced: &[&Step],
) -> Step {
    // Where the plain steps find their tensors: by themselves, or in an arena that is bound.
    let place = |slot: SlotId| {
        let (arena, offset) = plan[slot].view_of.unwrap_or((slot, 0));
        let own = bindings
            .iter()
            .find(|(_, s)| *s == slot)
            .map(|(n, _)| (*n, 0));
        let within = bindings
            .iter()
            .find(|(_, s)| *s == arena)
            .map(|(n, _)| (*n, offset));
        own.or(within)
    };
    let steps: Vec<(Twin, Vec<_>)> = replaced
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
    let twin = move |t: &Tensors| {
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
    };
    Step {
        label,
        kernel: kernel(module, entry, &constants, twin),
        bindings,
        grid,
        flops: replaced.iter().map(|step| step.flops).sum(),
    }
}
